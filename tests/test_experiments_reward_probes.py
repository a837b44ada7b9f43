"""reward-probes: its numbers by hand, and a run on a tiny network."""

import json

import numpy as np
import pytest

from procscope.experiments.reward_probes_report import NetworkProbes, _lead, _least, _of_best_baseline
from procscope.experiments.reward_probes_study import LAYERS, ProbeScore, quantities_of
from procscope.probes.scores import Score
from procscope.rewardnets.network import RewardNetwork
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.cli import main


@pytest.fixture(scope="module")
def probes():
    """Forty levels of one frame each, on which every probe's squared error is known."""

    def score(error):
        sums = np.tile([1.0, 0.0, 4.0, error, 4.0], (40, 1))
        return Score(sums, 0, 40)

    errors = {1: 3.0, 2: 1.0, 3: 2.0, 4: 4.0}
    return NetworkProbes(
        "tiny",
        "15 epochs",
        "coinrun",
        [
            ProbeScore(weights, "all", layer, quantity, score(error if weights == "trained" else 3.2))
            for quantity in quantities_of("coinrun", "all")
            for layer, error in errors.items()
            for weights in ("trained", "untrained")
        ],
    )


def test_numbers_by_hand(probes):
    rng = np.random.default_rng(0)
    # Guessing costs 4, the untrained network's probe 3.2.
    assert _of_best_baseline(probes, "all", 2, "distance", rng).value == pytest.approx(1 / 3.2)
    assert _least(probes, "all", rng).value == pytest.approx(1 / 3.2)
    # Layer 2 has 1/4 of guessing's error, the best other layer, 3, has 2/4.
    assert _lead(probes, "all", rng).value == pytest.approx(0.25)


def test_other_games_are_refused():
    with pytest.raises(ValueError, match="expected a reward network of coinrun or heist"):
        quantities_of("maze", "all")


@pytest.mark.slow
def test_smoke(tmp_path):
    header = CheckpointHeader(
        "reward-network",
        {"width": 1 / 48, "shrink": 4},
        {"game": "coinrun", "mode": "easy"},
        training={"method": "none", "config": {"epochs": 15}},
    )
    network = RewardNetwork(width=1 / 48, shrink=4)
    save_checkpoint(tmp_path / "tiny.safetensors", network, header)
    asked = ["run", "reward-probes", "--scale", "smoke", "--models", str(tmp_path / "tiny.safetensors")]
    assert main([*asked, "--transitions", "1024", "--out", str(tmp_path / "runs")]) == 0
    (run,) = (tmp_path / "runs/reward-probes").glob("2*")
    metrics = json.loads((run / "metrics.json").read_text())
    losses = [metric for metric in metrics if metric["id"] == "C5.probe-coinrun/test_loss"]
    assert len(losses) == 2 * 4 * len(LAYERS)
    assert all(metric["published"] is not None for metric in losses)
    assert (run / "report.html").stat().st_size > 10_000
