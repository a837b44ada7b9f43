"""Variants: where each may put cheese and mouse, that it does so evenly, that its draws stay what they were."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from strategies import maze_levels

from procscope.envs.games import GAMES
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.value import WORLD_CELLS
from procscope.envs.maze.variants import VARIANTS
from procscope.envs.variants import Variant, resolve_variants, variant_names


def in_top_right(level: MazeLevel, size: int) -> bool:
    return min(level.cheese) >= level.size - size


ALLOWED = {
    "cheese-top-right": lambda level: in_top_right(level, 5),
    "cheese-top-right:1": lambda level: level.cheese == level.corner,
    "cheese-top-right:31": lambda level: True,
    "cheese-outside-top-right": lambda level: level.size <= 5 or not in_top_right(level, 5),
    "cheese-outside-top-right:3": lambda level: level.size <= 3 or not in_top_right(level, 3),
    "cheese-top-left": lambda level: level.cheese[0] < 5 and level.cheese[1] >= level.size - 5,
    "cheese-bottom-right": lambda level: level.cheese[0] >= level.size - 5 and level.cheese[1] < 5,
    "cheese-bottom-right:1": lambda level: level.cheese == (level.size - 1, 0),
    "cheese-anywhere": lambda level: True,
    "mouse-anywhere": lambda level: True,
    "no-cheese": lambda level: level.cheese is None,
}


@pytest.mark.parametrize("name", ALLOWED)
@settings(max_examples=25, deadline=None)
@given(level=maze_levels(), seed=st.integers(0, 2**32))
def test_what_a_variant_may_do(name, level, seed):
    (variant,) = resolve_variants(name)
    changed = variant(level, np.random.default_rng(seed))
    assert ALLOWED[name](changed)
    fields = [change.field for change in level.diff(changed).fields]
    assert not level.diff(changed).walls_added
    assert set(fields) <= {"mouse" if name == "mouse-anywhere" else "cheese"}
    assert changed.level_seed == level.level_seed
    if name != "no-cheese" and not name.endswith(":1"):
        assert changed.mouse != changed.cheese
    again = variant(level, np.random.default_rng(seed))
    assert again == changed, "a variant draws from its generator alone"


@settings(max_examples=40, deadline=None)
@given(level=maze_levels(), seed=st.integers(0, 2**32))
def test_half_of_the_levels_become_as_large_as_the_world(level, seed):
    (variant,) = resolve_variants("half-full-size")
    changed = variant(level, np.random.default_rng(seed))
    if np.random.default_rng(seed).random() < 0.5:
        assert changed == level
        return
    assert changed.size == WORLD_CELLS[level.mode]
    assert changed.holds_invariants()
    assert (changed.mouse, changed.cheese) == ((0, 0), changed.corner)
    assert (changed.level_seed, changed.background) == (level.level_seed, level.background)


@settings(max_examples=40, deadline=None)
@given(level=maze_levels(), seed=st.integers(0, 2**32))
def test_mazes_that_are_too_large_become_small_ones(level, seed):
    (variant,) = resolve_variants("size-up-to:6")
    changed = variant(level, np.random.default_rng(seed))
    if level.size <= 6:
        assert changed == level
        return
    assert changed.size in (3, 5)
    assert changed.holds_invariants()
    assert (changed.mouse, changed.cheese) == ((0, 0), changed.corner)
    assert (changed.level_seed, changed.mode) == (level.level_seed, level.mode)


def test_every_variant_of_the_maze_is_tried_above():
    assert {name.split(":")[0] for name in ALLOWED} | {"half-full-size", "size-up-to"} == set(VARIANTS)


@pytest.mark.parametrize(
    "name", ["cheese-top-right", "cheese-outside-top-right", "cheese-anywhere", "mouse-anywhere"]
)
def test_every_allowed_cell_is_as_likely(name):
    level = MazeLevel.generate(9, np.random.default_rng(0)).with_mouse(6, 6)
    (variant,) = resolve_variants(name)
    rng = np.random.default_rng(1)
    field = "mouse" if name == "mouse-anywhere" else "cheese"
    counts = Counter(getattr(variant(level, rng), field) for _ in range(1000))
    taken = level.cheese if field == "mouse" else level.mouse
    moved = {cell: level.with_cheese(*cell) for cell in level.free_cells() if cell != taken}
    expected = [cell for cell, there in moved.items() if field == "mouse" or ALLOWED[name](there)]
    assert set(counts) == set(expected)
    assert chisquare([counts[cell] for cell in expected]).pvalue > 1e-3


def test_draws_stay_what_they_were():
    """Trained networks depend on these: the n-th candidate in row-major (y, x) order, n = rng.integers(candidates)."""
    level = MazeLevel.from_ascii(
        """
        C.#....
        .##.##.
        .......
        .#####.
        .......
        .#####.
        M#.....
        """,
        allow_unsolvable=True,
    )
    region = [(x, y) for y in range(2, 7) for x in range(2, 7) if not level.walls[y, x]]
    for seed in range(20):
        n = np.random.default_rng(seed).integers(len(region))
        (variant,) = resolve_variants("cheese-top-right")
        assert variant(level, np.random.default_rng(seed)).cheese == region[n]
    mouse, cheese = resolve_variants(["mouse-anywhere", "cheese-anywhere"])
    rng = np.random.default_rng((0, 7))
    both = cheese(mouse(MazeLevel.from_seed(7), rng), rng)
    assert (both.mouse, both.cheese) == ((2, 12), (5, 0)), "drawn when the variants were made"


def test_the_mouses_own_cell_only_when_there_is_no_other():
    (corner,) = resolve_variants("cheese-top-right:1")
    level = MazeLevel.generate(7, np.random.default_rng(0)).with_mouse(6, 6)
    assert corner(level, np.random.default_rng(0)).cheese == (6, 6)
    (mouse,) = resolve_variants("mouse-anywhere")
    single = MazeLevel.from_ascii("###\n#X#\n###")
    assert mouse(single, np.random.default_rng(0)).mouse == (1, 1)


def test_only_cells_that_the_mouse_can_reach():
    walled = MazeLevel.from_ascii("..#\n.##\nM#.")
    anywhere, corner = resolve_variants(["cheese-anywhere", "cheese-bottom-right:1"])
    places = {anywhere(walled, np.random.default_rng(seed)).cheese for seed in range(40)}
    assert places == {(0, 1), (0, 2), (1, 2)}
    with pytest.raises(
        ValueError, match=r"a free cell that the mouse at \(0, 0\) can reach, among 1 cells of the 3x3"
    ):
        corner(walled, np.random.default_rng(0))


def test_a_users_own_function_is_a_variant():
    def cheese_in_the_middle(level: MazeLevel, rng: np.random.Generator) -> MazeLevel:
        """The cheese in the middle
        of the maze.

        More about it.
        """
        return level.with_cheese(level.size // 2, level.size // 2)

    named, own, same = resolve_variants(
        ["no-cheese", cheese_in_the_middle, Variant("x", "y", cheese_in_the_middle)]
    )
    assert (named.name, named.game) == ("no-cheese", "maze")
    assert (own.name, own.game) == ("cheese-in-the-middle", None)
    assert own.description == "The cheese in the middle of the maze."
    assert same.name == "x"
    assert own(MazeLevel.generate(9, np.random.default_rng(0)), np.random.default_rng(0)).cheese == (4, 4)
    (alone,) = resolve_variants(cheese_in_the_middle)
    assert alone == own


def test_names_and_descriptions():
    for of_game in GAMES:
        for name in variant_names(of_game):
            (variant,) = resolve_variants(name, of_game)
            assert variant.name == name
            assert variant.description.endswith((".", ".)"))
    (sized,) = resolve_variants(["cheese-top-right:1"])
    assert sized.name == "cheese-top-right:1"
    assert resolve_variants([]) == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cheese-topright", "unknown variant 'cheese-topright'. Did you mean cheese-top-right"),
        ("cheese_anywhere", "Did you mean cheese-anywhere"),
        ("", "unknown variant ''"),
        ("no-cheese:3", "the variant 'no-cheese' takes no number; given: 'no-cheese:3'"),
        ("cheese-top-right:0", "the size, a whole number from 1 to 31; given: 'cheese-top-right:0'"),
        ("cheese-top-right:", "a whole number from 1 to 31"),
        ("cheese-top-right:-1", "a whole number from 1 to 31"),
        ("cheese-top-right:a", "a whole number from 1 to 31"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ValueError, match=message):
        resolve_variants([name])
