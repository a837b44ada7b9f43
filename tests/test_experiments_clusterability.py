"""The experiments on clusterability: conditions of every row, numbers from results that are known, tiny runs."""

from dataclasses import replace

import numpy as np
import pytest

from procscope.experiments.clusterability import EXPERIMENT
from procscope.experiments.clusterability_claims import record_claims
from procscope.experiments.clusterability_regularizer import EXPERIMENT as REGULARIZER
from procscope.experiments.clusterability_setup import ROWS, SCALES, Condition, Config, conditions
from procscope.experiments.clusterability_studies import (
    ConditionResult,
    difference_interval,
    mean_of_networks,
    record_condition,
    study_conditions,
)
from procscope.experiments.clusterable_init import EXPERIMENT as INIT
from procscope.modularity.network_study import Measure, Measured, NetworkStudy, NetworkTraining, StageStudy
from procscope.workbench.experiments import run_experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord


def test_every_row_has_the_published_conditions():
    found = conditions(Config(), seed=0)
    counts = {row: sum(each.target == f"C3.{row}" for each in found) for row in ROWS}
    assert counts == {
        "init": 0,
        "mlp": 8,
        "halves": 4,
        "poly": 3,
        "mixture": 8,
        "random": 6,
        "topology": 4,
        "k": 4,
        "cnn": 8,
        "vgg": 5,
        "stack": 4,
        "imagenet": 0,
    }
    one = {(each.target, *each.where.values()): each.training for each in found}
    assert one["C3.random", "memorise", "none"].samples == 3000
    assert one["C3.random", "memorise", "none"].epochs == 100
    assert not one["C3.random", "memorise", "none"].reshuffle
    assert one["C3.random", "kiloepoch", "none"].epochs == 1000
    assert one["C3.cnn", "MNIST", "none"].batch_size == 64
    assert one["C3.cnn", "MNIST", "none"].epochs == 10
    assert one["C3.vgg", "CIFAR-10", "l2"].strength == 5e-4
    assert one["C3.mlp", "MNIST", "none"] == one["C3.mixture", "MNIST", "none"], "trained once for both"
    with pytest.raises(ValueError, match="expected rows among init, mlp"):
        conditions(replace(Config(), rows=("mnist",)), 0)


def test_some_conditions_of_a_row_can_be_run_alone():
    random = replace(Config(), rows=("random", "poly"), only=("arm=memorise", "regularisation=none"))
    assert [one.where for one in conditions(random, 0)] == [{"arm": "memorise", "regularisation": "none"}]
    with pytest.raises(ValueError, match=r"settings among arm=kiloepoch, .*; given 'arm=memorize'"):
        conditions(replace(random, only=("arm=memorize",)), 0)


def test_comparisons_with_what_was_not_run_are_left_out(tmp_path):
    condition = Condition("C3.mlp", {"data": "MNIST", "regularisation": "none"}, NetworkTraining("digits"))
    record = record_at(tmp_path)
    record_claims(
        Ledger(record), [ConditionResult(condition, [study(seed, 10.0, 9.0, 10.0) for seed in range(3)])]
    )
    assert [metric.id for metric in record.metrics] == ["C3.mlp/pruning_change"]
    assert "C3.mlp are left out: MNIST, dropout was not run" in (record.directory / "log.txt").read_text()


def test_real_files_take_the_place_of_stand_ins():
    found = conditions(Config(mnist="/data/mnist", fashion="/data/fashion", rows=("mlp", "halves")), seed=0)
    assert {each.training.data for each in found if each.target == "C3.mlp"} == {
        "idx:/data/mnist",
        "idx:/data/fashion",
    }
    assert "idx:/data/fashion halves diff" in {each.training.data for each in found}


DEFAULT = (Measure(),)


def study(seed: int, unpruned: float, pruned: float, shuffled: float, measures=DEFAULT) -> NetworkStudy:
    """A network with known n-cuts, whose shuffles lie at `shuffled` plus and minus 0.1."""
    stages = {}
    for stage, cut in (("unpruned", unpruned), ("pruned", pruned)):
        tests = tuple(
            Measured(m, cut, shuffled - 0.05 * number + np.tile([0.1, -0.1], 25))
            for number, m in enumerate(measures)
        )
        stages[stage] = StageStudy(0.9, 0.8, 0.5, tests)
    return NetworkStudy(NetworkTraining("digits", seed=seed), stages)


def record_at(tmp_path) -> RunRecord:
    claims = package_claims("procscope.experiments")
    return RunRecord.create(tmp_path, "clusterability", {}, "test", seed=0, scale="smoke", claims=claims)


def test_numbers_of_a_condition(tmp_path):
    condition = Condition("C3.mlp", {"data": "MNIST", "regularisation": "none"}, NetworkTraining("digits"))
    result = ConditionResult(
        condition, [study(0, 10.0, 9.0, 10.2), study(1, 10.2, 9.1, 10.2), study(2, 10.2, 9.1, 10.2)]
    )
    record = record_at(tmp_path)
    ledger = Ledger(record)
    record_condition(ledger, result)
    record_claims(
        ledger,
        [
            result,
            result._replace(
                condition=condition._replace(where=condition.where | {"regularisation": "dropout"})
            ),
            *fashion(),
        ],
    )
    cut = ledger.find("C3.mlp/n_cut", data="MNIST", regularisation="none", pruned=True)
    assert cut.value == pytest.approx(27.2 / 3)
    assert (cut.n, cut.published) == (3, 8.88)
    z = ledger.find("C3.mlp/z_score", data="MNIST", regularisation="none", pruned=True)
    assert z.value == pytest.approx(-3.4 / 3 / np.std([0.1, -0.1] * 25, ddof=1))
    assert z.verdict == "held"
    assert ledger.find("C3.mlp/significant", data="MNIST", regularisation="none", pruned=True).value == 1.0
    assert ledger.find("C3.mlp/significant", data="MNIST", regularisation="none", pruned=False).value == 1 / 3
    change = ledger.find("C3.mlp/pruning_change", data="MNIST", regularisation="none")
    assert change.value == pytest.approx(-3.2 / 3)
    assert change.verdict == "held"


def fashion() -> list[ConditionResult]:
    return [
        ConditionResult(
            Condition(
                "C3.mlp", {"data": "Fashion-MNIST", "regularisation": kind}, NetworkTraining("letters")
            ),
            [study(0, 10.0, 9.0, 10.0), study(1, 10.1, 9.2, 10.0)],
        )
        for kind in ("none", "dropout")
    ]


def test_topology_compares_the_two_kinds_of_shuffle(tmp_path):
    measures = (Measure(), Measure(kind="layer-nonzero"))
    condition = Condition(
        "C3.topology", {"data": "MNIST", "regularisation": "none"}, NetworkTraining("digits"), measures
    )
    result = ConditionResult(condition, [study(seed, 10.0, 9.0, 10.0, measures) for seed in range(3)])
    ledger = Ledger(record_at(tmp_path))
    record_claims(ledger, [result])
    apart = ledger.find("C3.topology/nonzero_below_layer", data="MNIST")
    assert apart.value == pytest.approx(-0.05)
    assert apart.verdict == "held"


def test_intervals_are_students_and_welchs():
    from scipy.stats import ttest_1samp, ttest_ind

    values, others = np.array([1.0, 2.0, 4.0]), np.array([1.5, 0.5, 0.0, 1.0])
    found = mean_of_networks(values)
    expected = ttest_1samp(values, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    apart = difference_interval(values, others)
    expected = ttest_ind(values, others, equal_var=False).confidence_interval()
    assert (apart.low, apart.high) == pytest.approx((expected.low, expected.high))
    assert np.isnan(mean_of_networks(values[:1]).low)
    with pytest.raises(ValueError, match="at least two networks of either kind, given 1 and 4"):
        difference_interval(values[:1], others)


def test_a_tiny_run_trains_measures_and_reports_and_what_it_did_is_read_back(tmp_path, monkeypatch):
    tiny = replace(SCALES["smoke"], rows=("poly",), samples=64, networks=1, width=14, shuffles=3)
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=tiny)
    assert (record.directory / "report.html").is_file()
    assert not [metric for metric in record.metrics if metric.value is None]
    import procscope.modularity.network_study as module

    monkeypatch.setattr(module, "train", lambda *_, **__: pytest.fail("trained again"))
    ledger = Ledger(record)
    for result in study_conditions(conditions(tiny, 0), 1, 1, record):
        kind = result.condition.where["regularisation"]
        known = ledger.find("C3.poly/n_cut", regularisation=kind, pruned=True)
        assert result.cuts("pruned", result.condition.measures[0]) == [known.value]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", [EXPERIMENT, REGULARIZER, INIT], ids=lambda each: each.name)
def test_smoke_runs(experiment, tmp_path):
    record = run_experiment(experiment, "smoke", out=tmp_path)
    assert (record.directory / "report.html").is_file()
