"""`CoinRunLevel` against the engine, worked examples and its own way back: making, editing, asking, keeping."""

import pickle
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import coinrun_levels, played_states

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import CELL_NAMES, COIN, LAVA_TOP, OPEN, WALL
from procscope.envs.coinrun.entities import agent, crate, enemy, entity, saw
from procscope.envs.coinrun.value import Memory
from procscope.envs.engine import Engine, EngineOptions, levels_from_seeds, scratch_engine, template_state
from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked

SMALL = """
    #.............#
    #..........S.o#
    #A..E..C..====#
    ======~~~=#####

    mode: hard   background: none   wall_theme: 2
"""


def small() -> CoinRunLevel:
    return CoinRunLevel.from_ascii(SMALL)


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_unedited_states_come_back_byte_for_byte(mode: str) -> None:
    for state in [*levels_from_seeds("coinrun", range(64), mode), *played_states("coinrun", mode)]:
        level = CoinRunLevel.from_state(state)
        assert level.to_state(state) == state
        assert CoinRunLevel.from_state(level.to_state()) == level


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_thousands_of_live_states_come_back_byte_for_byte(mode: str) -> None:
    engine = Engine(EngineOptions("coinrun", mode, 64, num_threads=1))
    rng = np.random.default_rng(0)
    for step in range(300):
        engine.act(np.where(rng.random(64) < 0.6, rng.integers(6, 9, 64), rng.integers(0, 15, 64)))
        if step % 6 == 0:
            for state in engine.get_states():
                assert CoinRunLevel.from_state(state).to_state(state) == state
    for state in engine.levels(range(2000)):
        assert CoinRunLevel.from_state(state).to_state(state) == state
    engine.close()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(level=coinrun_levels())
def test_every_level_comes_back_from_text_file_array_and_pickle(
    level: CoinRunLevel, tmp_path_factory
) -> None:
    back = CoinRunLevel.from_ascii(str(level), allow_unsolvable=True)
    assert (back, back.level_seed) == (level, level.level_seed)
    path = tmp_path_factory.mktemp("levels") / "level.json"
    level.to_file(path)
    back = CoinRunLevel.from_file(path, allow_unsolvable=True)
    assert (back, back.level_seed, hash(back)) == (level, level.level_seed, hash(level))
    others = {name: value for name, value in level.values().items() if name not in ("cells", "entities")}
    assert CoinRunLevel.from_array(level.to_array(), level.entities, allow_unsolvable=True, **others) == level
    assert pickle.loads(pickle.dumps(level)) == level
    assert not level.diff(back)
    state = level.to_state()
    assert checked(EngineState.parse(state)) == state
    assert CoinRunLevel.from_state(state) == level


def test_a_file_of_the_first_version_is_still_read() -> None:
    kept = Path(__file__).parent / "data" / "coinrun_level_version_1.json"
    assert CoinRunLevel.from_file(kept) == small().with_coins([(13, 2), (9, 3)])


@pytest.mark.parametrize("drawing", ["A..o\n====", "..oo\nA..o\n====", "o...\nA...\n===="])
def test_a_drawing_smaller_than_the_world_has_no_coins_beyond_it(drawing: str) -> None:
    level = CoinRunLevel.from_ascii(drawing)
    assert (level.cells == 1).sum() == drawing.count("o")
    assert (level.cells[0] == 100).sum() == 0
    assert CoinRunLevel.from_ascii(str(level)) == level
    assert len(str(level).splitlines()[0]) <= 5


def test_a_drawing_says_what_it_shows() -> None:
    level = small()
    assert level.coins == ((13, 2),)
    assert level.agent_cell == (1, 1)
    assert level.agent_xy[1] == pytest.approx(1.5787)
    assert level.obstacles() == (("enemy", 4.5, 1.5), ("crate", 7.5, 1.5), ("saw", 11.5, 2.5))
    assert (level.mode, level.background, level.wall_theme) == ("hard", None, 2)
    assert (level.cells[:, 14:] == WALL).all()
    assert (level.cells[3:63, 1:14] == OPEN).all()
    assert (level.cells[0, 6:9] == LAVA_TOP).all()
    assert [level.ground_height(x) for x in (0, 1, 6, 12)] == [64 - 1, 1, 0, 2]
    assert level.has_solid_below(3, 1)
    assert not level.has_solid_below(7, 1)
    some = {(1, 1), (2, 1), (4, 1), (6, 1), (9, 1), (10, 2), (11, 2), (13, 2)}
    # Not where the enemy (4, 1) or the saw (11, 2) is, nor above lava.
    assert some & set(level.standing_cells()) == some - {(4, 1), (6, 1), (11, 2)}
    assert (7, 2) in level.standing_cells(on_crates=True)
    assert (7, 2) not in level.standing_cells()
    assert level.distance_to_coin_cells() == pytest.approx(np.hypot(12, 2.5 - 1.5787), abs=1e-4)
    assert level.path_to_coin_cells() == 13
    assert level.visible_window() == pytest.approx((-5, 1.5787 - 6.5, 8, 1.5787 + 6.5), abs=1e-4)


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_the_engine_keeps_the_agent_on_standing_cells(mode: str) -> None:
    """Put on such a cell, the agent does nothing for a step and is still there, at rest, on the ground."""
    rng = np.random.default_rng(0)
    engine = scratch_engine("coinrun", mode)
    for level in CoinRunLevel.from_seeds(range(6), mode):
        bare = level.without_coin().without_obstacles("enemy")  # enemies walk
        cells = bare.standing_cells()
        chosen = [cells[i] for i in rng.permutation(len(cells))[:64]]
        places = [bare.with_agent(x, y) for x, y in chosen]
        engine.set_states([place.to_state() for place in places], range(len(places)))
        engine.act(np.full(64, 4))
        assert not engine.first[: len(places)].any()
        for place, state in zip(places, engine.get_states(range(len(places))), strict=True):
            after = CoinRunLevel.from_state(state)
            assert after.agent_xy == pytest.approx(place.agent_xy, abs=1e-4)
            assert EngineState.parse(state).tail.has_support == 1  # type: ignore[union-attr]


def test_edits_change_what_they_say_and_nothing_else() -> None:
    level = CoinRunLevel.from_seed(3, "hard")
    x, y = level.coin or (0, 0)
    changes = level.diff(level.with_coin(6, 9))
    assert changes.cells == (((x, y), "coin", "open"), ((6, 9), "open", "coin"))
    assert not changes.entities
    assert not changes.fields
    assert level.with_coin(6, 9).with_coin(x, y) == level
    assert level.without_coin().coins == ()
    assert level.with_coins([(6, 9), (7, 9)]).coins == ((6, 9), (7, 9))
    assert level.with_background(None).diff(level).fields[0].field == "background"
    assert level.with_agent(2, 1, 0.25, -1).agent_velocity == (0.25, -1)
    assert level.with_agent(2, 1, -0.25).memory == Memory(
        level.with_agent(2, 1).agent_xy[1], facing_right=False
    )
    assert level.with_themes(walls=4).wall_theme == 4
    assert not level.with_agent_drawn(False).diff(level).cells
    assert level.with_agent_drawn(False).with_agent_drawn() == level
    one_more = level.with_obstacle("saw", 3, 4)
    assert one_more.obstacles() == (*level.obstacles(), ("saw", 3.5, 4.5))
    assert one_more.without_obstacle(3, 4) == level
    assert {kind for kind, _, _ in level.with_obstacles_as("enemy").obstacles()} == {"enemy"}
    assert len(level.with_obstacles_as("enemy").obstacles()) == len(level.obstacles())
    assert level.without_obstacles().obstacles() == ()
    bare = small().without_hazards()
    assert bare.obstacles() == (("crate", 7.5, 1.5),)
    assert not np.isin(bare.cells, (17, 18)).any()
    assert "walls" not in str(level.diff(level))


def test_the_engine_plays_what_was_edited() -> None:
    """Coin under the feet, thrown agent, saw in the way: the engine pays, moves and ends as the level says."""
    engine = scratch_engine("coinrun", "hard", num_envs=1)

    def step(level: CoinRunLevel, action: int = 4) -> tuple[float, bool, CoinRunLevel]:
        engine.set_states([level.to_state()])
        engine.act(np.array([action]))
        return (
            float(engine.rewards[0]),
            bool(engine.first[0]),
            CoinRunLevel.from_state(engine.get_states()[0]),
        )

    level = small().without_obstacles("enemy")
    assert step(level.with_coin(1, 1))[:2] == (10, True)
    assert step(level.with_coins([(13, 2), (4, 1)]), 7)[:2] == (0, False)
    reward, ended, thrown = step(level.with_agent_at(3.5, 5.0, 0.4, 1.0))
    assert (reward, ended) == (0, False)
    # In the air, 3 per cent of the speed are lost and gravity takes 0.2.
    assert thrown.agent_velocity == pytest.approx((0.4 * 0.97, 0.8), abs=1e-5)
    assert thrown.agent_xy == pytest.approx((3.5 + 0.4 * 0.97, 5.8), abs=1e-5)
    hurt = level.with_obstacle("saw", 1, 1, allow_unsolvable=True)
    assert not hurt.is_solvable()
    assert step(hurt)[:2] == (0, True)
    assert step(level.with_cell(1, 1, "lava", allow_unsolvable=True))[:2] == (0, True)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.with_coin(64, 3), r"a coin must be inside the 64x64 world; \(64, 3\) is outside"),
        (lambda s: s.with_coin(20, 20), "must have a way to a coin"),
        (lambda s: s.with_agent(0, 3), r"in the wall at \(0, 3\).*standing_cells"),
        (lambda s: s.with_agent(12, 1, allow_unsolvable=True), "must be clear of walls"),
        (lambda s: s.with_agent(2, 62), "must be clear of walls"),
        (lambda s: s.with_agent_at(-3.0, 5.0), "outside of the world"),
        (lambda s: s.with_agent_at(float("nan"), 5.0), "the entities' x from"),
        (lambda s: s.with_agent(2, 1, 1e7), "the entities' vx from -4 to 4"),
        (lambda s: s.with_agent(11, 2), "must not touch the saw"),
        (lambda s: s.with_agent(7, 0), "must not touch lava"),
        (lambda s: s.with_entities([s.entities, enemy(9, 9, vx=1e7)]), "the entities' vx from -4 to 4"),
        (lambda s: s.with_entities([s.entities, enemy(9, 9, vx=float("inf"))]), "the entities' vx"),
        (lambda s: s.with_entities([s.entities, enemy(9, 9, theme=9)]), "got 6 with theme 9 at entity 4"),
        (lambda s: s.with_entities([s.entities, crate(9, 9, theme=-1)]), "got 20 with theme -1"),
        (lambda s: s.with_entities([s.entities, entity("saw", 9, 9, image_type=-3)]), "got -3 with theme 0"),
        (
            lambda s: s.with_entities([s.entities, entity("saw", 9, 9, rx=1e9)]),
            "the entities' rx from 0 to 32",
        ),
        (lambda s: s.with_entities([s.entities, entity("saw", 9, 9, type=3)]), "got type 3"),
        (lambda s: s.with_entities([s.entities, entity("saw", 9, 9, grow_rate=1.5)]), "must expire"),
        (lambda s: s.with_entities([s.entities, agent(3.5, 5)]), "one agent; given: 2"),
        (lambda s: s.with_entities([saw(3, 3)]), "one agent; given: 0"),
        (lambda s: s.with_entities([s.entities, np.repeat(saw(9, 9), 1000)]), "at most 1000 entities"),
        (lambda s: s.with_entities(np.zeros(3)), "entities must be records"),
        (lambda s: s.with_entities([entity("agent", 2, 2, smart_step=0)]), "the agent's smart_step"),
        (lambda s: s.with_entities([entity("agent", 2, 2, will_erase=1)]), "the agent's will_erase"),
        (lambda s: s.with_entities([entity("agent", 2, 2, expire_time=9)]), "the agent's expire_time"),
        (lambda s: s.with_cell(3, 3, "water"), "one of open, wall"),
        (lambda s: s.with_cells(np.full((64, 64), 51)), r"\(0, 0\) is 51"),
        (lambda s: s.with_cells(np.full((64, 64), -15)), "is -15"),
        (lambda s: s.with_cells(np.full((63, 64), 100)), "64x64 array"),
        (lambda s: s.with_background(62), "background must be a whole number from 0 to 61"),
        (lambda s: s.with_background(-1), "background must be"),
        (lambda s: s.with_background(3, float("nan")), "background_offset must be from 0 to 1"),
        (lambda s: s.with_themes(walls=6), "walls must be a whole number from 0 to 5"),
        (lambda s: s.with_themes(agent=5), "agent must be a whole number from 0 to 4"),
        (lambda s: s.with_theme("plain"), "textured, monochrome"),
        (lambda s: s.with_mode("memory"), "easy, hard"),
        (lambda s: s.with_obstacle("dog", 3, 3), "saw, enemy, crate"),
        (lambda s: s.without_obstacle(3, 3), "expected an obstacle in the cell"),
        (lambda s: s.without_obstacles("coin"), "given: coin"),
        (lambda s: s.to_state(template_state("coinrun", "easy")), "with_mode"),
        (lambda s: s.to_state(template_state("maze", "easy")), "expected a state of the game coinrun"),
        (lambda s: s.without_coin().distance_to_coin_cells(), "no coin"),
    ],
)
def test_what_cannot_be_is_refused(edit, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        edit(small())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("#A.o#\n##?##", "line 2, column 3: '\\?' is no part"),
        ("#A.o#\n####", "line 2, column 5: the line has 4 cells"),
        ("#A.o#\n#A..#\n#####", "line 2, column 2: a second agent"),
        ("#" * 65, "the world has 64x64 cells; the drawing has 1 lines of 65"),
        ("#A.o#\n#####\n\nmood: easy", "line 4, column 1: 'mood: easy' is not understood"),
        ("#A.o#\n#####\n\nmode: easy   wall_theme: x", "line 4, column 14: 'wall_theme: x'"),
        ("#A.o#\n#####\n\nsaw 3", "line 4, column 1: 'saw 3' is not understood as an entity"),
        ("#A.o#\n#####\n\nsaw 3 4 speed 9", "the fields of an entity are"),
        ("#A.o#\n#####\n\nagent 3.5 1.6", "line 1, column 2: the agent is drawn here, but its line"),
        ("#A.o#\n#####\n\nmode: weird", "mode must be one of easy, hard"),
    ],
)
def test_text_that_cannot_be_read_says_where(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CoinRunLevel.from_ascii(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.pop("theme"), "expected the fields"),
        (lambda v: v.update(wall_theme="2"), "expected wall_theme"),
        (lambda v: v["cells"].pop(), "64 rows of 64"),
        (lambda v: v["cells"].__setitem__(3, "x" * 64), "64 rows of 64"),
        (lambda v: v["entities"].append({"kind": "saw"}), "expected entity 4 to have kind, x and y"),
        (lambda v: v["entities"].append({"kind": "cow", "x": 1, "y": 1}), "the kind of an entity"),
        (lambda v: v["entities"].append({"kind": "saw", "x": "1", "y": 1}), "numbers for the fields"),
        (
            lambda v: v["entities"].append({"kind": "saw", "x": 1, "y": 1, "hue": 3}),
            "the fields of an entity",
        ),
        (lambda v: v["memory"].pop("is_on_crate"), "expected memory"),
        (lambda v: v.update(level_seed=-4), "level_seed must be"),
    ],
)
def test_files_that_cannot_be_read_say_why(change, message: str) -> None:
    from procscope.envs.coinrun.json_values import coinrun_from_json, coinrun_to_json

    values = coinrun_to_json(small())
    change(values)
    with pytest.raises(ValueError, match=message):
        CoinRunLevel(**coinrun_from_json(values))


BAD_STATES = {
    "no agent": (lambda s: s.with_entities(s.entities[s.entities["type"] != 0]), "one agent; given: 0"),
    "two agents": (
        lambda s: s.with_entities(np.concatenate([s.entities, s.entities[:1]])),
        "one agent; given: 2",
    ),
    "agent to be erased": (lambda s: s.with_agent(will_erase=1), "will_erase"),
    "agent in a wall": (lambda s: s.with_agent(x=0.5, y=0.5), "must be clear of walls"),
    "agent outside": (lambda s: s.with_agent(x=70.0), "outside of the world"),
    "agent NaN": (lambda s: s.with_agent(x=float("nan")), "the entities' x"),
    "half size": (lambda s: s.with_agent(ry=1e9), "the entities' ry"),
    "speed": (lambda s: s.with_agent(vx=1e7), "the entities' vx"),
    "cell above 100": (lambda s: s.with_grid(np.where(s.grid == COIN, 101, s.grid)), "is 101"),
    "cell negative": (lambda s: s.with_grid(np.where(s.grid == COIN, -15, s.grid)), "is -15"),
    "cell unknown": (lambda s: s.with_grid(np.where(s.grid == COIN, 64, s.grid)), "is 64"),
    "world of another size": (lambda s: s.with_grid(np.full((40, 40), 100)), "in this state it has 40x40"),
    "image": (lambda s: s.with_agent(image_type=101), "got 101 with theme 0"),
    "theme": (lambda s: s.with_agent(image_theme=5), "got 0 with theme 5"),
    "crowd": (
        lambda s: s.with_entities(np.concatenate([s.entities, np.repeat(saw(9, 9), 5000)])),
        "at most 1000",
    ),
    "background": (lambda s: s.with_scene(background_index=62), "background_index must be 0 to 61"),
    "mode": (lambda s: s.with_settings(distribution_mode=10), "distribution_mode of coinrun"),
}


@pytest.mark.parametrize("name", BAD_STATES)
def test_states_that_no_level_describes_are_refused(name: str) -> None:
    change, message = BAD_STATES[name]
    state = EngineState.parse(levels_from_seeds("coinrun", [3], "hard")[0])
    with pytest.raises(ValueError, match=message):
        CoinRunLevel.from_state(change(state).serialise())


def test_pictures_show_the_level() -> None:
    level = small()
    engine = scratch_engine("coinrun", "hard")
    plain, lost, other = engine.render(
        [v.to_state() for v in (level, level.with_agent_drawn(False), level.with_theme("monochrome"))]
    )
    rows, cols = np.nonzero((plain != lost).any(axis=-1))
    assert 21 <= rows.min() < rows.max() <= 35
    assert 28 <= cols.min() < cols.max() <= 35
    assert (plain != other).any()
    assert level._repr_png_().startswith(b"\x89PNG")


def test_every_kind_of_cell_can_be_set() -> None:
    level = small()
    for (name, number), (x, y) in product(CELL_NAMES.items(), [(3, 5), (20, 20)]):
        assert level.with_cell(x, y, name, allow_unsolvable=True).cells[y, x] == number


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31 - 2), mode=st.sampled_from(["easy", "hard"]))
def test_every_level_of_the_engine_has_a_way_to_its_coin(seed: int, mode: str) -> None:
    level = CoinRunLevel.from_seed(seed, mode)
    level.require_solvable()
    assert level.is_solvable()
    assert level.level_seed == seed
