"""Switching a goal, and what feeds a probe: on a network with one known direction, and exact identities on any."""

import numpy as np
import pytest
import torch
from torch import nn
from untrained_impala import untrained_impala

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.envs.heist.pairs import choice_pairs, goal_pairs
from procscope.interventions.steer import Steer
from procscope.probes.goal_rules import SITUATIONS, goal_rules
from procscope.probes.goal_switch import HELD, find_handles, goal_arms, goal_effects, goal_play, probe_scores
from procscope.probes.guided_eigen import ProbeEigen, probe_eigen

FINDING = goal_pairs(8, np.random.default_rng(0))
PAIRS = goal_pairs(3, np.random.default_rng(1))
NETWORK = untrained_impala(loudness=200)


class Linear(HookedNetwork):
    """Maps of three channels, and two units: weighted sums of the first two channels over all positions."""

    mixing = torch.tensor([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]])

    def __init__(self):
        super().__init__()
        self.maps, self.fc = HookPoint(), HookPoint()
        self.head = nn.Linear(2, 15)
        self.setup()

    def forward(self, frames):
        maps = self.maps(frames.float() / 255)
        return self.head(self.fc(maps.sum((2, 3)) @ self.mixing))


def test_the_gradients_of_a_linear_network_have_one_direction():
    frames = np.random.default_rng(0).integers(0, 255, (70, 64, 64, 3), dtype=np.uint8)
    found = probe_eigen(Linear(), frames, "fc", np.array([3.0, 5.0]), "maps")
    np.testing.assert_allclose(found.shares, [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(np.abs(found.directions[0]), np.array([2, 1, 0]) / np.sqrt(5), atol=1e-6)
    assert found.participation == pytest.approx(1)
    assert ProbeEigen(np.eye(2), np.array([0.5, 0.5])).participation == pytest.approx(2)
    with pytest.raises(ValueError, match="gradients are 0"):
        probe_eigen(Linear(), frames[:2], "fc", np.array([0.0, 5.0]), "maps")
    with pytest.raises(ValueError, match="a weight for each of the"):
        probe_eigen(Linear(), frames[:2], "fc", np.ones(3), "maps")


def test_handles_and_arms():
    handles = find_handles(NETWORK, FINDING, "fc", "block2.res2", 0.125)
    assert handles.probe.accuracy.shape == (2,), "a quarter of the pairs judges"
    direction = handles.probe.probe.coefficients[:, 1] - handles.probe.probe.coefficients[:, 0]
    cosine = handles.probe.step @ direction / np.linalg.norm(handles.probe.step) / np.linalg.norm(direction)
    assert abs(cosine) == pytest.approx(1)
    assert handles.probe.step @ direction == pytest.approx(handles.probe.difference @ direction)
    arms = goal_arms(handles, PAIRS, (1, 2), (1.0, 2.0))
    assert list(arms) == [
        "probe fc x1",
        "difference fc x1",
        "probe fc x2",
        "difference fc x2",
        "erase key",
        "channels 1",
        "channels 2",
        "key vector away x1",
        "key vector away x2",
    ]
    away = arms["key vector away x1"]
    assert isinstance(away, Steer)
    for i, pair in enumerate(PAIRS):
        added = away.vector.array[i]
        row, col = np.argwhere(np.abs(added).sum(axis=0) > 0).mean(axis=0)
        x, y = pair.to_key[-1]
        assert abs((col + 0.5) * 9 / 16 - (x + 0.5)) < 1
        assert abs(9 - (row + 0.5) * 9 / 16 - (y + 0.5)) < 1
    effects = goal_effects(NETWORK, PAIRS, {"erase key": arms["erase key"]})
    np.testing.assert_allclose(effects[HELD].toward, effects["erase key"].held_toward)
    np.testing.assert_allclose(effects["untouched"].toward, 0)
    assert "erase key: random directions" in effects
    plain = probe_scores(NETWORK, PAIRS, handles.probe)
    np.testing.assert_array_equal(
        plain, probe_scores(NETWORK, PAIRS, handles.probe, Steer("fc", vector=np.full(16, 1e-9)))
    )


def test_play_counts_where_the_agent_comes_first():
    handles = find_handles(NETWORK, FINDING, "fc", "block2.res2", 0.125)
    arms = goal_arms(handles, PAIRS, (1,), (1.0,))
    found = goal_play(NETWORK, PAIRS, arms, repeats=2, max_steps=4, seed=0)
    assert set(found) == {"untouched", HELD, *arms}
    for played in found.values():
        assert played.gate_first.shape == (3,)
        assert (played.gate_first + played.key_first <= 1).all()
        assert (played.clean <= played.gate_first).all()
    assert (found[HELD].key_first == 0).all()


def test_misuse():
    with pytest.raises(ValueError, match="at least eight pairs"):
        find_handles(NETWORK, FINDING[:4], "fc", "block2.res2", 0.125)


def test_rules_are_read_from_first_moves():
    found = goal_rules(NETWORK, PAIRS, choice_pairs(3, np.random.default_rng(0)))
    assert set(found.to_key) == set(SITUATIONS)
    for situation in SITUATIONS:
        assert not (found.to_key[situation] & found.to_lock[situation]).any(), "the two moves differ"
    assert found.needed.shape == (3, 2)
    assert not (found.same & found.needed.all(axis=1)).any(), "the needed keys lie different ways"
