"""reward-adversarial: pairs of networks, probes of the distance, a tiny run."""

from dataclasses import replace

import numpy as np
import pytest

from procscope.experiments.reward_adversarial import EXPERIMENT
from procscope.experiments.reward_adversarial_study import NetworkStudy, _probes
from procscope.rewardnets.adversarial_training import AdversarialConfig
from procscope.workbench.experiments import run_experiment
from procscope.workbench.metrics import read_metrics


def test_a_standard_network_is_trained_once_whatever_the_attacks(tmp_path):
    training = AdversarialConfig()
    other = replace(training, steps=3)
    standard = [NetworkStudy("standard", each, 4, 0, 1, "").directory(tmp_path) for each in (training, other)]
    adversarial = [
        NetworkStudy("adversarial", each, 4, 0, 1, "").directory(tmp_path) for each in (training, other)
    ]
    assert standard[0] == standard[1]
    assert len({*standard, *adversarial}) == 3


def test_a_probe_reads_a_distance_that_is_there_and_no_other():
    rng = np.random.default_rng(0)
    distance = rng.uniform(0, 18, 600)
    features = np.stack([distance + rng.normal(0, 1, 600), rng.normal(size=600)], axis=1).astype(np.float32)
    targets = np.stack([distance, distance**2], axis=1)
    plain, squared = _probes(2, False, features, targets, np.repeat(np.arange(30), 20), 0)
    # Noise of variance 1 on a signal of variance v leaves v / (v + 1).
    v = distance.var()
    assert plain.share.value == pytest.approx(1 / (v + 1), rel=0.15)
    assert plain.share.n == 30
    assert plain.guess == pytest.approx(v, rel=0.05)
    assert squared.loss > 0
    (nothing, _) = _probes(2, True, features[:, 1:], targets, np.repeat(np.arange(30), 20), 0)
    assert nothing.share.value == pytest.approx(1, abs=0.03)
    assert _probes(2, True, features[:10], targets[:10], np.arange(10), 0) == []


@pytest.mark.slow
def test_the_experiment_runs(tmp_path):
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path)
    found = {
        (each.id, each.where["model"], each.where.get("attack")): each
        for each in read_metrics(record.directory)
    }
    assert found["C5.advtrain/attacked_reward", "adversarial 0", "rewarded start"].published == 21
    assert found["C5.advtrain/test_share", "standard 0", None].published == 0.05
    drop = found["C5.advtrain/reward_drop", "1 pairs", "noise"]
    pair = [
        found["C5.advtrain/attacked_reward", f"{kind} 0", "noise"].value
        for kind in ("standard", "adversarial")
    ]
    assert drop.value == pytest.approx(pair[0] - pair[1])
    assert (record.directory / "figures/examples-1.png").exists()
