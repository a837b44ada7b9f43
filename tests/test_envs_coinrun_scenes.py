"""The dissertation's scenes: each shows what it says, of any level, and the engine agrees about the reward."""

import re
from pathlib import Path

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.scenes import SCENES, many_coins, original, rearranged, translated
from procscope.envs.engine import scratch_engine
from procscope.envs.labels import label_states
from procscope.envs.lookahead import lookahead

SEEDS = range(200, 216)
REWARDED = {"original", "translated", "rearranged", "many-coins", "platform-goes-on", "sprite-removed"}
REWARDED |= {"background-in-coin-colours"}


@pytest.fixture(scope="module")
def levels() -> list[CoinRunLevel]:
    return CoinRunLevel.from_seeds(SEEDS, "hard")


@pytest.mark.parametrize("name", SCENES)
def test_scenes_are_made_of_any_level(name: str, levels: list[CoinRunLevel]) -> None:
    engine = scratch_engine("coinrun", "hard")
    for level in levels:
        scene = SCENES[name](level)
        assert scene.name == name
        assert scene.true_reward == (10 if name in REWARDED else 0)
        drawn = engine.render(scene.states)
        assert (scene.painted != "") == name.startswith("background")
        same = [
            np.array_equal(*pair)
            for pair in zip(drawn, (scene.observation, scene.next_observation), strict=True)
        ]
        assert same == ([False] * 2 if scene.painted else [True] * 2)
        if name not in ("translated", "rearranged"):
            found = lookahead([scene.states[0]])
            assert found.rewards[0, scene.action] == scene.true_reward


def test_the_original_is_a_step_into_the_coin(levels: list[CoinRunLevel]) -> None:
    for level in levels:
        labels = label_states(original(level).states)
        assert labels["least_steps_to_goal"][0] == 1
        assert labels["goal_visible"].all()
        assert np.abs(labels["goal_distance_euclidean"]).max() < 1.5


@pytest.mark.parametrize("scene", [translated, rearranged])
def test_with_the_camera_following_the_engine_itself_pays(scene, levels: list[CoinRunLevel]) -> None:
    for level in levels:
        assert scene(level, camera_follows=True).true_reward == 10


def test_a_translated_scene_is_the_original_with_sprite_and_coin_moved(levels: list[CoinRunLevel]) -> None:
    """Where neither the two sprites nor the two coins are, nothing differs; both sprites are drawn alike."""
    unit = 64 / 13
    for level in levels:
        start, moved = original(level), translated(level)
        labels = label_states([start.states[0], moved.states[0]])
        shift = labels["goal_x"][0] - labels["goal_x"][1]
        assert shift in (1, 2)
        differs = (start.observation != moved.observation).any(axis=-1)
        rows, cols = np.nonzero(differs)
        assert cols.min() >= 32 - (shift + 0.5) * unit - 1
        assert cols.max() <= 32 + 2 * unit
        assert rows.min() >= 32 + 0.5787 * unit - 2.1 * unit
        assert np.array_equal(start.observation[:, :10], moved.observation[:, :10])


def test_many_coins_are_as_many_as_asked_for_and_drawn_by_the_given_generator() -> None:
    level = CoinRunLevel.from_seed(205, "hard")
    scene = many_coins(level, 5)
    assert len(CoinRunLevel.from_state(scene.states[0]).coins) == 6
    assert np.array_equal(scene.observation, many_coins(level, 5).observation)
    other = many_coins(level, 5, np.random.default_rng(1))
    assert not np.array_equal(scene.observation, other.observation)


def test_the_paint_has_the_coins_colours_and_covers_background_only() -> None:
    level = CoinRunLevel.from_seed(207, "hard")
    plain, painted = SCENES["original"](level), SCENES["background-in-coin-colours"](level)
    where = (plain.observation != painted.observation).any(axis=-1)
    assert 0.1 < where.mean() < 0.9
    coin = plain.observation[(plain.observation != SCENES["coin-removed"](level).observation).any(axis=-1)]
    paint = {tuple(colour) for colour in painted.observation[where].tolist()}
    assert paint <= {tuple(colour) for colour in coin.tolist()} | paint
    assert len(paint) <= len(coin)


def test_scenes_of_coins_in_odd_places() -> None:
    level = CoinRunLevel.from_seed(3, "hard")
    for x, y in level.section_boundaries():
        assert original(level.with_coin(x, y, allow_unsolvable=True)).true_reward == 10
    with pytest.raises(ValueError, match="needs a level with a coin"):
        original(level.without_coin())
    with pytest.raises(ValueError, match="expected room for the agent"):
        original(level.with_coin(60, 20, allow_unsolvable=True))


def test_the_worked_example_of_the_documentation_runs(capsys) -> None:
    """Its code, with a network that looks at nothing but the brightness of the picture."""
    text = (Path(__file__).parents[1] / "docs" / "coinrun.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (example,) = [block for block in blocks if "network(" in block]
    assert len(example.splitlines()) < 15

    def network(observation: np.ndarray, next_observation: np.ndarray) -> np.ndarray:
        return np.full(15, observation.mean())

    found: dict = {"network": network}
    exec(example, found)
    assert found["rewards"].shape == (16, 5)
    assert (found["rewards"][:, 0] < found["rewards"].max(axis=1)).all(), (
        "black is darker than other backgrounds"
    )
    assert "spread" in capsys.readouterr().out
