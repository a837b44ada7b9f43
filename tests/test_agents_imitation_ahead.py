"""Rounds made ahead of learning: the samples of the network one round earlier, whatever interrupts the run."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from procscope.agents.imitation.ahead import Ahead
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.sources import source_of
from procscope.agents.imitation.training import train_imitation
from procscope.agents.networks.impala import Impala


@pytest.fixture
def config(tiny_options):
    return ImitationConfig(**tiny_options, ahead=True)


def same(round_samples, others) -> bool:
    return all(
        np.array_equal(column, other)
        for part, expected in zip(round_samples, others, strict=True)
        for column, other in zip(part[:3], expected[:3], strict=True)
    )


@pytest.mark.slow
def test_a_round_is_played_by_the_network_before_the_last_round(config):
    networks = []
    for seed in range(3):
        torch.manual_seed(seed)
        networks.append(Impala((4, 4, 4), hidden=16))
    here, ahead = source_of(config), Ahead(config)
    expected = [here.samples(number, networks[max(0, number - 1)]) for number in range(3)]
    assert len(expected[2].own.actions) > 100
    assert same(ahead.samples(0, networks[0]), expected[0])
    assert same(ahead.samples(1, networks[1]), expected[1])
    memory = ahead.memory()
    ahead.close()
    later = Ahead(config)
    later.recall(memory)
    assert same(later.samples(2, networks[2]), expected[2])
    assert later.memory().keys() >= {f"acting.{name}" for name in networks[0].state_dict()}
    later.close()
    here.close()


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_undisturbed_one(config, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_imitation(config, whole)
    train_imitation(config, parts, max_rounds=2)
    train_imitation(config, parts)
    expected, found = (load_file(run / "trainer.safetensors") for run in (whole, parts))
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[name], found[name]) for name in expected if name != "curve")


def test_what_goes_wrong_there_is_raised_here(tiny_options):
    source = Ahead(ImitationConfig(**tiny_options | {"static_rounds": 0.0}, ahead=True))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        source.samples(0, torch.nn.Linear(1, 1))
    assert source._process is None


def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    """Also if that is killed."""
    script = (
        "import os; from procscope.agents.imitation.ahead import Ahead;"
        "from procscope.agents.imitation.config import ImitationConfig;"
        "source = Ahead(ImitationConfig()); source._start(); print(source._process.pid, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    child = Path("/proc") / told.stdout.strip()
    deadline = time.monotonic() + 60
    while child.exists() and "State:\tZ" not in (child / "status").read_text():
        assert time.monotonic() < deadline, "it lives on"
        time.sleep(0.2)
