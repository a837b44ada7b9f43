"""Hypothesis strategies for random levels and states, in one place for all tests.

`live_states` draws states that the engine was in during random play; `good_edits` changes that the engine must survive,
`bad_edits` changes that must be refused, `wild_edits` any value in any field, `corruptions` damaged bytes. An edit is a
function from `EngineState` to `EngineState`, named so that a failing example can be read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import CELL_NAMES
from procscope.envs.coinrun.entities import OBSTACLES
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.things import COLOURS, Key, Lock
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.value import mode_of_world
from procscope.envs.state import EngineState
from procscope.envs.state.layout import ENTITY_DTYPE, HeistTail, RandomGenerator
from procscope.envs.state.rules import rules_of

PARTS = ("settings", "episode", "scene", "view", "tail")
INTEGERS = [-(2**31), -1000, -2, -1, 0, 1, 2, 3, 5, 9, 10, 20, 50, 62, 99, 100, 101, 1000, 10**5, 2**31 - 1]
FLOATS = [
    float("nan"),
    float("inf"),
    -float("inf"),
    -1e9,
    -1e5,
    -100.0,
    -2.0,
    -1.0,
    -0.5,
    -0.01,
    0.0,
    0.3,
    0.5,
    1.0,
]
FLOATS += [1.05, 1.5, 2.0, 4.0, 10.0, 30.0, 100.0, 1000.0, 1e5, 1e9]


@dataclass(frozen=True)
class Edit:
    """A named change of a state."""

    name: str
    apply: Callable[[EngineState], EngineState]

    def __repr__(self) -> str:
        return self.name


@cache
def played_states(game: str, mode: str, count: int = 48, seed: int = 0) -> tuple[bytes, ...]:
    """States of `count` different levels, each after 0 to 100 steps of random play."""
    rng = np.random.default_rng(seed)
    engine = Engine(EngineOptions(game=game, mode=mode, num_envs=count, level_seeds=ALL_SEEDS, seed=seed))
    states: list[bytes] = []
    for index in range(count):
        for _ in range(int(rng.integers(0, 8))):
            # To the right more often than not: else no agent of coinrun gets anywhere.
            engine.act(
                np.where(rng.random(count) < 0.3, rng.integers(6, 9, count), rng.integers(0, 15, count))
            )
        states += engine.get_states([index])
    engine.close()
    return tuple(states)


def live_states(game: str, mode: str = "easy") -> st.SearchStrategy[EngineState]:
    """States of one game as the engine gives them, parsed."""
    return st.sampled_from(played_states(game, mode)).map(EngineState.parse)


@st.composite
def perfect_mazes(draw: st.DrawFn, sizes: st.SearchStrategy[int] | None = None) -> np.ndarray:
    """Walls [y, x] (bool) of mazes of odd size whose free cells form a tree.

    Even-even cells are free, odd-odd are wall.
    """
    rooms = (draw(st.sampled_from([3, 5, 7, 9, 11, 13, 15]) if sizes is None else sizes) + 1) // 2
    rng = draw(st.randoms(use_true_random=False))
    walls = np.ones((2 * rooms - 1, 2 * rooms - 1), dtype=bool)
    walls[::2, ::2] = False
    edges = [
        ((y, x), (y + dy, x + dx)) for y in range(rooms) for x in range(rooms) for dy, dx in ((0, 1), (1, 0))
    ]
    edges = [(a, b) for a, b in edges if max(b) < rooms]
    rng.shuffle(edges)
    tree = {(y, x): (y, x) for y in range(rooms) for x in range(rooms)}

    def root(room: tuple[int, int]) -> tuple[int, int]:
        while tree[room] != room:
            room = tree[room]
        return room

    for a, b in edges:  # Kruskal's algorithm with random weights
        if root(a) != root(b):
            tree[root(a)] = root(b)
            walls[a[0] + b[0], a[1] + b[1]] = False
    return walls


def _edit(
    name: str, change: Callable[..., EngineState], **draws: st.SearchStrategy
) -> st.SearchStrategy[Edit]:
    return st.fixed_dictionaries(draws).map(
        lambda drawn: Edit(f"{name}({drawn})", lambda state: change(state, **drawn))
    )


def _with_cells(state: EngineState, seed: int, share: float) -> EngineState:
    rng = np.random.default_rng(seed)
    known = rng.choice(sorted(rules_of(state.game).cells), state.grid.shape)
    return state.with_grid(np.where(rng.random(state.grid.shape) < share, known, state.grid))


def _with_world(state: EngineState, seed: int, width: int, height: int) -> EngineState:
    cells = np.random.default_rng(seed).choice([51, 100, 2], (height, width), p=[0.4, 0.59, 0.01])
    return state.with_grid(cells).with_agent(x=seed % width + 0.5, y=seed % height + 0.5)


def _at_share(state: EngineState, x: float, y: float) -> EngineState:
    height, width = state.grid.shape
    return state.with_agent(x=x * width, y=y * height)


def _at_cell(state: EngineState, x: float, y: float) -> EngineState:
    height, width = state.grid.shape
    return state.with_agent(x=int(x * width) + 0.5, y=int(y * height) + 0.5)


def _with_time(state: EngineState, timeout: int, share: float) -> EngineState:
    return state.with_time(int(share * timeout), timeout)


def _with_decoration(state: EngineState, x: float, y: float, type_number: int, image: int) -> EngineState:
    added = state.entities[[state.agent_index]].copy()
    added["type"] = type_number
    images = sorted(rules_of(state.game).image_themes)
    added["image_type"] = images[image % len(images)]
    added["image_theme"] = 0
    added["x"], added["y"] = x * state.grid.shape[1], y * state.grid.shape[0]
    return state.with_entities(np.concatenate([added, state.entities]))


def _without_some(state: EngineState, seed: int) -> EngineState:
    kept = np.random.default_rng(seed).random(len(state.entities)) < 0.7
    kept[state.agent_index] = True
    return state.with_entities(state.entities[kept])


def _moved_others(state: EngineState, seed: int) -> EngineState:
    entities = state.entities.copy()
    others = (entities["type"] != 0) & (entities["use_abs_coords"] == 0)
    rng = np.random.default_rng(seed)
    height, width = state.grid.shape
    entities["x"][others] = rng.uniform(0, width, others.sum())
    entities["y"][others] = rng.uniform(0, height, others.sum())
    return state.with_entities(entities)


def good_edits(game: str) -> st.SearchStrategy[list[Edit]]:
    """One to four edits of a state of the game, after which the engine must take it and play on."""
    share = st.floats(0, 1, exclude_max=True, width=16)
    seed = st.integers(0, 2**31 - 2)
    rules = rules_of(game)
    edits = [
        _edit("cells", _with_cells, seed=seed, share=share),
        _edit("agent_at_cell", _at_cell, x=share, y=share),
        _edit("time", _with_time, timeout=st.integers(1, 5000), share=share),
        _edit("seed_range", lambda s, low: s.with_seed_range(low, low + 1), low=seed),
        _edit("level_draws", EngineState.with_level_draws, seed=seed),
        _edit(
            "mode",
            lambda s, mode: s.with_settings(distribution_mode=mode),
            mode=st.sampled_from(list(rules.modes)),
        ),
        _edit(
            "background",
            lambda s, index, x: s.with_scene(background_index=index, bg_pct_x=x),
            index=st.integers(0, rules.backgrounds - 1),
            x=share,
        ),
        _edit(
            "looks",
            lambda s, a, b, c, d: s.with_settings(
                use_backgrounds=a, use_monochrome_assets=b, restrict_themes=c, paint_vel_info=d
            ),
            **dict.fromkeys("abcd", st.integers(0, 1)),
        ),
        _edit("visibility", lambda s, cells: s.with_view(visibility=cells), cells=st.floats(1, 64, width=16)),
        _edit(
            "seeds", lambda s, a, b: s.with_episode(current_level_seed=a, prev_level_seed=b), a=seed, b=seed
        ),
        _edit("mirrored", lambda s, flag: s.with_agent(is_reflected=flag), flag=st.integers(0, 1)),
        _edit("without_some", _without_some, seed=seed),
        _edit(
            "decoration",
            _with_decoration,
            x=share,
            y=share,
            type_number=st.integers(60, 99),
            image=st.integers(0, 9),
        ),
    ]
    if game == "maze":
        sizes = st.integers(3, 40)
        edits.append(_edit("world", _with_world, seed=seed, width=sizes, height=sizes))
    else:
        edits.append(_edit("agent_at", _at_share, x=share, y=share))
        edits.append(_edit("moved_others", _moved_others, seed=seed))
    # The world's size first: the other edits fit themselves to it.
    return st.lists(st.one_of(edits), min_size=1, max_size=4).map(
        lambda chosen: sorted(chosen, key=lambda edit: not edit.name.startswith("world"))
    )


@st.composite
def wild_edits(draw: st.DrawFn, state: EngineState) -> Edit:
    """Any scalar field of the state set to any value, sensible or not."""
    kind = draw(st.sampled_from((*PARTS, "entity", "cell", "keys")))
    if kind == "entity":
        index = draw(st.integers(0, len(state.entities) - 1))
        name = draw(st.sampled_from(ENTITY_DTYPE.names or ()))
        value = draw(st.sampled_from(INTEGERS if ENTITY_DTYPE[name].kind == "i" else FLOATS))
        entities = state.entities.copy()
        entities[name][index] = value
        return Edit(f"entity {index} {name}={value}", lambda s: s.with_entities(entities))
    if kind == "cell":
        cells = state.grid.copy()
        place = draw(st.integers(0, cells.size - 1))
        cells.flat[place] = value = draw(st.sampled_from(INTEGERS))
        return Edit(f"cell {place}={value}", lambda s: s.with_grid(cells))
    if kind == "keys" and isinstance(state.tail, HeistTail):
        keys = tuple(draw(st.lists(st.sampled_from([0, 1, -1, 2]), max_size=5)))
        tail = replace(state.tail, has_keys=keys, num_keys=draw(st.sampled_from([len(keys), 0, 3])))
        return Edit(f"{tail}", lambda s: s.replace(tail=tail))
    part = getattr(state, kind if kind in PARTS else "settings")
    scalars = [field for field in fields(part) if field.type in (int, float)]
    field = draw(st.sampled_from(scalars))
    value = draw(st.sampled_from(INTEGERS if field.type is int else FLOATS))
    name = kind if kind in PARTS else "settings"
    return Edit(
        f"{name}.{field.name}={value}", lambda s: s.replace(**{name: replace(part, **{field.name: value})})
    )


def _without_agent(state: EngineState) -> EngineState:
    return state.with_entities(state.entities[state.entities["type"] != 0])


def _two_agents(state: EngineState) -> EngineState:
    return state.with_entities(np.concatenate([state.entities, state.entities[[state.agent_index]]]))


def _stretched(state: EngineState, width: int, height: int) -> EngineState:
    return state.replace(grid=np.full((height, width), 51, np.int32))


def bad_edits(game: str) -> st.SearchStrategy[Edit]:
    """An edit that would end or hang the engine, or make it draw garbage or lose the agent: it must be refused."""
    negative, positive = st.integers(-(2**31), -1), st.integers(1, 2**31 - 1)
    odd = st.sampled_from([float("nan"), float("inf"), -float("inf"), -1e9, -1.0, 500.0, 1e9])
    rules = rules_of(game)
    generator = st.sampled_from(("level_generator", "content_generator"))
    text = st.sampled_from(
        (b"", b"junk", b"1 2 3", b"0 " * 624 + b"0", b"5 " * 624 + b"625", b"9999999999 " * 624 + b"1")
    )
    return st.one_of(
        _edit("no_agent", _without_agent),
        _edit("two_agents", _two_agents),
        _edit("erased", lambda s: s.with_agent(will_erase=1)),
        _edit("agent_at", lambda s, x: s.with_agent(x=x), x=odd),
        _edit("agent_at", lambda s, y: s.with_agent(y=y), y=odd),
        _edit(
            "half_size", lambda s, r: s.with_agent(rx=r), r=st.sampled_from([1e9, 1e5, -2.0, float("nan")])
        ),
        _edit(
            "image",
            lambda s, i: s.with_agent(image_type=i),
            i=st.one_of(negative, st.integers(101, 2**31 - 1)),
        ),
        _edit(
            "theme",
            lambda s, i: s.with_agent(image_theme=i),
            i=st.one_of(negative, st.integers(9, 2**31 - 1)),
        ),
        _edit(
            "speed",
            lambda s, v: s.with_agent(vx=v),
            v=st.sampled_from([1e7, -1e7, float("nan"), float("inf")]),
        ),
        _edit(
            "cell",
            lambda s, c: s.with_grid(np.full_like(s.grid, c)),
            c=st.one_of(negative, st.integers(101, 2**31 - 1)),
        ),
        _edit("grid", _stretched, width=st.integers(65, 90), height=st.integers(1, 200)),
        _edit(
            "width", lambda s, n: s.with_view(main_width=n), n=st.one_of(negative, st.integers(65, 2**31 - 1))
        ),
        _edit("seeds", lambda s, n: s.with_seed_range(n, n), n=st.integers(0, 2**31 - 2)),
        _edit("seeds", lambda s, n: s.with_seed_range(n, n - 1), n=positive),
        _edit("unseeded", lambda s, g: s.replace(**{g: replace(getattr(s, g), is_seeded=0)}), g=generator),
        _edit("text", lambda s, g, t: s.replace(**{g: RandomGenerator(1, t)}), g=generator, t=text),
        _edit("waiting", lambda s, n: s.with_episode(is_waiting_for_step=n), n=positive),
        _edit("generated", lambda s, n: s.with_settings(use_generated_assets=n), n=positive),
        _edit("procgen_bg", lambda s, n: s.with_scene(use_procgen_background=n), n=positive),
        _edit(
            "background",
            lambda s, n: s.with_scene(background_index=n),
            n=st.one_of(negative, st.integers(rules.backgrounds, 2**31 - 1)),
        ),
        _edit(
            "visibility",
            lambda s, v: s.with_view(visibility=v),
            v=st.sampled_from([1e5, 0.0, float("nan"), float("inf"), -5.0]),
        ),
    )


@st.composite
def corruptions(draw: st.DrawFn, raw: bytes) -> bytes:
    """The bytes of a state, damaged: cut, lengthened, with bytes taken out or put in, or some words overwritten."""
    kind = draw(st.sampled_from(("cut", "append", "remove", "insert", "words", "words", "words")))
    place = st.integers(0, len(raw) - 1)
    if kind == "cut":
        return raw[: draw(place)]
    if kind == "append":
        return raw + draw(st.binary(min_size=1, max_size=16))
    at = draw(place)
    if kind == "remove":
        return raw[:at] + raw[at + draw(st.integers(1, 200)) :]
    if kind == "insert":
        return raw[:at] + draw(st.binary(min_size=1, max_size=16)) + raw[at:]
    damaged = bytearray(raw)
    word = st.one_of(
        st.binary(min_size=4, max_size=4),
        st.sampled_from(INTEGERS).map(lambda n: n.to_bytes(4, "little", signed=True)),
    )
    for _ in range(draw(st.integers(1, 3))):
        # Nine tenths of the bytes are generator texts: most damage goes to the fields.
        near = draw(st.sampled_from(("anywhere", "front", "back")))
        at = draw(
            {
                "anywhere": place,
                "front": st.integers(0, 90),
                "back": st.integers(len(raw) - 1200, len(raw) - 5),
            }[near]
        )
        damaged[at : at + 4] = draw(word)
    return bytes(damaged[: len(raw)])


@st.composite
def maze_levels(draw: st.DrawFn, *, world: int = 15) -> MazeLevel:
    """Solvable levels of our own in every respect: walls, cheese or none, mouse anywhere, look, a seed or none."""
    walls = draw(perfect_mazes(st.sampled_from(range(3, world + 1, 2))))
    free = [(int(x), int(y)) for y, x in np.argwhere(~walls)]
    return MazeLevel(
        walls,
        cheese=draw(st.none() | st.sampled_from(free)),
        mouse=draw(st.sampled_from(free)),
        mode=mode_of_world(world),
        level_seed=draw(st.none() | st.integers(0, 2**31 - 1)),
        background=draw(st.none() | st.integers(0, 8)),
        background_offset=draw(st.floats(0, 1, width=32)),
        theme=draw(st.sampled_from(["textured", "monochrome"])),
    )


LevelEdit = Callable[[Any], Any]
"""An edit of a level with its arguments. Where they do not fit: ValueError, or IndexError for no such place."""


def _level_edits(edits: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy]]]) -> st.SearchStrategy:
    return st.one_of(
        [
            st.fixed_dictionaries(draws).map(
                lambda drawn, change=change: lambda level: change(level, **drawn)
            )
            for change, draws in edits
        ]
    )


_LOOKS: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy]]] = [
    (
        lambda v, number, offset: v.with_background(number, offset),
        {"number": st.none() | st.integers(-1, 62), "offset": st.floats(0, 1, width=32)},
    ),
    (lambda v, theme: v.with_theme(theme), {"theme": st.sampled_from(["textured", "monochrome", "none"])}),
    (
        lambda v, mode: v.with_mode(mode).with_mode(v.mode),
        {"mode": st.sampled_from(["easy", "hard", "memory"])},
    ),
]
_SHARE = st.floats(0, 1, exclude_max=True, width=16)


def _some(places: Sequence[Any], share: float) -> Any:
    """One of the places; IndexError when there is none."""
    return places[int(share * len(places))]


def maze_edits() -> st.SearchStrategy[LevelEdit]:
    """One edit of a maze, most arguments of the right kind."""
    place, free = {"x": st.integers(-1, 31), "y": st.integers(-1, 31)}, {"share": _SHARE}
    some = {"allow_unsolvable": True}
    return _level_edits(
        [
            *_LOOKS[:2],
            (lambda v, share: v.with_cheese(*_some(v.free_cells(), share), **some), free),
            (lambda v, share: v.with_mouse(*_some(v.free_cells(), share), **some), free),
            (lambda v, x, y: v.with_cheese(x, y), place),
            (lambda v, x, y: v.with_mouse(x, y), place),
            (lambda v: v.without_cheese(), {}),
            (lambda v, x, y: v.with_wall(x, y, **some), place),
            (lambda v, x, y: v.without_wall(x, y, **some), place),
            (lambda v, share: v.with_wall(*_some(v.free_cells(), share), **some), free),
            (lambda v, axis: v.mirrored(axis), {"axis": st.sampled_from("xy")}),
            (lambda v, turns: v.rotated(turns), {"turns": st.integers(-3, 5)}),
            (
                lambda v, walls: v.with_grid(walls, **some),
                {"walls": perfect_mazes(st.sampled_from([3, 9, 15, 17]))},
            ),
        ]
    )


def heist_edits() -> st.SearchStrategy[LevelEdit]:
    """One edit of a level of Heist, most arguments of the right kind."""
    colour = st.sampled_from((*COLOURS, *COLOURS, "pink"))
    place, empty = {"x": st.integers(-1, 23), "y": st.integers(-1, 23)}, {"share": _SHARE}
    offset = st.tuples(*2 * [st.floats(-0.05, 1.02)])
    speed = st.tuples(*2 * [st.floats(-1.05, 1.05)])
    some = {"allow_unsolvable": True}
    return _level_edits(
        [
            *_LOOKS,
            (
                lambda v, share, offset: v.with_gem(*_some(v.empty_cells(), share), offset, **some),
                empty | {"offset": offset},
            ),
            (lambda v, x, y: v.with_gem(x, y), place),
            (lambda v: v.without_gem(), {}),
            (
                lambda v, share, offset, velocity, rotation: v.with_agent(
                    *_some(v.empty_cells(), share),
                    offset=offset,
                    velocity=velocity,
                    rotation=rotation,
                    **some,
                ),
                empty | {"offset": offset, "velocity": speed, "rotation": st.floats(-13, 13)},
            ),
            (
                lambda v, colour, share: v.with_key(colour, *_some(v.empty_cells(), share), **some),
                empty | {"colour": colour},
            ),
            (
                lambda v, colour, share, offset: v.with_another_key(
                    colour, *_some(v.empty_cells(), share), offset
                ),
                empty | {"colour": colour, "offset": offset},
            ),
            (lambda v, colour: v.without_key(colour, **some), {"colour": colour}),
            (
                lambda v, colour, keep: v.with_key_held(colour, keep_others=keep),
                {"colour": colour, "keep": st.booleans()},
            ),
            (
                lambda v, colour, share: v.with_lock(colour, *_some(v.empty_cells(), share), **some),
                empty | {"colour": colour},
            ),
            (
                lambda v, colour, share: v.with_another_lock(colour, *_some(v.empty_cells(), share), **some),
                empty | {"colour": colour},
            ),
            (lambda v, share: v.with_open_lock(*_some(v.locks, share).cell), empty),
            (lambda v, colour: v.without_locks(colour), {"colour": colour}),
            (
                lambda v, share, other: v.with_moved(
                    _some(list(v.occupied()), other), _some(v.empty_cells(), share), **some
                ),
                empty | {"other": _SHARE},
            ),
            (lambda v, x, y: v.with_wall(x, y, **some), place),
            (lambda v, x, y: v.without_wall(x, y, **some), place),
            (lambda v, axis: v.mirrored(axis), {"axis": st.sampled_from("xy")}),
            (lambda v, turns: v.rotated(turns), {"turns": st.integers(-3, 5)}),
        ]
    )


def coinrun_edits() -> st.SearchStrategy[LevelEdit]:
    """One edit of a CoinRun level with any arguments of the right kind."""
    cell, speed = st.integers(0, 63), st.floats(-4, 4, width=32)
    return _level_edits(
        [
            *_LOOKS,
            (lambda v, x, y: v.with_coin(x, y, allow_unsolvable=True), {"x": cell, "y": cell}),
            (
                lambda v, coins: v.with_coins(coins, allow_unsolvable=True),
                {"coins": st.lists(st.tuples(cell, cell), max_size=5)},
            ),
            (
                lambda v, x, y, kind: v.with_cell(x, y, kind, allow_unsolvable=True),
                {"x": cell, "y": cell, "kind": st.sampled_from(sorted(CELL_NAMES))},
            ),
            (
                lambda v, place, vx, vy: v.with_agent(
                    *v.standing_cells()[int(place * len(v.standing_cells()))], vx, vy, allow_unsolvable=True
                ),
                {"place": st.floats(0, 0.99), "vx": speed, "vy": speed},
            ),
            (
                lambda v, x, y, vx, vy: v.with_agent_at(x, y, vx, vy, allow_unsolvable=True),
                {"x": st.floats(0, 63), "y": st.floats(0, 63), "vx": speed, "vy": speed},
            ),
            (
                lambda v, kind, x, y: v.with_obstacle(kind, x, y, allow_unsolvable=True),
                {"kind": st.sampled_from(OBSTACLES), "x": cell, "y": cell},
            ),
            (
                lambda v, kinds: v.without_obstacles(*kinds),
                {"kinds": st.sets(st.sampled_from([*OBSTACLES, "lava"]))},
            ),
            (
                lambda v, kind: v.with_obstacles_as(kind, allow_unsolvable=True),
                {"kind": st.sampled_from(OBSTACLES)},
            ),
            (
                lambda v, a, b, c, d: v.with_themes(walls=a, agent=b, enemies=c, crates=d),
                {
                    "a": st.integers(0, 5),
                    "b": st.integers(0, 4),
                    "c": st.integers(0, 8),
                    "d": st.integers(0, 3),
                },
            ),
            (lambda v, drawn: v.with_agent_drawn(drawn), {"drawn": st.booleans()}),
        ]
    )


LEVEL_EDITS: dict[str, Callable[[], st.SearchStrategy[LevelEdit]]] = {
    "maze": maze_edits,
    "heist": heist_edits,
    "coinrun": coinrun_edits,
}
"""By game."""


@st.composite
def coinrun_levels(draw: st.DrawFn) -> CoinRunLevel:
    """Levels of live states after some edits; the edits that do not fit them are left out."""
    mode = draw(st.sampled_from(["easy", "hard"]))
    level = CoinRunLevel.from_state(draw(st.sampled_from(played_states("coinrun", mode))))
    for edit in draw(st.lists(coinrun_edits(), max_size=4)):
        try:
            level = edit(level)
        except (ValueError, IndexError):
            continue
    return level


@st.composite
def heist_levels(draw: st.DrawFn) -> HeistLevel:
    """Levels of easy mode in every respect, solvable or not: any walls, things of any number and place, any look."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    level = HeistLevel.generate(draw(st.sampled_from([5, 7, 9])), draw(st.integers(0, 3)), rng)
    walls = level.walls & (rng.random(level.walls.shape) > draw(st.sampled_from([0.0, 0.0, 0.3, 1.0])))
    cells = [(int(x), int(y)) for y, x in rng.permutation(np.argwhere(~walls))]
    offset = st.tuples(*2 * [st.sampled_from([0.0, 0.375, 0.5, 0.6249, 0.9999])])
    keys = [Key(COLOURS[rng.integers(3)], cells.pop(), draw(offset)) for _ in range(draw(st.integers(0, 4)))]
    agent = cells.pop()
    locks = [Lock(COLOURS[rng.integers(3)], cells.pop()) for _ in range(draw(st.integers(0, 4)))]
    return HeistLevel(
        walls,
        agent=draw(st.sampled_from([agent, *(key.cell for key in keys)])),
        gem=draw(st.sampled_from([cells.pop(), None])),
        gem_offset=draw(offset),
        keys=tuple(keys),
        locks=tuple(locks),
        held=tuple(draw(st.lists(st.booleans(), max_size=3))),
        level_seed=draw(st.none() | st.integers(0, 2**31 - 1)),
        background=draw(st.none() | st.integers(0, 8)),
        background_offset=draw(st.floats(0, 1, width=32)),
        theme=draw(st.sampled_from(["textured", "monochrome"])),
        agent_offset=draw(offset),
        agent_velocity=draw(st.sampled_from([(0.0, 0.0), tuple(rng.uniform(-0.6, 0.6, 2))])),
        agent_rotation=draw(st.sampled_from([0.0, float(rng.uniform(-4, 4))])),
        allow_unsolvable=True,
    )
