"""Imitation of the planner in Heist: the samples of a round against the levels themselves, and a small run."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.play_source import PlaySource
from procscope.agents.imitation.training import train_imitation
from procscope.agents.networks.impala import Impala
from procscope.workbench.checkpoints import read_checkpoint

CONFIG = ImitationConfig(
    game="heist",
    variant=("keys:1",),
    network_options={"widths": [2, 2, 2], "hidden": 8},
    frames=512,
    round_frames=256,
    batch_size=32,
    own_games=8,
    static_rounds=0.5,
    own_share=0.5,
    remembered_share=0.0,
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Impala(widths=(2, 2, 2), hidden=8)


def test_a_round_depends_on_its_number_alone(network):
    source = PlaySource(CONFIG)
    first, second = source.samples(1, network), source.samples(1, network)
    for one, other in zip((*first.own, *first.others), (*second.own, *second.others), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(first.others.frames, source.samples(2, network).others.frames)
    assert source.memory() == {}


def test_the_first_rounds_are_the_experts_and_later_ones_the_networks_too(network):
    source = PlaySource(CONFIG)
    early, late = source.samples(0, network), source.samples(1, network)
    assert (len(early.own.actions), len(early.others.actions)) == (0, 256)
    assert (len(late.own.actions), len(late.others.actions)) == (128, 128)
    for samples in (early.others, late.own, late.others):
        assert set(samples.actions.tolist()) <= {1, 3, 5, 7}, "the planner moves along an axis"
        assert samples.steps_to_goal.min() >= 1


def test_an_agent_that_stays_gives_one_frame_an_episode():
    """A network that always does nothing: each frame is the first one of a level, all of them different."""

    class Still(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, frames):
            from procscope.agents.networks.outputs import PolicyOutput

            logits = torch.full((len(frames), 15), -60.0)
            logits[:, 4] = 0
            return PolicyOutput(logits, torch.zeros(len(frames)))

    own = PlaySource(CONFIG).samples(1, Still()).own
    assert len({frame.tobytes() for frame in own.frames}) == len(own.frames) == 128


@pytest.mark.slow
def test_a_run_trains_and_an_interrupted_one_ends_alike(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_imitation(CONFIG, whole)
    train_imitation(CONFIG, parts, max_rounds=1)
    train_imitation(CONFIG, parts)
    one, other = (load_file(run / "network.safetensors") for run in (whole, parts))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    header = read_checkpoint(whole / "network.safetensors").header
    assert header.environment == {"game": "heist", "mode": "easy"}
    assert "planner" in header.training["method"]
