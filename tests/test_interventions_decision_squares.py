"""Tables, matches and slopes at decision squares: hand-worked examples and brute force."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procscope.activations.channel_sums import ChannelSums
from procscope.envs.actions import MOVE_TO_ACTION, Move
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.level_frames import frames_from_seeds
from procscope.envs.maze.variants import mouse_at_decision_square
from procscope.interventions.decision_squares import (
    DecisionSquares,
    distance_slope,
    matched_difference,
    matched_pairs,
    pooled,
    two_by_two,
)

U, R, D, L = Move.UP, Move.RIGHT, Move.DOWN, Move.LEFT


def squares(sums, moves, cheese, corner, to_cheese=None, to_corner=None, apart=None) -> DecisionSquares:
    n = len(sums)
    zeros = np.zeros(n, np.int64)
    return DecisionSquares(
        sums=np.array(sums, float),
        direction=Move.UP,
        moves=np.array(moves, np.int64),
        action_moves=np.array(moves, np.int64),
        cheese_moves=np.array(cheese, np.int64),
        corner_moves=np.array(corner, np.int64),
        cheese_to_corner_cells=np.zeros(n) if apart is None else np.array(apart, float),
        steps_to_cheese=zeros if to_cheese is None else np.array(to_cheese, np.int64),
        steps_to_corner=zeros if to_corner is None else np.array(to_corner, np.int64),
    )


EIGHT = squares(
    sums=[9, 9, 9, 9, 9, 9, 9, 1],
    moves=[U, U, U, R, R, U, U, U],
    cheese=[U, U, R, U, R, R, L, U],
    corner=[R, R, U, R, U, D, D, R],
)


def test_the_table_counts_what_the_mouse_does_and_what_lies_that_way():
    table = two_by_two(EIGHT.high(5.0))
    assert table == (2, 1, 1, 1)
    assert table.obeys[::3] == (0.6, 5)
    assert table.points_to_cheese[::3] == (0.6, 5)
    assert EIGHT.neither(5.0) == 2
    assert two_by_two(EIGHT.high(0.0)).n == 6
    with pytest.raises(ValueError, match="at no decision square"):
        _ = two_by_two(EIGHT.high(10.0)).obeys


def test_squares_come_from_frames_with_their_truth():
    shown = frames_from_seeds(
        "maze", range(TEST_SEEDS.start, TEST_SEEDS.start + 60), ["cheese-anywhere", mouse_at_decision_square]
    )
    n = len(shown.frames)
    logits = np.zeros((n, 15), np.float32)
    logits[np.arange(n), MOVE_TO_ACTION[shown.labels["best_move"]]] = 5.0
    read = ChannelSums(np.arange(2 * n, dtype=np.float32).reshape(n, 2), logits, shown.labels)
    with pytest.raises(ValueError, match="on a decision square"):
        DecisionSquares.of(read, 0, U)
    found = DecisionSquares.of(read.where(shown.labels["at_decision_square"]), 1, U)
    assert len(found) == shown.labels["at_decision_square"].sum() > 10
    assert (found.obeyed == found.shows_cheese).all(), "this network always goes to the cheese"
    assert not (found.shows_cheese & found.shows_corner).any(), "there the two ways part"
    assert np.array_equal(found.moves, found.action_moves)
    kept = shown.where(shown.labels["at_decision_square"]).labels
    for row in range(len(found)):
        last = kept["maze_size"][row] - 1
        straight = ((last - kept["goal_x"][row]) ** 2 + (last - kept["goal_y"][row]) ** 2) ** 0.5
        assert found.cheese_to_corner_cells[row] == pytest.approx(straight)


places = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=1, max_size=5)


@settings(max_examples=60)
@given(places, places)
def test_matching_is_the_best_there_is(first, second):
    one = squares(
        [1] * len(first), [U] * len(first), [U] * len(first), [R] * len(first), *zip(*first, strict=True)
    )
    two = squares(
        [1] * len(second), [U] * len(second), [U] * len(second), [R] * len(second), *zip(*second, strict=True)
    )
    rows, columns = matched_pairs(one, two)
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)

    def value(pairing):
        near = [
            abs(a[0] - b[0]) + abs(a[1] - b[1])
            for a, b in pairing
            if max(abs(a[0] - b[0]), abs(a[1] - b[1])) <= 2
        ]
        return (-len(near), sum(near))

    short, long = sorted([first, second], key=len)
    best = min(value(list(zip(short, order, strict=True))) for order in permutations(long, len(short)))
    assert value([(first[r], second[c]) for r, c in zip(rows, columns, strict=True)]) == best
    assert len(rows) == -best[0]


def test_the_matched_difference_compares_like_with_like():
    inside = squares([9] * 4, [U] * 4, [U, U, U, R], [R, R, R, U], [2, 2, 9, 30], [2, 2, 9, 1])
    outside = squares([9] * 4, [U] * 4, [R, R, U, R], [U, U, R, U], [3, 3, 9, 90], [3, 3, 9, 90])
    found = matched_difference(inside, outside)
    assert found.n == 3
    assert found.value == pytest.approx(3 / 3 - 1 / 3)
    with pytest.raises(ValueError, match="alike"):
        matched_difference(inside.where(np.array([0, 0, 0, 1], bool)), outside)


def test_pooling_thins_the_inside_to_its_share_of_the_maze():
    inside = squares([9] * 9000, [U] * 9000, [U] * 9000, [R] * 9000)
    outside = squares([9] * 100, [U] * 100, [R] * 100, [U] * 100)
    both = pooled(inside, outside, 15, 5, np.random.default_rng(0))
    assert both.shows_cheese.sum() == pytest.approx(9000 / 9, abs=100)
    assert (~both.shows_cheese).sum() == 100


def test_the_slope_falls_when_the_channel_turns_to_the_corner_with_distance():
    rng = np.random.default_rng(0)
    apart = rng.uniform(0, 14, 4000)
    shows = rng.random(4000) < 1 / (1 + np.exp(-(3 - 0.5 * apart)))
    cheese, corner = np.where(shows, U, R), np.where(shows, R, U)
    slope = distance_slope(squares([9] * 4000, [U] * 4000, cheese, corner, apart=apart))
    assert slope.low < -0.5 < slope.high
