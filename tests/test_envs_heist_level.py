"""`HeistLevel` as a value: what it takes and refuses, how its edits relate, what it answers, its text and files."""

import copy
import json
import pickle
from collections import deque
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import heist_levels

from procscope.envs.heist import HeistLevel
from procscope.envs.heist.things import COLOURS, Key, Lock

ROOM = HeistLevel.from_ascii(
    """
    #########
    #@.b#...#
    #.#.#.#.#
    #.#.B.#*#
    #.###.###
    #g..#...#
    #.#.#.#.#
    #...G...#
    #########
    """
)
"""Worked by hand below: both locks lead to the gem's side."""


def brute_steps(level: HeistLevel) -> int:
    """Steps of the shortest way to the gem: breadth-first over (cell, keys held), one state at a time; -1 for none."""
    keys, locks = {k.cell: k.colour for k in level.keys}, {k.cell: k.colour for k in level.locks}
    free = set(level.free_cells())
    held = frozenset(c for c, holds in zip(COLOURS, level.held, strict=False) if holds)
    start = (level.agent, held | ({keys[level.agent]} if level.agent in keys else set()))
    steps, queue = {start: 0}, deque([start])
    while queue:
        cell, held = queue.popleft()
        if cell == level.gem:
            return steps[cell, held]
        x, y = cell
        for other in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            if other not in free or (other in locks and locks[other] not in held):
                continue
            state = (other, held | ({keys[other]} if other in keys else set()))
            if state not in steps:
                steps[state] = steps[cell, held] + 1
                queue.append(state)
    return -1


def test_a_level_worked_by_hand():
    plan = ROOM.plan()
    assert [(leg.kind, leg.colour, leg.cell, leg.steps) for leg in plan.legs] == [
        ("key", "blue", (3, 7), 2),
        ("lock", "blue", (4, 5), 3),
        ("gem", None, (7, 5), 7),
    ]
    assert plan.steps == 12
    assert plan.path[0] == ROOM.agent
    assert len(plan.path) == 13
    assert ROOM.next_target() == plan.legs[0]
    held = ROOM.with_key_held("blue")
    assert [leg.kind for leg in held.plan().legs] == ["lock", "gem"]
    assert held.keys_of("blue") == ()
    assert held.held == (True, False)
    other = ROOM.without_key("blue")
    assert [leg.cell for leg in other.plan().legs] == [(1, 3), (4, 1), (7, 5)]
    assert not ROOM.reachable_cells()[5, 7]
    assert ROOM.reachable_cells(taking_keys=True)[5, 7]
    assert ROOM.reachable_cells(["green"])[5, 7]
    assert ROOM.distance_map()[7, 7] == 2
    assert ROOM.distance_map()[7, 1] == -1, "the locks are shut"
    assert ROOM.distance_map(held=["blue"])[7, 1] == 12
    assert ROOM.bounds() == ((1, 1), (7, 7))


@settings(max_examples=30, deadline=None)
@given(heist_levels())
def test_plans_agree_with_a_plain_search(level):
    brute = brute_steps(level) if level.gem is not None else -1
    plan = level.plan()
    assert level.is_solvable() == (brute >= 0) == bool(plan)
    if not plan:
        return
    assert plan.steps == brute
    path = plan.path
    assert (path[0], path[-1]) == (level.agent, level.gem)
    assert all(abs(a - c) + abs(b - d) == 1 for (a, b), (c, d) in pairwise(path))
    held = {colour for colour in COLOURS if level.holds(colour)}
    things = level.occupied()
    for leg in plan.legs:  # nothing is passed that is not a leg, no lock without its key
        passed = [cell for cell in leg.path[1:-1] if cell in things]
        assert all(things[cell].endswith("lock") or things[cell].split()[0] in held for cell in passed)
        if leg.kind == "key":
            assert leg.colour not in held
            held.add(leg.colour)
        elif leg.kind == "lock":
            assert leg.colour in held


@settings(max_examples=30, deadline=None)
@given(heist_levels())
def test_text_files_and_bytes_lose_nothing(level):
    for same in (
        HeistLevel.from_ascii(str(level), allow_unsolvable=True),
        HeistLevel.from_json(json.loads(json.dumps(level.to_json())), allow_unsolvable=True),
        HeistLevel.from_state(level.to_state()),
        copy.deepcopy(level),
        pickle.loads(pickle.dumps(level)),
        HeistLevel(**level.values(), allow_unsolvable=True),
    ):
        assert same == level, level.diff(same)
        assert hash(same) == hash(level)
        assert same.level_seed == level.level_seed
        assert not level.diff(same)
        assert not same.walls.flags.writeable


@settings(max_examples=30, deadline=None)
@given(heist_levels(), st.data())
def test_edits_undo_each_other(level, data):
    for turned in (
        level.mirrored("x").mirrored("x"),
        level.rotated(1).rotated(3),
        level.mirrored("y").mirrored("y"),
    ):
        assert (turned.walls == level.walls).all()
        assert [k[:2] for k in turned.keys] == [k[:2] for k in level.keys]
        assert turned.locks == level.locks
        assert np.allclose([k.offset for k in turned.keys], [k.offset for k in level.keys], atol=1e-4)
        assert (turned.gem, turned.agent) == (level.gem, level.agent)
    assert level.rotated(2).walls.tobytes() == level.mirrored("x").mirrored("y").walls.tobytes()
    empty = level.empty_cells()
    if not empty:
        return
    x, y = data.draw(st.sampled_from(empty))
    some = {"allow_unsolvable": True}
    for start, what in level.occupied().items():
        moved = level.with_moved(start, (x, y), **some)
        assert moved.occupied()[x, y] == what
        assert moved.with_moved((x, y), start, **some).occupied() == level.occupied()
    gem = level.with_gem(x, y, **some)
    assert gem.gem == (x, y)
    assert gem.without_gem().diff(level.without_gem()).fields == ()
    colour = data.draw(st.sampled_from(COLOURS))
    added = level.with_another_key(colour, x, y)
    assert added.keys_of(colour) == tuple(
        sorted((*level.keys_of(colour), Key(colour, (x, y))), key=lambda k: k.cell)
    )
    assert colour not in {key.colour for key in added.without_key(colour, **some).keys}
    locked = level.with_another_lock(colour, x, y, **some)
    assert locked.with_open_lock(x, y).locks == level.locks
    assert Lock(colour, (x, y)) in locked.locks
    assert locked.without_locks().locks == ()
    assert level.with_key_held(colour).holds(colour)
    walled = level.with_wall(x, y, **some)
    assert level.diff(walled).walls_added == ((x, y),)
    assert walled.without_wall(x, y, **some) == level
    assert level.with_agent(x, y, **some).agent == (x, y)
    hard = level.with_mode("hard")
    assert hard.size == 13
    back = hard.with_mode("easy")
    assert (back.walls == level.walls).all()
    assert (back.occupied(), back.agent, back.held) == (level.occupied(), level.agent, level.held)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ROOM.with_key("pink", 1, 1), "colour must be one of blue, green, red, the engine's; given: 'pink'"),
        (lambda: ROOM.with_key("blue", 0, 0), r"the blue key must be on a free cell.*\(0, 0\) is a wall"),
        (lambda: ROOM.with_key("blue", 9, 0), "is outside. Free cells: level.free_cells"),
        (lambda: ROOM.with_key("blue", 1, 3), r"at \(1, 3\) is the green key. Cells without anything"),
        (lambda: ROOM.with_key("blue", 1, 1, (0.5, 1.0)), "from 0 to below 1"),
        (lambda: ROOM.with_key_held("blue").with_key("blue", 1, 1), "holds the blue key"),
        (lambda: ROOM.with_another_key("blue", 1, 1).with_key("blue", 1, 2), "at most one blue key; the level has 2"),
        (lambda: ROOM.without_key("red"), "has no red key. Its keys: green at .1, 3., blue at .3, 7."),
        (lambda: ROOM.with_lock("red", 1, 7), "cannot be where the agent is"),
        (lambda: ROOM.with_moved((4, 5), (1, 7)), "cannot be where the agent is"),
        (lambda: ROOM.with_moved((1, 1), (1, 2)), "no key, lock or gem at .1, 1."),
        (lambda: ROOM.with_open_lock(1, 1), "no lock at .1, 1."),
        (lambda: ROOM.with_agent(4, 5), "the agent cannot be inside the blue lock"),
        (lambda: ROOM.with_agent(0, 0), "agent must be on a free cell"),
        (lambda: ROOM.with_agent(1, 1, offset=(1.0, 0.5)), "agent_offset must be two numbers from 0 to below 1"),
        (lambda: ROOM.with_agent(1, 1, velocity=(float("nan"), 0.0)), "agent_velocity must be from"),
        (lambda: ROOM.with_agent(1, 1, velocity=(9.0, 0.0)), "agent_velocity must be from"),
        (lambda: ROOM.with_agent(1, 1, rotation=float("inf")), "agent_rotation must be radians"),
        (lambda: ROOM.with_wall(1, 7), "the agent is at .1, 7., so no wall"),
        (lambda: ROOM.with_wall(3, 7), "the blue key is at"),
        (lambda: ROOM.with_wall(9, 9), "must be inside the 9x9 level"),
        (lambda: ROOM.with_wall(7, 6), "must have a way to the gem at .7, 5.*allow_unsolvable=True"),
        (lambda: ROOM.with_gem(3, 7), "the gem must be on a cell of its own"),
        (lambda: ROOM.with_grid(np.zeros((9, 8), bool)), "bool .y, x. of the 9x9 cells of mode 'easy'"),
        (lambda: ROOM.with_mode("extreme"), "mode must be one of easy, hard, memory"),
        (lambda: ROOM.with_theme("dark"), "theme must be one of"),
        (lambda: ROOM.with_background(9), "background must be a whole number from 0 to 8"),
        (lambda: HeistLevel(**ROOM.values() | {"held": (True,) * 4}), "held must be up to 3 bools"),
        (lambda: HeistLevel(**ROOM.values() | {"keys": (Key("blue", (0, 0)),)}), "the blue key must be on a free cell"),
        (lambda: HeistLevel(**ROOM.values() | {"level_seed": -1}), "level_seed must be a whole number"),
        (lambda: HeistLevel.generate(6, 1, np.random.default_rng(0)), "must be odd, from 5 to the world's 9; given: 6"),
        (lambda: HeistLevel.generate(9, 4, np.random.default_rng(0)), "n_keys must be a whole number from 0 to 3"),
        (lambda: HeistLevel.from_seed(-1), "level seed must be"),
        (lambda: HeistLevel.from_array(np.full((9, 9), 2), (0, 0)), r"given: the numbers \[2\]"),
        (lambda: HeistLevel.from_array(np.zeros((7, 7), bool), (0, 0)), "9, 13, 23 cells wide; given: 7"),
        (lambda: HeistLevel.from_ascii("@?\n.."), r"line 1, column 2: '\?' is no part of a Heist level. Legend"),
        (lambda: HeistLevel.from_ascii("@.\n@."), "line 2, column 1: a second agent; the first is in line 1"),
        (lambda: HeistLevel.from_ascii("@.\n..."), "line 2, column 3: the line has 3 cells"),
        (lambda: HeistLevel.from_ascii("..\n.."), "the drawing has no agent"),
        (lambda: HeistLevel.from_ascii(" "), "the text is empty"),
        (lambda: HeistLevel.from_ascii("@.\n..\n\nheld: red yes"), "line 4, column 1.*yes or no for the first colours"),
        (lambda: HeistLevel.from_ascii("@.\n..\n\noff-centre: 1.5 0.2"), "there is no key and no gem at .1, 0."),
        (lambda: HeistLevel.from_ascii("@.\n..\n\nshoes: red"), "there is no such note"),
        (lambda: HeistLevel.from_json({}), "expected the fields walls"),
        (lambda: HeistLevel.from_json(ROOM.to_json() | {"held": [1]}), "true or false"),
        (lambda: HeistLevel.from_json(ROOM.to_json() | {"keys": [3]}), "expected keys to be objects"),
        (lambda: HeistLevel.from_json(ROOM.to_json() | {"agent": [1, 2.5]}), "agent to be a cell"),
        (lambda: HeistLevel.from_json(ROOM.to_json() | {"walls": ["#x"]}), "rows of # and ."),
    ],
)  # fmt: skip
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_level_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        ROOM.walls[0, 0] = False
    with pytest.raises(AttributeError):
        ROOM.gem = (1, 1)
    assert repr(ROOM).startswith("HeistLevel(9x9, agent=(1, 7), gem=(7, 5)")


def test_diff_says_what_changes():
    changed = ROOM.with_key_held("green").without_wall(2, 2).with_background(None)
    diff = ROOM.diff(changed)
    assert diff.walls_removed == ((2, 2),)
    assert [change.field for change in diff.fields] == ["keys", "held", "background", "background_offset"]
    assert "held: (False, False) -> (False, True)" in str(diff)
    assert str(ROOM.diff(ROOM)) == "no difference"


def test_files(tmp_path: Path):
    path = tmp_path / "folder" / "level.json"
    level = HeistLevel.from_seed(11, "hard")
    level.to_file(path)
    assert HeistLevel.from_file(path) == level
    path.write_text(path.read_text().replace('"heist"', '"maze"'))
    with pytest.raises(ValueError, match="expected a level of heist"):
        HeistLevel.from_file(path)
