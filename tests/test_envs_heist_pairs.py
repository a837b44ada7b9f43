"""Minimal pairs of Heist: they differ in what they say, and in nothing else."""

import numpy as np
import pytest

from procscope.envs.actions import Move
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import (
    choice_pairs,
    corner_pairs,
    first_move,
    goal_pairs,
    moved_pairs,
    recoloured,
    stages_of,
)
from procscope.envs.maze.pairs import ORIENTATIONS
from procscope.envs.starting_states import starting_states

THREE_KEYS = [
    HeistLevel.from_state(state)
    for state in starting_states("heist", range(1_000_000_000, 1_000_000_012), variants=["keys:3"])
]


def test_goal_pairs_differ_in_the_key_alone():
    for pair in goal_pairs(5, np.random.default_rng(0)):
        assert pair.key_lies.with_key_held("blue") == pair.key_held
        legs = pair.key_lies.plan().legs, pair.key_held.plan().legs
        assert [each[0].kind for each in legs] == ["key", "lock"]
        assert (legs[0][0].path, legs[1][0].path) == (pair.to_key, pair.to_lock)
        assert pair.key_move != pair.lock_move
        assert pair.gate in pair.to_lock
        assert pair.gate not in pair.to_key
        assert pair.to_key[-1] not in pair.to_lock


def test_moved_pairs_differ_in_the_keys_place_alone():
    for pair in moved_pairs(4, np.random.default_rng(1), least_steps=4):
        own, other = (way[-1] for way in pair.ways)
        assert pair.level.with_key("blue", *other) == pair.moved
        assert pair.moves[0] != pair.moves[1]
        assert min(map(len, pair.ways)) > 4
        assert own not in pair.ways[1]
        assert other not in pair.ways[0]


def test_choice_pairs_differ_in_the_locks_colour_alone():
    for pair in choice_pairs(4, np.random.default_rng(2)):
        assert pair.levels[0].keys == pair.levels[1].keys
        assert pair.levels[0].locks[0].cell == pair.levels[1].locks[0].cell
        for level, colour, way in zip(pair.levels, pair.colours, pair.ways, strict=True):
            assert level.locks[0].colour == colour
            assert level.plan().legs[0].path == way
            assert level.keys_of(colour)[0].cell == way[-1]
        assert pair.moves[0] != pair.moves[1]


def test_corners_turn_the_first_move_by_a_quarter():
    for seed in range(3):
        pairs = corner_pairs(np.random.default_rng(seed))
        assert tuple((pair.first_move, pair.second_move) for pair in pairs) == ORIENTATIONS
        for pair in pairs:
            for level, move in ((pair.first, pair.first_move), (pair.second, pair.second_move)):
                leg = level.plan().legs[0]
                assert (leg.kind, leg.steps, first_move(leg.path)) == ("key", 4, move)
                assert level.is_solvable()
            assert int((pair.first.walls != pair.second.walls).sum()) == 2, "one wall in another place"
            assert pair.first.keys == pair.second.keys


def test_stages_follow_the_plan():
    level = next(each for each in THREE_KEYS if len(each.keys) == 3)
    stages = stages_of(level)
    keys = [leg.cell for leg in level.plan().legs if leg.kind == "key"]
    assert stages.next_key == (keys[0], keys[1])
    assert stages.later_key == (keys[1], keys[2])
    assert stages.levels[1].plan().legs[0].cell == keys[1]
    assert stages.levels[1].holds("blue")


def test_recoloured_levels_have_the_same_plan_in_other_colours():
    level = next(each for each in THREE_KEYS if len(each.keys) == 3)
    other = recoloured(level, [2, 0, 1])
    assert [leg.cell for leg in other.plan().legs] == [leg.cell for leg in level.plan().legs]
    assert other.keys_of("red")[0].cell == level.keys_of("blue")[0].cell
    assert other.locks_of("green")[0].cell == level.locks_of("red")[0].cell
    assert recoloured(level, [0, 1, 2]) == level


def test_misuse():
    rng, level = np.random.default_rng(0), THREE_KEYS[0]
    with pytest.raises(ValueError, match="at least one pair; given: 0"):
        goal_pairs(0, rng)
    with pytest.raises(ValueError, match="three keys"):
        stages_of(goal_pairs(1, rng)[0].key_lies)
    with pytest.raises(ValueError, match="order of the numbers 0 to 2"):
        recoloured(level, [0, 0, 1])
    with pytest.raises(ValueError, match="without a key held"):
        recoloured(level.with_key_held("blue"), [0, 1, 2])
    with pytest.raises(ValueError, match="two neighbouring cells"):
        first_move(((1, 1),))
    assert first_move(((1, 1), (1, 2))) is Move.UP
