"""specialization: conditions, tests of known measures, and a tiny run."""

from dataclasses import replace

import numpy as np
import pytest

from procscope.experiments.specialization import EXPERIMENT
from procscope.experiments.specialization_numbers import record_numbers
from procscope.experiments.specialization_setup import SCALES, Condition, Config, conditions
from procscope.experiments.specialization_studies import (
    MEASURES,
    PARTITIONS,
    ConditionGroups,
    StudiedGroups,
    hidden_layers,
    study_conditions,
)
from procscope.modularity.condition_tests import GroupMeasure
from procscope.modularity.lesions import NeuronGroup
from procscope.modularity.network_study import NetworkTraining
from procscope.modularity.networks import mlp, vgg16
from procscope.workbench.experiments import run_experiment
from procscope.workbench.ledger import Ledger
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord


def test_conditions_are_the_chapters():
    found = conditions(Config(), seed=0)
    assert [(one.row, one.network, one.k) for one in found] == [
        ("mlp", "mlp", 16),
        ("cnn", "cnn", 16),
        ("vgg", "vgg", 16),
        ("k-robust", "vgg", 8),
        ("k-robust", "vgg", 12),
        ("redundancy", "vgg", 16),
    ]
    by_row = {one.row: one.training for one in found}
    assert (by_row["mlp"].epochs, by_row["mlp"].pruning_epochs, by_row["mlp"].regularisation) == (
        20,
        0,
        "none",
    )
    assert (by_row["cnn"].epochs, by_row["cnn"].batch_size) == (10, 64)
    vgg = by_row["vgg"]
    assert (vgg.regularisation, vgg.strength, vgg.epochs) == ("dropout+l2", 5e-4, 200)
    assert by_row["k-robust"] == vgg, "the same networks, cut again"
    assert by_row["redundancy"].regularisation == "none"
    assert {training.seed for training in found[0].trainings(5)} == {0, 1, 2, 3, 4}
    assert conditions(Config(mnist="/data"), seed=2)[0].training.data == "idx:/data"


def test_checks_need_the_networks_that_they_compare_with():
    found = conditions(replace(Config(), rows=("mlp", "redundancy"), checks_on="mlp"), seed=0)
    assert [(one.row, one.where.get("regularised")) for one in found] == [("mlp", None), ("redundancy", True)]
    with pytest.raises(
        ValueError, match="expected the row 'vgg' beside k-robust, which compare with it; given mlp"
    ):
        conditions(replace(Config(), rows=("mlp", "k-robust")), seed=0)
    with pytest.raises(ValueError, match="unknown row 'mpl'"):
        conditions(replace(Config(), rows=("mpl",)), seed=0)


def test_hidden_layers_are_convolutions_or_all_but_the_last():
    assert hidden_layers(mlp((4, 3, 3, 2))) == ["hidden1", "hidden2"]
    assert hidden_layers(vgg16(channels=((4,), (4,)))) == ["conv1", "conv2"]


def studied(rng: np.random.Generator, special: str, groups: int = 30) -> StudiedGroups:
    """Measures like random ones, but for `special`, whose true values lie above (entropy: below) all random ones."""
    measures = {}
    for name in MEASURES:
        draws = rng.uniform(0.1, 0.9, size=(groups, 20))
        if name == special:
            draws[:, 0] = 0.05 if name == "entropy" else 0.95
        measures[name] = GroupMeasure(draws[:, 0], draws[:, 1:])
    neurons = [NeuronGroup("hidden1", np.arange(3), 12, number) for number in range(groups)]
    return StudiedGroups(neurons, measures, np.zeros((groups, 10)))


def results_of(special: dict[str, str], networks: int = 3) -> list[ConditionGroups]:
    """The main row and another number of clusters of one network, with what is special in each."""
    training = NetworkTraining("digits", pruning_epochs=0)
    rng = np.random.default_rng(0)
    return [
        ConditionGroups(
            condition, *partition, [studied(rng, special[condition.row]) for _ in range(networks)]
        )
        for condition in (Condition("mlp", "mlp", training, 16), Condition("k-robust", "mlp", training, 8))
        for partition in PARTITIONS
    ]


def recorded(tmp_path, results: list[ConditionGroups]):
    claims = package_claims("procscope.experiments")
    record = RunRecord.create(tmp_path, "specialization", {}, "test", seed=0, scale="smoke", claims=claims)
    ledger = Ledger(record)
    accuracies = dict.fromkeys(results[0].condition.trainings(len(results[0].networks)), 0.9)
    return ledger, record_numbers(ledger, results, accuracies)


def test_what_is_special_is_found_and_nothing_else(tmp_path):
    ledger, tests = recorded(tmp_path, results_of({"mlp": "accuracy", "k-robust": "entropy"}))
    found = {(one.groups.condition.row, one.measure) for one in tests if one.significant}
    assert found == {("mlp", "accuracy"), ("k-robust", "entropy")}
    place = {"network": "mlp", "input": "weights", "scope": "network"}
    fisher = ledger.find("C4.lesion/accuracy_fisher", **place)
    assert fisher.value == pytest.approx(-np.log(0.5 / 20))
    assert (fisher.n, fisher.published, fisher.verdict) == (3, 2.13, "held")
    assert ledger.find("C4.lesion/accuracy_effect", **place).n == 90
    assert ledger.find("C4.lesion/class_fisher", **place).verdict in ("held", "undecided")
    assert ledger.find("C4.k-robust/entropy_effect", k=8, **place).value < 0.5
    # 16 tests of k = 8, of which those of accuracy and of entropy differ from k = 16.
    same = ledger.find("C4.k-robust/same_verdict", network="mlp")
    assert (same.value, same.n) == (0.5, 16)
    apart = ledger.find("C4.redundancy/activations_over_weights", network="mlp")
    assert (apart.value, apart.verdict) == (0.0, "held")
    assert ledger.find("C4.lesion/test_accuracy", network="mlp").value == 0.9


def test_networks_without_groups_are_undefined(tmp_path):
    results = results_of({"mlp": "class", "k-robust": "score"})
    empty = StudiedGroups(
        [], dict.fromkeys(MEASURES, GroupMeasure(np.zeros(0), np.zeros((0, 1)))), np.zeros((0, 0))
    )
    results[0] = results[0]._replace(networks=[empty] * 3)
    ledger, _ = recorded(tmp_path, results)
    missing = ledger.find("C4.lesion/accuracy_fisher", input="weights", scope="network")
    assert "no cluster has two neurons in a layer" in missing.reason
    assert "no groups under some partition" in ledger.find("C4.redundancy/activations_over_weights").reason


def test_a_tiny_study_trains_and_measures_and_what_it_did_is_read_back(tmp_path, monkeypatch):
    tiny = replace(SCALES["smoke"], rows=("mlp",), networks=1, samples=64, width=8, test_samples=20)
    record = RunRecord.create(tmp_path, "specialization", {}, "test", seed=0, scale="smoke")
    results, accuracies = study_conditions(conditions(tiny, 0), tiny, record)
    assert [(each.input, each.scope) for each in results] == list(PARTITIONS)
    assert list(accuracies) == results[0].condition.trainings(1)
    network = results[2].networks[0]
    for true, random in network.measures.values():
        assert (true.shape, random.shape) == ((len(network.groups),), (len(network.groups), 4))
    assert {group.layer for group in network.groups} <= {"hidden1", "hidden2", "hidden3", "hidden4"}
    assert network.class_drops.shape == (len(network.groups), 10)
    import procscope.experiments.specialization_studies as module

    monkeypatch.setattr(module, "_measure", lambda *_, **__: pytest.fail("measured again"))
    again, _ = study_conditions(conditions(tiny, 0), tiny, record)
    for one, other in zip(results, again, strict=True):
        np.testing.assert_array_equal(one.networks[0].class_drops, other.networks[0].class_drops)


@pytest.mark.slow
def test_smoke_run(tmp_path):
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path)
    assert (record.directory / "report.html").is_file()
