"""Imitation of frames in a row: whole games, memory carried as in play, runs that an interruption does not change."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from procscope.activations.memory import PolicyMemory
from procscope.agents.evaluate import evaluate_model
from procscope.agents.imitation.config import ImitationConfig
from procscope.agents.imitation.run_files import read_trainer
from procscope.agents.imitation.sequence_lessons import sequence_lessons
from procscope.agents.imitation.sequence_source import LONGEST_IDLE_STEPS, SequenceSource
from procscope.agents.imitation.sequences import SEQUENCE_FRAMES
from procscope.agents.imitation.trainer import Trainer
from procscope.agents.imitation.training import first_losses, train_imitation
from procscope.agents.networks.drc import Drc
from procscope.agents.networks.impala import Impala
from procscope.workbench.checkpoints import load_network, read_checkpoint
from procscope.workbench.cli import main

OPTIONS = {"channels": 4, "layers": 1, "ticks": 2, "map_size": 8, "hidden": 16}
CONFIG = ImitationConfig(
    variant=("size-up-to:5", "cheese-anywhere"),
    network="drc",
    network_options=OPTIONS,
    frames=1024,
    round_frames=512,
    batch_size=64,
    own_games=16,
    static_rounds=0.5,
    own_share=0.5,
)


@pytest.fixture(scope="module")
def network() -> Drc:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Drc(**OPTIONS)


@pytest.fixture(scope="module")
def played(network):
    return SequenceSource(CONFIG).samples(1, network)


def test_a_round_depends_on_its_number_alone(network, played):
    again = SequenceSource(CONFIG).samples(1, network)
    for one, other in zip(played, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert played.is_own.sum() == 8
    assert played.actions.shape == (32, 16)


def test_first_rounds_in_the_maze_are_single_frames_of_many_levels(network):
    alone = SequenceSource(CONFIG).samples(0, network)
    assert alone.first.all()
    assert not alone.is_own.any()
    assert alone.actions.shape == (SEQUENCE_FRAMES, 64)
    assert alone.steps_to_goal.min() >= 1
    frames = alone.frames.reshape(512, -1)
    assert len(np.unique(frames, axis=0)) > 450, "the mouse stands anywhere, in many mazes"
    again = SequenceSource(CONFIG).samples(0, network)
    np.testing.assert_array_equal(alone.frames, again.frames)
    heist = dataclasses.replace(CONFIG, game="heist", variant=())
    assert not SequenceSource(heist).samples(0, network).first.all(), "games from the first round on"


def test_frames_follow_one_another_and_the_labels_say_where_to(played):
    """A step moves the mouse alone, and by a cell at most; a first frame is of another level."""
    assert played.first[0].all()
    changed = (played.frames[1:] != played.frames[:-1]).any(axis=4).mean(axis=(2, 3))
    begins = played.first[1:]
    assert begins.sum() > 16, "small mazes: many episodes"
    assert changed[~begins].max() < 0.05 < changed[begins].mean()
    closer = played.steps_to_goal[:-1] - played.steps_to_goal[1:]
    assert abs(closer[~begins]).max() == 1
    expert = ~played.is_own & ~begins
    assert 0.6 < (closer[expert] == 1).mean() < 1, "it slips now and then"
    assert (played.steps_to_goal[:-1][begins & ~played.is_own] == 1).mean() > 0.8, (
        "its episodes end at the goal"
    )
    assert set(np.unique(played.actions)) <= {1, 3, 5, 7}
    assert played.steps_to_goal.min() >= 1


def test_a_game_without_anything_new_goes_on_to_the_next_level():
    class Stays(Drc):
        def forward(self, frames, state=None, first=None):
            output = super().forward(frames, state, first)
            logits = torch.full_like(output.logits, -60)
            logits[:, 4] = 0
            return output._replace(logits=logits)

    config = dataclasses.replace(
        CONFIG, static_rounds=0.0, own_share=1.0, remembered_share=0.0, round_frames=1024
    )
    played = SequenceSource(config).samples(0, Stays(**OPTIONS))
    assert played.first.shape == (64, 16)
    assert (np.flatnonzero(played.first.all(axis=1)) == np.arange(0, 64, LONGEST_IDLE_STEPS + 1)).all()


def test_lessons_are_what_the_network_would_say_in_play(network, played):
    config = dataclasses.replace(CONFIG, batch_size=16 * SEQUENCE_FRAMES)
    with torch.no_grad():
        lessons = list(sequence_lessons(config, network, played, 1))
    memory = PolicyMemory(network, 16)
    expected = [memory.logits(*step) for step in zip(played.frames, played.first, strict=True)]
    assert len(lessons) == 4
    for number, lesson in enumerate(lessons):
        steps = slice(number * SEQUENCE_FRAMES, (number + 1) * SEQUENCE_FRAMES)
        wanted = np.concatenate(expected[steps])
        found = lesson.logits.numpy()
        assert found.shape == (128, 15)
        for rows in (wanted, found):
            rows[:] = rows[np.lexsort(rows.round(3).T)]
        np.testing.assert_allclose(found.sum(axis=0), wanted.sum(axis=0), atol=1e-3)
        np.testing.assert_array_equal(
            np.bincount(lesson.actions, minlength=15),
            np.bincount(played.actions[steps].ravel(), minlength=15),
        )
        assert lesson.is_own.sum() == 8 * SEQUENCE_FRAMES
        nearest = played.steps_to_goal[steps].min()
        assert lesson.returns.max() == pytest.approx(10 * 0.99 ** (nearest - 1))


def test_gradients_reach_over_the_frames_of_a_lesson(network, played):
    lesson = next(sequence_lessons(CONFIG, network, played, 1))
    network.zero_grad()
    lesson.logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.layers()[0].parameters())
    assert len(lesson.actions) == CONFIG.batch_size


def held(directory) -> dict[str, torch.Tensor]:
    tensors = load_file(directory / "trainer.safetensors")
    tensors["curve"] = tensors["curve"][:, :-1]
    return tensors


@pytest.mark.slow
def test_an_interrupted_run_ends_as_an_undisturbed_one(tmp_path):
    train_imitation(CONFIG, tmp_path / "whole")
    train_imitation(CONFIG, tmp_path / "stopped", max_rounds=1)
    train_imitation(CONFIG, tmp_path / "stopped")
    one, other = held(tmp_path / "whole"), held(tmp_path / "stopped")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert len(one["losses"]) == 16
    assert one["losses"][0] == pytest.approx(np.log(15), abs=0.3)
    assert first_losses(CONFIG, 3) == one["losses"][:3].tolist()
    header = read_checkpoint(tmp_path / "whole" / "network.safetensors").header
    assert header.architecture == "drc"
    assert header.training["frames"] == 1024
    loaded = load_network(tmp_path / "whole" / "network.safetensors")
    assert evaluate_model(loaded, variants=CONFIG.variant, episodes=2, max_steps=5).success.n == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"game": "coinrun", "variant": ()}, "learn maze and heist by imitation, .*given: coinrun"),
        ({"batch_norm": True}, "batch_norm is for networks without a memory"),
        ({"own_games": 12}, "own_games must be a multiple of the latter"),
        ({"batch_size": 4}, "8 frames in a row of batch_size / 8 games"),
        ({"round_frames": 448}, "round_frames of own_games"),
    ],
)
def test_configs_that_sequences_cannot_be_made_for_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SequenceSource(dataclasses.replace(CONFIG, **changes))


def test_the_command_refuses_them_too(tmp_path, capsys):
    command = ["train", "imitation", "--network", "drc", "--game", "coinrun", "--out", str(tmp_path / "run")]
    assert main(command) == 2
    assert "Take a network without, such as impala" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_no_time_at_all_gives_the_network_as_it_begins(tmp_path, capsys):
    out = tmp_path / "run"
    command = [
        "train",
        "imitation",
        "--network",
        "drc",
        "--no-ahead",
        "--max-minutes",
        "0",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    assert str(out / "network.safetensors") in capsys.readouterr().out
    loaded = load_network(out / "network.safetensors")
    assert loaded.header.training["frames"] == 0
    expected = Trainer.start(ImitationConfig(network="drc")).network.state_dict()
    assert all(torch.equal(loaded.network.state_dict()[name], expected[name]) for name in expected)
    assert read_trainer(ImitationConfig(network="drc"), out) is not None, "and goes on from there"


@pytest.mark.slow
def test_rounds_made_ahead_are_learned_from(tmp_path):
    train_imitation(dataclasses.replace(CONFIG, ahead=True), tmp_path)
    curve = held(tmp_path)["curve"]
    assert curve[:, 1].tolist() == [512, 1024]


def test_a_network_without_a_memory_has_no_sequences(played):
    with pytest.raises(ValueError, match="expected a network with initial_state and unroll; given: Impala"):
        next(sequence_lessons(CONFIG, Impala(widths=(2, 2, 2), hidden=4), played, 1))


PLAIN = {"use_monochrome_assets": True, "use_backgrounds": False, "restrict_themes": True}
"""Mazes that look alike."""


@pytest.mark.slow
def test_it_learns_the_frames_of_a_round_by_heart():
    config = dataclasses.replace(CONFIG, engine_options=PLAIN)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Drc(channels=8, layers=1, ticks=2, hidden=64)
    played = SequenceSource(config).samples(0, network)
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    hits = []
    for number in range(24):
        for lesson in sequence_lessons(config, network, played, number):
            actions = torch.from_numpy(lesson.actions)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(lesson.logits, actions).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            hits.append((lesson.logits.argmax(dim=1) == actions).float().mean().item())
    assert np.mean(hits[:8]) < 0.45
    assert np.mean(hits[-8:]) > 0.8


@pytest.mark.slow
def test_it_learns_small_mazes(tmp_path):
    config = dataclasses.replace(
        CONFIG,
        network_options={"channels": 8, "layers": 1, "ticks": 2, "hidden": 64},
        variant=("size-up-to:3", "cheese-anywhere"),
        engine_options=PLAIN,
        frames=12 * 1024,
        static_rounds=0.8,
        round_frames=2048,
        own_games=32,
        peak_learning_rate=3e-3,
    )
    train_imitation(config, tmp_path)
    curve = load_file(tmp_path / "trainer.safetensors")["curve"]
    assert curve[0, 3] < 0.5
    assert curve[-1, 3] > 0.8
    loaded = load_network(tmp_path / "network.safetensors")
    assert evaluate_model(loaded, variants=config.variant, episodes=40, max_steps=20).success.value > 0.8
