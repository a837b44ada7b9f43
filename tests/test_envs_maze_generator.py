"""Our maze generator against the engine's: the same invariants, the same distribution."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency
from strategies import perfect_mazes

from procscope.envs.cells import reachable_cells
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.generator import draw_walls
from procscope.envs.maze.structure import invariant_violations
from procscope.envs.maze.value import WORLD_CELLS


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([15, 25, 31]), st.data())
def test_our_levels_hold_the_invariants(world, data):
    size = data.draw(st.sampled_from(range(3, world + 1, 2)))
    seed = data.draw(st.integers(0, 2**32))
    level = MazeLevel.generate(size, np.random.default_rng(seed), world)
    assert level.holds_invariants()
    assert level.size == size
    assert WORLD_CELLS[level.mode] == world
    assert level.mouse == (0, 0)
    assert level.cheese != (0, 0)
    assert level == MazeLevel.generate(size, np.random.default_rng(seed), world), (
        "the generator given decides"
    )
    free = ~level.walls
    rooms = (size + 1) // 2
    assert free.sum() == 2 * rooms**2 - 1, "a tree of rooms has one link less than rooms"
    assert (reachable_cells(level.walls, (0, 0)) == free).all()


def test_the_distribution_is_the_engines():
    """Of levels of size 3 and 5: which maze, where the cheese is. Chi-squared tests of two samples, fixed seeds."""
    engines = [level for level in MazeLevel.from_seeds(range(1500)) if level.size <= 5]
    rng = np.random.default_rng(0)
    ours = [MazeLevel.generate(level.size, rng) for level in engines]
    for size in (3, 5):
        for feature in (lambda level: level.cheese, lambda level: len(level.dead_ends())):
            samples = [
                Counter(feature(level) for level in levels if level.size == size)
                for levels in (engines, ours)
            ]
            seen = sorted(samples[0] | samples[1])
            table = np.array([[sample[value] for value in seen] for sample in samples])
            table = table[:, table.sum(axis=0) >= 10]
            assert chi2_contingency(table).pvalue > 1e-3
    assert {level.background for level in ours} == {level.background for level in engines} == set(range(9))


@given(perfect_mazes(), st.data())
@settings(max_examples=60, deadline=None)
def test_each_violation_is_named(walls, data):
    """Any one wall more or less spoils a maze: an added one parts it, a removed one makes a loop or frees a pillar."""
    assert invariant_violations(walls) == ()
    size = len(walls)
    x, y = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    changed = walls.copy()
    changed[y, x] = ~changed[y, x]
    found = "\n".join(invariant_violations(changed))
    if x % 2 == 0 and y % 2 == 0:
        assert f"even x and even y are free: ({x}, {y})" in found
        assert ("corners are free" in found) == ((x, y) in ((0, 0), (size - 1, size - 1)))
    elif x % 2 and y % 2:
        assert f"odd x and odd y are walls: ({x}, {y})" in found
        assert "the moves are" in found or f"a free cell has a free neighbour: ({x}, {y})" in found
    elif changed[y, x]:
        assert "there are 2 separate parts" in found
    else:
        assert "1 further wall(s) would be needed" in found


def test_other_violations():
    assert invariant_violations(np.zeros((4, 4), bool))[0].startswith("a maze is a square of odd size from 3")
    assert invariant_violations(np.zeros((3, 5), bool))[0].endswith("5x3 cells")
    everything_open = "\n".join(invariant_violations(np.zeros((5, 5), bool)))
    assert "odd x and odd y are walls: (1, 1), (3, 1), (1, 3), …" in everything_open
    assert "16 further wall(s)" in everything_open, "40 links, 25 cells: 40 - 25 + 1 loops"
    # The study's example: (1, 0) and (2, 1) are walls, so (3, 0) must be open, else (2, 0) is walled in.
    walls = draw_walls(5, np.random.default_rng(1), opened=[(3, 0)], closed=[(1, 0), (2, 1)])
    assert walls[0, 1]
    assert walls[1, 2]
    assert not walls[0, 3]
    walls = walls.copy()
    walls[0, 3] = True
    assert any(
        found.startswith("a free cell has a free neighbour: (2, 0)") for found in invariant_violations(walls)
    )


def test_links_that_must_be_open_or_closed():
    for seed in range(20):
        walls = draw_walls(7, np.random.default_rng(seed), opened=[(0, 1), (1, 0)], closed=[(2, 1)])
        assert not walls[1, 0]
        assert not walls[0, 1]
        assert walls[1, 2]
        assert invariant_violations(walls) == ()


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ({"opened": [(1, 1)]}, "a link lies between two rooms"),
        ({"closed": [(7, 0)]}, r"given: \[\(7, 0\)\]"),
        ({"opened": [(1, 0), (0, 1), (2, 1), (1, 2)]}, "must not make a loop"),
        ({"opened": [(1, 0)], "closed": [(1, 0)]}, "nor be closed ones"),
        ({"closed": [(1, 0), (0, 1)]}, "must leave a way to every room"),
    ],
)
def test_impossible_links_are_refused(links, message):
    with pytest.raises(ValueError, match=message):
        draw_walls(7, np.random.default_rng(0), **links)
    with pytest.raises(ValueError, match="odd and at least 3; given: 4"):
        draw_walls(4, np.random.default_rng(0))
