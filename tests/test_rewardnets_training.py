"""Training a reward network: it learns, it resumes exactly, it stops early, its file says what it is."""

import dataclasses

import numpy as np
import pytest
import torch

import procscope.rewardnets.training as training
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.scores import score
from procscope.rewardnets.splits import Split
from procscope.rewardnets.trainer import RewardTrainer, taken_loss
from procscope.rewardnets.training import data_hash, train_reward
from procscope.rewardnets.transitions import Transitions, build_transitions
from procscope.workbench.checkpoints import load_network, read_checkpoint, weights_hash


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Thinned transitions of some 60 mazes."""
    directory = tmp_path_factory.mktemp("transitions") / "data"
    build_transitions(
        "maze", directory, n_transitions=256, actor="expert", noise=0.1, keep_unrewarded=0.15, num_envs=8
    )
    return Transitions.open(directory)


@pytest.fixture(scope="module")
def config(data):
    return RewardConfig(
        data_hash=data_hash(data),
        network_options={"width": 1 / 48, "shrink": 4},
        epochs=3,
        batch_size=32,
        learning_rate=3e-3,
    )


def _weights(path):
    return weights_hash(read_checkpoint(path).tensors)


def test_loss_is_of_the_action_taken():
    rewards = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    loss = taken_loss(rewards, torch.tensor([1, 0]), torch.tensor([0.0, 1.0]))
    assert loss.item() == pytest.approx((2**2 + 2**2) / 2)


def test_training_resumes_exactly_from_within_an_epoch(data, config, tmp_path, monkeypatch):
    whole = train_reward(config, data, tmp_path / "whole")
    # Every commit is after one step, and each call stops after its first commit.
    monkeypatch.setattr(training, "MINUTES_BETWEEN_COMMITS", 0.0)
    calls = 0
    while (
        not (path := tmp_path / "parts/curve.csv").exists() or len(path.read_text().splitlines()) < 4
    ) and calls < 60:
        parts = train_reward(config, data, tmp_path / "parts", max_minutes=1e-9 if calls % 2 else 1e-4)
        calls += 1
    assert calls > 3
    assert _weights(parts) == _weights(whole)
    rows = [
        [line.split(",")[:-1] for line in (tmp_path / name / "curve.csv").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert rows[0] == rows[1]


def test_an_epoch_sees_every_transition_once_and_first_losses_are_recorded(data, config, tmp_path):
    header = read_checkpoint(train_reward(config, data, tmp_path / "run")).header
    per_epoch = int(data.of(Split.TRAIN).sum())
    assert header.training["frames"] == 3 * per_epoch
    assert len(header.training["first_losses"]) == min(100, 3 * -(-per_epoch // 32))
    assert header.game == "maze"
    assert header.training["transitions"]["actor"]["name"] == "expert"
    loaded = load_network(tmp_path / "run/network.safetensors")
    again = score(loaded.network, data, Split.VALIDATION)
    assert again.loss == pytest.approx(
        float((tmp_path / "run/curve.csv").read_text().splitlines()[-1].split(",")[3]), rel=1e-4
    )


def test_scores_against_hand_made_sums(data, config):
    class Constant(torch.nn.Module):
        takes_pairs = True

        def __init__(self):
            super().__init__()
            self.value = torch.nn.Parameter(torch.tensor(2.0))

        def forward(self, pairs):
            return type("Output", (), {"rewards": self.value.expand(len(pairs), 15)})

    found = score(Constant(), data)
    rewards = data.rewards[data.of(Split.TEST)]
    assert found.loss == pytest.approx(((rewards - 2) ** 2).mean())
    mean = data.rewards[data.of(Split.TRAIN)].mean()
    assert found.floor == pytest.approx(((rewards - mean) ** 2).mean())
    weights = data.column("weight")[data.of(Split.TEST)].astype(float)
    assert found.loss_as_played == pytest.approx((weights * (rewards - 2) ** 2).sum() / weights.sum())
    assert found.correlation == 0
    assert sum(event.n for event in found.events) == found.n == len(rewards)
    (reached,) = (event for event in found.events if event.event == "goal reached")
    assert (reached.reward, reached.predicted, reached.deviation) == (10, 2, 0)


def test_patience_stops_and_keeps_the_best(data, config, tmp_path):
    patient = dataclasses.replace(config, patience=1, epochs=12, learning_rate=0.05)
    path = train_reward(patient, data, tmp_path / "run")
    lines = [line.split(",") for line in (tmp_path / "run/curve.csv").read_text().splitlines()[1:]]
    validation = [float(line[3]) for line in lines]
    best = int(np.argmin(validation))
    assert len(validation) == min(12, best + 2)
    assert score(load_network(path).network, data, Split.VALIDATION).loss == pytest.approx(
        validation[best], rel=1e-4
    )


@pytest.mark.slow
def test_a_network_learns_to_see_the_reward(data, config, tmp_path):
    longer = dataclasses.replace(
        config, epochs=80, network_options={"width": 1 / 16, "shrink": 2}, batch_size=16
    )
    found = score(load_network(train_reward(longer, data, tmp_path / "run")).network, data, Split.TRAIN)
    assert found.loss < 0.5 * found.floor
    assert found.correlation > 0.7


def test_bad_input(data, config, tmp_path):
    with pytest.raises(ValueError, match="expected at least 1 of epochs"):
        RewardConfig(epochs=0)
    with pytest.raises(ValueError, match="learning rate above 0"):
        RewardConfig(learning_rate=0.0)
    short = dataclasses.replace(config, epochs=1)
    train_reward(short, data, tmp_path / "run", max_minutes=0.0)
    with pytest.raises(ValueError, match="holds a run with another config"):
        train_reward(dataclasses.replace(short, learning_rate=1.0), data, tmp_path / "run")
    assert RewardTrainer.start(short, data).steps_per_epoch > 1
