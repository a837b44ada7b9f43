"""Levels and the engine: what a level says is what the engine shows and plays, and the other way round."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import corruptions, live_states, maze_levels, wild_edits

from procscope.envs.engine import Engine, EngineOptions, levels_from_seeds, scratch_engine, template_state
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.value import WORLD_CELLS
from procscope.envs.state import EngineState
from procscope.envs.state.checks import validate

MODES = tuple(WORLD_CELLS)


@pytest.mark.parametrize("mode", MODES)
def test_the_engines_own_levels(mode):
    """Unedited levels draw the engine's own picture, hold the invariants, and go back byte for byte."""
    states = levels_from_seeds("maze", range(100), mode)
    levels = [MazeLevel.from_state(state) for state in states]
    engine = scratch_engine("maze", mode)
    assert (engine.render([level.to_state() for level in levels]) == engine.render(states)).all()
    assert [level.level_seed for level in levels] == list(range(100))
    assert {level.size for level in levels} == set(range(3, WORLD_CELLS[mode] + 1, 2))
    for level in levels:
        assert level.mouse == (0, 0)
        assert level.cheese not in (None, (0, 0))
        assert level.violations() == ()
        assert level.is_solvable()
        assert MazeLevel.from_state(level.to_state()) == level
    assert [level.to_state(state) for level, state in zip(levels, states, strict=True)] == states
    assert levels == MazeLevel.from_seeds(range(100), mode)
    assert levels[7] == MazeLevel.from_seed(7, mode)


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_level_goes_into_a_state_and_back(mode, data):
    level = data.draw(maze_levels(world=WORLD_CELLS[mode]))
    state = level.to_state()
    again = MazeLevel.from_state(state)
    assert again == level
    assert again.level_seed == level.level_seed
    validate(EngineState.parse(state))
    template = data.draw(live_states("maze", mode)).serialise()
    into_live = level.to_state(template)
    validate(EngineState.parse(into_live))
    assert MazeLevel.from_state(into_live) == level
    engine = scratch_engine("maze", mode)
    pictures = engine.render([state, into_live])
    assert (pictures[0] == pictures[1]).all(), "the picture depends on the level alone"
    assert [MazeLevel.from_state(kept) for kept in engine.get_states(range(2))] == [level, level]


@settings(max_examples=25, deadline=None)
@given(maze_levels())
def test_the_engine_plays_what_the_level_says(level):
    """Along the shortest path the mouse is where it should be, and the step onto the cheese pays 10 and ends."""
    engine = scratch_engine("maze", level.mode)
    path = level.shortest_path() if level.cheese else level.shortest_path(level.corner)
    engine.set_states([level.to_state()], [0])
    for number, ((x, y), (next_x, next_y)) in enumerate(pairwise(path), 2):
        actions = np.full(engine.num_envs, 4, np.int32)
        actions[0] = {(-1, 0): 1, (0, -1): 3, (0, 1): 5, (1, 0): 7}[next_x - x, next_y - y]
        engine.act(actions)
        ended = level.cheese is not None and number == len(path)
        assert bool(engine.first[0]) == ended
        assert engine.rewards[0] == (10 if ended else 0)
        if ended:
            assert engine.ended_level_seeds[0] == (-1 if level.level_seed is None else level.level_seed)
        else:
            assert MazeLevel.from_state(engine.get_states([0])[0]) == level.with_mouse(next_x, next_y)


def test_a_live_state_keeps_its_own_future():
    """The level's bytes replace the level and nothing else: every generator, counter and option stays."""
    engine = Engine(EngineOptions("maze", num_envs=4, seed=3))
    for action in (5, 7, 5, 1, 3):
        engine.act(np.full(4, action, np.int32))
    states = engine.get_states()
    level = MazeLevel.from_seed(7)
    for state in states:
        before, after = EngineState.parse(state), EngineState.parse(level.to_state(state))
        assert after.level_generator == before.level_generator
        assert after.content_generator == before.content_generator
        assert after.asset_generator == before.asset_generator
        assert after.settings == before.settings
        assert after.episode.cur_time == before.episode.cur_time
        assert after.episode.current_level_seed == 7
    engine.set_states([level.to_state(state) for state in states])
    engine.reset_all()
    mine = engine.level_seeds.copy()
    engine.set_states(states)
    engine.reset_all()
    assert (mine == engine.level_seeds).all()
    assert len(set(mine)) == 4
    engine.close()


def test_the_look_is_the_engines():
    """Theme and background of a level are what the engine draws with the options of that name."""
    plain = MazeLevel.from_seed(7)
    for monochrome in (False, True):
        for backgrounds in (False, True):
            options = EngineOptions("maze", use_monochrome_assets=monochrome, use_backgrounds=backgrounds)
            engine = Engine(options)
            (state,) = engine.levels([7])
            level = plain.with_theme("monochrome" if monochrome else "textured")
            level = level if backgrounds else level.with_background(None)
            assert MazeLevel.from_state(state) == level
            pictures = scratch_engine("maze").render([level.to_state(), state])
            assert (pictures[0] == pictures[1]).all()
            engine.close()
    free_at_start = (slice(60, 63), slice(6, 8))  # inside cell (1, 0), which is free
    pictures = scratch_engine("maze").render([plain.with_background(n).to_state() for n in (*range(9), None)])
    assert len({picture.tobytes() for picture in pictures}) == 10
    assert (pictures[-1][free_at_start] == 0).all()


def test_the_picture_for_people():
    level = MazeLevel.from_seed(7)
    picture = np.asarray(Image.open(io.BytesIO(level._repr_png_())))
    assert picture.shape == (512, 512, 3)
    small = scratch_engine("maze").render([level.to_state()])[0]
    shrunk = picture.reshape(64, 8, 64, 8, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 12, "the same scene as the agent sees, of 256 shades"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.replace(b"maze", b"heist", 1), "walked|state"),
        (lambda s: s[:-4], "walked"),
        (lambda s: s + b"\0\0\0\0", "walked"),
        (lambda s: b"", "walked"),
    ],
)
def test_refuses_bytes_that_are_no_state(change, message):
    with pytest.raises(ValueError, match=message):
        MazeLevel.from_state(change(template_state("maze")))


def test_refuses_states_of_other_games_and_modes():
    with pytest.raises(ValueError, match="expected a state of the game maze; this one is of 'heist'"):
        MazeLevel.from_state(template_state("heist"))
    with pytest.raises(ValueError, match="expected a state of the game maze"):
        MazeLevel.from_seed(7).to_state(template_state("coinrun"))
    with pytest.raises(ValueError, match=r"world of 25x25 cells.*has 15x15 cells"):
        MazeLevel.from_seed(7, "hard").to_state(template_state("maze", "easy"))


@settings(max_examples=150, deadline=None)
@given(state=live_states("maze"), data=st.data())
def test_damaged_states_are_refused_or_read_as_the_level_they_hold(state, data):
    """Whatever the bytes: ValueError, or a level that the engine could be given."""
    if data.draw(st.booleans()):
        raw = data.draw(corruptions(state.serialise()))
    else:
        try:
            raw = data.draw(wild_edits(state)).apply(state).serialise()
        except ValueError:
            return
    try:
        level = MazeLevel.from_state(raw)
    except ValueError:
        return
    validate(EngineState.parse(level.to_state()))
    assert MazeLevel.from_state(level.to_state()) == level
