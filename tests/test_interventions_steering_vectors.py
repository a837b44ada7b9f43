"""The cheese and top-right vectors: what they are differences of, and that steering by them is what it should be."""

import numpy as np
import pytest
from untrained_impala import untrained_impala

from procscope.activations.capture import capture
from procscope.envs.engine import scratch_engine
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.interventions.apply import applied
from procscope.interventions.frame_sweep import sweep_frames
from procscope.interventions.steer import Steer, noise_like
from procscope.interventions.steering_vectors import (
    activation_differences,
    cheese_vectors,
    top_right_vectors,
    with_way,
)
from procscope.interventions.sweep import sweep_rollouts

LEVELS = [MazeLevel.generate(size, np.random.default_rng(size)) for size in (5, 9, 11)]


@pytest.fixture(scope="module")
def network():
    return untrained_impala((2, 3, 4), loudness=30).eval()


def rendered(levels):
    return scratch_engine("maze").render([level.to_state() for level in levels])


def test_taking_the_cheese_vector_away_is_taking_the_cheese_away(network):
    """At the place itself, in the very frame that the vector is of."""
    vectors = cheese_vectors(network, LEVELS, ["block2.res1", "fc"])
    bare = capture(network, rendered([level.without_cheese() for level in LEVELS]), []).logits
    for place, maps in vectors.items():
        arm = Steer(place, vector=maps, strength=-1, per_frame=True)
        with applied(network, arm):
            steered = capture(network, rendered(LEVELS), []).logits
        np.testing.assert_allclose(steered, bare, atol=1e-4)
    assert np.abs(capture(network, rendered(LEVELS), []).logits - bare).max() > 1e-3


def test_a_vector_for_each_frame_is_that_frames_alone(network):
    maps = cheese_vectors(network, LEVELS, ["conv_out"])["conv_out"]
    shown = frames_of_levels(LEVELS).frames
    together = sweep_frames(
        network,
        shown,
        {
            "each": Steer("conv_out", vector=maps, strength=2, per_frame=True),
            "by frame": lambda frame: Steer("conv_out", vector=maps[frame], strength=2),
        },
        controls=False,
    )
    np.testing.assert_allclose(together.logits["each"], together.logits["by frame"], atol=1e-5)
    for frame, one in enumerate(maps):
        with applied(network, Steer("conv_out", vector=one, strength=2)):
            alone = capture(network, shown[frame : frame + 1], []).logits
        np.testing.assert_allclose(together.logits["each"][frame], alone[0], atol=1e-4)


def test_in_play_a_level_gets_its_own_vector(network):
    maps = cheese_vectors(network, LEVELS, ["conv_out"])["conv_out"]
    arms = {
        "each": Steer("conv_out", vector=maps, strength=-3, per_frame=True),
        "by level": lambda level: Steer("conv_out", vector=maps[level], strength=-3),
    }
    sweep = sweep_rollouts(network, LEVELS, arms, controls=False, max_steps=12)
    assert all(map(np.array_equal, sweep.paths["each"], sweep.paths["by level"]))
    assert any(
        not np.array_equal(one, two)
        for one, two in zip(sweep.paths["each"], sweep.paths["untouched"], strict=True)
    )


def test_the_way_is_opened_and_nothing_else_changes():
    for level in LEVELS:
        opened = with_way(level)
        margin = level.margin
        assert opened.size == opened.world == 15
        corner = (level.size - 1 + margin, level.size - 1 + margin)
        assert opened.shortest_path(target=opened.corner, start=corner)
        assert opened.mouse == (level.mouse[0] + margin, level.mouse[1] + margin)
        free = {(x + margin, y + margin) for x, y in level.free_cells()}
        new = set(opened.free_cells()) - free
        assert new == {(x, corner[1]) for x in range(corner[0] + 1, 15)} | {
            (14, y) for y in range(corner[1] + 1, 15)
        }
        # Shut again, it is drawn as the level is: the picture shows the larger maze's walls as the world's.
        shut = opened
        for cell in new:
            shut = shut.with_wall(*cell, allow_unsolvable=True)
        np.testing.assert_array_equal(rendered([shut]), rendered([level]))


def test_the_top_right_vector_is_the_difference_of_two_pictures(network):
    found = top_right_vectors(network, LEVELS, ["conv_out"])["conv_out"]
    first, second = (
        capture(network, rendered(levels), ["conv_out"], dtype="float32").activations["conv_out"]
        for levels in ([with_way(level) for level in LEVELS], LEVELS)
    )
    np.testing.assert_allclose(found, first - second, atol=1e-6)


def test_noise_has_the_vectors_norm_at_each_position():
    array = np.random.default_rng(0).normal(size=(3, 5, 2, 4))
    array[1, :, 0, 0] = 0
    noise = noise_like(array, np.random.default_rng(1), channel_axis=1)
    np.testing.assert_allclose(np.linalg.norm(noise, axis=1), np.linalg.norm(array, axis=1), rtol=1e-5)
    assert np.abs(noise - array).max() > 0.1


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda network: cheese_vectors(network, [LEVELS[0].without_cheese()], ["fc"]),
            r"at \[0\] have none",
        ),
        (lambda network: activation_differences(network, LEVELS, LEVELS[:1], ["fc"]), "given 3 and 1"),
        (lambda network: activation_differences(network, [], [], ["fc"]), "at least one; given 0"),
        (
            lambda network: with_way(MazeLevel.generate(15, np.random.default_rng(0))),
            "smaller than its world of 15 cells",
        ),
        (
            lambda network: sweep_frames(
                network,
                rendered(LEVELS),
                {"few": Steer("fc", vector=np.ones((2, 16)), per_frame=True)},
                controls=False,
            ),
            "vectors for 2 frames, and frame 2 came",
        ),
        (
            lambda network: Steer("fc", vector=np.ones(16), per_frame=True),
            "frame by frame, not all 0",
        ),
    ],
)
def test_misuse(network, attempt, message):
    with pytest.raises(ValueError, match=message):
        attempt(network)
