"""Heist levels and the engine: round trips of live states, motion, best moves played out, true last frames."""

import io
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import corruptions, heist_levels, live_states, wild_edits

from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.engine import (
    ALL_SEEDS,
    Engine,
    EngineOptions,
    levels_from_seeds,
    scratch_engine,
    template_state,
)
from procscope.envs.games import game
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.game import without_ending
from procscope.envs.heist.labels import held_sets, things_of
from procscope.envs.heist.motion import Motion, after_step, touches_gem
from procscope.envs.labels import label_states
from procscope.envs.state import EngineState
from procscope.envs.state.batch import read_batch
from procscope.envs.state.checks import validate
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.rules import FREE
from procscope.envs.state.write import write_batch

MODES = ("easy", "hard", "memory")


def played(mode: str, num_envs: int, rounds: int, seed: int = 0) -> list[bytes]:
    """States of play that holds a direction for a while, so that agents get about."""
    engine = Engine(
        EngineOptions("heist", mode, num_envs=num_envs, level_seeds=ALL_SEEDS, seed=seed, num_threads=1)
    )
    rng, states = np.random.default_rng(seed), []
    for _ in range(rounds):
        actions = rng.integers(0, 15, num_envs)
        for _ in range(int(rng.integers(1, 6))):
            engine.act(actions)
        states += engine.get_states()
    engine.close()
    return states


def assert_same_bytes(states: list[bytes]) -> None:
    for state in states:
        level = HeistLevel.from_state(state)
        assert level.to_state(template=state) == state
        assert HeistLevel(**level.values(), allow_unsolvable=True).to_state(template=state) == state


@pytest.mark.parametrize("mode", MODES)
def test_states_come_back_byte_for_byte(mode):
    assert_same_bytes(levels_from_seeds("heist", range(150), mode))
    assert_same_bytes(played(mode, 32, 6))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_thousands_of_states_come_back_byte_for_byte(mode):
    assert_same_bytes(levels_from_seeds("heist", range(4000), mode))
    assert_same_bytes(played(mode, 64, 40, seed=1))


@pytest.mark.parametrize("mode", MODES)
def test_an_engines_level_is_made_of_what_it_says(mode):
    """Written on the template of another level, the level looks and plays like the engine's own."""
    states = levels_from_seeds("heist", range(12), mode)
    levels = HeistLevel.from_seeds(range(12), mode)
    assert all(level.is_solvable() and level.level_seed == seed for seed, level in enumerate(levels))
    engine = Engine(EngineOptions("heist", mode, num_envs=12, num_threads=1))
    seen = []
    for which in (states, [level.to_state() for level in levels]):
        engine.set_states(which)
        frames = [engine.frames.copy()]
        for step in range(30):
            engine.act(np.full(12, (7, 5, 1, 3, 8, 0)[step // 5]))
            frames.append(engine.frames.copy())
        seen.append(frames)
    assert np.array_equal(*seen)
    engine.close()


def test_the_picture_of_a_level():
    picture = np.array(Image.open(io.BytesIO(HeistLevel.from_seed(3)._repr_png_())))
    assert picture.shape == (512, 512, 3)


@settings(max_examples=30, deadline=None)
@given(heist_levels())
def test_every_level_is_a_state_that_the_engine_may_have(level):
    validate(EngineState.parse(level.to_state()))


@pytest.mark.parametrize("mode", ["easy", "memory"])
def test_motion_is_the_engines(mode):
    """Every step of random play, bit for bit; keys taken and locks opened on the way."""
    n = 48
    engine = Engine(EngineOptions("heist", mode, num_envs=n, level_seeds=ALL_SEEDS, seed=3, num_threads=1))
    rng = np.random.default_rng(0)
    moves = np.full(n, 4)
    compared = 0
    for step in range(60):
        batch = read_batch(engine.get_states())
        things, held = things_of(batch), held_sets(batch)
        # Best moves now and then, so that locks and gems are come to.
        best = MOVE_TO_ACTION[label_states(batch.states)["best_move"]]
        moves = np.where(rng.random(n) < 0.5, best, moves if step % 3 else rng.integers(0, 15, n))
        shut = (things.kinds == 1) & (held[:, None] >> np.clip(things.colours, 0, 2) & 1 == 0)
        locks = np.where(shut[..., None], things.xy, np.float32(np.nan))
        after = after_step(Motion(batch.agent_xy, batch.agent_velocity), moves, batch.grids != FREE, locks)
        gems = np.where((things.kinds == 2)[..., None], things.xy, np.nan)
        gem_xy = np.nan_to_num(np.nanmax(gems, axis=1), nan=-99).astype(np.float32)
        engine.act(moves)
        assert (touches_gem(after.xy, gem_xy) == (engine.rewards > 0)).all()
        now = read_batch(engine.get_states())
        # Without action and with equal speeds, a random number says which direction goes first.
        tie = (np.abs(after.velocity[:, 0]) == np.abs(after.velocity[:, 1])) & (after.velocity[:, 0] != 0)
        going_on = ~engine.first & ~tie
        np.testing.assert_array_equal(after.xy[going_on], now.agent_xy[going_on])
        np.testing.assert_allclose(after.velocity[going_on], now.agent_velocity[going_on], atol=1e-6)
        compared += going_on.sum()
    assert compared > 40 * n
    engine.close()


@pytest.mark.parametrize("mode", MODES)
def test_following_best_moves_reaches_the_gem(mode):
    n = 24
    engine = Engine(EngineOptions("heist", mode, num_envs=n, level_seeds=ALL_SEEDS, num_threads=1))
    states = engine.levels(range(500, 500 + n))
    engine.set_states(states)
    of_game = game("heist")
    facts = of_game.level_facts(read_batch(states))
    cells = of_game.frame_columns(facts, read_batch(states))["distance_to_goal_cells"]
    took = np.zeros(n, int)
    for step in range(1, 3 * cells.max() + 20):
        columns = of_game.frame_columns(facts, read_batch(engine.get_states()))
        engine.act(MOVE_TO_ACTION[columns["best_move"]])
        ended = engine.first & (took == 0)
        assert (engine.rewards[ended] == 10).all()
        took[ended] = step
        if took.all():
            break
    assert took.all()
    assert 1.6 < (took / cells).mean() < 2.4, "steps a cell"
    engine.close()


def test_the_true_last_frame_after_the_gem():
    """One step before the gem: the engine's own picture one step later, with its ending turned off by other means.

    There the gem's collision margin is so negative that nothing touches it: the same type, the same drawing.
    """
    n = 24
    engine = Engine(EngineOptions("heist", num_envs=n, level_seeds=ALL_SEEDS, seed=5, num_threads=1))
    scratch = scratch_engine("heist")
    proved = 0
    for _ in range(150):
        before = engine.get_states()
        actions = MOVE_TO_ACTION[label_states(before)["best_move"]]
        engine.act(actions)
        for index in np.flatnonzero(engine.rewards > 0):
            state = EngineState.parse(before[index])
            entities = state.entities.copy()
            entities["collision_margin"][entities["type"] == 9] = -4
            frames = []
            for raw in (without_ending(before[index], True), state.with_entities(entities).serialise()):
                scratch.set_states([raw], [0])
                frames.append([scratch.frames[0].copy()])
                play = np.full(scratch.num_envs, 4)
                play[0] = actions[index]
                scratch.act(play)
                assert not scratch.first[0]
                frames[-1].append(scratch.frames[0].copy())
            scratch.set_states([before[index]], [0])
            assert np.array_equal(frames[0][0], scratch.frames[0]), "the edit does not show before"
            assert np.array_equal(*frames)
            labels = label_states([scratch.get_states([0])[0]])
            assert labels["goal_x"][0] >= 0
            proved += 1
        if proved >= 20:
            break
    assert proved >= 20
    engine.close()


def test_the_true_last_frame_at_the_timeout():
    """Played at the timeout's last step, and played with the clock at 0: the same picture."""
    states = played("easy", 8, 3)[-8:]
    scratch = scratch_engine("heist")
    late = write_batch(states, cur_time=999, timeout=1000)
    early = write_batch(states, cur_time=0, timeout=1000)
    frames = []
    for which in ([without_ending(state, False) for state in late], early):
        scratch.set_states(which, range(8))
        scratch.act(np.full(scratch.num_envs, 7))
        assert not scratch.first[:8].any()
        frames.append(scratch.frames[:8].copy())
    assert np.array_equal(*frames)
    scratch.set_states(late, range(8))
    scratch.act(np.full(scratch.num_envs, 7))
    assert scratch.first[:8].all(), "else nothing would have been put off"


def change_entity(state: bytes, kind: int, **values) -> bytes:
    parsed = EngineState.parse(state)
    entities = parsed.entities.copy()
    slot = int(np.flatnonzero(entities["type"] == kind)[0])
    for name, value in values.items():
        entities[name][slot] = value
    return parsed.with_entities(entities).serialise()


def change_tail(state: bytes, *numbers: int) -> bytes:
    at = read_batch([state]).offsets[0]
    return state[: at.tail] + struct.pack(f"<{len(numbers)}i", *numbers) + state[at.end :]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s[:-4], "walked"),
        (lambda s: b"", "walked"),
        (lambda s: s + b"\0\0\0\0", "walked"),
        (lambda s: template_state("maze"), "expected a state of the game heist; this one is of 'maze'"),
        (lambda s: change_tail(s, 3, 9, 1, 0), "num_keys, world_dim and has_keys"),
        (lambda s: change_tail(s, 4, 9, 4, 0, 0, 0, 0), "at most 3"),
        (lambda s: change_tail(s, 0, 9, 0), "must have an entry for each colour in use"),
        (lambda s: change_tail(s, 2, 9, 2, 7, 0), "are 0 or 1"),
        (lambda s: change_entity(s, 2, image_theme=3), "type 2, theme 3"),
        (lambda s: change_entity(s, 2, image_theme=-1), "theme -1"),
        (lambda s: change_entity(s, 11, image_theme=2), "properties"),
        (lambda s: change_entity(s, 0, will_erase=1), "properties"),
        (lambda s: change_entity(s, 0, type=60), "has an agent"),
        (lambda s: change_entity(s, 2, type=0), "properties"),
        (lambda s: change_entity(s, 9, type=60), "type 60"),
        (lambda s: change_entity(s, 0, x=float("nan")), "agent must be in a free cell"),
        (lambda s: change_entity(s, 0, x=400.0), "agent must be in a free cell"),
        (lambda s: change_entity(s, 0, rx=1e9), "properties"),
        (lambda s: change_entity(s, 0, vx=1e7), "velocity"),
        (lambda s: change_entity(s, 0, image_type=500), "properties"),
        (lambda s: change_entity(s, 9, x=-3.0), "must be in a free cell"),
        (lambda s: change_entity(s, 1, x=float("inf")), "must be in a free cell"),
        (lambda s: change_entity(s, 2, type=9), "at most one gem"),
        (lambda s: EngineState.parse(s).with_grid(np.full((9, 9), 51)).serialise(), "must be in a free cell"),
        (lambda s: EngineState.parse(s).with_grid(np.full((9, 9), 99)).serialise(), "cells of Heist are 51"),
        (lambda s: EngineState.parse(s).with_grid(np.full((9, 9), -1)).serialise(), "cells of Heist are 51"),
        (lambda s: EngineState.parse(s).with_grid(np.full((20, 20), 100)).serialise(), "with the world of its mode"),
        (lambda s: EngineState.parse(s).with_settings(distribution_mode=7).serialise(), "distribution_mode of heist"),
        (lambda s: EngineState.parse(s).with_scene(background_index=9).serialise(), "background_index must be"),
    ],
)  # fmt: skip
def test_refuses_states_that_no_level_describes(change, message):
    state = levels_from_seeds("heist", [0])[0]
    with pytest.raises(ValueError, match=message):
        HeistLevel.from_state(change(state))


def test_refuses_templates_of_other_games_and_modes():
    level = HeistLevel.from_seed(7, "hard")
    with pytest.raises(ValueError, match="expected a state of the game heist"):
        level.to_state(template_state("maze"))
    with pytest.raises(ValueError, match=r"world of 13x13 cells.*has 9x9"):
        level.to_state(template_state("heist", "easy"))


@settings(max_examples=80, deadline=None)
@given(state=live_states("heist"), data=st.data())
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
        level = HeistLevel.from_state(raw)
    except ValueError:
        return
    validate(EngineState.parse(level.to_state()))
    assert HeistLevel.from_state(level.to_state()) == level


def test_the_entities_of_a_level_are_drawn_in_the_engines_order():
    state = levels_from_seeds("heist", [0])[0]
    batch = read_batch([state])
    types = batch.entities.records["type"][0].tolist()
    assert types[0] == 0
    assert types[-2:] == [11, 11]
    assert ENTITY_DTYPE.itemsize == 124
