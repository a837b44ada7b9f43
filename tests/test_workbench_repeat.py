"""Running experiments from the command line, and running a recorded run again."""

import dataclasses
import json

import pytest
from fake_package import install_fake_package

from procscope.workbench.cli import main
from procscope.workbench.experiments import Experiment, load_experiment, run_experiment
from procscope.workbench.metrics import Metric
from procscope.workbench.repeat import differences, repeat

SOURCE = '''
"""A toy experiment: the mean of random numbers."""
import os
from dataclasses import dataclass
import numpy as np
from procscope.workbench.experiments import Experiment

@dataclass(frozen=True)
class Config:
    draws: int = 10
    """Numbers to draw."""
    names: tuple[str, ...] = ("a", "b")

def run(config, record):
    rng = np.random.default_rng(record.seed)
    for name in config.names:
        value = rng.random(config.draws).mean() + float(os.environ.get("TOY_DRIFT", "0"))
        record.metric("toy/mean", value, {"name": name}, n=config.draws)
    if config.draws == 13:
        raise RuntimeError("out of luck")

EXPERIMENT = Experiment("toy-means", "What is the mean?", (), {"smoke": Config(), "small": Config(1000)}, run)
BROKEN = 3
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    entry_points = {
        "procscope.experiments": {"toy-means": "toy_means:EXPERIMENT", "toy-broken": "toy_means:BROKEN"}
    }
    install_fake_package(tmp_path / "site", monkeypatch, {"toy_means": SOURCE}, entry_points)
    return load_experiment("toy-means")


def only_run(out):
    (directory,) = (path for path in (out / "toy-means").iterdir() if path.name != "members")
    return directory


def test_run_writes_where_it_is_told(toy, tmp_path, capsys):
    command = ["run", "toy-means", "--scale", "smoke", "--seed", "3", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    directory = only_run(tmp_path / "out")
    assert f"report: {directory / 'report.html'}" in capsys.readouterr().out
    config = json.loads((directory / "config.json").read_text())
    assert config["command"] == f"procscope {' '.join(command)}"
    assert config["config"] == {"draws": 10, "names": ["a", "b"]}
    assert (config["scale"], config["seed"]) == ("smoke", 3)


def test_the_configs_fields_are_options(toy, tmp_path, capsys):
    assert main(["run", "toy-means", "--names", "x", "y", "z", "--draws", "5", "--out", str(tmp_path)]) == 0
    config = json.loads((only_run(tmp_path) / "config.json").read_text())
    assert config["config"] == {"draws": 5, "names": ["x", "y", "z"]}
    capsys.readouterr()
    assert main(["run", "toy-means", "--scale", "small", "--help"]) == 0
    output = capsys.readouterr().out
    assert "Numbers to draw" in output
    assert "1000" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "expected a name first"),
        (["run", "--scale", "smoke"], "expected a name first"),
        (["run", "toy-mean"], "Did you mean toy-means"),
        (["run", "toy-means", "--scale", "paper"], "has no scale 'paper'"),
        (["run", "toy-broken"], "expected an Experiment"),
        (["repeat", "nowhere"], "expected the directory of a run"),
    ],
)
def test_mistakes_are_told(toy, capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_experiments_are_listed(toy, capsys):
    assert main(["experiments"]) == 0
    output = capsys.readouterr().out
    assert "toy-means  (smoke, small)\n    What is the mean?" in output
    assert "toy-broken\n    not available" in output


def test_a_run_that_fails_says_so_and_is_not_finished(toy, tmp_path):
    with pytest.raises(RuntimeError, match="out of luck"):
        run_experiment(toy, "smoke", out=tmp_path, config=dataclasses.replace(toy.config("smoke"), draws=13))
    directory = only_run(tmp_path)
    assert "stopped by RuntimeError: out of luck" in (directory / "log.txt").read_text()
    assert not (directory / "metrics.json").exists()


def test_a_repeated_run_agrees_exactly(toy, tmp_path, capsys):
    config = dataclasses.replace(toy.config("smoke"), draws=7)
    record = run_experiment(toy, "smoke", seed=5, out=tmp_path, config=config)
    comparison = repeat(record.directory, tmp_path / "again")
    assert comparison.compared == 2
    assert comparison.differences == ()
    assert comparison.surroundings == ()
    assert main(["repeat", str(record.directory)]) == 0
    assert "all 2 metrics are exactly as in" in capsys.readouterr().out


def test_a_number_that_differs_in_the_last_bit_is_told(toy, tmp_path, capsys, monkeypatch):
    record = run_experiment(toy, "smoke", seed=5, out=tmp_path)
    monkeypatch.setenv("TOY_DRIFT", "1e-16")
    assert main(["repeat", str(record.directory), "--out", str(tmp_path / "again")]) == 1
    output = capsys.readouterr().out
    assert 'differs: toy/mean {"name": ' in output
    assert "of 2 metrics differ; the second run is in" in output


def test_what_differs_in_the_surroundings_is_told(toy, tmp_path):
    record = run_experiment(toy, "smoke", out=tmp_path)
    path = record.directory / "config.json"
    config = json.loads(path.read_text())
    config["versions"]["numpy"] = "1.0"
    config["python"] = "2.7"
    path.write_text(json.dumps(config))
    changes = repeat(record.directory, tmp_path / "again").surroundings
    assert any(change.startswith("numpy 1.0, now ") for change in changes)
    assert any(change.startswith("python 2.7, now ") for change in changes)


def test_differences_by_hand():
    def metric(name, value, n=4, published=None):
        return Metric("t/x", {"name": name}, value, None, None, n, "1", published)

    first = [metric("same", 1.0), metric("other", 1.0), metric("n", 1.0), metric("gone", 1.0)]
    second = [
        metric("new", 2.0),
        metric("n", 1.0, n=5),
        metric("other", 1.5),
        metric("same", 1.0, published=9.0),
    ]
    found = {
        (json.loads(d.metric.removeprefix("t/x "))["name"], d.field, d.first, d.second)
        for d in differences(first, second)
    }
    assert found == {
        ("other", "value", 1.0, 1.5),
        ("n", "n", 4, 5),
        ("gone", "value", 1.0, None),
        ("new", "value", None, 2.0),
    }


def test_an_experiment_is_checked_when_it_is_made():
    @dataclasses.dataclass(frozen=True)
    class Seeded:
        seed: int = 0

    @dataclasses.dataclass
    class Thawed:
        levels: int = 0

    with pytest.raises(ValueError, match="named like options of the command: seed"):
        Experiment("x", "?", (), {"smoke": Seeded()}, lambda config, record: None)
    with pytest.raises(ValueError, match="frozen dataclass"):
        Experiment("x", "?", (), {"smoke": Thawed()}, lambda config, record: None)
    with pytest.raises(ValueError, match="expected scales among"):
        Experiment("x", "?", (), {"huge": Seeded()}, lambda config, record: None)
