"""A third-party package: built as a wheel, installed, found by its entry point and run from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.activations.cache_writer import BlockContents, open_for_writing, write_block
from procscope.workbench.cli import main

ROOT = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent / "plugin_package"
MEANS = np.array([[1.0, 1.0], [0.0, 5.0], [2.0, 0.0]])
"""Of each channel where the label is false and where it is true."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The directory that the wheel is installed in."""
    place = tmp_path_factory.mktemp("plugin")
    source = place / "source"
    subprocess.run(["cp", "-r", str(PACKAGE), str(source)], check=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    offline = ["--no-deps", "--no-index"]
    wheel = [
        *pip,
        "wheel",
        *offline,
        "--no-build-isolation",
        "--wheel-dir",
        str(place / "wheels"),
        str(source),
    ]
    subprocess.run(wheel, check=True)
    (built,) = (place / "wheels").glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", str(place / "site"), str(built)], check=True)
    return place / "site"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache of 20 frames in 3 blocks with the channel means of `MEANS`, exactly."""
    directory = tmp_path_factory.mktemp("cache") / "cache"
    arrays = {"activations/conv_out": ArraySpec((3, 2, 2), "float16")}
    source = {"model": {"name": "toy", "weights_hash": "a" * 64}, "seed": 0, "versions": {}}
    spec = CacheSpec(20, 8, arrays, source)
    label = np.arange(20) % 2 == 1
    wiggle = np.array([[-1, 1], [1, -1]])
    maps = MEANS.T[label.astype(int)][:, :, None, None] + wiggle
    with open_for_writing(directory, spec, command="made by a test") as writer:
        for block in range(spec.n_blocks):
            frames = spec.block_slice(block)
            labels = pa.table({"frame": np.arange(20)[frames], "at_decision_square": label[frames]})
            contents = BlockContents({"activations/conv_out": maps[frames].astype(np.float16)}, labels)
            writer.commit(block, write_block(directory, spec, block, contents))
    return directory


@pytest.fixture
def procscope(installed, monkeypatch, capsys):
    """Run a command in this process, as if the package had been installed: (status, output, errors)."""
    monkeypatch.syspath_prepend(str(installed))

    def call(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


def test_it_runs_on_a_cache_from_the_command_line(installed, cache, tmp_path):
    path = os.pathsep.join(filter(None, [str(installed), os.environ.get("PYTHONPATH", "")]))
    command = [sys.executable, "-m", "procscope.workbench.cli", "analyze", "channel-means"]
    done = subprocess.run(
        [*command, "--cache", str(cache), "--out", str(tmp_path)],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (tmp_path / "channel-means").iterdir()
    (metric,) = json.loads((run / "metrics.json").read_text())
    assert metric["value"] == 5.0
    assert metric["where"] == {"channel": 1, "hook_point": "conv_out", "label": "at_decision_square"}
    assert (run / "tables" / "differences.csv").read_text().splitlines()[1:] == ["1,5.0", "2,-2.0", "0,0.0"]
    assert str(run / "report.html") in done.stdout


def test_it_is_listed(procscope):
    status, output, _ = procscope("analyses")
    assert status == 0
    assert "channel-means  Mean of every channel where a label is true" in output


def test_its_options_come_from_its_dataclass(procscope):
    status, output, _ = procscope("analyze", "channel-means", "--help")
    assert status == 0
    for word in ("--cache", "--hook-point", "Whose channels to compare", "--seed", "--out"):
        assert word in output


def test_its_run_repeats(procscope, cache, tmp_path):
    status, _, _ = procscope("analyze", "channel-means", "--cache", cache, "--out", tmp_path)
    assert status == 0
    (run,) = (tmp_path / "channel-means").iterdir()
    status, output, _ = procscope("repeat", run)
    assert status == 0
    assert "all 1 metrics are exactly as" in output


def test_a_users_mistakes_are_told(procscope, cache, tmp_path):
    arguments = ("--cache", cache, "--out", tmp_path)
    status, _, errors = procscope("analyze", "channel-means", *arguments, "--label", "at_decision_squares")
    assert status == 2
    assert "at_decision_square" in errors.splitlines()[-1]
    status, _, errors = procscope("analyze", "chanel-means", *arguments)
    assert status == 2
    assert "Did you mean channel-means" in errors
    status, _, errors = procscope("analyze")
    assert status == 2
    assert "expected a name first" in errors


def test_the_documentation_shows_this_package():
    page = (ROOT / "docs" / "plugins.md").read_text()
    for name in ("src/channel_means/analysis.py", "pyproject.toml"):
        assert (PACKAGE / name).read_text() in page, f"docs/plugins.md shows another {name}"
