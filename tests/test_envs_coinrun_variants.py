"""CoinRun's variants and composed levels: what they promise, and that the engine plays them."""

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import COIN
from procscope.envs.coinrun.sections import Crate, Enemy, Flat, Gap, Lava, Saw, Step
from procscope.envs.coinrun.variants import VARIANTS
from procscope.envs.engine import scratch_engine
from procscope.envs.level_frames import frames_from_seeds
from procscope.envs.starting_states import starting_states
from procscope.envs.variants import resolve_variants
from procscope.envs.vector import ProcgenVectorEnv

SEEDS = range(40)


def changed(name: str, mode: str = "hard", seeds: range = SEEDS) -> list[CoinRunLevel]:
    return [CoinRunLevel.from_state(s) for s in starting_states("coinrun", seeds, mode=mode, variants=[name])]


@pytest.fixture(scope="module")
def plain() -> list[CoinRunLevel]:
    return CoinRunLevel.from_seeds(SEEDS, "hard")


def differences(before: CoinRunLevel, after: CoinRunLevel) -> set[str]:
    """What of a level is not as it was."""
    diff = before.diff(after)
    found = {change.field for change in diff.fields}
    found |= {"coin" if "coin" in (old, new) else "cells" for _, old, new in diff.cells}
    return found | {"agent" if change.field.startswith("agent") else "entities" for change in diff.entities}


def test_coin_at_end_is_where_the_engine_puts_it(plain: list[CoinRunLevel]) -> None:
    assert changed("coin-at-end") == plain
    (back,) = resolve_variants("coin-at-end", "coinrun")
    rng = np.random.default_rng(0)
    for level in plain:
        assert back(level.with_coin(2, 3), rng) == level
        assert back(level.without_coin(), rng) == level


def test_coin_anywhere_is_on_a_section_boundary(plain: list[CoinRunLevel]) -> None:
    many = [changed("coin-anywhere"), *([changed("coin-anywhere", seeds=range(100, 160))])]
    at_end = 0
    for before, after in zip(plain, many[0], strict=True):
        (coin,) = after.coins
        assert coin in before.section_boundaries()
        assert before.has_solid_below(*coin)
        assert differences(before, after) <= {"coin"}
        assert after.is_solvable()
        at_end += coin == before.end_cell()
    assert 3 < at_end < 30


def test_each_variant_changes_its_own_thing(plain: list[CoinRunLevel]) -> None:
    for name, may_change in {
        "no-coin": {"coin"},
        "no-hazards": {"entities", "cells"},
        "fixed-theme:3": {"agent", "entities", "wall_theme"},
        "no-background": {"background", "background_offset"},
        "fixed-background:17": {"background", "background_offset"},
        "agent-anywhere": {"agent", "memory"},
    }.items():
        results = changed(name)
        seen = [differences(before, after) for before, after in zip(plain, results, strict=True)]
        assert set.union(*seen) == may_change
        for level in results:
            if name == "no-coin":
                assert level.coins == ()
            if name == "no-hazards":
                assert not {"saw", "enemy"} & {kind for kind, _, _ in level.obstacles()}
                assert not np.isin(level.cells, (17, 18)).any()
            if name == "no-background":
                assert level.background is None
            if name == "fixed-background:17":
                assert level.background == 17
            if name == "fixed-theme:3":
                themes = level.entities["image_theme"][level.entities["type"] != 2]
                assert level.wall_theme == 3
                assert set(themes.tolist()) == {3}
            if name == "agent-anywhere":
                assert level.agent_cell in level.standing_cells()
    cells = {level.agent_cell for level in changed("agent-anywhere")}
    assert len(cells) > 20


def test_variants_compose_in_order() -> None:
    names = ["no-hazards", "no-background", "coin-anywhere", "agent-anywhere", "fixed-theme:2"]
    levels = [
        CoinRunLevel.from_state(s) for s in starting_states("coinrun", SEEDS, variants=names, mode="hard")
    ]
    for level in levels:
        assert level.background is None
        assert level.wall_theme == 2
        assert len(level.coins) == 1
        x, y = level.agent_cell
        assert not (level.cells[y : y + 2, x] == COIN).any()


@pytest.mark.parametrize("name", ["fixed-theme:9", "fixed-background:62", "no-coin:1", "coin-anywere"])
def test_variants_that_are_not_there_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"whole number from 0 to|takes no number|coin-anywhere"):
        resolve_variants(name, "coinrun")


@pytest.mark.parametrize("mode", ["easy", "hard"])
@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_every_variant_is_played(name: str, mode: str) -> None:
    env = ProcgenVectorEnv("coinrun", 8, mode=mode, variants=[name], labels=True, num_threads=1)
    frames, infos = env.reset(seed=2)
    assert frames in env.observation_space
    rng = np.random.default_rng(0)
    for _ in range(40):
        _, rewards, _, _, infos = env.step(np.where(rng.random(8) < 0.7, 7, rng.integers(0, 9, 8)))
        if name == "no-coin":
            assert not rewards.any()
            assert (infos["labels"]["goal_x"] == -1).all()
    env.close()


def test_first_frames_of_a_variant_come_with_their_truth() -> None:
    shown = frames_from_seeds("coinrun", range(20), ["coin-anywhere", "agent-anywhere"], mode="hard")
    assert shown.frames.shape == (20, 64, 64, 3)
    assert 0 < shown.labels["goal_visible"].mean() < 1


def test_without_the_end_wall_the_ground_goes_on() -> None:
    level = CoinRunLevel.from_seed(10**9)
    x, y = level.end_cell()
    opened = level.without_end_wall()
    assert (opened.ground_heights()[x:-1] == y).all()
    assert np.array_equal(opened.cells[:, : x + 1], level.cells[:, : x + 1])
    assert opened.coin == level.coin
    assert (level.ground_heights()[x + 1 :] == 64).all(), "the wall of the level itself"


PARTS = {
    "gap": [Gap(3)],
    "step": [Step(3), Step(-2)],
    "high-step": [Step(5)],
    "saw": [Saw(2)],
    "enemy": [Enemy(4)],
    "lava": [Lava(3)],
    "crate": [Crate(3)],
    "all": [Gap(2), Step(2), Saw(), Lava(2), Crate()],
}


@pytest.mark.parametrize("name", PARTS)
def test_composed_levels_can_be_won(name: str) -> None:
    """64 players that run to the right and jump now and then, each at its own rate, until one has the coin."""
    level = CoinRunLevel.from_sections(PARTS[name], spacing=5)
    engine = scratch_engine("coinrun", "easy")
    rng = np.random.default_rng(0)
    for _ in range(6):
        engine.set_states([level.to_state()] * 64)
        playing, rates = np.ones(64, bool), rng.uniform(0.02, 0.6, 64)
        for _ in range(200):
            engine.act(np.where(rng.random(64) < rates, 8, 7))
            if (engine.rewards[playing] > 0).any():
                return
            playing &= ~engine.first
    raise AssertionError(f"nobody reached the coin:\n{level}")


def test_composed_levels_have_the_parts_asked_for() -> None:
    level = CoinRunLevel.from_sections(
        [Gap(3), Step(2), Saw(), Enemy(4), Lava(2), Crate(2)], height=3, spacing=3
    )
    heights = level.ground_heights()[1:].tolist()
    assert heights[:3] == [3] * 3
    assert heights[3:6] == [1] * 3
    assert heights[6:9] == [3] * 3
    assert heights[9:13] == [5] * 4
    kinds = [kind for kind, _, _ in level.obstacles()]
    assert kinds == ["saw", "enemy", "crate", "crate"]
    assert (level.cells == 18).sum() == 2
    assert (level.cells == 19).sum() == 3  # one at the step, two round the enemy
    assert level.coin == level.end_cell()
    assert level.section_boundaries() == ((10, 5), level.end_cell())
    (_, x, y) = level.obstacles()[1]
    engine = scratch_engine("coinrun", "easy", num_envs=1)
    engine.set_states([level.without_obstacles("saw").to_state()])
    places = []
    for _ in range(120):
        engine.act(np.array([4]))
        enemies = [p for p in CoinRunLevel.from_state(engine.get_states()[0]).obstacles() if p[0] == "enemy"]
        places.append(enemies[0][1:])
    xs, ys = np.array(places).T
    assert (ys == y).all()
    assert x - 2 <= xs.min() < x - 1 < x + 1 < xs.max() <= x + 2, "it walks its four cells to and fro"
    open_end = CoinRunLevel.from_sections([Flat(3)], end_wall=False, coin=False)
    assert (open_end.ground_heights()[1:-1] == 4).all()
    assert open_end.coins == ()


@pytest.mark.parametrize(
    ("sections", "options", "message"),
    [
        ([Step(6)], {}, "jumps at most 5 cells high"),
        ([Lava(8)], {}, "jumps at most 7 cells wide"),
        ([Saw(9)], {}, "jumps at most 7 cells wide"),
        ([Gap(8)], {"height": 9}, "nobody climbs out"),
        ([Gap(2)], {"height": 1}, "ground of height 2 or more"),
        ([Gap(0)], {}, "a width of at least 1"),
        ([Step(0)], {}, "another height"),
        ([Step(-4)], {}, "another height"),
        ([Crate(0)], {}, "1 to 20 crates"),
        ([Flat(60)], {}, "must fit in 61 columns"),
        ([Flat(3)] * 3 + [Gap(3)] * 9, {}, "must fit in 61 columns"),
        ([Flat(3)], {"height": 0}, "height must be a whole number from 1 to 32 cells"),
        ([Flat(3)], {"spacing": -1}, "spacing must be a whole number from 0"),
    ],
)
def test_parts_that_cannot_be_are_refused(sections: list, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoinRunLevel.from_sections(sections, **options)


def test_impossible_parts_are_built_when_asked_for() -> None:
    level = CoinRunLevel.from_sections([Step(9), Lava(12)], allow_unsolvable=True)
    assert level.ground_heights().max() == 64
    assert (level.cells == 18).sum() == 12
