"""The experiments on autoencoders at their smoke scale, and how their autoencoders are named."""

import json
from pathlib import Path

import pytest

from procscope.experiments import pacman_sae, sae_maze
from procscope.experiments.sae_study import Trained
from procscope.workbench.experiments import run_experiment


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
