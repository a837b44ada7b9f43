"""Frames of levels: the mouse is where it was asked to be, and frames and labels are the engine's."""

import numpy as np
import pytest

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.engine import TEST_SEEDS, scratch_engine
from procscope.envs.labels import label_states
from procscope.envs.level_frames import frames_from_seeds, frames_of_levels
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.variants import mouse_at_decision_square, mouse_where_possible

SEEDS = range(TEST_SEEDS.start, TEST_SEEDS.start + 40)


def test_the_frames_of_seeds_are_those_of_their_levels():
    from_seeds = frames_from_seeds("maze", SEEDS)
    levels = MazeLevel.from_seeds(SEEDS)
    from_levels = frames_of_levels(levels)
    assert np.array_equal(from_seeds.frames, from_levels.frames)
    assert np.array_equal(
        from_seeds.frames, scratch_engine("maze").render([level.to_state() for level in levels])
    )
    for name, column in label_states([level.to_state() for level in levels]).items():
        assert np.array_equal(from_seeds.labels[name], column), name
        assert np.array_equal(from_levels.labels[name], column), name


def test_more_levels_than_are_made_at_once_stay_in_order(monkeypatch):
    whole = frames_from_seeds("maze", SEEDS, ["cheese-anywhere"])
    monkeypatch.setattr("procscope.envs.level_frames._LEVELS_AT_ONCE", 7)
    parts = frames_from_seeds("maze", SEEDS, ["cheese-anywhere"])
    assert np.array_equal(whole.frames, parts.frames)
    assert np.array_equal(whole.labels["goal_x"], parts.labels["goal_x"])
    assert parts.labels["level_seed"].tolist() == list(SEEDS)


def test_where_keeps_frames_and_labels_together():
    shown = frames_from_seeds("maze", SEEDS)
    large = shown.labels["maze_size"] > 9
    kept = shown.where(large)
    assert 0 < len(kept.frames) < len(shown.frames)
    assert (kept.labels["maze_size"] > 9).all()
    assert np.array_equal(kept.frames, shown.frames[large])


@pytest.mark.parametrize("moves", [[Move.UP], [Move.RIGHT], [Move.DOWN, Move.LEFT]])
def test_the_mouse_is_uniform_over_the_squares_where_a_move_is_possible(moves):
    level = MazeLevel.generate(7, np.random.default_rng(0))
    allowed = {
        (x, y)
        for x, y in level.free_cells()
        if (x, y) != level.cheese
        and any((x + MOVE_STEPS[move][0], y + MOVE_STEPS[move][1]) in level.free_cells() for move in moves)
    }
    place, rng = mouse_where_possible(moves), np.random.default_rng(1)
    mice = [place(level, rng).mouse for _ in range(60 * len(allowed))]
    counts = np.array([mice.count(cell) for cell in sorted(allowed)])
    assert sum(counts) == len(mice)
    # Chi-squared, far above its mean of len(allowed).
    assert ((counts - 60) ** 2 / 60).sum() < 3 * len(allowed)


def test_a_maze_without_such_a_square_is_refused():
    level = MazeLevel.from_ascii("###\nMC.\n###", allow_unsolvable=True)
    with pytest.raises(ValueError, match="from which UP is possible"):
        mouse_where_possible([Move.UP])(level, np.random.default_rng(0))
    with pytest.raises(ValueError, match="at least one move"):
        mouse_where_possible([])


def test_the_mouse_at_the_decision_square_is_what_the_label_says():
    shown = frames_from_seeds("maze", SEEDS, ["cheese-anywhere", mouse_at_decision_square])
    at = shown.labels["at_decision_square"]
    assert 5 < at.sum() < len(at)
    assert (shown.labels["best_move"][at] != shown.labels["best_move_to_corner"][at]).all()
    assert (shown.labels["decision_x"][~at] == -1).all()


def test_no_levels_are_refused():
    with pytest.raises(ValueError, match="at least one level"):
        frames_from_seeds("maze", [])
    with pytest.raises(ValueError, match="levels of one game and mode"):
        frames_of_levels([])
