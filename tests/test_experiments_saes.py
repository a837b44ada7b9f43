"""The experiments on autoencoders at their smoke scale, and how their autoencoders are named."""

import json
from pathlib import Path

import pytest

from procscope.experiments import pacman_sae, sae_maze
from procscope.experiments.pacman_sae_report import Agent, Studied, live_against_units, regress
from procscope.experiments.sae_study import Trained
from procscope.saes.pacman_study import AgentFound, AgentStudy
from procscope.workbench.experiments import run_experiment
from procscope.workbench.runs import RunRecord


def test_autoencoders_are_named_by_words() -> None:
    assert Trained.of("fc top-k 1024 16") == ("fc", "top-k", 1024, 16, 0)
    assert Trained.of("conv_out l1 128 8 16").positions_per_frame == 16
    for text in ("fc", "fc gated 1024 16", "fc top-k wide 16", "fc top-k 1024 16 2 3"):
        with pytest.raises(ValueError, match="expected a hook point, a kind, a width, k"):
            Trained.of(text)


@pytest.mark.slow
def test_sae_maze_at_smoke(tmp_path: Path) -> None:
    record = run_experiment(sae_maze.EXPERIMENT, "smoke", out=tmp_path)
    metrics = json.loads((record.directory / "metrics.json").read_text())
    ids = {metric["id"] for metric in metrics}
    assert {"sae/fvu", "sae/return", "S4.sae/dead_share", "S4.vis-sae-vs-raw/f1_gain"} <= ids
    assert all(0 < metric["value"] < 1 for metric in metrics if metric["id"] == "sae/fvu")


@pytest.mark.slow
def test_pacman_sae_without_the_studys_agents(tmp_path: Path) -> None:
    record = run_experiment(pacman_sae.EXPERIMENT, "smoke", out=tmp_path)
    metrics = {metric["id"]: metric for metric in json.loads((record.directory / "metrics.json").read_text())}
    assert metrics["S1.dead-features/live"]["n"] == 2048
    assert 0 < metrics["S1.dead-features/live"]["value"] <= 64
    assert "No directory of agents was given (--agents DIR)" in (record.directory / "log.txt").read_text()


def found(live: int, score: float) -> AgentFound:
    return AgentFound(live, 2048, 100, {}, score, 4, score / 2, 4, 0.1, 8.0, 0.9, 0.8)


def test_settings_vary_one_at_a_time() -> None:
    base = AgentStudy(agent="a", k=10, width=512, train_states=1000)
    config = pacman_sae.Config(other_ks=(10, 20), other_widths=(256,), other_train_states=(500,))
    varied = pacman_sae.variations(base, config)
    assert [(one.k, one.width, one.train_states) for one in varied] == [
        (20, 512, 1000),
        (10, 256, 1000),
        (10, 512, 500),
    ]


def test_live_features_against_units_and_scores(tmp_path: Path) -> None:
    record = RunRecord.create(tmp_path, "pacman-sae", {}, "test")
    live = [(64, 30), (64, 40), (128, 80), (128, 70), (256, 150), (256, 160)]
    studied = [
        Studied(Agent(str(i), "", "toy-pacman", units), found(n, 1.0)) for i, (units, n) in enumerate(live)
    ]
    live_against_units(studied, record)
    # A parabola that turns at 100, and a group too small for one.
    regress([found(n, 500 - (n - 100) ** 2 / 10) for n in range(60, 150, 10)], "toy-pacman", 64, record)
    regress([found(n, 1.0 + n) for n in range(3)], "toy-pacman", 128, record)
    metrics = {(one.id.split("/")[1], one.where.get("units")): one for one in record.metrics}
    assert metrics["live_and_units", None].value == pytest.approx(0.9561, abs=1e-3)
    assert metrics["vertex", 64].value == pytest.approx(100)
    assert metrics["curvature", 64].value == pytest.approx(-1000)
    assert metrics["r2", 64].value == pytest.approx(1)
    assert "at least five agents" in record.undefined[0].reason
