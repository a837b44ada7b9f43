"""`maze-steering`: its numbers from outcomes that are known, and a tiny run on networks that nobody trained."""

from dataclasses import replace

import numpy as np
import pytest
from untrained_impala import saved_impala

from procscope.experiments.maze_networks import open_networks
from procscope.experiments.maze_steering import EXPERIMENT, plan
from procscope.experiments.maze_steering_numbers import record_numbers
from procscope.experiments.maze_steering_results import PlaceResult, SteeringStudy
from procscope.interventions.steering_study import CONTROLS, VECTORS, arm_name
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import run_experiment
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import holm, mcnemar_exact, paired_difference

STRENGTHS = (-1.0, 1.0)
LEVELS = 120


def outcomes(effect: float) -> PlaceResult:
    """A place at which the vectors move that share of the mazes, and the controls none."""
    n = int(effect * LEVELS)
    plain = {"cheese": [1] * LEVELS, "corner": [0] * LEVELS, "to_removed": [2.0, 1.0] * (LEVELS // 2)}
    moved = {
        "cheese": [0] * n + [1] * (LEVELS - n),
        "corner": [1] * n + [0] * (LEVELS - n),
        "to_removed": [0.5, 0.25] * (LEVELS // 2),
    }
    arms = {arm_name(v, s, c): plain for v in VECTORS for s in STRENGTHS for c in CONTROLS}
    arms |= {
        arm_name(v, s): moved if s == {"cheese": -1, "top-right": 1}[v] else plain
        for v in VECTORS
        for s in STRENGTHS
    }
    found = {"untouched": plain, "removed": moved, **arms}
    fields = {
        name: {"change": [0.0, 0.1] if "noise" in name else [0.4, 0.7], "to_removed": [0.2, 0.4]}
        for name in found
    }
    return PlaceResult("block2.res1", {"choices": found, "play": found, "fields": fields})


def study(model: str, effect: float, training: str = "cheese-top-right") -> SteeringStudy:
    return SteeringStudy(model, training, STRENGTHS, [outcomes(effect)])


@pytest.fixture
def found(tmp_path):
    record = RunRecord.create(
        tmp_path, "maze-steering", {}, "test", claims=package_claims("procscope.experiments")
    )
    for name in ("one", "two", "three"):
        record.network(name, name, "cheese-top-right")
    record_numbers(record, [study("one", 0.5), study("two", 0.4), study("three", 0.6)])
    return record


def metric(record, id, **where):
    (entry,) = [
        m
        for m in record.metrics
        if m.id == id and all(m.where.get(key) == value for key, value in where.items())
    ]
    return entry


def test_numbers_are_those_of_the_outcomes(found):
    change = metric(found, "steering.cheese-vector/play_change", model="one", strength=-1.0)
    assert change.value == pytest.approx(-0.5)
    first, second = np.array([0] * 60 + [1] * 60, bool), np.ones(120, bool)
    assert (change.ci_low, change.ci_high) == pytest.approx(paired_difference(first, second)[1:3])
    assert change.verdict == "held"
    assert metric(found, "steering.cheese-vector/play_change", model="one", strength=1.0).value == 0
    assert metric(found, "steering.top-right-vector/choice_over_noise", model="one").value == pytest.approx(
        0.5
    )
    assert metric(
        found, "steering.cheese-vector/like_removal", model="one", arm="vector"
    ).value == pytest.approx(0.75)
    assert metric(found, "steering.cheese-vector/field_over_noise", model="one").value == pytest.approx(0.5)
    p = mcnemar_exact(0, 60)
    expected = holm(np.array([p, 1.0]))[0]
    assert metric(found, "steering.cheese-vector/play_p_holm", model="one").value == pytest.approx(expected)


def test_numbers_of_several_networks_are_put_together(found):
    together = metric(found, "steering.cheese-vector/play_change_over_networks", strength=-1.0)
    assert together.value == pytest.approx(-0.5)
    assert together.n == 3
    half = 4.302652729911275 * 0.1 / np.sqrt(3)  # Student's quantile with two degrees of freedom
    assert together.ci_low == pytest.approx(-0.5 - half)
    row = next(
        row
        for row in found.summary()
        if row.id == "steering.cheese-vector/play_change" and row.where["strength"] == -1
    )
    assert row.networks_measured == 3
    assert row.verdict_for_kind == "held"


def test_a_network_counts_once(tmp_path):
    record = RunRecord.create(tmp_path, "maze-steering", {}, "test")
    with pytest.raises(ValueError, match="of which 1 differ"):
        open_networks(["maze-easy-topright", "maze-easy-topright"], record)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strengths": (1.0,)}, r"strengths that include \[-1.0, 1.0\]"),
        ({"field_mazes": 1}, "at least two mazes"),
        ({"played_mazes": 10**6}, "at least two mazes"),
    ],
)
def test_settings_that_make_no_sense(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(EXPERIMENT.scales["smoke"], **changes)


def test_every_hook_point_is_planned_in_order_and_some_are_played(tmp_path):
    model = load_network(saved_impala(tmp_path / "one.safetensors", 0, ("cheese-top-right",)))
    config = replace(
        EXPERIMENT.scales["smoke"], hook_points=(), played_hook_points=("fc",), mazes=4, played_mazes=2
    )
    places = plan(model, config, 0)
    names = [place.hook_point for place in places]
    assert names[0] == "block1.conv"
    assert names[-1] == "fc"
    assert set(names) == set(model.network.hook_points()) - {"logits", "value"}
    assert [place.hook_point for place in places if place.played] == ["fc"]


@pytest.mark.slow
def test_a_tiny_run(tmp_path):
    models = tuple(
        saved_impala(tmp_path / f"{name}.safetensors", seed, (variant,))
        for seed, (name, variant) in enumerate([("one", "cheese-top-right"), ("two", "cheese-anywhere")])
    )
    config = replace(
        EXPERIMENT.scales["smoke"], models=models, mazes=4, played_mazes=2, field_mazes=2, max_steps=6
    )
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=config)
    assert len(list((tmp_path / "maze-steering" / "members").iterdir())) == 2 * len(config.hook_points)
    judged = {entry.where["training"] for entry in record.metrics if entry.verdict}
    assert judged == {"cheese-top-right"}
    assert {path.stem for path in (record.directory / "figures").glob("*.png")} == {
        "choices",
        "fields",
        "play",
        "removal",
    }
    page = (record.directory / "report.html").read_text()
    assert "What differs from the source" in page
