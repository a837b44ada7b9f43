"""Shortest paths: against SciPy's graph search on random grids, and by following the moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from strategies import perfect_mazes

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.paths import UNREACHABLE, best_moves, distance_maps

CORRIDOR = np.array([[[1, 1, 1, 0, 1]]], dtype=bool)


@st.composite
def grids(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Free cells [maze, y, x] of any density and a free target (x, y) of each, or (-1, -1)."""
    n, height, width = draw(st.integers(1, 6)), draw(st.integers(1, 9)), draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    free = rng.random((n, height, width)) < draw(st.sampled_from([0.0, 0.5, 0.7, 0.9, 1.0]))
    targets = np.full((n, 2), -1)
    for index in range(n):
        cells = np.argwhere(free[index])
        if len(cells) and rng.random() < 0.9:
            targets[index] = rng.choice(cells)[::-1]
    return free, targets


def by_scipy(free: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The distance map of one grid by Dijkstra's algorithm on the graph of its free cells."""
    expected = np.full(free.shape, UNREACHABLE)
    if target[0] < 0:
        return expected
    height, width = free.shape
    number = np.arange(free.size).reshape(free.shape)
    across, up = free[:, :-1] & free[:, 1:], free[:-1] & free[1:]
    a = np.concatenate([number[:, :-1][across], number[:-1][up]])
    b = np.concatenate([number[:, 1:][across], number[1:][up]])
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(free.size, free.size)).tocsr()
    found = shortest_path(graph, directed=False, indices=number[target[1], target[0]]).reshape(height, width)
    return np.where(np.isfinite(found) & free, found, UNREACHABLE)


@settings(max_examples=60, deadline=None)
@given(grids())
def test_distances_are_scipys(grids_and_targets):
    free, targets = grids_and_targets
    expected = np.stack([by_scipy(*pair) for pair in zip(free, targets, strict=True)])
    np.testing.assert_array_equal(distance_maps(free, targets), expected)


@settings(max_examples=30, deadline=None)
@given(grids())
def test_each_best_move_is_the_first_that_comes_one_step_nearer(grids_and_targets):
    """Ties go to left, down, up, right in this order; without a way, on the target and on walls one stays."""
    distances = distance_maps(*grids_and_targets)
    moves = best_moves(distances)
    n, height, width = distances.shape
    for maze, y, x in np.ndindex(n, height, width):
        nearer = []
        for move in (Move.LEFT, Move.DOWN, Move.UP, Move.RIGHT):
            dx, dy = MOVE_STEPS[move]
            inside = 0 <= x + dx < width and 0 <= y + dy < height
            if inside and distances[maze, y, x] > 0:
                there = distances[maze, y + dy, x + dx]
                nearer += [move] if there == distances[maze, y, x] - 1 else []
        assert moves[maze, y, x] == (nearer[0] if nearer else Move.STAY)


@settings(max_examples=10, deadline=None)
@given(perfect_mazes())
def test_in_a_perfect_maze_the_moves_lead_from_everywhere_to_the_target(walls):
    free = ~walls[None]
    distances = distance_maps(free, np.array([[0, 0]]))
    moves = best_moves(distances)
    assert ((distances >= 0) == free).all()
    for y, x in np.argwhere(free[0]):
        steps = 0
        while moves[0, y, x] != Move.STAY:
            x, y = np.array([x, y]) + MOVE_STEPS[moves[0, y, x]]
            steps += 1
        assert (x, y) == (0, 0)
    assert distances.max() >= 2


def test_a_corridor_by_hand():
    distances = distance_maps(CORRIDOR, np.array([[0, 0]]))
    assert distances.tolist() == [[[0, 1, 2, -1, -1]]]
    assert best_moves(distances).tolist() == [[[Move.STAY, Move.LEFT, Move.LEFT, Move.STAY, Move.STAY]]]


def test_a_large_open_space_is_the_manhattan_distance():
    free = np.ones((3, 64, 64), dtype=bool)
    targets = np.array([[0, 0], [63, 0], [20, 40]])
    y, x = np.mgrid[:64, :64]
    expected = [np.abs(x - target[0]) + np.abs(y - target[1]) for target in targets]
    np.testing.assert_array_equal(distance_maps(free, targets), expected)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([[5, 0]], "inside the 5x1 grids"),
        ([[0, 1]], "inside the 5x1 grids"),
        ([[0, -1]], "inside the 5x1 grids"),
        ([[3, 0]], r"free cells; in grid 0, \(3, 0\) is a wall"),
    ],
)
def test_targets_that_no_path_can_have_are_refused(targets, message):
    with pytest.raises(ValueError, match=message):
        distance_maps(CORRIDOR, np.array(targets))
