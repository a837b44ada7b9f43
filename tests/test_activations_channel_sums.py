"""Channel sums are the sums of captured maps, whatever the number of frames a pass, with the labels beside them."""

import numpy as np
import pytest
import torch

from procscope.activations.capture import capture
from procscope.activations.channel_sums import channel_sums
from procscope.agents.networks.impala import Impala
from procscope.envs.actions import ACTION_TO_MOVE, Move
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.level_frames import frames_from_seeds


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Impala(widths=(4, 4, 6), hidden=16)


@pytest.fixture(scope="module")
def shown():
    return frames_from_seeds("maze", range(TEST_SEEDS.start, TEST_SEEDS.start + 9))


def test_sums_are_those_of_the_maps(network, shown, monkeypatch):
    monkeypatch.setattr("procscope.activations.channel_sums._FRAMES_AT_ONCE", 4)
    read = channel_sums(network, shown)
    captured = capture(network, shown.frames, ["conv_out"], dtype="float32")
    np.testing.assert_allclose(read.sums, captured.activations["conv_out"].sum((2, 3)), rtol=1e-5)
    np.testing.assert_allclose(read.logits, captured.logits, rtol=1e-4, atol=1e-5)
    assert read.labels is shown.labels


def test_summed_moves_and_likeliest_actions_can_differ(network, shown):
    read = channel_sums(network, shown)
    logits = np.full((2, 15), -9.0, np.float32)
    logits[0, 5] = 1.0  # up, once
    logits[0, [0, 1, 2]] = 0.5  # left, three raw actions
    logits[1, 7] = 1.0
    read = read._replace(sums=read.sums[:2], logits=logits)
    assert read.moves.tolist() == [Move.LEFT, Move.RIGHT]
    assert read.moves_of_likeliest_actions.tolist() == [Move.UP, Move.RIGHT]
    assert ACTION_TO_MOVE[5] == Move.UP


def test_where_keeps_rows_together(network, shown):
    read = channel_sums(network, shown)
    chosen = np.arange(9) % 2 == 0
    kept = read.where(chosen)
    assert np.array_equal(kept.sums, read.sums[chosen])
    assert np.array_equal(kept.labels["level_seed"], shown.labels["level_seed"][chosen])


def test_a_hook_point_without_maps_is_refused(network, shown):
    with pytest.raises(ValueError, match="expected maps"):
        channel_sums(network, shown, "fc")
