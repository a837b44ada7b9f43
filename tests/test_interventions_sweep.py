"""Sweeps in play: every row is what it is alone, arms are paired, results are kept, statistics are the right ones."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from untrained_impala import untrained_impala

from procscope.activations.acting import policy_logits
from procscope.activations.hooks import HookPoint
from procscope.agents.episodes import play_episodes, policy
from procscope.agents.networks.drc import Drc
from procscope.envs.heist import HeistLevel
from procscope.envs.labels import label_states
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.envs.vector import ProcgenVectorEnv
from procscope.interventions import sweep as sweep_module
from procscope.interventions.ablation import ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.arm_comparisons import compare_means, compare_shares, comparison_table
from procscope.interventions.intervention import Intervention
from procscope.interventions.named_arms import NamedArm
from procscope.interventions.resample import ResampleAblation
from procscope.interventions.rollouts import identified
from procscope.interventions.scale import Scale
from procscope.interventions.steer import Steer
from procscope.interventions.sweep import sweep_rollouts
from procscope.workbench.members import Members
from procscope.workbench.power import smallest_difference
from procscope.workbench.statistics import benjamini_hochberg, holm, mcnemar_exact, paired_difference

SEEDS = range(1_000_000_000, 1_000_000_006)


@pytest.fixture(scope="module")
def network():
    return untrained_impala((2, 3, 4), loudness=30)


@pytest.fixture(scope="module")
def states():
    """Six mazes; in two of them the cheese is next to the mouse, so that some are solved by whatever plays."""
    states = starting_states("maze", SEEDS, variants=["cheese-anywhere"])
    for i in (0, 3):
        level = MazeLevel.from_state(states[i])
        beside = next(cell for cell in ((0, 1), (1, 0)) if not level.walls[cell[1], cell[0]])
        states[i] = level.with_cheese(*beside).to_state(template=states[i])
    return states


ARMS = {
    "zero": ZeroAblation("conv_out", [1]),
    "steered": Steer("fc", vector=np.random.default_rng(3).normal(size=16), strength=4),
    "two": [Scale("block3.res1", [0], factor=-3), ZeroAblation("fc", [2, 3])],
    "late": Scale("conv_out", factor=0, steps=range(3, 20)),
    "drawn": ResampleAblation.of(np.random.default_rng(0).random((9, 4, 8, 8)), "conv_out", [0, 2], seed=1),
    "by level": lambda level: ZeroAblation("conv_out", [level % 4]),
}


@pytest.fixture(scope="module")
def sweep(network, states):
    return sweep_rollouts(network, states, ARMS, seed=5, max_steps=24, controls=False)


def alone(network, state, key, interventions, seed=5, max_steps=24):
    """One level and one hook at a time, in a vector environment of one game: the plain loop."""
    env = ProcgenVectorEnv("maze", 1, levels=[MazeLevel.from_state(state)], labels=True)
    frames, infos = env.reset(seed=0)
    noise = np.random.default_rng((seed, key)).gumbel(size=(max_steps, 15)).astype(np.float32)
    path = [(int(infos["labels"]["agent_x"][0]), int(infos["labels"]["agent_y"][0]))]
    for step in range(max_steps):
        acting = [one for one in interventions if one.steps is None or step in one.steps]
        acting = [_without_steps(one) for one in acting]
        with applied(network, *acting):
            logits = policy_logits(network, frames)
        frames, _, terminated, _, infos = env.step((logits + noise[step]).argmax(axis=1))
        if terminated[0]:
            final = infos["final_info"]["labels"]
            path.append((int(final["agent_x"][0]), int(final["agent_y"][0])))
            return True, step + 1, path
        path.append((int(infos["labels"]["agent_x"][0]), int(infos["labels"]["agent_y"][0])))
    return False, max_steps, path


def _without_steps(one):
    stored = one.to_config()
    return Intervention.from_config({name: value for name, value in stored.items() if name != "steps"})


def test_every_row_is_what_it_is_alone(network, states, sweep):
    keys = identified(states).key.tolist()
    changed = 0
    for arm in ("untouched", "steered", "two", "late", "by level"):
        for level in (0, 4):
            given = ARMS.get(arm, [])
            given = given(level) if callable(given) else given
            interventions = [given] if isinstance(given, Intervention) else given
            success, steps, path = alone(network, states[level], keys[level], interventions)
            assert sweep.of(arm)[level] == success
            assert sweep.of(arm, "steps")[level] == steps
            np.testing.assert_array_equal(sweep.paths[arm][level], path)
            changed += sweep.paths[arm][level].tolist() != sweep.paths["untouched"][level].tolist()
    assert changed >= 4, "interventions change what happens, or this proves nothing"


@pytest.mark.parametrize("options", [{"games": 11}, {"games": 64, "memo_bytes": 0}, {"memo_bytes": 40_000}])
def test_how_rows_are_batched_and_remembered_changes_nothing(network, states, sweep, options):
    again = sweep_rollouts(network, states, ARMS, seed=5, max_steps=24, controls=False, **options)
    pd.testing.assert_frame_equal(again.table, sweep.table)
    for arm, paths in sweep.paths.items():
        assert all(np.array_equal(one, two) for one, two in zip(paths, again.paths[arm], strict=True))


def test_a_level_plays_the_same_in_any_list_and_twice_differently(network, states, sweep):
    arms = {name: ARMS[name] for name in ("zero", "drawn")}
    other = sweep_rollouts(
        network, [states[4], states[1], states[4]], arms, seed=5, max_steps=24, controls=False
    )
    for arm in ("untouched", "zero", "drawn"):
        np.testing.assert_array_equal(other.paths[arm][0], sweep.paths[arm][4])
        np.testing.assert_array_equal(other.paths[arm][1], sweep.paths[arm][1])
    assert other.paths["untouched"][2].tolist() != other.paths["untouched"][0].tolist()
    seeded = sweep_rollouts(network, states, arms, seed=6, max_steps=24, controls=False)
    assert any(
        one.tolist() != two.tolist()
        for one, two in zip(seeded.paths["untouched"], sweep.paths["untouched"], strict=True)
    )


def test_greedy_episodes_are_those_of_play_episodes(network, states):
    swept = sweep_rollouts(network, states, {"zero": ARMS["zero"]}, greedy=True, max_steps=60, controls=False)
    for arm, interventions in (("untouched", []), ("zero", [ARMS["zero"]])):
        with applied(network, *interventions):
            played = play_episodes(policy(network), states, greedy=True, max_steps=60)
        np.testing.assert_array_equal(swept.of(arm).astype(bool), played.success)
        np.testing.assert_array_equal(swept.of(arm, "steps"), played.steps)
        np.testing.assert_array_equal(swept.of(arm, "stuck").astype(bool), played.stuck)


def test_the_table_is_tidy(states, sweep):
    labels = label_states(states)
    table = sweep.table
    assert len(table) == 7 * 6
    assert list(table["level_seed"][:6]) == list(SEEDS)
    found = table[table["success"]]
    assert len(found) > 0
    assert (found["outcome"] == "goal").all()
    assert (found["end_x"] == labels["goal_x"][found["level"]]).all()
    assert (found["end_y"] == labels["goal_y"][found["level"]]).all()
    lost = table[~table["success"]]
    assert set(lost["outcome"]) <= {"in the corner", "stuck", "elsewhere"}
    assert (lost["steps"] == 24).all()
    start = {arm: path[0][0].tolist() for arm, path in sweep.paths.items()}
    visits = sweep.first_visits(np.array([start["untouched"]] * 6))
    assert (visits["zero"] == 0).all(), "every mouse starts in the same corner"
    with pytest.raises(ValueError, match="Did you mean zero"):
        sweep.of("zerro")
    with pytest.raises(ValueError, match="no column"):
        sweep.of("zero", "succes")


def test_controls_come_by_default(network, states):
    swept = sweep_rollouts(
        network, states[:2], {"zero": ARMS["zero"], "steered": ARMS["steered"]}, max_steps=5
    )
    kinds = {(arm.control_of, arm.control) for arm in swept.arms if arm.control}
    assert kinds == {
        ("zero", "channel of like norm"),
        ("zero", "random channel"),
        ("steered", "sign flipped"),
        ("steered", "noise of equal norm"),
    }
    by_name = {arm.name: arm for arm in swept.arms}
    flipped = by_name["steered: sign flipped"].of(0)[0]
    assert flipped.strength == -4
    compared = swept.compare()
    assert [one.arm for one in compared] == ["zero", "steered"]
    assert [one.control for one in compared[1].controls] == ["sign flipped", "noise of equal norm"]
    assert "over sign flipped" in comparison_table(compared).columns
    assert {arm.control_of for arm in swept.arms if arm.control} <= set(swept.paths)


def test_a_network_with_a_memory(states):
    torch.manual_seed(1)
    drc = Drc(channels=4, layers=2, ticks=2, map_size=8, hidden=16)
    with torch.no_grad():
        drc.policy_head.weight.mul_(40)
    arms = {"zero": ZeroAblation("layer1.tick2.hidden", [0, 1]), "state": ZeroAblation("state_in")}
    swept = sweep_rollouts(drc, states, arms, greedy=True, max_steps=25, controls=False, games=7)
    for arm, interventions in (("untouched", []), *((name, [one]) for name, one in arms.items())):
        with applied(drc, *interventions):
            played = play_episodes(policy(drc), states, greedy=True, max_steps=25)
        np.testing.assert_array_equal(swept.of(arm).astype(bool), played.success)
        np.testing.assert_array_equal(swept.of(arm, "steps"), played.steps)
    assert any(
        one.tolist() != two.tolist()
        for one, two in zip(swept.paths["untouched"], swept.paths["zero"], strict=True)
    )
    drc.aside = HookPoint()
    drc.setup()
    with pytest.raises(ValueError, match=r"never reached the hook points \['aside'\]"):
        sweep_rollouts(drc, states[:2], {"aside": ZeroAblation("aside")}, max_steps=2, controls=False)


def test_heist_and_levels_as_values(network):
    levels = [HeistLevel.from_seed(seed) for seed in SEEDS[:2]]
    swept = sweep_rollouts(network, levels, [ARMS["zero"]], max_steps=12, controls=False)
    assert list(swept.paths) == ["untouched", "zero-ablation conv_out[1]"]
    assert all(path[0].tolist() == list(levels[i].agent) for i, path in enumerate(swept.paths["untouched"]))
    assert all(
        len(path) in (13, row + 1)
        for path, row in zip(swept.paths["untouched"], swept.of("untouched", "steps"), strict=True)
    )


def test_results_are_kept_and_a_sweep_goes_on(network, states, tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_module, "MEMBER_LEVELS", 4)
    arms = {name: ARMS[name] for name in ("zero", "by level", "drawn")}
    options = {"seed": 5, "max_steps": 20, "controls": False}
    members = Members(tmp_path)
    plain = sweep_rollouts(network, states, arms, **options)
    kept = sweep_rollouts(network, states, arms, members=members, **options)
    pd.testing.assert_frame_equal(kept.table, plain.table)
    assert len(list(tmp_path.iterdir())) == 2 * 4, "two blocks of levels, four arms"
    stored = json.loads(next(iter(tmp_path.iterdir())).read_text())
    assert stored["config"]["max_steps"] == 20

    def refuse(*args, **kwargs):
        raise AssertionError("nothing is left to play")

    more = {**arms, "steered": ARMS["steered"]}
    calls = []
    play = sweep_module.play_rows
    monkeypatch.setattr(sweep_module, "play_rows", lambda *a, **k: calls.append(len(a[2])) or play(*a, **k))
    grown = sweep_rollouts(network, states, more, members=members, **options)
    assert calls == [4, 2], "the new arm alone"
    assert (
        grown.of("steered", "steps").tolist()
        == sweep_rollouts(network, states, {"steered": ARMS["steered"]}, **options)
        .of("steered", "steps")
        .tolist()
    )
    monkeypatch.setattr(sweep_module, "play_rows", refuse)
    again = sweep_rollouts(network, states, arms, members=members, **options)
    pd.testing.assert_frame_equal(again.table, plain.table)
    for arm in plain.paths:
        assert all(np.array_equal(a, b) for a, b in zip(plain.paths[arm], again.paths[arm], strict=True))


@pytest.mark.parametrize(
    ("arms", "options", "message"),
    [
        ({}, {}, "at least one arm"),
        ({"untouched": ARMS["zero"]}, {}, "none of them called 'untouched'"),
        ({"zero": ZeroAblation("conv_uot", [1])}, {}, "Did you mean conv_out"),
        ({"zero": ZeroAblation("conv_out", [4])}, {"controls": False}, "from 0 to 3"),
        ({"zero": ARMS["zero"]}, {"max_steps": 0}, "at least 1"),
        ({"both": [ARMS["zero"], ZeroAblation("conv_out")]}, {}, "only one of them can hold"),
        (
            {"values": ZeroAblation("value")},
            {"controls": False, "network": nn.Sequential(nn.Flatten(), nn.LazyLinear(1))},
            "hook point",
        ),
    ],
)
def test_misuse(network, states, arms, options, message):
    options = {"max_steps": 3, **options}
    used = options.pop("network", network)
    with pytest.raises(ValueError, match=message):
        sweep_rollouts(used, states[:2], arms, **options)
    with pytest.raises(ValueError, match="at least one level"):
        sweep_rollouts(network, [], {"zero": ARMS["zero"]})
    assert not any(point.has_hooks() for point in network.hook_points().values())


# -- Statistics of arms --


def outcomes():
    rng = np.random.default_rng(0)
    base = rng.random(60) < 0.7
    worse = base & (rng.random(60) < 0.5)
    alike = base ^ (rng.random(60) < 0.1)
    return {"untouched": base, "worse": worse, "worse: random channel": alike, "alike": alike}


ARM_LIST = (
    NamedArm("untouched", ((),)),
    NamedArm("worse", ((),)),
    NamedArm("worse: random channel", ((),), "worse", "random channel"),
    NamedArm("alike", ((),)),
)


def test_shares_are_compared_by_the_tests_of_the_workbench():
    found = outcomes()
    worse, alike = compare_shares(ARM_LIST, "success", found)
    p = [
        mcnemar_exact(
            int((found[n] & ~found["untouched"]).sum()), int((found["untouched"] & ~found[n]).sum())
        )
        for n in ("worse", "alike")
    ]
    assert [worse.test.p_value, alike.test.p_value] == p
    assert [worse.test.p_holm, alike.test.p_holm] == list(holm(np.array(p)))
    assert [worse.test.p_bh, alike.test.p_bh] == list(benjamini_hochberg(np.array(p)))
    assert worse.change == paired_difference(found["worse"], found["untouched"])
    (control,) = worse.controls
    assert control.excess == paired_difference(found["worse"], found["worse: random channel"])
    assert worse.beats_controls
    assert not alike.beats_controls, "it has none"
    assert worse.detectable == smallest_difference(60)


def test_means_are_compared_pair_by_pair():
    rng = np.random.default_rng(1)
    base = rng.normal(size=50) * 10
    found = {
        "untouched": base,
        "worse": base + 1 + 0.1 * rng.normal(size=50),
        "worse: random channel": base,
        "alike": base + 0.1 * rng.normal(size=50),
    }
    worse, alike = compare_means(ARM_LIST, "steps", found, np.random.default_rng(0))
    assert worse.change.value == pytest.approx((found["worse"] - base).mean())
    assert worse.change.low > 0.9, "paired: the spread of the levels does not count"
    assert worse.value.high - worse.value.low > 2
    assert alike.change.low < 0 < alike.change.high
    assert worse.controls[0].excess.low > 0.9
