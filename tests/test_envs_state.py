"""The codec: every field by name, identical bytes back, edits that touch nothing else, and malformed bytes refused."""

import struct
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import live_states, played_states

from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions, levels_from_seeds
from procscope.envs.state import EngineState
from procscope.envs.state.layout import ENTITY_DTYPE, RandomGenerator

GAME_MODES = [(game, mode) for game in ("maze", "heist") for mode in ("easy", "hard", "memory")]
GAME_MODES += [("coinrun", "easy"), ("coinrun", "hard")]


def _assert_round_trip(game: str, mode: str, count: int) -> None:
    rng = np.random.default_rng(7)
    envs = 100
    engine = Engine(EngineOptions(game=game, mode=mode, num_envs=envs, level_seeds=ALL_SEEDS, seed=3))
    for _ in range(count // envs):
        for _ in range(20):
            engine.act(np.where(rng.random(envs) < 0.4, rng.integers(6, 9, envs), rng.integers(0, 15, envs)))
        for raw in engine.get_states():
            assert EngineState.parse(raw, game).serialise() == raw
    engine.close()


@pytest.mark.parametrize(("game", "mode"), GAME_MODES)
def test_live_states_come_back_byte_for_byte(game: str, mode: str) -> None:
    _assert_round_trip(game, mode, 300)


@pytest.mark.slow
@pytest.mark.parametrize(("game", "mode"), GAME_MODES)
def test_3000_live_states_come_back_byte_for_byte(game: str, mode: str) -> None:
    _assert_round_trip(game, mode, 3000)


def test_fields_are_what_the_engine_says_elsewhere() -> None:
    options = EngineOptions(game="maze", num_envs=3, level_seeds=range(50, 60), seed=5, use_backgrounds=False)
    engine = Engine(options)
    for _ in range(4):
        engine.act(np.array([7, 5, 4]))
    for index, raw in enumerate(engine.get_states()):
        state = EngineState.parse(raw, "maze")
        assert state.episode.current_level_seed == engine.level_seeds[index]
        assert (state.settings.level_seed_low, state.settings.level_seed_high) == (50, 60)
        assert (state.settings.use_backgrounds, state.settings.distribution_mode, state.settings.game_n) == (
            0,
            0,
            index,
        )
        assert (state.episode.cur_time, state.episode.timeout, state.grid_size) == (4, 500, 225)
        assert state.grid.shape == (state.view.main_height, state.view.main_width) == (15, 15)
        assert np.count_nonzero(state.grid == 2) == 1
        agent = state.entities[state.agent_index]
        assert state.grid[int(agent["y"]), int(agent["x"])] == 100
    engine.close()


def test_games_have_their_own_tails() -> None:
    for game, names in {
        "maze": ["maze_dim", "world_dim"],
        "heist": ["num_keys", "world_dim", "has_keys"],
        "coinrun": (
            "last_agent_y wall_theme has_support facing_right is_on_crate gravity air_control".split()
        ),
    }.items():
        tail = EngineState.parse(played_states(game, "easy")[0]).tail
        assert [field.name for field in fields(tail)] == names
    heist = EngineState.parse(levels_from_seeds("heist", [12])[0]).tail
    assert len(heist.has_keys) == heist.num_keys  # type: ignore[union-attr]
    assert ENTITY_DTYPE.itemsize == 124
    assert len(ENTITY_DTYPE.names or ()) == 31


@pytest.mark.parametrize("level_seed", [0, 1, 123456, 2**31 - 2])
def test_from_seed_is_the_engines_generator(level_seed: int) -> None:
    # The engine seeds the content generator with the level seed, and then draws from it to make the level.
    state = EngineState.parse(levels_from_seeds("maze", [level_seed])[0])
    *words, position = (int(word) for word in state.content_generator.text.split())
    bits = np.random.MT19937()
    ours = [int(word) for word in RandomGenerator.from_seed(level_seed).text.split()]
    bits.state = {
        "bit_generator": "MT19937",
        "state": {"key": np.array(ours[:-1], np.uint32), "pos": ours[-1]},
    }
    bits.random_raw(position)  # at least; then by whole rounds of 624
    for _ in range(50):
        if bits.state["state"]["key"].tolist() == words:
            break
        bits.random_raw(624)
    assert bits.state["state"]["key"].tolist() == words
    assert bits.state["state"]["pos"] == position


def test_from_seed_refuses_what_is_no_int32() -> None:
    with pytest.raises(ValueError, match="expected a seed that fits an int32; got 2147483648"):
        RandomGenerator.from_seed(2**31)


def test_seed_range_and_draws_decide_the_next_level() -> None:
    engine = Engine(EngineOptions(game="maze", num_envs=4, level_seeds=range(100, 10**6), seed=1))
    states = [EngineState.parse(raw) for raw in engine.get_states()]
    engine.set_states([s.with_level_draws(9).with_seed_range(0, 10**6).serialise() for s in states])
    engine.reset_all()
    assert len(set(engine.level_seeds.tolist())) == 1
    engine.set_states([s.with_seed_range(40 + n, 41 + n).serialise() for n, s in enumerate(states)])
    engine.reset_all()
    assert engine.level_seeds.tolist() == [40, 41, 42, 43]
    engine.close()


@given(state=st.one_of(live_states("maze"), live_states("coinrun")), data=st.data())
@settings(max_examples=40, deadline=None)
def test_an_edit_changes_its_own_bytes_only(state: EngineState, data: st.DataObject) -> None:
    before = state.serialise()
    edits = {
        4: state.with_time(cur_time=state.episode.cur_time + 1),
        8: state.with_agent(x=np.float32(1.25), y=np.float32(2.25)),
        state.grid.nbytes: state.with_grid(np.full_like(state.grid, 100)),
        9: state.with_seed_range(5, 6),
    }
    size = data.draw(st.sampled_from(list(edits)))
    after = edits[size].serialise()
    changed = np.flatnonzero(np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8))
    assert len(after) == len(before)
    assert len(changed) > 0
    assert changed[-1] - changed[0] < size
    assert state.serialise() == before


def test_states_are_immutable_values() -> None:
    raw = played_states("heist", "easy")[3]
    state = EngineState.parse(raw)
    assert state == EngineState.parse(raw)
    assert hash(state) == hash(EngineState.parse(raw))
    assert state != state.with_time(cur_time=77)
    with pytest.raises(FrozenInstanceError):
        state.grid_size = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        state.grid[0, 0] = 100
    with pytest.raises(ValueError, match="read-only"):
        state.entities["x"][0] = 1
    mine = state.grid.copy()
    edited = state.with_grid(mine)
    mine[:] = 0
    assert edited.grid.any()


def test_another_world_size_changes_all_size_fields() -> None:
    state = EngineState.parse(played_states("maze", "easy")[0]).with_grid(np.full((7, 9), 100))
    assert (state.view.main_width, state.view.main_height, state.grid_size) == (9, 7, 63)
    assert state.tail.world_dim == 9  # type: ignore[union-attr]
    engine = Engine(EngineOptions(game="maze"))
    engine.set_states([state.with_agent(x=0.5, y=0.5).serialise()])
    engine.act(np.array([7]))
    after = EngineState.parse(engine.get_states()[0])
    engine.close()
    assert after.grid.shape == (7, 9)
    assert after.entities["x"][0] == 1.5


def test_flags_keep_their_raw_number() -> None:
    raw = bytearray(played_states("maze", "easy")[0])
    struct.pack_into("<i", raw, 12, -7)  # paint_vel_info, the first field after the game's name
    state = EngineState.parse(bytes(raw))
    assert state.settings.paint_vel_info == -7
    assert state.serialise() == bytes(raw)


MAZE = 12  # where the fields after the name "maze" begin


def _word(raw: bytes, at: int, value: int) -> bytes:
    return raw[:at] + struct.pack("<i", value) + raw[at + 4 :]


MALFORMED = {
    "empty": (lambda raw: b"", r"serialize_version at byte 0: expected 4 bytes; found 0"),
    "version": (lambda raw: _word(raw, 0, 1), r"serialize_version at byte 0: expected 0.*; found 1"),
    "name length": (lambda raw: _word(raw, 4, -4), r"game_name's length at byte 4: .*; found -4"),
    "name": (
        lambda raw: raw.replace(b"maze", b"daze", 1),
        r"game_name at byte 4: expected maze; found 'daze'",
    ),
    "cut in settings": (lambda raw: raw[:34], r"EngineSettings.center_agent at byte 32"),
    "text length": (lambda raw: _word(raw, MAZE + 72, 10**6), r"level_generator.text's length at byte 84"),
    "text longer": (lambda raw: _word(raw, MAZE + 72, 7000), r"malformed state"),
    "lengthened": (lambda raw: raw[:9000] + b"123 " + raw[9000:], r"malformed state"),
    "cut in the middle": (lambda raw: raw[:9000] + raw[9100:], r"malformed state"),
    "cut at the end": (lambda raw: raw[:-1], r"end marker at byte \d+: expected 4 bytes; found 3"),
    "end marker": (
        lambda raw: _word(raw, len(raw) - 4, 1),
        r"end marker at byte \d+: expected 0xcafecafe; found 0x1",
    ),
    "overlong": (
        lambda raw: raw + b"1234567",
        r"end of the state at byte \d+: expected no more bytes; found 7 more",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_bytes_are_refused_with_field_and_offset(name: str) -> None:
    spoil, message = MALFORMED[name]
    with pytest.raises(ValueError, match=message):
        EngineState.parse(spoil(played_states("maze", "easy")[1]), "maze")


@pytest.mark.parametrize("count", [-1, 0, 2, 2**31 - 1])
def test_wrong_counts_are_refused(count: int) -> None:
    raw = played_states("maze", "easy")[1]
    state = EngineState.parse(raw)
    entities_at = raw.index(struct.pack("<ii", state.grid_size, 1) + state.entities.tobytes()) + 4
    with pytest.raises(ValueError, match="malformed state"):
        EngineState.parse(_word(raw, entities_at, count))
    grid_at = raw.index(struct.pack("<iii", 15, 15, 225))
    for at, field in ((grid_at, "width"), (grid_at + 4, "height"), (grid_at + 8, "count")):
        with pytest.raises(ValueError, match=f"grid's (?:{field}|count) at byte"):
            EngineState.parse(_word(raw, at, count))


def test_states_of_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="expected maze; found 'heist'"):
        EngineState.parse(played_states("heist", "easy")[0], "maze")
    with pytest.raises(ValueError, match="expected a game of maze, heist, coinrun with its own tail"):
        EngineState.parse(played_states("heist", "easy")[0]).replace(game="maze")


def test_numbers_that_do_not_fit_are_refused() -> None:
    state = EngineState.parse(played_states("maze", "easy")[0])
    with pytest.raises(ValueError, match=r"expected Episode.cur_time to be an int32; got 2147483648"):
        state.with_time(cur_time=2**31).serialise()
    with pytest.raises(ValueError, match=r"expected View.visibility to be a float32; got 1e"):
        state.with_view(visibility=1e300).serialise()
    with pytest.raises(ValueError, match="int32 array"):
        state.replace(grid=np.zeros((15, 15)))
    with pytest.raises(ValueError, match="one-dimensional array of ENTITY_DTYPE"):
        state.replace(entities=np.zeros(3))
    with pytest.raises(ValueError, match="expected an entity of type 0"):
        _ = replace(state, entities=state.entities[:0]).agent_index
