"""`maze-retarget`: its numbers from episodes that are known, and a tiny run on networks that nobody trained."""

from dataclasses import replace

import numpy as np
import pytest
from untrained_impala import saved_impala

from procscope.envs.maze import MazeLevel
from procscope.experiments.maze_retarget import EXPERIMENT
from procscope.experiments.maze_retarget_numbers import record_numbers
from procscope.experiments.maze_retarget_results import PlayedLevel, RetargetStudy
from procscope.interventions.goal_tracking import GoalTracking
from procscope.interventions.retarget import Retargeting
from procscope.interventions.retarget_study import GoalEdit, TunedEdit
from procscope.workbench.experiments import run_experiment
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord

LEVEL = MazeLevel.from_ascii("..C\n.#.\nM..")


def played(edit: list[int], untouched: list[int]) -> PlayedLevel:
    """Four target cells, at 1, 2, 3 and 4 steps, with 10 episodes each."""
    came = {"edit": edit, "untouched": untouched, "other spot": untouched, "cheese moved": [10, 10, 10, 10]}
    found = {
        "x": [0, 0, 1, 2],
        "y": [1, 2, 2, 1],
        "distance_cells": [1, 2, 3, 4],
        "came": came,
        "path": {"edit": [0.9] * 4, "untouched": [0.4] * 4},
    }
    return PlayedLevel(LEVEL, 10, found)


def study(model: str) -> RetargetStudy:
    ones = np.ones(4)
    near = np.array([[0.9, np.nan, 0.2, 0.1], [0.7, 0.5, 0.2, 0.1]])
    tracked = GoalTracking("block2.res1", 16, ones, ones, ones, ones, near)
    edit = GoalEdit("block2.res1", (0, 1), (1.0, 1.0), (0.0, 0.0), 16, 0.125)
    levels = [played([10, 8, 6, 4], [2, 2, 2, 2]), played([8, 6, 4, 2], [2, 2, 2, 2])]
    came = {
        "edit": np.ones((4, 20), bool),
        "untouched": np.arange(80).reshape(4, 20) < [[20], [0], [0], [0]],
    }
    example = Retargeting(LEVEL, levels[0].cells, levels[0].distance_cells, came)
    return RetargetStudy(
        model, "cheese-top-right", [tracked], [TunedEdit(edit, 0.5, 2.0, 0.3)], levels, example
    )


def test_numbers_are_those_of_the_episodes(tmp_path):
    record = RunRecord.create(
        tmp_path, "maze-retarget", {}, "test", claims=package_claims("procscope.experiments")
    )
    record_numbers(record, [study("one"), study("two")])
    found = {
        (m.id.split("/")[1], m.where.get("arm")): m for m in record.metrics if m.where.get("model") == "one"
    }
    assert found["reached", "edit"].value == pytest.approx((0.7 + 0.5) / 2)
    assert found["reached", "cheese moved"].value == 1
    assert found["gain", None].value == pytest.approx(0.4)
    assert found["gain", None].n == 2
    assert found["path_gain", None].value == pytest.approx(0.5)
    assert found["over_control", "other spot"].value == pytest.approx(0.4)
    assert found["moved_minus_edit", None].value == pytest.approx(0.4)
    assert found["slope", "edit"].value == pytest.approx(-0.2), "a fifth less a step, in both mazes"
    assert found["gain_slope", None].value == pytest.approx(-0.2)
    assert found["concentration", None].value == pytest.approx((0.9 + (0.7 + 0.5) / 2) / 2)
    assert found["cells_told", None].value == 0.75, "the first is come to by both"
    together = [m for m in record.metrics if m.id.endswith("gain_over_networks") and "path" not in m.id]
    assert together[0].n == 2


def test_shares_by_distance_and_by_cell():
    one = study("one")
    assert one.by_distance("edit")[2.5].value == pytest.approx(0.6)
    by_cell = one.by_cell("edit")
    assert by_cell[1, 0] == pytest.approx(0.9)
    assert np.isnan(by_cell[0, 0])
    assert len(one.rows()) == 8
    with pytest.raises(ValueError, match="equally far"):
        replace(
            one,
            levels=[
                PlayedLevel(LEVEL, 10, {**level.found, "distance_cells": [2] * 4}) for level in one.levels
            ],
        ).slope("edit")


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="shares of channels above 0"):
        replace(EXPERIMENT.scales["smoke"], shares=(0.0,))


@pytest.mark.slow
def test_a_tiny_run(tmp_path):
    models = (
        saved_impala(tmp_path / "one.safetensors", 0, ("cheese-top-right",)),
        saved_impala(tmp_path / "two.safetensors", 1, ("cheese-anywhere",)),
    )
    config = replace(EXPERIMENT.scales["smoke"], models=models, size=3, max_steps=6, tracking_mazes=4)
    records = [run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=config) for _ in range(2)]
    assert len(list((tmp_path / "maze-retarget" / "members").iterdir())) == 2 * config.mazes
    assert records[0].metrics == records[1].metrics
    assert {path.stem for path in (records[0].directory / "figures").glob("*.png")} == {"cells", "distance"}
    page = (records[0].directory / "report.html").read_text()
    assert "Asked: some channels show where the cheese is" in page
