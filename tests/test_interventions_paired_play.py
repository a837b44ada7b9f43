"""Played arms: the study's numbers, paired mazes, and results that are kept."""

import numpy as np
import pytest
import torch

from procscope.activations.channel_statistics import ChannelStatistics
from procscope.agents.networks.impala import Impala
from procscope.envs.labels import label_states
from procscope.interventions import paired_play
from procscope.interventions.ablation import ZeroAblation
from procscope.interventions.channel_arms import plan_channel_arms
from procscope.interventions.control_channels import control_channels
from procscope.interventions.paired_play import (
    PlayedArm,
    PlayedMazes,
    difference_from_controls,
    found_difference,
    paired_outcomes,
    play_arm,
    play_arms,
)
from procscope.workbench.checkpoints import CheckpointHeader, load_network, save_checkpoint
from procscope.workbench.members import Members

MAZES = PlayedMazes(size=5, count=6, first_seed=10**9, max_steps=24)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An untrained network, saved, whose policy depends strongly on the frame."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Impala(widths=(4, 4, 6), hidden=16)
    with torch.no_grad():
        network.policy_head.weight.mul_(200)
    path = tmp_path_factory.mktemp("models") / "untrained.safetensors"
    save_checkpoint(path, network, CheckpointHeader("impala", {"widths": [4, 4, 6], "hidden": 16}))
    return load_network(path)


def arm(model, intervention=None, **changes) -> PlayedArm:
    stored = None if intervention is None else intervention.to_config()
    return PlayedArm(
        **({"model": model.name, "weights_hash": model.weights_hash, "mazes": MAZES} | changes),
        intervention=stored,
        seed=0,
    )


def outcomes(both, only_modified, only_original, neither):
    original = np.repeat([True, False, True, False], [both, only_modified, only_original, neither])
    modified = np.repeat([True, True, False, False], [both, only_modified, only_original, neither])
    return original, modified


def test_the_published_table_gives_the_published_difference_and_p():
    original, modified = outcomes(366, 157, 35, 442)  # the missing 2% taken as not found
    table = paired_outcomes(original, modified)
    assert table == (366, 157, 35, 442)
    assert table.mcnemar_p == pytest.approx(1e-19, rel=0.9)
    assert found_difference(original, modified).value == pytest.approx(0.122)


def test_controls_are_averaged_level_by_level():
    modified = np.array([1, 1, 1, 0, 1, 0] * 20, bool)
    controls = [np.array([1, 0, 0, 0, 1, 0] * 20, bool), np.array([1, 1, 0, 0, 0, 0] * 20, bool)]
    found = difference_from_controls(modified, controls, np.random.default_rng(0))
    assert found.value == pytest.approx(4 / 6 - (2 / 6 + 2 / 6) / 2)
    assert found.low < found.value < found.high
    gains = modified - np.mean(controls, axis=0)
    half = 1.96 * gains.std() / np.sqrt(len(gains))
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    alone = difference_from_controls(modified, controls[:1], np.random.default_rng(0))
    assert alone == found_difference(controls[0], modified)
    with pytest.raises(ValueError, match="at least one control"):
        difference_from_controls(modified, [], np.random.default_rng(0))


def test_the_mazes_have_a_decision_square_and_the_cheese_bottom_right():
    states = MAZES.states()
    labels = label_states(states)
    assert len(states) == 6
    assert (labels["maze_size"] == 5).all()
    assert (labels["goal_x"] == 4).all()
    assert (labels["goal_y"] == 0).all()
    assert (labels["decision_x"] >= 0).all()
    assert (labels["agent_x"] + labels["agent_y"] == 0).all()
    moved = label_states(MAZES.states(mouse_anywhere=True))
    assert np.array_equal(moved["level_seed"], labels["level_seed"])
    assert (moved["agent_x"] + moved["agent_y"] > 0).any()
    assert PlayedMazes(5, 3, 10**9).states() == states[:3]


def test_an_arm_plays_the_same_every_time_and_an_intervention_matters(model):
    first = play_arm(arm(model))
    assert play_arm(arm(model)) == first
    everything = ZeroAblation("conv_out")
    assert len(play_arm(arm(model, everything))) == len(first) == 6
    other = play_arm(arm(model, everything))
    assert other == play_arm(arm(model, everything))


def test_an_arm_of_other_weights_is_refused(model):
    with pytest.raises(ValueError, match="Make the arm anew"):
        play_arm(arm(model, weights_hash="0" * 64))


def test_each_arm_is_played_once_and_kept(model, tmp_path, monkeypatch):
    calls = []

    def counted(one):
        calls.append(one)
        return [True, False]

    monkeypatch.setattr(paired_play, "play_arm", counted)
    untouched, zeroed = arm(model), arm(model, ZeroAblation("conv_out", channels=[1]))
    found = play_arms([untouched, zeroed, untouched], Members(tmp_path))
    assert len(calls) == 2
    assert found(untouched).tolist() == [True, False]
    play_arms([zeroed, untouched], Members(tmp_path))
    assert len(calls) == 2
    play_arms([arm(model, ZeroAblation("conv_out", channels=[2]))], Members(tmp_path))
    assert len(calls) == 3


def test_a_plan_names_every_arm_once(model):
    plan = plan_channel_arms(model, 2, same_job=[0], mazes=MAZES, count=2, seed=0)
    assert plan.original.intervention is None
    assert plan.zero.intervention == ZeroAblation("conv_out", channels=[2]).to_config()
    assert plan.mean.intervention["kind"] == "mean-ablation"
    assert plan.mean.intervention["channels"] == [2]
    controls = [*plan.random, *plan.matched]
    assert not {0, 2} & set(controls)
    assert len(plan.all()) == 3 + len(controls)
    assert all(plan.random[c].intervention["channels"] == [c] for c in plan.random)
    named = plan.map(lambda each: each.intervention)
    assert named.zero == plan.zero.intervention
    assert list(named.matched) == list(plan.matched)


def statistics(norms, active) -> ChannelStatistics:
    zeros = np.zeros(len(norms))
    return ChannelStatistics(10, zeros, zeros, zeros, zeros, np.array(norms, float), np.array(active, float))


def test_controls_are_neither_silent_nor_of_the_same_job():
    seen = statistics([4.0, 4.1, 0.0, 1.0, 8.1, 3.9], [1, 1, 0, 0.5, 1, 1])
    found = control_channels(0, seen, same_job=[1], count=2, rng=np.random.default_rng(0))
    assert found.matched == (5, 4), (
        "nearest in ratio: 3.9, then 8.1 (a factor of 2.0), then 1.0 (a factor of 4)"
    )
    assert set(found.random) <= {3, 4, 5}
    assert len(set(found.random)) == 2
    drawn = [control_channels(0, seen, [1], 1, np.random.default_rng(seed)).random[0] for seed in range(60)]
    assert set(drawn) == {3, 4, 5}
    with pytest.raises(ValueError, match="no channel can serve"):
        control_channels(0, seen, [1, 3, 4, 5], 1, np.random.default_rng(0))
