"""Running an experiment over a training's film: each checkpoint once, its numbers by the frames learned from."""

import json

import pandas as pd
import pytest
import torch
from fake_package import install_fake_package

from procscope.agents.networks.impala import Impala
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.cli import main
from procscope.workbench.experiments import run_experiment
from procscope.workbench.film import Still, film, still_path
from procscope.workbench.metrics import Metric
from procscope.workbench.over_training import EXPERIMENT, Moment, chosen, lines
from procscope.workbench.repeat import repeat

OPTIONS = {"widths": [1, 1, 1], "hidden": 1}
SOURCE = '''
"""A toy experiment: the sum of a network's last biases."""
from dataclasses import dataclass
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.statistics import Interval

@dataclass(frozen=True)
class Config:
    models: tuple[str, ...] = ("one", "two")
    times: float = 1.0

@dataclass(frozen=True)
class Nameless:
    draws: int = 1

def run(config, record):
    for model in config.models:
        loaded = load_network(model)
        record.log("measuring")
        value = config.times * float(loaded.network.state_dict()["policy_head.bias"].sum())
        for side in ("left", "right"):
            record.metric("toy/sum", Interval(value, value - 1, value + 1, 5), {"model": model, "side": side})

EXPERIMENT = Experiment("toy-sums", "What is the sum?", (), {"smoke": Config()}, run)
NAMELESS = Experiment("toy-nameless", "What?", (), {"smoke": Nameless()}, lambda config, record: None)
'''


@pytest.fixture
def toys(tmp_path, monkeypatch):
    entries = {"toy-sums": "toy_sums:EXPERIMENT", "toy-nameless": "toy_sums:NAMELESS"}
    install_fake_package(
        tmp_path / "site", monkeypatch, {"toy_sums": SOURCE}, {"procscope.experiments": entries}
    )


@pytest.fixture
def training(tmp_path):
    """A film whose network after n frames has last biases of n / 15 each."""
    run = tmp_path / "training"
    for frames in (0, 10, 20, 30, 40):
        network = Impala((1, 1, 1), hidden=1)
        torch.nn.init.constant_(network.policy_head.bias, frames / 15)
        path = still_path(run, frames) if frames < 40 else run / "network.safetensors"
        save_checkpoint(path, network, CheckpointHeader("impala", OPTIONS, training={"frames": frames}))
    return run


@pytest.mark.slow
def test_every_checkpoint_is_measured_once(toys, training, tmp_path, capsys):
    command = ["run", "toy-sums", "--scale", "smoke", "--times", "2", "--out", str(tmp_path / "out")]
    command += ["--over-training", str(training), "--stills", "3"]
    for _ in range(2):
        assert main(command) == 0
    first, second = sorted((tmp_path / "out" / "over-training").glob("2*"))
    for run in (first, second):
        found = {
            (row["where"]["frames"], row["where"]["side"]): (row["value"], row["ci_low"], row["n"])
            for row in json.loads((run / "metrics.json").read_text())
        }
        assert found == {
            (frames, side): pytest.approx((2 * frames, 2 * frames - 1, 5))
            for frames in (0, 20, 40)
            for side in ("left", "right")
        }
    table = pd.read_csv(first / "tables" / "over-training.csv")
    assert table.frames.tolist() == [0, 0, 20, 20, 40, 40]
    assert table["where"].tolist() == ["side left", "side right"] * 3
    assert (first / "figures" / "toy-sum.png").exists()
    assert len(list((tmp_path / "out" / "toy-sums").glob("2*"))) == 3, "the second time, all were kept"
    assert repeat(first).differences == ()


def test_mistakes_are_told(toys, training, tmp_path, capsys):
    for arguments, message in (
        (["toy-sums", "--stills", "3"], "expected --over-training DIRECTORY beside --stills"),
        (["toy-sums", "--over-training", str(training), "--stills", "1"], "at least two checkpoints"),
        (["toy-sums", "--over-training", str(tmp_path)], "expected the directory of a training"),
        (["toy-sums", "--over-training", "no-such"], "unknown model 'no-such'"),
        (["toy-nameless", "--over-training", str(training)], "in a field `models` or `model`"),
    ):
        assert main(["run", *arguments, "--scale", "smoke", "--out", str(tmp_path / "out")]) == 2
        assert message in capsys.readouterr().err


def test_the_first_and_the_last_checkpoint_are_always_among_the_chosen(training):
    stills = film(training)
    assert [still.frames for still in chosen(stills, 0)] == [0, 10, 20, 30, 40]
    assert [still.frames for still in chosen(stills, 2)] == [0, 40]
    assert [still.frames for still in chosen(stills, 9)] == [0, 10, 20, 30, 40]
    assert chosen(stills, 3)[1] == Still(20, still_path(training, 20))


def test_what_only_some_checkpoints_have_is_not_drawn():
    def moment(frames: int, *channels: int) -> Moment:
        return Moment(
            frames,
            [
                Metric("toy/sum", {"model": str(frames), "channel": c}, frames, None, None, None, "1")
                for c in channels
            ],
        )

    drawn = lines([moment(0, 3), moment(1, 3, 4), moment(2, 5), moment(4, 3)])
    (line,) = drawn["toy/sum (1)"]
    assert (line.label, line.frames) == ("channel 3", [0, 1, 4])


def test_the_experiment_says_what_it_lacks(tmp_path):
    with pytest.raises(ValueError, match=r"unknown experiment ''\. Known: .*over-training"):
        run_experiment(EXPERIMENT, "smoke", out=tmp_path)
