"""Minimal pairs: what differs, what does not, and where the first move leads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.pairs import ORIENTATIONS, cheese_pair, direction_pairs, random_cheese_pairs


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([15, 25, 31]), st.data())
def test_direction_pairs(world, data):
    size = data.draw(st.sampled_from(range(7, world + 1, 2)))
    pairs = direction_pairs(size, np.random.default_rng(data.draw(st.integers(0, 2**32))), world=world)
    assert [(pair.first_move, pair.second_move) for pair in pairs] == list(ORIENTATIONS)
    for pair in pairs:
        diff = pair.first.diff(pair.second)
        assert len(diff.walls_added) == len(diff.walls_removed) == 1, "one wall, in one place or the other"
        assert diff.fields == ()
        (added,), (removed,) = diff.walls_added, diff.walls_removed
        for cell in (added, removed):
            assert sum(abs(a - b) for a, b in zip(cell, pair.first.cheese, strict=True)) == 1, (
                "beside the cheese"
            )
        for level, move in ((pair.first, pair.first_move), (pair.second, pair.second_move)):
            assert level.holds_invariants()
            assert level.world == world
            path = level.shortest_path()
            assert len(path) == 5
            assert tuple(np.subtract(path[1], path[0])) == tuple(MOVE_STEPS[move])
    assert len({level for pair in pairs for level in pair[:2]}) == 8
    assert pairs[1].first == pairs[0].first.rotated(1)


def test_the_studys_order_of_orientations():
    names = [(first.name, second.name) for first, second in ORIENTATIONS]
    assert names == [("UP", "RIGHT"), ("RIGHT", "DOWN"), ("DOWN", "LEFT"), ("LEFT", "UP")]


def test_the_mouse_of_a_pair_may_be_placed():
    pair = direction_pairs(7, np.random.default_rng(0), mouse=(2, 4))[0]
    assert (pair.first.mouse, pair.first.cheese) == ((2, 4), (4, 6))
    assert pair.first_move == Move.UP
    different = {pair.first for pair in (direction_pairs(7, np.random.default_rng(s))[0] for s in range(10))}
    assert len(different) == 10


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda rng: direction_pairs(5, rng), "must be at least 7; given: 5"),
        (lambda rng: direction_pairs(8, rng), "must be odd"),
        (lambda rng: direction_pairs(17, rng), "must be odd, from 3 to 15"),
        (lambda rng: direction_pairs(7, rng, mouse=(1, 0)), "even x and y from 0 to 4"),
        (lambda rng: direction_pairs(7, rng, mouse=(6, 0)), "even x and y from 0 to 4"),
        (lambda rng: direction_pairs(7, rng, world=16), "world must be one of"),
        (lambda rng: cheese_pair(MazeLevel.generate(7, rng), (2, 2), (2, 2)), "must differ"),
        (lambda rng: cheese_pair(MazeLevel.generate(7, rng), (2, 2), (1, 1)), "is a wall"),
        (lambda rng: list(random_cheese_pairs(MazeLevel.from_ascii("###\n#.#\nM#."), 1, rng)), "there are 0"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make(np.random.default_rng(0))


def test_cheese_pairs_differ_in_the_cheese_alone():
    level = MazeLevel.from_seed(7)
    pairs = list(random_cheese_pairs(level, 200, np.random.default_rng(0)))
    for first, second in pairs:
        diff = first.diff(second)
        assert [change.field for change in diff.fields] == ["cheese"]
        assert not diff.walls_added + diff.walls_removed
        assert level.mouse not in (first.cheese, second.cheese)
        assert first.is_solvable()
        assert second.is_solvable()
    assert len({level.cheese for pair in pairs for level in pair}) > 60
    assert pairs == list(random_cheese_pairs(level, 200, np.random.default_rng(0)))
