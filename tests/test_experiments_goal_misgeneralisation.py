"""`goal-misgeneralisation`: its numbers from mazes whose outcome is known, and a tiny run."""

from dataclasses import replace

import numpy as np
import pytest

from procscope.experiments.goal_misgeneralisation import EXPERIMENT, training_side
from procscope.experiments.goal_misgeneralisation_report import RegionStudy, write_report
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import run_experiment
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson


def study(name: str, side: int, won: list[int]) -> RegionStudy:
    columns = {
        "won": np.array(won),
        "distance": np.array([0, 0, 0, 8, 8, 8]),
        "in_corner": np.array([0] * 4 + [1, 0]),
    }
    return RegionStudy(name, "cheese-top-right", side, **columns)


def test_the_numbers_are_counts_of_the_mazes(tmp_path):
    record = RunRecord.create(tmp_path, "goal-misgeneralisation", {}, "test", seed=0, scale="smoke")
    write_report(record, [study("near", 1, [1, 1, 0, 1, 0, 0]), study("far", 15, [1, 1, 1, 1, 0, 1])])
    found = {(metric.id.split("/")[1], *metric.where.values()): metric for metric in record.metrics}
    success = found["success", "near", "cheese-top-right", 1]
    assert (success.value, success.ci_low, success.ci_high, success.n) == wilson(3, 6)
    assert found["success", "near", "cheese-top-right", 1, 8].value == pytest.approx(1 / 3)
    assert found["failures_in_corner", "near", "cheese-top-right", 1].value == pytest.approx(1 / 3)
    assert found["distance_slope", "near", "cheese-top-right", 1].value < 0
    difference = found["difference", "near", "far"]
    assert difference.value == pytest.approx(3 / 6 - 5 / 6)
    assert found["mcnemar_p", "near", "far"].value == pytest.approx(0.5)


def test_regions_are_read_from_the_training():
    sides = {name: training_side(load_network(name)) for name in EXPERIMENT.scales["small"].models}
    assert sides == {"maze-easy-corner": 1, "maze-easy-topright": 5, "maze-easy-anywhere": 15}
    loaded = load_network("maze-easy-corner")
    other = loaded._replace(header=replace(loaded.header, variant=("no-cheese",)))
    with pytest.raises(ValueError, match="trained with cheese-top-right or cheese-anywhere"):
        training_side(other)


def test_a_tiny_run_writes_its_report_and_remembers_what_was_played(tmp_path):
    config = replace(EXPERIMENT.scales["smoke"], mazes=8, max_steps=12)
    records = [run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=config) for _ in range(2)]
    assert len(list((tmp_path / "goal-misgeneralisation" / "members").iterdir())) == 2
    assert [m.value for m in records[0].metrics] == [m.value for m in records[1].metrics]
    page = (records[0].directory / "report.html").read_text()
    assert "What differs from the published set-up" in page
    assert (records[0].directory / "figures" / "regions.png").exists()
