"""Training: it learns, a kill changes nothing, the adversarial stage changes the decoder alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from life_network import life_network

from procscope.imagination.adversarial import AdversarialConfig, adversarial_decoder
from procscope.imagination.evaluation import evaluate, evaluation_of, imagined_by, imagined_codes
from procscope.imagination.floors import FLOORS, floors
from procscope.imagination.learning_order import first_updates
from procscope.imagination.life import Life
from procscope.imagination.maze_flood import MazeFlood
from procscope.imagination.network_study import StudyMember, study_network
from procscope.imagination.study_film import study_film
from procscope.imagination.trainer import Trainer, board_generator, losses
from procscope.imagination.training import TrainedImaginer, load_imaginer, trained_imaginer
from procscope.imagination.training_config import ImaginerConfig

TINY = ImaginerConfig(
    Life(side=6),
    world_steps=2,
    steps=2,
    width=6,
    block_layers=2,
    batch=8,
    max_updates=50,
    settle_updates=20,
    accuracy=0.5,
)


def weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([value.flatten() for value in trainer.network.state_dict().values()])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("procscope.imagination.trainer.EVALUATE_EVERY", 10)
        return trained_imaginer(TINY, tmp_path_factory.mktemp("trained"))


def test_a_killed_training_goes_on_exactly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procscope.imagination.trainer.COMMIT_EVERY", 10)
    monkeypatch.setattr("procscope.imagination.trainer.EVALUATE_EVERY", 10)
    whole, killed = Trainer(TINY), Trainer(TINY)
    (tmp_path / "whole").mkdir()
    for _ in whole.run(tmp_path / "whole"):
        pass
    (tmp_path / "killed").mkdir()
    for updates in killed.run(tmp_path / "killed"):
        if updates == 27:  # between two commits
            break
    again = Trainer(TINY)
    again.resume(tmp_path / "killed")
    assert again.updates == 20
    for _ in again.run(tmp_path / "killed"):
        pass
    assert torch.equal(weights(again), weights(whole))
    assert again.curve == whole.curve
    assert again.reached_at == whole.reached_at


def test_a_finished_training_is_loaded_and_not_repeated(tmp_path: Path) -> None:
    first = trained_imaginer(TINY, tmp_path)
    state = torch.random.get_rng_state()
    stamp = (tmp_path / "network.safetensors").stat().st_mtime_ns
    again = trained_imaginer(TINY, tmp_path)
    assert (tmp_path / "network.safetensors").stat().st_mtime_ns == stamp
    assert again.weights_hash == first.weights_hash
    assert again.updates == first.updates
    assert np.array_equal(again.curve, first.curve)
    assert torch.equal(torch.random.get_rng_state(), state)
    with pytest.raises(ValueError, match=r"(?s)another config.*seed"):
        load_imaginer(replace(TINY, seed=1), tmp_path)


def test_seeds_decide_weights_and_boards() -> None:
    one, same, other = Trainer(TINY), Trainer(TINY), Trainer(replace(TINY, seed=1))
    assert torch.equal(weights(one), weights(same))
    assert not torch.equal(weights(one), weights(other))
    drawn = [torch.rand(3, generator=board_generator(seed, 0, 5)).tolist() for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_training_ends_some_updates_after_the_accuracy_is_reached(trained) -> None:
    reached = trained.curve[trained.curve[:, 2] >= TINY.accuracy][0, 0]
    assert trained.updates == min(reached + TINY.settle_updates, TINY.max_updates)
    assert trained.counts == (trained.accuracy >= TINY.accuracy)


def test_the_loss_falls_and_is_the_mean_of_its_two_parts(trained) -> None:
    rollouts = TINY.world.rollouts(64, 2, board_generator(5, 0, 0))
    both, last = losses(trained.network, rollouts, 2, True)
    assert both < losses(TINY.network(), rollouts, 2, True)[0]
    prediction, _ = losses(trained.network, rollouts, 2, False)
    shown = trained.network.decode(trained.network.encode(rollouts.inputs))
    image = ((shown - rollouts.inputs[:, 0]) ** 2).mean()
    assert torch.allclose(both, (prediction + image) / 2)
    target = rollouts.states[:, -1].float()
    assert torch.allclose(prediction, ((last - target) ** 2).mean())
    entropy, _ = losses(trained.network, rollouts, 2, False, "cross-entropy")
    chance = torch.where(target == 1, (last - 0.5).sigmoid(), (0.5 - last).sigmoid())
    assert torch.allclose(entropy, -chance.log().mean(), atol=1e-5)


def test_the_learning_rate_falls_once_the_accuracy_is_reached() -> None:
    trainer = Trainer(TINY)
    rates = []
    for trainer.updates, trainer.reached_at in ((15, None), (15, 15), (25, 15), (34, 15)):
        trainer._update()
        rates.append(trainer.optimiser.param_groups[0]["lr"] / TINY.learning_rate)
    assert rates == pytest.approx([1, 1, 0.5, 0.05])


@pytest.mark.slow
def test_a_small_world_is_learned_exactly(tmp_path: Path) -> None:
    config = ImaginerConfig(
        MazeFlood("reached", mazes=256), world_steps=2, steps=2, width=8, max_updates=1500, settle_updates=200
    )
    assert trained_imaginer(config, tmp_path).counts


def test_the_adversarial_stage_changes_the_decoder_alone(trained) -> None:
    before = {name: value.clone() for name, value in trained.network.state_dict().items()}
    stage = AdversarialConfig(updates=10, batch=4)
    decoder = adversarial_decoder(trained, stage)
    for name, value in trained.network.state_dict().items():
        assert torch.equal(value, before[name])
    old = trained.network.decoder.state_dict()
    assert any(not torch.equal(value, old[name]) for name, value in decoder.state_dict().items())
    again = adversarial_decoder(trained, stage)
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), decoder.parameters(), strict=True))


def test_a_new_decoder_of_a_core_that_keeps_one_code_shows_the_states_between() -> None:
    config = ImaginerConfig(Life(side=8), world_steps=3, steps=3, width=5, block_layers=2)
    by_hand = TrainedImaginer(config, life_network(3), 1.0, 0, 0.0, 0.0, np.zeros((0, 5)), "")
    stage = AdversarialConfig(updates=100, batch=8, learning_rate=0.05)
    rollouts = config.world.rollouts(100, 3, board_generator(4, 0, 0))
    codes = imagined_by(
        by_hand.network, rollouts, 2, [by_hand.network.decoder, adversarial_decoder(by_hand, stage)]
    )
    assert evaluation_of(codes[0], rollouts).one_to_one == 1
    assert evaluation_of(codes[1], rollouts).one_to_one > 0.9
    assert np.array_equal(codes[0], imagined_codes(by_hand.network, rollouts, 2))


def test_mazes_show_their_walls_to_the_discriminator(tmp_path: Path) -> None:
    config = ImaginerConfig(
        MazeFlood("best-move", mazes=16),
        world_steps=3,
        steps=3,
        width=4,
        batch=4,
        max_updates=2,
        accuracy=0.01,
    )
    trained = trained_imaginer(config, tmp_path)
    decoder = adversarial_decoder(trained, AdversarialConfig(updates=2, batch=4))
    rollouts = config.world.rollouts(5, 3, board_generator(0, 0, 0))
    assert imagined_codes(trained.network, rollouts, 2, decoder).shape == (5, 2, 15, 15)


def test_an_evaluation_says_which_state_looks_like_which() -> None:
    rollouts = Life().rollouts(50, 3, board_generator(1, 0, 0))
    swapped = rollouts.states[:, [2, 1]].numpy()
    found = evaluation_of(swapped, rollouts)
    assert found.matches[0, 2] == found.matches[1, 1] == 1
    assert found.likeness[0, 2] == found.likeness[1, 1] == 1
    assert found.likeness[0, 1] < 1
    assert found.literal >= 1
    assert found.one_to_one == 1


def test_floors_are_what_knows_nothing() -> None:
    rollouts = TINY.world.rollouts(200, 2, board_generator(2, 0, 0))
    found = {floor.name: floor.scores for floor in floors(TINY, rollouts, 0.95, seed=0)}
    assert tuple(found) == FLOORS
    between = rollouts.states[:, 1].float()
    few = (between.mean(dim=(1, 2)) <= 0.05).float().mean()
    assert found["dead board"].literal.mean() == pytest.approx(few.item())
    same = ((rollouts.states[:, 0] == rollouts.states[:, 1]).float().mean(dim=(1, 2)) >= 0.95).float().mean()
    assert found["copy of the first state"].literal.mean() == pytest.approx(same.item())


def test_the_order_of_learning_is_read_from_the_curve() -> None:
    curve = np.array([[50, 0.5, 0.7, 0.98, 0.9], [100, 0.4, 0.97, 0.99, 0.985], [150, 0.1, 0.99, 1.0, 1.0]])
    assert first_updates(curve) == [50, 100, 150]
    assert first_updates(curve[:2]) == [50, 100, None]


def test_a_network_that_misses_its_accuracy_is_not_measured(tmp_path: Path) -> None:
    stage = AdversarialConfig(updates=2, batch=4)
    missed = StudyMember(replace(TINY, accuracy=1.0, max_updates=1), stage, sequences=20)
    found = study_network(missed, tmp_path)
    assert not found["counts"]
    assert found["plain"] is None
    assert study_film([missed], [found], tmp_path, 2) is None
    low = StudyMember(replace(TINY, accuracy=0.01, max_updates=1), stage, 20)
    reached = study_network(low, tmp_path)
    assert reached["counts"]
    film = study_film([missed, low], [found, reached], tmp_path, 2)
    assert film is not None
    assert film[:3] == b"GIF"
    assert set(reached["floors"]) == set(FLOORS)
    assert 0 <= reached["adversarial"]["one_to_one"] <= 1


def test_measuring_depends_on_the_decoder(trained) -> None:
    rollouts = TINY.world.rollouts(20, 2, board_generator(3, 0, 0))
    always_dead = TINY.network().decoder
    for parameter in always_dead.parameters():
        torch.nn.init.constant_(parameter, -1.0)
    found = evaluate(trained.network, rollouts, 2, always_dead)
    dead = np.zeros((20, 1, 6, 6), dtype=np.uint8)
    assert found.literal == evaluation_of(dead, rollouts).literal


def test_trainings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at least 2 steps of the core; given: 1"):
        ImaginerConfig(steps=1)
    with pytest.raises(ValueError, match=r"batch, settle_updates.*given: 3, 0"):
        ImaginerConfig(batch=0)
    with pytest.raises(ValueError, match=r"accuracy must lie above 0.*given: 1\.5"):
        ImaginerConfig(accuracy=1.5)
    with pytest.raises(ValueError, match=r"one of squared, cross-entropy; given: 'l1'"):
        ImaginerConfig(prediction_loss="l1")
