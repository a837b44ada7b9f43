"""The run record: what it writes, what it refuses, and what the published claims add to it."""

import json
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from procscope.workbench.figures import rendered, styled, subplots
from procscope.workbench.metrics import Metric, Undefined, read_metrics
from procscope.workbench.published import Claim, Claims
from procscope.workbench.runs import RunRecord, read_config
from procscope.workbench.statistics import Interval, wilson
from procscope.workbench.tables import csv_text, read_table
from procscope.workbench.verdicts import Rule

RULE = Rule("above", reference=0.5, margin=0.1, least_n=50)
CLAIM = Claim(
    "S9.test/found",
    "It is found.",
    "S9, table 1",
    "share",
    where={"direction": "up"},
    networks={"training": ("corner",)},
    published=0.8,
    rule=RULE,
)


@dataclass(frozen=True)
class Config:
    levels: int = 4
    names: tuple[str, ...] = ("a", "b")


class Rate(NamedTuple):
    channel: int
    share: float


@pytest.fixture
def record(tmp_path):
    return RunRecord.create(
        tmp_path, "toy-run", Config(), "procscope run toy-run", seed=3, scale="smoke", claims=Claims([CLAIM])
    )


def where(model="first", training="corner", **more):
    return {"model": model, "training": training, "direction": "up"} | more


def test_the_directory_says_what_is_run_before_it_runs(record, tmp_path):
    assert record.directory.parent == tmp_path / "toy-run"
    config = read_config(record.directory)
    assert config["config"] == {"levels": 4, "names": ["a", "b"]}
    assert (config["seed"], config["scale"], config["command"]) == (3, "smoke", "procscope run toy-run")
    assert config["versions"]["numpy"] == np.__version__
    assert {"python", "platform", "processor", "revision", "started"} <= set(config)
    assert "toy-run, seed 3" in (record.directory / "log.txt").read_text()
    with pytest.raises(FileNotFoundError, match=r"metrics\.json"):
        read_metrics(record.directory)


def test_two_runs_in_one_second_have_directories_of_their_own(tmp_path):
    made = [RunRecord.create(tmp_path, "toy-run", {}, "x").directory for _ in range(5)]
    assert len(set(made)) == 5


def test_metrics_come_back_as_recorded(record):
    record.metric("S9.test/rate", 0.25, {"channel": np.int64(3)}, unit="share", n=8)
    record.metric("S9.test/auroc", Interval(0.9, 0.8, math.nan, 40))
    record.metric("S9.test/count", np.int32(7), unit="channels")
    record.finish()
    rows = json.loads((record.directory / "metrics.json").read_text())
    fields = ["id", "where", "value", "ci_low", "ci_high", "n", "unit", "published", "source", "verdict"]
    assert all(list(row) == fields for row in rows)
    assert [row["value"] for row in rows] == [0.25, 0.9, 7]
    assert rows[0]["where"] == {"channel": 3}
    assert (rows[1]["ci_low"], rows[1]["ci_high"], rows[1]["n"]) == (0.8, None, 40)
    assert read_metrics(record.directory) == record.metrics


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan"), Interval(math.nan, 0, 1, 3)])
def test_what_is_not_finite_is_no_metric(record, value):
    assert isinstance(record.metric("S9.test/rate", value), Undefined)
    record.undefined_metric("S9.test/slope", {"channel": 1}, "the two classes are perfectly separated")
    record.finish()
    assert read_metrics(record.directory) == []
    report = json.loads((record.directory / "report.json").read_text())
    assert [entry["id"] for entry in report["undefined"]] == ["S9.test/rate", "S9.test/slope"]
    assert "perfectly separated" in (record.directory / "report.html").read_text()


def test_a_covered_metric_carries_the_published_number_and_a_verdict(record):
    metric = record.metric("S9.test/found", wilson(80, 100), where(), "share")
    assert isinstance(metric, Metric)
    assert (metric.published, metric.source, metric.verdict) == (0.8, "S9, table 1", "held")
    few = record.metric("S9.test/found", wilson(20, 25), where("second"), "share")
    assert few.verdict == "undecided"
    other = record.metric("S9.test/found", wilson(80, 100), where("third", training="anywhere"), "share")
    assert (other.published, other.source, other.verdict) == (None, None, None)


def test_networks_as_a_kind_need_three_sets_of_weights(record):
    for index in range(3):
        name = f"seed-{index}"
        record.network(name, weights_hash="ab"[index % 2] * 64, training="corner")
        record.metric("S9.test/found", wilson(90, 100), where(name), "share")
    (row,) = record.summary()
    assert (row.networks_measured, row.verdict_for_kind) == (2, "undecided")
    record.network("seed-3", weights_hash="c" * 64, training="corner")
    record.metric("S9.test/found", wilson(90, 100), where("seed-3"), "share")
    (row,) = record.summary()
    assert (row.networks_measured, row.verdict_for_kind) == (3, "held")
    record.metric("S9.test/found", wilson(10, 100), where("other", training="anywhere"), "share")
    assert record.summary()[0].verdict_for_kind == "held"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda record: record.metric("found", 1.0), "expected a metric's id"),
        (lambda record: record.metric("S9.test/found", 1.0, where(), "percent"), "unit of the claim"),
        (
            lambda record: record.metric("S9.test/x", 1.0, {"channels": [1, 2]}),
            "expected text, number or bool",
        ),
        (lambda record: record.metric("S9.test/x", 1.0, unit=""), "expected a unit"),
        (lambda record: record.table("rates", [], "none"), "at least one row"),
        (lambda record: record.table("rates", [{"a": 1}], "none"), "expected NamedTuples"),
        (lambda record: record.table("a/b", [Rate(1, 0.5)], "none"), "a name that can be a file's"),
    ],
)
def test_mistakes_are_told(record, call, message):
    with pytest.raises(ValueError, match=message):
        call(record)


def test_one_place_is_recorded_once(record):
    record.metric("S9.test/x", 1.0, {"a": 1, "b": 2})
    with pytest.raises(ValueError, match="recorded already"):
        record.metric("S9.test/x", 1.0, {"b": 2, "a": 1})
    record.finish()
    with pytest.raises(ValueError, match="finished"):
        record.metric("S9.test/y", 1.0)


def test_a_config_that_json_cannot_hold_is_refused(tmp_path):
    with pytest.raises(ValueError, match="plain values"):
        RunRecord.create(tmp_path, "toy-run", {"model": object()}, "x")
    with pytest.raises(ValueError, match="lower case with hyphens"):
        RunRecord.create(tmp_path, "Toy Run", {}, "x")
    assert not list(tmp_path.iterdir())


def test_tables_read_back_exactly(tmp_path):
    rows = [Rate(3, 0.1 + 0.2), Rate(4, 1 / 3)]
    path = tmp_path / "rates.csv"
    path.write_text(csv_text("rates", rows))
    table = read_table(path)
    assert table.header == ["channel", "share"]
    assert [Rate(int(a), float(b)) for a, b in table.rows] == rows
    assert csv_text("rates", pd.DataFrame(rows)) == csv_text("rates", rows)


def test_figures_are_the_same_bytes_each_time(record):
    @styled()
    def plot():
        figure, axes = subplots(width_inches=3, height_inches=2)
        axes.plot([1, 2, 3], [2, 1, 3], label="a")
        axes.set(xlabel="distance (cells)", ylabel="share")
        axes.legend()
        return figure

    first, second = rendered(plot()), rendered(plot())
    assert first == second
    assert first.png.startswith(b"\x89PNG")
    assert b"<svg" in first.svg
    path = record.figure("curve", plot(), "A curve.")
    assert path.read_bytes() == first.png
    assert path.with_suffix(".svg").read_bytes() == first.svg


def test_members_are_shared_by_the_runs_of_one_experiment(record, tmp_path):
    assert record.members().get_or_compute({"seed": 0}, lambda config: 1) == 1
    other = RunRecord.create(tmp_path, "toy-run", {}, "x")
    assert other.members().get_or_compute({"seed": 0}, lambda config: 2) == 1
