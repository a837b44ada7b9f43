"""Adversarial examples, moments of play, adversarial training and the analysis."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.maze import MazeLevel
from procscope.rewardnets import adversarial_training
from procscope.rewardnets.adversarial_analysis import ANALYSIS, AdversarialSettings, starting_moments
from procscope.rewardnets.adversarial_training import AdversarialConfig, train_adversarial
from procscope.rewardnets.attacks import ascend, rewards_of, search_moments, signed_ascent
from procscope.rewardnets.config import RewardConfig
from procscope.rewardnets.moments import Moment, moment_edits, moments_of_play, play_moments, stays_unrewarded
from procscope.rewardnets.network import RewardNetwork, RewardOutput
from procscope.rewardnets.noise import noise_pairs
from procscope.rewardnets.predict import predicted_rewards
from procscope.rewardnets.robustness import ATTACKS, judge
from procscope.rewardnets.splits import Split
from procscope.rewardnets.training import data_hash, train_reward
from procscope.rewardnets.transitions import Transitions, build_transitions
from procscope.workbench.analyses import run_analysis
from procscope.workbench.checkpoints import load_network, read_checkpoint, weights_hash
from procscope.workbench.metrics import read_metrics

POLICY = "maze-easy-topright"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    directory = tmp_path_factory.mktemp("transitions") / "data"
    build_transitions(
        "maze", directory, n_transitions=256, actor="expert", noise=0.1, keep_unrewarded=0.15, num_envs=8
    )
    return Transitions.open(directory)


@pytest.fixture(scope="module")
def config(data):
    reward = RewardConfig(
        data_hash=data_hash(data),
        network_options={"width": 1 / 48, "shrink": 4},
        epochs=4,
        batch_size=64,
        learning_rate=3e-3,
    )
    return AdversarialConfig(reward, first_epoch=3, share=0.02, steps=2)


@pytest.fixture(scope="module")
def corridor():
    """A maze of one row of rooms to the right: mouse at the left, cheese three steps on."""
    walls = np.ones((9, 9), bool)
    walls[0, :] = False
    return MazeLevel.from_array(walls, cheese=(3, 0), mouse=(0, 0))


class Brightness(HookedNetwork):
    """Its reward for action a is a times the mean of the next frame less the frame, from 0 to 1."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(15.0))
        self.rewards = HookPoint()
        self.setup()

    def forward(self, pairs):
        change = (pairs[:, 3:].float() - pairs[:, :3].float()).mean((1, 2, 3)) / 255
        return RewardOutput(self.rewards(change[:, None] * self.weight))


def test_moments_are_what_the_engine_plays(corridor):
    right, left = 7, 1
    moments = [
        Moment(corridor, (right,)),
        Moment(corridor, (right, right)),
        Moment(corridor, (right, right, right)),
        Moment(corridor, (right, right, left, left)),
        Moment(corridor, (right, right, right, right)),
    ]
    played = play_moments(moments)
    assert played.rewards.tolist() == [0, 0, 10, 0, 10]  # the fourth step is in the next level
    assert played.goes_on.tolist() == [True, True, False, True, False]
    assert (
        played.unrewarded.tolist() == stays_unrewarded(moments).tolist() == [True, True, False, True, False]
    )
    engine = Engine(EngineOptions("maze"))
    engine.set_states([corridor.to_state()])
    engine.act(np.array([right]))
    np.testing.assert_array_equal(played.next_frames[0], engine.frames[0])
    np.testing.assert_array_equal(played.frames[1], engine.frames[0])
    np.testing.assert_array_equal(played.next_frames[3], played.frames[0])  # back where it began
    with pytest.raises(ValueError, match="expected 1 to 8 raw actions of 0 to 14; given"):
        Moment(corridor, (15,))
    with pytest.raises(ValueError, match="moments of one game and mode, at least one; given"):
        play_moments([])


def test_moments_of_play_come_shortly_before_an_end():
    moments = moments_of_play(POLICY, range(10**8, 10**8 + 6), seed=1, most_steps=40)
    assert len(moments) == 6
    assert all(len(moment.actions) == 1 for moment in moments)
    steps = [len(moment.level.shortest_path()) - 1 for moment in moments]
    assert play_moments(moments).unrewarded.sum() >= 5
    assert sum(1 <= each <= 13 for each in steps) >= 4  # it solves most mazes, in few steps more than needed
    again = moments_of_play(POLICY, range(10**8, 10**8 + 6), seed=1, most_steps=40)
    assert again == moments


def test_edits_of_moments_change_the_level_or_the_actions_and_not_the_agent(corridor):
    edits = moment_edits("maze")
    assert {"wall-moved", "cheese-moved", "action-changed", "step-added"} <= set(edits)
    assert not {"mouse-moved", "played-on"} & set(edits)
    moment, rng = Moment(corridor, (7, 7)), np.random.default_rng(0)
    longer, shorter = edits["step-added"](moment, rng), edits["step-dropped"](moment, rng)
    assert (len(longer.actions), shorter.actions, longer.level) == (3, (7,), corridor)
    moved = edits["cheese-moved"](moment, rng)
    assert moved.actions == moment.actions
    assert moved.level.mouse == corridor.mouse
    with pytest.raises(ValueError, match="1 to 8 raw actions"):
        edits["step-dropped"](shorter, rng)


def test_a_search_finds_what_a_network_likes_without_reward(corridor):
    """The network likes bright next frames, so backgrounds and moves are chosen; no true reward is earned."""
    network = RewardNetwork(width=1 / 96, shrink=8)
    found = search_moments(network, [Moment(corridor, (7,))], seed=0, rounds=6, children=4)
    assert found.scores[0] > found.history[0, 0]
    assert play_moments(found.best).unrewarded.all()
    played = play_moments(found.best)
    rewards = predicted_rewards(network, played.frames, played.next_frames)
    assert rewards[0, played.actions[0]] == pytest.approx(found.scores[0], rel=1e-5)


@pytest.mark.parametrize("attack", [ascend, signed_ascent])
def test_attacks_reach_what_the_bound_allows(attack):
    """Of a linear network the best change within the bound is known: the bound, everywhere, up and down."""
    rng = np.random.default_rng(0)
    pairs = rng.integers(100, 150, (3, 64, 64, 6), dtype=np.uint8)
    network, actions = Brightness(), np.array([5, 10, 14])
    found = attack(network, pairs, actions, steps=30, bound=0.1)
    gained = found.rewards - found.rewards_before
    most = actions * 2 * 0.1
    assert (gained <= most * 1.03).all()
    assert (gained >= most * 0.75).all()  # shifts push some pixels of the edge out of the picture
    change = np.abs(found.pairs.astype(int) - pairs)
    assert change.max() <= np.ceil(0.1 * 255)
    np.testing.assert_allclose(found.rewards, rewards_of(network, found.pairs, actions))
    np.testing.assert_allclose(found.rewards_before, rewards_of(network, pairs, actions))


def test_noise_is_of_the_text():
    """Normal with mean 0.5 and deviation 1, clipped: 30.9% of the numbers at either end."""
    same = noise_pairs(4, "same", np.random.default_rng(0))
    np.testing.assert_array_equal(same.frames, same.next_frames)
    frames, next_frames = noise_pairs(4, "different", np.random.default_rng(0))
    assert (frames == 255).mean() == pytest.approx(0.309, abs=0.01)
    assert (frames == 0).mean() == pytest.approx(0.309, abs=0.01)
    assert np.corrcoef(frames.ravel(), next_frames.ravel())[0, 1] == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="at least one pair, different or same; given 0"):
        noise_pairs(0, "same", np.random.default_rng(0))


def test_examples_join_from_the_epoch_on_and_gradients_are_clipped(data, config, tmp_path):
    path = train_adversarial(config, data, tmp_path)
    n_train = int(data.of(Split.TRAIN).sum())
    made = round(0.02 * n_train)
    rows = [line.split(",") for line in (tmp_path / "adversarial.csv").read_text().splitlines()[1:]]
    assert [float(row[1]) for row in rows] == [0, 0, made, made]
    assert float(rows[1][5]) == 0  # nothing is clipped before
    header = read_checkpoint(path).header
    assert header.training["method"] == adversarial_training.METHOD
    assert header.training["adversarial"]["first_epoch"] == 3
    state = adversarial_training.read_state(tmp_path, config)
    assert state is not None
    assert len(state.tensors["pairs"]) == 2 * made
    assert state.tensors["actions"].tolist() == [number % 15 for number in range(made)] * 2


def test_a_batch_is_learned_from_with_its_examples_at_reward_0_and_clipped(data, config):
    training = adversarial_training._Training.read(
        config, data, directory=__import__("pathlib").Path("/nowhere")
    )
    batch = next(data.batches(Split.TRAIN, 8))
    training.pairs = torch.from_numpy(batch.pairs[:2].copy())
    training.actions = torch.tensor([3, 4])
    network = training.trainer.network
    pairs = torch.from_numpy(np.concatenate([batch.pairs, batch.pairs[:2]])).permute(0, 3, 1, 2)
    taken = torch.tensor([*batch.actions.tolist(), 3, 4])
    true = torch.tensor([*batch.rewards.tolist(), 0.0, 0.0])
    errors = (network(pairs).rewards.gather(1, taken[:, None])[:, 0] - true) ** 2
    gradients = torch.autograd.grad(errors.mean(), list(network.parameters()))
    norm = float(torch.sqrt(sum((each**2).sum() for each in gradients)))
    training.limit = norm / 10
    loss = training._step(batch, np.array([0, 1]))
    assert loss == pytest.approx(float(errors[:8].mean()), rel=1e-5)
    assert training.norms == [pytest.approx(norm, rel=1e-4)]
    clipped = torch.sqrt(sum((weight.grad**2).sum() for weight in network.parameters()))
    assert float(clipped) == pytest.approx(norm / 10, rel=1e-3)


def test_a_stopped_training_goes_on_as_if_nothing_had_happened(data, config, tmp_path, monkeypatch):
    whole = train_adversarial(config, data, tmp_path / "whole")
    real = adversarial_training._Training.write

    def write_and_stop(training, directory):
        real(training, directory)
        raise KeyboardInterrupt

    monkeypatch.setattr(adversarial_training._Training, "write", write_and_stop)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train_adversarial(config, data, tmp_path / "parts")
    monkeypatch.setattr(adversarial_training._Training, "write", real)
    parts = train_adversarial(config, data, tmp_path / "parts")
    assert weights_hash(read_checkpoint(parts).tensors) == weights_hash(read_checkpoint(whole).tensors)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"first_epoch": 1},
            "from 2 to the last, 4: the one before tells where gradients are clipped; given 1",
        ),
        ({"first_epoch": 5}, "given 5"),
        ({"share": 0.0}, "a share in .0, 1., a percentile in"),
        ({"steps": 0}, "steps and candidates of at least 1"),
    ],
)
def test_what_cannot_be_trained_is_refused(config, change, message):
    with pytest.raises(ValueError, match=message):
        replace(config, **change)


def test_attacks_refuse_what_is_no_attack(data):
    network, pairs = RewardNetwork(width=1 / 96, shrink=8), np.zeros((2, 64, 64, 6), np.uint8)
    with pytest.raises(ValueError, match="an action for each transition, at least one; given 0 for 0"):
        ascend(network, pairs[:0], np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="a bound above 0 and at most 1"):
        signed_ascent(network, pairs, np.array([0, 0]), bound=0.0)
    with pytest.raises(ValueError, match=r"expected attacks of rewarded start, .*; given hypnosis"):
        judge(network, data, [], attacks=["hypnosis"])


@pytest.fixture(scope="module")
def standard(data, config, tmp_path_factory):
    reward = replace(config.reward, epochs=1)
    return train_reward(reward, data, tmp_path_factory.mktemp("standard"))


@pytest.mark.slow
def test_the_analysis_leaves_a_retrained_network_and_a_comparison(data, standard, tmp_path):
    settings = AdversarialSettings(
        str(standard),
        epochs=2,
        first_epoch=2,
        share=0.02,
        steps=2,
        examples=2,
        levels=2,
        rounds=1,
        policy=POLICY,
    )
    record, result = run_analysis("adversarial", ANALYSIS, str(data.cache.path), settings, out=tmp_path)
    assert set(result.adversarial.attacked) == set(ATTACKS)
    retrained = load_network(result.path)
    assert retrained.header.options == load_network(str(standard)).header.options
    found = {
        (each.id, each.where.get("attack"), each.where["model"]) for each in read_metrics(record.directory)
    }
    assert ("C5.advtrain/attacked_reward", "level search", "retrained") in found
    networks = json.loads((record.directory / "report.json").read_text())["networks"]
    assert [network["training"] for network in networks] == ["standard", "adversarial"]
    assert (record.directory / "figures/attacks.png").exists()
    moments = starting_moments("maze", settings)
    assert play_moments(moments).unrewarded.all()


def test_the_analysis_refuses_what_is_no_reward_network(data, tmp_path):
    for settings, message in (
        (AdversarialSettings(), "a reward network to attack: name it, or give its path, with --model"),
        (AdversarialSettings(POLICY), "expected a reward network; maze-easy-topright is of the architecture"),
    ):
        with pytest.raises(ValueError, match=message):
            run_analysis("adversarial", ANALYSIS, str(data.cache.path), settings, out=tmp_path)
    with pytest.raises(ValueError, match="a policy to play maze with: name it with --policy, or --levels 0"):
        starting_moments("maze", AdversarialSettings())
