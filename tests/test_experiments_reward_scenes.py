"""reward-scenes: scenes that differ in one factor, numbers of known predictions, and a run."""

from dataclasses import replace

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import COIN, IS_WALL
from procscope.envs.coinrun.scene_factors import (
    COMBINATIONS,
    RAISED_CELLS,
    Factors,
    cleared_for_all,
    factored,
)
from procscope.envs.coinrun.scenes import SCENES
from procscope.envs.coinrun.staging import played, put_at
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.labels import label_states
from procscope.experiments.reward_scenes import EXPERIMENT
from procscope.experiments.reward_scenes_numbers import ALONE, EFFECTS, NetworkScenes, record_numbers
from procscope.rewardnets.network import RewardNetwork
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.scene_rewards import SCENE_NAMES, SceneRewards, scene_levels, scene_rewards
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.experiments import run_experiment
from procscope.workbench.metrics import read_metrics
from procscope.workbench.runs import RunRecord


@pytest.fixture(scope="module")
def levels():
    return scene_levels("easy", 2)


@pytest.fixture(scope="module")
def network_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "tiny.safetensors"
    options = {"width": 1 / 96, "shrink": 8}
    header = CheckpointHeader(
        "reward-network",
        options,
        {"game": "coinrun", "mode": "easy"},
        training={"method": "regression", "config": {"epochs": 15}},
    )
    save_checkpoint(path, RewardNetwork(**options), header)
    return path


@pytest.mark.slow
def test_a_factor_changes_nothing_else(levels):
    """What the labels and the cells say: where the sprite is drawn, what is under it, where coin and picture are."""
    for level in levels:
        scenes = {each: factored(level, each) for each in COMBINATIONS}
        for factors, scene in scenes.items():
            assert scene.true_reward == 10
            states = [CoinRunLevel.from_state(state) for state in scene.states]
            sprite = [_sprite(state) for state in states]
            coin = states[0].coin
            feet = [y - 0.5787 for _, y in sprite]
            under = states[0].cells[int(feet[0] + 1e-3) - 1, int(sprite[0][0])]
            assert bool(IS_WALL[under]) == (factors.surface != "air")
            raised = feet[0] - states[0].ground_height(int(sprite[0][0]), int(feet[0] + 1e-3))
            assert round(raised) == (RAISED_CELLS if factors.surface == "air" else 0)
            for (_, height), state in zip(sprite, states, strict=True):
                shift = {"middle": 0, "high": RAISED_CELLS, "low": -RAISED_CELLS}[factors.picture]
                assert height - state.agent_xy[1] == pytest.approx(shift, abs=1e-3)
            # Apart before, touching after: boxes of 1 x 1.1574 and 1 x 1.
            apart = [
                max(abs(x - coin[0] - 0.5) - 1.0, abs(y - coin[1] - 0.5) - (0.5 + 0.5787)) for x, y in sprite
            ]
            assert apart[0] > -1e-3
            assert apart[1] < 0
            assert (states[0].cells == COIN).sum() == 1
        views = label_states([scenes[Factors("beside", "air", "middle")].states[0]])
        assert views["goal_visible"][0]


def _sprite(level):
    (drawn,) = level.entities[level.entities["type"] >= 60]
    return float(drawn["x"]), float(drawn["y"])


@pytest.mark.slow
def test_the_engine_itself_pays_for_what_can_be_played(levels):
    """On the ground and in the middle, the same places and speeds are a state: the engine gives 10 for the step."""
    for level in levels:
        start = cleared_for_all(level)
        x, y = start.coin
        scene = factored(level, Factors("beside", "ground", "middle"))
        assert played("", start, scene.action).true_reward == 10
        above = put_at(start.with_coin(x - 1, y + 2, allow_unsolvable=True), x - 0.5, y + 0.5787, 0.0, 0.0)
        assert played("", above, 5).true_reward == 10


@pytest.mark.slow
def test_levels_without_room_and_other_factors_are_refused(levels):
    with pytest.raises(
        ValueError, match=r"expected factors of beside ground middle, .*; given beside ground high"
    ):
        factored(levels[0], Factors("beside", "ground", "high"))
    with pytest.raises(ValueError, match="needs a level with a coin"):
        factored(levels[0].without_coin(), COMBINATIONS[0])
    x, y = levels[0].coin
    walled = levels[0].with_cell(x, y + 5, "wall")
    with pytest.raises(ValueError, match="11 open cells above; there is none"):
        factored(walled, COMBINATIONS[0])


def test_pairs_differ_in_one_factor():
    for effect, pairs in EFFECTS.items():
        assert pairs
        assert ALONE[effect] in pairs
        for without, with_it in pairs:
            assert sum(a != b for a, b in zip(without, with_it, strict=True)) == 1
    assert len(EFFECTS["high-in-picture"]) == 6
    assert len(EFFECTS["coin-above"]) == len(EFFECTS["coin-covered"]) == 6
    assert len(SCENE_NAMES) == 11 + 18 == len(SCENES) + len(COMBINATIONS)


@pytest.mark.slow
def test_rewards_are_those_of_the_scenes(levels):
    network = RewardNetwork(width=1 / 96, shrink=8)
    found = scene_rewards(network, levels)
    scene = factored(levels[1], Factors("above", "air", "high"))
    rewards = predicted_rewards(network, scene.observation[None], scene.next_observation[None])[0]
    assert found["above air high"].taken[1] == pytest.approx(rewards[scene.action], rel=1e-5)
    assert found["above air high"].mean_output[1] == pytest.approx(rewards.mean(), rel=1e-5)
    assert found["above air high"].deviation[1] == pytest.approx(rewards.std(), rel=1e-3)
    with pytest.raises(ValueError, match="at least one level; given none"):
        scene_rewards(network, [])


def test_effects_of_a_network_that_goes_by_one_factor(tmp_path):
    """One that gives 10, but 2 wherever the sprite is high in the picture and 9 with the coin covered."""
    n = 40
    rng = np.random.default_rng(0)

    def predicted(name):
        value = 10.0 - 8.0 * name.endswith("high") - 1.0 * name.startswith("covered")
        values = (value + 0.01 * rng.normal(size=n)).astype(np.float32)
        return SceneRewards(values, values, np.zeros(n, np.float32), np.full(n, 10, np.float32))

    scenes = {name: predicted(name) for name in SCENE_NAMES}
    noise = {kind: np.full((5, 15), 3.0) for kind in ("different", "same")}
    record = RunRecord.create(tmp_path, "test", {"models": ()}, None, seed=0)
    ledger = record_numbers(record, [NetworkScenes("known", "15 epochs", scenes, noise)])

    def effect(factor, kind="effect"):
        return ledger.find(f"C5.manual-adv/factor_{kind}", model="known", factor=factor).value

    assert effect("high-in-picture") == pytest.approx(8, abs=0.02)
    assert effect("no-ground-near") == pytest.approx(0, abs=0.02)
    assert effect("coin-covered") == pytest.approx(1, abs=0.02)
    assert effect("coin-above", "alone") == pytest.approx(0, abs=0.02)
    assert ledger.find("C5.manual-adv/rewarded_share", model="known").value == 1
    fooled = ledger.find("C5.manual-adv/fooled_share", model="known", scene="beside slab high")
    assert fooled.value == 1
    assert ledger.find("C5.noise/reward", model="known", pair="same").value == 3


@pytest.mark.slow
def test_a_network_that_rewards_nothing_leaves_scenes_undefined_and_runs(network_file, tmp_path):
    config = replace(EXPERIMENT.scales["smoke"], models=(str(network_file),), levels=2, noise=4)
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=config)
    ids = {each.id for each in read_metrics(record.directory)}
    assert {"C5.noise/reward", "C5.manual-adv/rewarded_share"} <= ids
    assert "C5.manual-adv/reward" not in ids
    assert any(each.id == "C5.manual-adv/reward" for each in record.undefined)
    assert "hardly any original" in (record.directory / "report.html").read_text()


@pytest.mark.slow
def test_levels_are_of_the_test_range(levels):
    assert all(level.level_seed in TEST_SEEDS for level in levels)
