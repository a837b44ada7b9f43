"""Targets out of a cache: what is left out, what is refused, and leaks from the future."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from procscope.activations.cache import ActivationCache
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.probes.future import FrameOrder, coincidences
from procscope.probes.targets import read_targets

LENGTHS = (4, 3, 5, 2, 6, 4)
"""Of the episodes; the last one was cut before its end."""


def labels() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    step = np.concatenate([np.arange(n) for n in LENGTHS])
    episode = np.repeat(np.arange(6), LENGTHS)
    last = np.append(np.diff(episode) != 0, True)
    done = last & (episode < 5)
    goal_row = rng.integers(0, 64, 24)
    goal_row[[3, 9]] = -1
    return {
        "episode": episode,
        "step": step,
        "level_seed": (episode // 2 + 100).astype(np.int32),
        "reward": np.where(done, 10.0, 0.0).astype(np.float32),
        "done": done,
        "distance_to_goal_cells": rng.integers(1, 9, 24).astype(np.int32),
        "best_move": rng.integers(0, 5, 24).astype(np.int32),
        "agent_row": rng.integers(0, 64, 24).astype(np.int32),
        "agent_col": rng.integers(0, 64, 24).astype(np.int32),
        "goal_row": goal_row.astype(np.int32),
        "goal_row_exact": np.where(goal_row < 0, np.nan, goal_row).astype(np.float32),
        "maze_size": np.full(24, 9, np.int32),
        "countdown": np.array([(LENGTHS[e] - s) for e, s in zip(episode, step, strict=True)], np.float32),
        "score": (np.arange(24) % 7 * 0.5).astype(np.float32),
    }


def make_cache(path, columns):
    n = len(columns["step"])
    spec = CacheSpec(n, 10, {"activations/fc": ArraySpec((3,), "float16")}, {"model": {}})
    x = np.random.default_rng(1).normal(size=(n, 3)).astype(np.float16)
    with open_for_writing(path, spec) as writer:
        for block in writer.missing_blocks():
            rows = spec.block_slice(block)
            table = pa.table({name: column[rows] for name, column in columns.items()})
            writer.commit(
                block, write_block(path, spec, block, BlockContents({"activations/fc": x[rows]}, table))
            )
    return ActivationCache.open(path)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return make_cache(tmp_path_factory.mktemp("targets") / "cache", labels())


def test_numbers_and_classes(cache):
    data = read_targets(cache, ["distance_to_goal_cells**2", "best_move", "distance_to_goal_cells < 4"])
    known = labels()
    squared, move, near = data.targets
    assert not squared.is_class
    np.testing.assert_array_equal(squared.values, known["distance_to_goal_cells"].astype(float) ** 2)
    assert move.classes == tuple(str(c) for c in np.unique(known["best_move"]))
    np.testing.assert_array_equal(near.values, known["distance_to_goal_cells"] < 4)
    assert near.classes == ("False", "True")
    assert near.columns.sum(axis=1).tolist() == [1] * 24
    assert data.levels.n == 3
    assert read_targets(cache, ["best_move"], kind="number").targets[0].classes == ()
    assert read_targets(cache, ["distance_to_goal_cells"], kind="class").targets[0].is_class


def test_a_goal_that_is_not_there_is_left_out_and_said(cache):
    data = read_targets(cache, ["goal_row", "distance_to_goal_cells"])
    assert len(data.rows) == 22
    assert not {3, 9} & set(data.rows.tolist())
    assert "2 frames are left out, in which `goal_row` reads a label that is -1" in data.notes[0]
    assert len(read_targets(cache, ["goal_row >= 0"]).rows) == 24
    filled = read_targets(cache, ["where(goal_row < 0, 70, goal_row)"])
    assert filled.targets[0].values[3] == 70


def test_filters(cache):
    known = labels()
    data = read_targets(
        cache, ["distance_to_goal_cells"], only_where="distance_to_goal_cells < 6 and agent_row > 5"
    )
    chosen = (known["distance_to_goal_cells"] < 6) & (known["agent_row"] > 5)
    np.testing.assert_array_equal(data.rows, np.flatnonzero(chosen))
    assert f"{chosen.sum()} of 24 frames are those where" in data.notes[0]
    with pytest.raises(ValueError, match="expected truth values of only_where"):
        read_targets(cache, ["agent_row"], only_where="agent_row")
    with pytest.raises(ValueError, match=r"at least two levels.*has 0 frames of 0"):
        read_targets(cache, ["agent_row"], only_where="agent_row > 99")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("maze_size", "a target that varies; 'maze_size' is 9.0 in all 24 frames"),
        ("goal_row_exact", "NaN in 2 and infinite in 0 of 24 frames .the first in row 3.*isfinite"),
        ("1 / (agent_row - agent_row)", "infinite in 24 of 24"),
        (
            "distance_to_goal",
            "expected a label of this cache, got 'distance_to_goal'. Did you mean distance_to_goal_cells",
        ),
        ("here(agent_row, agent_col)", "--read each-position"),
    ],
)
def test_what_cannot_be_a_target(cache, target, message):
    with pytest.raises(ValueError, match=message):
        read_targets(cache, [target])


def test_nothing_or_twice(cache):
    with pytest.raises(ValueError, match=r"at least one target.*Labels of"):
        read_targets(cache, [])
    with pytest.raises(ValueError, match="each target once"):
        read_targets(cache, ["agent_row", "agent_row"])


@pytest.mark.parametrize(
    ("target", "part"),
    [
        ("reward", "reward"),
        ("done", "done"),
        ("distance_to_goal_cells * (1 - done)", "done"),
        ("ahead(agent_row, 2)", r"ahead\(\)"),
        ("steps_to_end()", r"steps_to_end\(\)"),
        ("future_return(0.9)", r"future_return\(\)"),
        ("countdown", r"countdown .which equals steps_to_end\(\)"),
    ],
)
def test_the_future_is_refused_unless_asked_for(cache, target, part):
    with pytest.raises(ValueError, match=f"from the future of the frame .*{part}.*--allow-future"):
        read_targets(cache, [target])
    data = read_targets(cache, [target], allow_future=True)
    assert len(data.targets[0].values) == len(data.rows) > 0


def test_a_filter_from_the_future_is_refused_too(cache):
    with pytest.raises(ValueError, match="'not done' is from the future"):
        read_targets(cache, ["agent_row"], only_where="not done")


@pytest.mark.parametrize(
    "name", ["return_to_go", "next_agent_x", "episode_return", "steps_to_end", "final_reward"]
)
def test_foreign_columns_are_judged_by_name(tmp_path, name):
    columns = labels() | {name: np.random.default_rng(2).normal(size=24).astype(np.float32)}
    made = make_cache(tmp_path / "cache", columns)
    with pytest.raises(ValueError, match="from the future of the frame"):
        read_targets(made, [name])
    assert read_targets(made, ["score"]).targets[0].values.any(), "a foreign column of the present is fine"


def test_a_distance_that_is_the_countdown_is_no_leak_but_said(tmp_path):
    columns = labels()
    columns["distance_to_goal_cells"] = columns["countdown"].astype(np.int32) + 2
    made = make_cache(tmp_path / "cache", columns)
    data = read_targets(made, ["distance_to_goal_cells"])
    assert any("equals `steps_to_end()` (up to a constant)" in note for note in data.notes)


def test_looking_ahead_by_hand():
    order = FrameOrder(
        np.array([0, 0, 0, 1, 1, 2]),
        np.array([0, 1, 2, 0, 1, 0]),
        np.array([1.0, 0, 2, 0, 4, 1]),
        np.array([False, False, True, False, True, False]),
    )
    nan = np.nan
    np.testing.assert_array_equal(order.shifted(np.arange(6.0), 1), [1, 2, nan, 4, nan, nan])
    np.testing.assert_array_equal(order.shifted(np.arange(6.0), -2), [nan, nan, 0, nan, nan, nan])
    np.testing.assert_array_equal(order.steps_to_end(), [3, 2, 1, 2, 1, nan])
    np.testing.assert_array_equal(order.future_return(0.5), [1.5, 1, 2, 2, 4, nan])
    assert coincidences(np.array([3.0, 2, 1, 2, 1, 9]), order, {}) == [], "too few frames to tell"


def test_ends_of_episodes_have_no_later_label(cache):
    data = read_targets(cache, ["ahead(best_move, 2)"], allow_future=True)
    known = labels()
    np.testing.assert_array_equal(known["episode"][data.rows], known["episode"][data.rows + 2])
    assert len(data.rows) == sum(max(0, n - 2) for n in LENGTHS)
    assert data.targets[0].is_class
    np.testing.assert_array_equal(
        [int(data.targets[0].classes[i]) for i in data.targets[0].values], known["best_move"][data.rows + 2]
    )
    compared = read_targets(cache, ["ahead(agent_row, 1) > 31"], allow_future=True)
    assert len(compared.rows) == 24 - 6, "where there is no next frame, nothing is said"
    past = read_targets(cache, ["before(agent_row, 1)"])
    assert len(past.rows) == 24 - 6


def test_each_position_of_a_map(cache):
    data = read_targets(cache, ["here(agent_row, agent_col)", "distance_to_goal_cells"], positions=(8, 8))
    here = data.targets[0].values.reshape(24, 8, 8)
    known = labels()
    assert here.sum(axis=(1, 2)).tolist() == [1] * 24
    for frame in range(24):
        assert here[frame, known["agent_row"][frame] // 8, known["agent_col"][frame] // 8]
    np.testing.assert_array_equal(data.targets[1].values, np.repeat(known["distance_to_goal_cells"], 64))
    shifted = read_targets(cache, ["here(agent_row, agent_col)"], positions=(8, 8), center=1 / 16)
    at = np.argwhere(shifted.targets[0].values.reshape(24, 8, 8))
    # The position whose middle, 8 (i + 1/16), is nearest to the pixel's.
    nearest = np.abs(8 * (np.arange(8) + 1 / 16) - (known["agent_row"][:, None] + 0.5 + 1e-9)).argmin(axis=1)
    np.testing.assert_array_equal(at[:, 1], nearest)
    out = read_targets(cache, ["here(goal_row, agent_col)"], positions=(8, 8))
    assert out.targets[0].values.reshape(24, 64).sum(axis=1).tolist() == (known["goal_row"] >= 0).tolist()


def test_whole_levels_are_drawn(cache):
    data = read_targets(cache, ["agent_row", "best_move"]).some(16, np.random.default_rng(0))
    assert data.levels.n == 2
    known = labels()
    assert set(known["level_seed"][data.rows]) == set(np.unique(known["level_seed"][data.rows]))
    for seed in set(known["level_seed"][data.rows]):
        assert (known["level_seed"][data.rows] == seed).sum() == (known["level_seed"] == seed).sum()
    assert "were drawn" in data.notes[-1]
    np.testing.assert_array_equal(data.targets[0].values, known["agent_row"][data.rows])


def test_levels_without_a_seed_are_told_by_episode(tmp_path):
    columns = labels()
    columns["level_seed"] = np.full(24, -1, np.int32)
    assert read_targets(make_cache(tmp_path / "a", columns), ["agent_row"]).levels.n == 6
    del columns["level_seed"], columns["episode"]
    with pytest.raises(ValueError, match="the label level_seed or episode"):
        read_targets(make_cache(tmp_path / "b", columns), ["agent_row"])
    assert replace(FrameOrder(np.zeros(1, int), np.zeros(1, int)), positions=(2, 2)).has_positions
