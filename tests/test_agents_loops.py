"""Leaving out the rounds of a loop changes nothing that is reported."""

import numpy as np
import pytest
import torch

from procscope.agents import episodes as episodes_file
from procscope.agents.episodes import play_episodes, policy
from procscope.agents.loops import Loops
from procscope.agents.networks.impala import Impala
from procscope.envs.starting_states import starting_states


def test_results_are_those_of_playing_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = Impala((2, 2, 2), hidden=8)
    with torch.no_grad():
        network.policy_head.weight.mul_(100)  # so that the moves depend on the frame
    states = starting_states("maze", range(10**9, 10**9 + 12))
    skipping = play_episodes(policy(network), states, greedy=True, max_steps=90)
    monkeypatch.setattr(episodes_file, "FULLY_SHOWN", ())
    playing = play_episodes(policy(network), states, greedy=True, max_steps=90)
    assert not playing.success.all()
    for found, expected in zip(skipping, playing, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("limit", "skipped"), [(100, 84), (20, 4), (15, 0), (10, 0)])
def test_whole_rounds_are_left_out_before_the_last_steps(limit: int, skipped: int) -> None:
    frames = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)
    loops = Loops()
    for step in range(6):
        assert loops.steps_to_skip(0, frames[step % 4 if step < 4 else 0], step, limit, keep=10) == (
            (limit - 4 - 10) // 4 * 4 if step == 4 and limit >= 18 else 0
        )
    assert loops.forget(0) == max(0, (limit - 14) // 4 * 4) == skipped
