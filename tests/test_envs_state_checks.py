"""Every state that ends, hangs or confuses the engine, or makes the agent vanish, is refused before it gets there."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from strategies import played_states

from procscope.envs.engine import levels_from_seeds
from procscope.envs.state import EngineState
from procscope.envs.state.checks import checked, validate
from procscope.envs.state.layout import MAX_STATE_BYTES, RandomGenerator

Change = Callable[[EngineState], EngineState]
NAN, INF = float("nan"), float("inf")


def _cell(value: int) -> Change:
    def change(state: EngineState) -> EngineState:
        cells = state.grid.copy()
        cells[3, 4] = value
        return state.with_grid(cells)

    return change


def _agents(count: int) -> Change:
    return lambda s: s.with_entities(np.repeat(s.entities, np.where(s.entities["type"] == 0, count, 1)))


def _text(generator: str, text: bytes) -> Change:
    return lambda s: s.replace(**{generator: RandomGenerator(1, text)})


REFUSED: dict[str, tuple[Change, str]] = {
    "no agent": (_agents(0), "expected one agent.*; got 0"),
    "two agents": (_agents(2), "expected one agent.*; got 2"),
    "agent to be erased": (lambda s: s.with_agent(will_erase=1), "the agent's will_erase 0; got 1"),
    "agent expires": (lambda s: s.with_agent(expire_time=20), "the agent's expire_time.*; got 20"),
    "agent not stopped by walls": (lambda s: s.with_agent(smart_step=0), "the agent's smart_step 1; got 0"),
    "agent left of the world": (lambda s: s.with_agent(x=-0.5), "centre inside the 15x15 world; got \\(-0.5"),
    "agent right of the world": (lambda s: s.with_agent(x=15), "centre inside the 15x15 world; got \\(15.0"),
    "agent above the world": (lambda s: s.with_agent(y=30), "centre inside the 15x15 world"),
    "agent far away": (lambda s: s.with_agent(y=1e9), "the entities' y from"),
    "agent x NaN": (lambda s: s.with_agent(x=NAN), "the entities' x from .*; got nan"),
    "agent y infinite": (lambda s: s.with_agent(y=INF), "the entities' y from .*; got inf"),
    "half size 1e9": (lambda s: s.with_agent(rx=1e9), "the entities' rx from 0 to 32"),
    "half size negative": (lambda s: s.with_agent(ry=-2), "the entities' ry from 0 to 32"),
    "agent grows": (lambda s: s.with_agent(grow_rate=1.5), "half size at their end"),
    "agent shrinks": (lambda s: s.with_agent(grow_rate=0.5), "the agent's grow_rate 1"),
    "speed 1e7": (lambda s: s.with_agent(vx=1e7), "the entities' vx from -4 to 4"),
    "image above 100": (lambda s: s.with_agent(image_type=101), "got 101 with theme 0 at entity 0"),
    "image unknown": (lambda s: s.with_agent(image_type=7), "got 7 with theme 0 at entity 0"),
    "theme at the count": (lambda s: s.with_agent(image_theme=1), "got 0 with theme 1 at entity 0"),
    "theme negative": (lambda s: s.with_agent(image_theme=-1), "got 0 with theme -1 at entity 0"),
    "type negative": (
        lambda s: s.with_entities(np.concatenate([_typed(s, -3), s.entities])),
        "the entities' type from 0 to 100; got -3 at entity 0",
    ),
    "5,000 entities": (
        lambda s: s.with_entities(np.concatenate([np.repeat(_typed(s, 70), 5000), s.entities])),
        "the number of entities from 1 to 1000; got 5001",
    ),
    "cell above 100": (_cell(101), "expected cells of maze \\(2, 51, 100\\); got 101 at index \\(3, 4\\)"),
    "cell below -100": (_cell(-101), "got -101"),
    "cell not drawn": (_cell(-1), "got -1 "),
    "cell drawn as wall but passable": (_cell(-51), "got -51"),
    "cell with an invented picture": (_cell(64), "got 64"),
    "grid smaller than the world": (
        lambda s: s.replace(grid=s.grid[:9, :9].copy()),
        "as the grid's 9x9; got 15x15",
    ),
    "grid larger than the world": (
        lambda s: s.replace(grid=np.full((40, 40), 51, np.int32)),
        "as the grid's 40x40; got 15x15",
    ),
    "main_width 0": (lambda s: s.with_view(main_width=0), "as the grid's 15x15; got 0x15"),
    "main_height negative": (lambda s: s.with_view(main_height=-5), "as the grid's 15x15; got 15x-5"),
    "outside of the world open": (
        lambda s: s.with_view(out_of_bounds_object=100),
        "out_of_bounds_object 51; got 100",
    ),
    "state above 1 MiB": (lambda s: s.with_grid(np.full((520, 520), 51)), "at most 40000 cells; got 520x520"),
    "visibility 1e5": (lambda s: s.with_view(visibility=1e5), "view.visibility from 1 to 256; got 100000"),
    "visibility 0": (lambda s: s.with_view(visibility=0.0), "view.visibility"),
    "visibility NaN": (lambda s: s.with_view(visibility=NAN), "view.visibility .*; got nan"),
    "one level seed too few": (
        lambda s: s.with_seed_range(5, 5),
        "level_seed_high - level_seed_low .*; got 0",
    ),
    "level seeds reversed": (
        lambda s: s.with_seed_range(5, 3),
        "level_seed_high - level_seed_low .*; got -2",
    ),
    "level seed negative": (lambda s: s.with_seed_range(-5, 3), "level_seed_low .*; got -5"),
    "unseeded": (
        lambda s: s.replace(level_generator=replace(s.level_generator, is_seeded=0)),
        "is_seeded 1; got 0",
    ),
    "text empty": (_text("level_generator", b""), "level_generator.text of 624 words"),
    "text junk": (_text("content_generator", b"x " * 624 + b"1"), "content_generator.text of 624 words"),
    "text short": (_text("asset_generator", b"1 " * 623 + b"1"), "asset_generator.text of 624 words"),
    "text of zeros": (_text("level_generator", b"0 " * 624 + b"1"), "not all zero"),
    "word too large": (_text("level_generator", b"4294967296 " * 624 + b"1"), "words below 2\\*\\*32"),
    "position too large": (_text("level_generator", b"7 " * 624 + b"625"), "a position up to 624"),
    "waiting for a step": (lambda s: s.with_episode(is_waiting_for_step=1), "is_waiting_for_step 0; got 1"),
    "generated assets": (lambda s: s.with_settings(use_generated_assets=1), "use_generated_assets 0; got 1"),
    "generated background": (
        lambda s: s.with_scene(use_procgen_background=1),
        "use_procgen_background 0; got 1",
    ),
    "background in endless tiles": (
        lambda s: s.with_scene(bg_tile_ratio=-1e-9),
        "scene.bg_tile_ratio from 0 .*; got -1e-09",
    ),
    "background above": (lambda s: s.with_scene(background_index=9), "background_index from 0 to 8; got 9"),
    "background negative": (lambda s: s.with_scene(background_index=-1), "background_index .*; got -1"),
    "timeout 0": (lambda s: s.with_time(0, 0), "episode.timeout from 1"),
    "past the timeout": (lambda s: s.with_time(500, 500), "episode.timeout - cur_time .*; got 0"),
    "mode of no game": (
        lambda s: s.with_settings(distribution_mode=2),
        "distribution_mode of maze .*; got 2",
    ),
    "reward NaN": (lambda s: s.with_episode(reward=NAN), "episode.reward .*; got nan"),
}


def _typed(state: EngineState, number: int) -> np.ndarray:
    entity = state.entities[[state.agent_index]].copy()
    entity["type"] = number
    return entity


def _fresh(game: str, seed: int = 3) -> EngineState:
    return EngineState.parse(levels_from_seeds(game, [seed])[0])


@pytest.mark.parametrize("name", REFUSED)
def test_states_that_the_engine_would_not_survive_are_refused(name: str) -> None:
    change, message = REFUSED[name]
    state = _fresh("maze")
    validate(state)
    with pytest.raises(ValueError, match=message) as refusal:
        checked(change(state))
    assert str(refusal.value).startswith("expected ")


@pytest.mark.parametrize("game", ["maze", "heist", "coinrun"])
@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_live_states_pass(game: str, mode: str) -> None:
    for raw in played_states(game, mode):
        assert checked(EngineState.parse(raw)) == raw


@pytest.mark.parametrize("game", ["maze", "coinrun"])
def test_the_largest_state_is_one_that_the_engine_can_give_back(game: str) -> None:
    state = _fresh(game)
    wall = int(state.view.out_of_bounds_object)
    crowd = np.concatenate([np.repeat(_typed(state, 70), 999), state.entities[[state.agent_index]]])
    largest = state.with_grid(np.full((200, 200), wall)).with_entities(crowd)
    widest = b"4294967295 " * 624 + b"624"
    for name in ("level_generator", "content_generator", "asset_generator"):
        largest = largest.replace(**{name: RandomGenerator(1, widest)})
    assert len(checked(largest)) < MAX_STATE_BYTES


def test_odd_but_playable_states_pass() -> None:
    state = _fresh("maze")
    height, width = state.grid.shape
    for cells in (np.full((height, width), 51), np.full((height, width), 100), np.full((height, width), 2)):
        validate(state.with_grid(cells))
    validate(state.with_settings(use_monochrome_assets=1, restrict_themes=1, use_backgrounds=0))
    validate(state.with_episode(current_level_seed=-1))


def test_heists_keys_must_fit_their_list() -> None:
    # A level of three keys, with all of its doors and ring keys.
    fresh = (_fresh("heist", seed) for seed in range(50))
    state = next(s for s in fresh if len(s.tail.has_keys) == 3)  # type: ignore[union-attr]
    held = replace(state.tail, has_keys=(1, 0, 1))
    validate(state.replace(tail=held))
    with pytest.raises(ValueError, match=r"tail.num_keys 2; got 3"):
        validate(state.replace(tail=replace(state.tail, has_keys=(0, 0))))
    with pytest.raises(ValueError, match="image_theme of doors and keys from 0 to 1; got 2"):
        validate(state.replace(tail=replace(state.tail, has_keys=(0, 0), num_keys=2)))
    with pytest.raises(ValueError, match=r"the number of has_keys from 0 to 3; got 4"):
        validate(state.replace(tail=replace(state.tail, has_keys=(0, 0, 0, 0), num_keys=4)))
    with pytest.raises(ValueError, match=r"tail.has_keys from 0 to 1; got 2"):
        validate(state.replace(tail=replace(state.tail, has_keys=(0, 0, 2))))


def test_coinruns_own_fields_are_checked() -> None:
    state = _fresh("coinrun")
    with pytest.raises(ValueError, match=r"tail.wall_theme from 0 to 5; got 6"):
        validate(state.replace(tail=replace(state.tail, wall_theme=6)))
    with pytest.raises(ValueError, match=r"tail.gravity .*; got nan"):
        validate(state.replace(tail=replace(state.tail, gravity=NAN)))
