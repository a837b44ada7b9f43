"""`MazeLevel` as a value: what it takes and refuses, how its edits relate, what it answers about itself."""

import copy
import pickle
from collections import deque
from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import maze_levels

from procscope.envs.maze import MazeLevel

FORK = MazeLevel.from_ascii(
    """
    C###.
    .###.
    .....
    .####
    M####
    """
)
"""Worked by hand below: at (0, 2) the ways to the cheese (0, 4) and to the corner (4, 4) part."""


def brute_distances(level: MazeLevel, target: tuple[int, int]) -> np.ndarray:
    """Breadth-first search cell by cell."""
    distances = np.full(level.walls.shape, -1)
    distances[target[1], target[0]] = 0
    queue = deque([target])
    while queue:
        x, y = queue.popleft()
        for x2, y2 in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            inside = 0 <= x2 < level.size and 0 <= y2 < level.size
            if inside and not level.walls[y2, x2] and distances[y2, x2] < 0:
                distances[y2, x2] = distances[y, x] + 1
                queue.append((x2, y2))
    return distances


def test_a_maze_worked_by_hand():
    assert FORK.shortest_path() == ((0, 0), (0, 1), (0, 2), (0, 3), (0, 4))
    assert FORK.shortest_path((4, 4), start=(0, 4)) == (
        *((0, 4), (0, 3), (0, 2), (1, 2), (2, 2), (3, 2), (4, 2), (4, 3), (4, 4)),
    )
    assert FORK.distance_map()[::-1].tolist() == [
        [0, -1, -1, -1, 8],
        [1, -1, -1, -1, 7],
        [2, 3, 4, 5, 6],
        [3, -1, -1, -1, -1],
        [4, -1, -1, -1, -1],
    ]
    assert FORK.dead_ends() == ((0, 0), (0, 4), (4, 4))
    assert FORK.decision_square() == (0, 2)
    assert FORK.decision_square((4, 2), (0, 1)) is None, "the second target lies on the way to the first"
    assert FORK.with_mouse(2, 2).decision_square() == (2, 2), "the ways part at once"
    assert FORK.without_cheese().decision_square((0, 4)) == (0, 2)
    assert FORK.corner == (4, 4)
    assert len(FORK.free_cells()) == 11
    assert FORK.free_cells()[:3] == ((0, 0), (0, 1), (0, 2))


@settings(max_examples=60, deadline=None)
@given(maze_levels(), st.data())
def test_paths_and_distances_agree_with_a_plain_search(level, data):
    target = data.draw(st.sampled_from(level.free_cells()))
    start = data.draw(st.sampled_from(level.free_cells()))
    brute = brute_distances(level, target)
    assert (level.distance_map(target) == brute).all()
    path = level.shortest_path(target, start=start)
    assert path[0] == start
    assert path[-1] == target
    assert len(path) == brute[start[1], start[0]] + 1
    assert all(abs(x - u) + abs(y - v) == 1 for (x, y), (u, v) in pairwise(path))
    free = set(level.free_cells())
    ways = {(x, y): {(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)} & free for x, y in free}
    assert set(level.dead_ends()) == {cell for cell in free if len(ways[cell]) == 1}


@settings(max_examples=60, deadline=None)
@given(maze_levels(), st.data())
def test_the_decision_square_is_where_the_ways_part(level, data):
    targets = data.draw(st.lists(st.sampled_from(level.free_cells()), min_size=2, max_size=2))
    square = level.decision_square(*targets)
    # In a tree the three paths between mouse, a and b meet in one cell: there is a choice if it is none of the targets.
    ways = [set(level.shortest_path(target)) for target in targets]
    between = set(level.shortest_path(targets[0], start=targets[1]))
    (meeting,) = ways[0] & ways[1] & between
    assert square == (None if meeting in targets else meeting)


def test_solvable_or_not():
    assert FORK.is_solvable()
    assert not FORK.without_cheese().is_solvable()
    with pytest.raises(ValueError, match=r"must have a way to the cheese at \(0, 4\)"):
        FORK.with_wall(0, 3)
    shut = FORK.with_wall(0, 3, allow_unsolvable=True)
    assert not shut.is_solvable()
    assert shut.shortest_path() == ()
    assert shut.decision_square() is None
    assert shut.distance_map()[0, 0] == -1
    assert shut.without_wall(0, 3) == FORK
    with pytest.raises(ValueError, match="allow_unsolvable=True"):
        shut.with_mouse(0, 1)
    assert shut.with_mouse(0, 4).is_solvable(), "the mouse on the cheese"
    assert shut.with_background(3).background == 3, "the look may be changed without asking again"
    with pytest.raises(ValueError, match="must have a way"):
        MazeLevel(shut.walls, shut.cheese)
    assert MazeLevel(shut.walls, shut.cheese, background_offset=0.5, allow_unsolvable=True) == shut


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FORK.with_cheese(1, 3),
            r"cheese must be on a free cell of the 5x5 maze; \(1, 3\) is a wall",
        ),
        (lambda: FORK.with_cheese(5, 0), r"\(5, 0\) is outside. Free cells: level.free_cells\(\)"),
        (lambda: FORK.with_cheese(-1, 0), "outside"),
        (lambda: FORK.with_mouse(4, 0), r"mouse must be on a free cell.*\(4, 0\) is a wall"),
        (lambda: FORK.with_mouse(0, 99), "outside"),
        (lambda: FORK.with_wall(0, 0), r"the mouse is at \(0, 0\), so no wall can be there"),
        (lambda: FORK.with_wall(0, 4), "the cheese is at"),
        (lambda: FORK.with_wall(5, 5), "must be inside the 5x5 maze"),
        (lambda: FORK.without_wall(-1, 2), "must be inside"),
        (lambda: FORK.with_grid(np.ones((5, 5), bool)), "mouse must be on a free cell"),
        (
            lambda: FORK.with_grid(np.zeros((4, 4), bool)),
            "must be odd, from 3 to 15 in mode 'easy'; given: 4",
        ),
        (lambda: FORK.with_grid(np.zeros((1, 1), bool)), "must be odd, from 3"),
        (lambda: FORK.with_grid(np.zeros((17, 17), bool)), "given: 17. Largest sizes by mode"),
        (lambda: FORK.with_grid(np.zeros((5, 7), bool)), "must be a square array of bool"),
        (lambda: FORK.with_background(9), "background must be a whole number from 0 to 8, or None; given: 9"),
        (lambda: FORK.with_background(1, offset=float("nan")), "background_offset must be from 0 to 1"),
        (lambda: FORK.with_theme("dark"), "theme must be one of textured, monochrome; given: 'dark'"),
        (lambda: FORK.with_mode("extreme"), "mode must be one of easy, hard, memory"),
        (lambda: MazeLevel(FORK.walls, None, level_seed=-1), "level_seed must be a whole number from 0"),
        (lambda: MazeLevel.from_array(np.array([[100, 7, 51]] * 3)), "the numbers"),
        (lambda: MazeLevel.from_array(np.full((3, 3), 2)), "at most one 2"),
        (lambda: FORK.mirrored("z"), "axis must be 'x'"),
        (lambda: FORK.without_cheese().shortest_path(), "this maze has no cheese"),
        (lambda: FORK.shortest_path((1, 0)), "target must be on a free cell"),
        (lambda: MazeLevel.generate(8, np.random.default_rng(0)), "must be odd"),
        (lambda: MazeLevel.generate(17, np.random.default_rng(0)), "Largest sizes"),
        (
            lambda: MazeLevel.generate(5, np.random.default_rng(0), world=20),
            "world must be one of 15, 25, 31",
        ),
        (
            lambda: MazeLevel.from_seed(-3),
            "level seed must be a whole number from 0 to 2147483646; given: -3",
        ),
        (lambda: MazeLevel.from_seed(3, "extreme"), "mode must be one of"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_level_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        FORK.cheese = (0, 0)
    with pytest.raises(ValueError, match="read-only"):
        FORK.walls[0, 0] = True
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        FORK.walls.flags.writeable = True
    walls = FORK.walls.copy()
    level = MazeLevel(walls, FORK.cheese)
    walls[:] = True
    assert (level.walls == FORK.walls).all(), "a later change of the array given changes no level"


@settings(max_examples=60, deadline=None)
@given(maze_levels(), st.data())
def test_edits_undo_each_other(level, data):
    assert level.mirrored("x").mirrored("x") == level
    assert level.mirrored("y").mirrored("y") == level
    assert level.rotated(1).rotated(3) == level
    assert level.rotated(2) == level.mirrored("x").mirrored("y")
    assert level.rotated(-1) == level.rotated(3)
    assert level.rotated(4) == level
    x, y = data.draw(st.sampled_from(level.free_cells()))
    there = level.with_cheese(x, y)
    assert there.cheese == (x, y)
    assert there.without_cheese() == level.without_cheese()
    assert there.with_mouse(x, y).mouse == (x, y)
    assert there.level_seed == level.level_seed
    if (x, y) not in (level.mouse, level.cheese):
        walled = level.with_wall(x, y, allow_unsolvable=True)
        assert walled.walls[y, x]
        assert level.diff(walled).walls_added == ((x, y),)
        assert walled.without_wall(x, y) == level
    assert MazeLevel.from_array(level.to_array(), **look(level)) == level
    assert level.with_grid(level.walls) == level


def look(level: MazeLevel) -> dict:
    fields = level.values()
    return {name: fields[name] for name in fields if name not in ("walls", "cheese")}


def test_turning_turns_up_into_right():
    turned = FORK.rotated(1)
    assert turned.mouse == (0, 4), "bottom left goes to top left"
    assert turned.cheese == (4, 4)
    assert turned.shortest_path() == ((0, 4), (1, 4), (2, 4), (3, 4), (4, 4))
    assert FORK.mirrored("x").mouse == (4, 0)
    assert FORK.mirrored("y").cheese == (0, 0)


@settings(max_examples=40, deadline=None)
@given(maze_levels(), maze_levels())
def test_equality_and_hash(level, other):
    for same in (copy.copy(level), copy.deepcopy(level), pickle.loads(pickle.dumps(level))):
        assert same == level
        assert hash(same) == hash(level)
        assert same.level_seed == level.level_seed
        assert not same.walls.flags.writeable
    assert (level == other) == (not level.diff(other) or only_seeds_differ(level.diff(other)))
    assert level != level.values()
    reseeded = MazeLevel(**(level.values() | {"level_seed": 5}))
    assert reseeded == level, "where a level came from does not count"


def only_seeds_differ(diff) -> bool:
    walls_same = not (diff.walls_added or diff.walls_removed)
    return walls_same and all(change.field == "level_seed" for change in diff.fields)


def test_diff_says_what_changes():
    changed = FORK.with_cheese(4, 4).with_background(None).without_wall(2, 4).with_mouse(0, 1)
    diff = FORK.diff(changed)
    assert diff.walls_removed == ((2, 4),)
    assert [(c.field, c.before, c.after) for c in diff.fields] == [
        ("cheese", (0, 4), (4, 4)),
        ("mouse", (0, 0), (0, 1)),
        ("background", 0, None),
        ("background_offset", 0.5, 0.0),
    ]
    assert "cheese: (0, 4) -> (4, 4)" in str(diff)
    assert not FORK.diff(FORK)
    assert str(FORK.diff(FORK)) == "no difference"
    (change,) = FORK.diff(FORK.with_grid(np.zeros((7, 7), bool))).fields
    assert (change.field, change.before, change.after) == ("size", 5, 7)


def test_numpy_numbers_become_python_ones():
    level = FORK.with_cheese(np.int64(4), np.int32(2))
    assert level.cheese == (4, 2)
    assert all(type(place) is int for place in level.cheese)


def test_repr_is_short_and_names_the_fields():
    assert repr(FORK).startswith("MazeLevel(5x5, cheese=(0, 4), mouse=(0, 0), mode='easy'")
