"""Many channels at once, corridor circuits, the systematic search, mazes without the lattice: against plain loops."""

import numpy as np
import pytest
from untrained_impala import untrained_impala

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import channel_statistics
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.lattice_free import lattice_free_maze
from procscope.envs.maze.pairs import direction_pairs
from procscope.interventions.ablation import MeanAblation
from procscope.interventions.apply import applied
from procscope.interventions.channel_search import search_channels
from procscope.interventions.corridor_circuits import CorridorStudy, study_corridors
from procscope.interventions.direction_channels import find_direction_channels
from procscope.interventions.effects import action_kl
from procscope.interventions.many_channels import ablate_many, follows_to_cheese
from procscope.interventions.vector_field import VectorField, maze_fields

LEVELS = [MazeLevel.generate(7, np.random.default_rng(seed)) for seed in range(6)]


@pytest.fixture(scope="module")
def network():
    return untrained_impala(loudness=30).eval()


# -- Many channels --


def test_many_channels_are_ablated_together_with_as_many_others(network):
    found = ablate_many(network, [1, 6], LEVELS[:2], "conv_out", played=LEVELS[2:4], seed=0, max_steps=6)
    arms = {arm.name: arm for arm in found.arms}
    assert set(found.controls("mean")) == {"mean: channels of like norm", "mean: random channels"}
    assert arms["zero"].of(0)[0].channels == (1, 6)
    assert not set(arms["zero: random channels"].of(0)[0].channels) & {1, 6}
    for number, level in enumerate(LEVELS[:2]):
        fields = maze_fields(network, level, {"min": arms["min"].of(0)})
        assert found.change["min"][number] == pytest.approx(
            fields["min"].minus(fields["untouched"]).mean_length, rel=1e-3, abs=1e-6
        )
    assert (found.change["untouched"] == 0).all()
    assert found.found["zero"].shape == (2,)


WAY = MazeLevel.from_ascii("..C\n.#.\nM..")


def way_field(moves):
    """The field on the ring in which each cell's most probable move is the given one (left, down, stay, up, right)."""
    cells = np.argwhere(~WAY.walls)[:, ::-1]
    logits = np.zeros((len(cells), 15))
    for i, cell in enumerate(map(tuple, cells.tolist())):
        logits[i, [1, 3, 4, 5, 7][moves.get(cell, 2)]] = 9
    return VectorField(WAY, cells, logits, None, np.ones((len(cells), 5), bool))


@pytest.mark.parametrize(
    ("moves", "arrives"),
    [
        ({(0, 0): 3, (0, 1): 3, (0, 2): 4, (1, 2): 4}, True),
        ({(0, 0): 3, (0, 1): 3, (0, 2): 4}, False),
        ({(0, 0): 3, (0, 1): 1}, False),
    ],
)
def test_following_the_arrows(moves, arrives):
    assert follows_to_cheese(way_field(moves), WAY) is arrives


# -- Corridors --


def test_corridor_importance_is_that_of_a_plain_loop(network):
    rng = np.random.default_rng(3)
    found = study_corridors(network, LEVELS, "conv_out", rng)
    assert found.importance["vertical"].shape == (6, 8)
    rng = np.random.default_rng(3)
    shown = {}
    for kind, (odd_x, odd_y) in {"vertical": (0, 1), "horizontal": (1, 0), "room": (0, 0)}.items():
        placed = []
        for level in LEVELS:
            cells = [
                c for c in level.free_cells() if (c[0] % 2, c[1] % 2) == (odd_x, odd_y) and c != level.cheese
            ]
            placed.append(level.with_mouse(*cells[int(rng.integers(len(cells)))]))
        shown[kind] = frames_of_levels(placed).frames
    every = np.concatenate(list(shown.values()))
    maps = capture(network, every, ["conv_out"], dtype="float32").activations["conv_out"]
    arm = MeanAblation.of(channel_statistics(maps), "conv_out", [5])
    base = capture(network, shown["horizontal"], []).logits
    with applied(network, arm):
        changed = capture(network, shown["horizontal"], []).logits
    np.testing.assert_allclose(
        found.importance["horizontal"][:, 5], action_kl(base, changed[None])[0], rtol=1e-2, atol=1e-5
    )


def test_overlap_and_dissociation_by_hand():
    rng = np.random.default_rng(0)
    loud = np.array([4.0, 3, 2, 1, 0]) + rng.normal(scale=0.01, size=(40, 5))
    study = CorridorStudy(
        {"vertical": loud, "horizontal": loud[:, ::-1].copy(), "room": loud},
        np.arange(40) % 2 == 0,
        {
            ("vertical", "vertical"): np.linspace(0.4, 0.6, 20),
            ("vertical", "horizontal"): np.full(20, 0.1),
            ("horizontal", "horizontal"): np.full(20, 0.3),
            ("horizontal", "vertical"): np.full(20, 0.1),
        },
    )
    assert study.overlap("vertical", "horizontal").value == pytest.approx(-1)
    assert study.overlap("vertical", "vertical room").value == pytest.approx(1)
    assert study.reliability("horizontal").value == pytest.approx(1)
    assert study.dissociation().value == pytest.approx(((0.5 - 0.1) + (0.3 - 0.1)) / 2)
    with pytest.raises(ValueError, match="at least two rooms of the kind 'horizontal room'"):
        CorridorStudy(study.importance, np.ones(40, bool), study.drops).overlap("vertical", "horizontal room")


def test_corridors_need_mazes(network):
    with pytest.raises(ValueError, match="at least four mazes"):
        study_corridors(network, LEVELS[:3], "conv_out", np.random.default_rng(0))


# -- The systematic search --


def test_the_search_divides_the_pair_finders_effect_by_the_spread(network):
    rng = np.random.default_rng(0)
    bases = [direction_pairs(7, rng) for _ in range(2)]
    squares = frames_of_levels(LEVELS)
    found = search_channels(network, bases, squares, ["conv_out", "fc"])
    finder = find_direction_channels(network, bases)
    np.testing.assert_allclose(found["conv_out"].effects, finder.effects, rtol=1e-4)
    sums = capture(network, squares.frames, ["conv_out"], dtype="float32").activations["conv_out"].sum((2, 3))
    np.testing.assert_allclose(found["conv_out"].spread, sums.std(axis=0), rtol=1e-3)
    with np.errstate(all="ignore"):
        expected = np.nan_to_num(finder.effects / sums.std(axis=0), nan=0, posinf=0)
    np.testing.assert_allclose(found["conv_out"].standardised, expected, rtol=1e-2, atol=1e-5)
    assert found["fc"].effects.shape == (16,)
    with pytest.raises(ValueError, match="at least one base maze"):
        search_channels(network, [], squares, ["fc"])


# -- Mazes without the lattice --


@pytest.mark.parametrize("size", [3, 5, 15])
def test_mazes_without_the_lattice_have_one_way_between_any_two_cells(size):
    broken = 0
    for seed in range(8):
        level = lattice_free_maze(size, np.random.default_rng(seed))
        assert not level.walls[0, 0]
        assert not level.walls[-1, -1]
        # A tree: connected, with one link less than cells.
        free = ~level.walls
        links = (free[:, 1:] & free[:, :-1]).sum() + (free[1:] & free[:-1]).sum()
        assert links == free.sum() - 1
        assert (level.distance_map(level.mouse)[free] >= 0).all()
        assert level.cheese != level.mouse
        broken += any("even x and even y" in one or "odd x and odd y" in one for one in level.violations())
    assert broken >= (6 if size > 3 else 1)
    first, second = (lattice_free_maze(size, np.random.default_rng(0)) for _ in range(2))
    assert first == second


def test_mazes_without_the_lattice_refuse_sizes():
    with pytest.raises(ValueError, match="must be odd"):
        lattice_free_maze(8, np.random.default_rng(0))
