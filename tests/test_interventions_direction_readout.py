"""Thresholds by brute force, shares of maps by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from procscope.activations.channel_sums import ChannelSums
from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import Move
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.level_frames import frames_from_seeds
from procscope.interventions.direction_readout import (
    DirectionReadout,
    direction_readout,
    precision_threshold,
    share_near,
    shares_near_mouse,
)

sums_and_labels = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=1, max_size=40)


def readout(pairs) -> DirectionReadout:
    sums, right = zip(*pairs, strict=True)
    return DirectionReadout(np.array(sums, float), np.array(right, bool))


@given(sums_and_labels, st.sampled_from([0.5, 0.8, 0.99]))
def test_the_threshold_is_the_lowest_that_reaches_the_precision(pairs, precision):
    found = readout(pairs)
    # Every way to part the sums: below all of them, and between any two that differ.
    cuts = [-1.0, *(value + 0.5 for value in np.unique(found.sums)[:-1])]
    good = [cut for cut in cuts if found.is_right[found.sums > cut].mean() >= precision]
    if not good:
        with pytest.raises(ValueError, match="no threshold"):
            precision_threshold(found, precision)
        return
    threshold = precision_threshold(found, precision)
    assert np.array_equal(found.sums > threshold, found.sums > min(good))
    assert found.precision_above(threshold).value >= precision


def test_precision_recall_and_auroc_of_a_small_example():
    found = readout([(9, True), (8, True), (7, False), (6, True), (1, False), (0, False)])
    assert precision_threshold(found, 0.99) == 7.5
    assert found.precision_above(7.5)[::3] == (1.0, 2)
    assert found.precision_above(5.0)[::3] == (0.75, 4)
    assert found.recall_above(7.5)[::3] == (pytest.approx(2 / 3), 3)
    assert found.auroc.value == pytest.approx(roc_auc_score(found.is_right, found.sums))
    with pytest.raises(ValueError, match="above"):
        found.precision_above(9.0)


def test_a_readout_compares_the_next_step_with_the_reading():
    labels = {"best_move": np.array([Move.UP, Move.LEFT, Move.DOWN, Move.RIGHT], np.int32)}
    sums = np.arange(8, dtype=np.float32).reshape(4, 2)
    read = ChannelSums(sums, np.zeros((4, 15), np.float32), labels)
    found = direction_readout(read, 1, [Move.DOWN, Move.LEFT])
    assert found.sums.tolist() == [1, 3, 5, 7]
    assert found.is_right.tolist() == [False, True, True, False]


def test_the_share_near_a_place_by_hand():
    flat = np.ones((8, 8))
    corner = np.zeros((8, 8))
    corner[0, 0], corner[2, 2] = 3.0, 1.0
    maps = np.stack([flat, flat, corner, np.zeros((8, 8))])
    places = np.array([[4, 4], [0, 7], [1, 0], [1, 1]])
    shares = share_near(maps, places)
    assert shares[:3].tolist() == [9 / 64, 4 / 64, 0.75]
    assert np.isnan(shares[3])


class Painted(HookedNetwork):
    """A network whose second channel is bright at one place of the map, which moves with the frame's number."""

    def __init__(self, places):
        super().__init__()
        self.places, self.seen = places, 0
        self.conv_out = HookPoint()
        self.setup()

    def forward(self, frames):
        maps = torch.zeros(len(frames), 2, 8, 8)
        for row in range(len(frames)):
            place = self.places[self.seen + row]
            maps[row, 1, place[0], place[1]] = 2.0
        self.seen += len(frames)
        self.conv_out(maps)
        return PolicyOutput(torch.zeros(len(frames), 15), torch.zeros(len(frames)))


def test_mass_at_the_mouse_is_near_it_and_mass_far_from_it_is_not():
    shown = frames_from_seeds("maze", range(TEST_SEEDS.start, TEST_SEEDS.start + 30), ["mouse-anywhere"])
    labels = shown.labels
    # Worked out apart: a cell is 64 / 15 pixels wide, and position i of the map is centred on pixel 8 i.
    margin = (15 - labels["maze_size"]) // 2
    column = np.round((labels["agent_x"] + margin + 0.5) * 64 / 15 / 8).astype(int)
    row = np.round((15 - labels["agent_y"] - margin - 0.5) * 64 / 15 / 8).astype(int)
    at_mouse = np.clip(np.stack([row, column], axis=1), 0, 7)
    assert (shares_near_mouse(Painted(at_mouse), shown, 1) == 1).all()
    assert (shares_near_mouse(Painted((at_mouse + 4) % 8), shown, 1) == 0).all()
    assert np.isnan(shares_near_mouse(Painted(at_mouse), shown, 0)).all()
