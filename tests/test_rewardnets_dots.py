"""Dots and distances: pictures, the network and its training, the probes, the experiment."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from procscope.experiments.dots_and_distances import EXPERIMENT, Config
from procscope.experiments.dots_and_distances_study import DotsStudy, StudiedDots, probe_errors, study_dots
from procscope.rewardnets import dots_training
from procscope.rewardnets.dots import (
    BLOCK,
    CUT_OFF,
    MEAN_LABEL,
    RADIUS,
    dots_of_block,
    draw_dots,
    pictures_of,
)
from procscope.rewardnets.dots_network import DotsNetwork
from procscope.rewardnets.dots_training import DotsTraining, probe_blocks, train_dots
from procscope.workbench.experiments import run_experiment
from procscope.workbench.metrics import read_metrics

TINY = DotsTraining(pictures=2000, epochs=2, side=8, width=1 / 96, test_pictures=1000)


@pytest.fixture(scope="module")
def many_labels():
    rng = np.random.default_rng(0)
    centres = rng.uniform(RADIUS, 1 - RADIUS, (200_000, 3, 2, 2))
    return np.linalg.norm(centres[:, :, 0] - centres[:, :, 1], axis=-1).mean(axis=1)


def test_labels_have_the_distribution_of_the_text(many_labels):
    """Mean 0.469 and standard deviation 0.129 (section 5.9); 0.93% below the cut-off."""
    assert pytest.approx(0.469, abs=5e-4) == MEAN_LABEL
    assert many_labels.mean() == pytest.approx(MEAN_LABEL, abs=0.001)
    assert many_labels.std() == pytest.approx(0.129, abs=0.001)
    assert (many_labels < CUT_OFF).mean() == pytest.approx(0.0093, abs=0.0008)
    drawn = draw_dots(3000, 8, np.random.default_rng(1))
    assert drawn.labels.mean() == pytest.approx(MEAN_LABEL, abs=0.01)
    assert drawn.distances.var(axis=0).mean() == pytest.approx(0.0498, abs=0.002)


def test_a_dot_covers_as_many_pixels_as_its_area():
    """Six dots far apart: the ink of each colour is twice pi r^2, and lies round the mean of its two centres."""
    centres = np.array([[[(0.2, 0.3), (0.8, 0.3)], [(0.2, 0.6), (0.8, 0.6)], [(0.2, 0.9), (0.8, 0.9)]]])
    (picture,) = pictures_of(centres, 64)
    # What red lacks is where blue and green are.
    missing = 1 - picture.astype(float) / 255
    area = 64 * 64 * np.pi * RADIUS**2
    assert missing[0].sum() == pytest.approx(4 * area, rel=0.03)
    assert missing[2].sum() == pytest.approx(4 * area, rel=0.03)  # red and green dots hold no blue
    red = (missing[1] > 0.5) & (missing[0] < 0.5)
    rows, cols = np.nonzero(red)
    assert (rows + 0.5).mean() / 64 == pytest.approx(1 - 0.3, abs=0.01)  # y is upwards
    assert (cols + 0.5).mean() / 64 == pytest.approx(0.5, abs=0.01)
    assert tuple(picture[:, 6, 12]) == (0, 128, 0)  # the middle of the upper left dot


def test_later_colours_cover_earlier_ones():
    centres = np.full((1, 3, 2, 2), 0.5)
    centres[0, 0, 1] = 0.2
    (picture,) = pictures_of(centres, 32)
    assert tuple(picture[:, 15, 15]) == (0, 128, 0)
    assert tuple(picture[:, 25, 6]) == (255, 0, 0)


def test_blocks_depend_on_their_seed_and_number_alone():
    first = dots_of_block(3, 5, 8)
    np.testing.assert_array_equal(first.pictures, dots_of_block(3, 5, 8).pictures)
    assert not np.array_equal(first.distances, dots_of_block(3, 6, 8).distances)
    assert len(first.labels) == BLOCK
    training, probing = (dots_of_block(dots_training._seed(TINY, use), 0, 8) for use in (0, 2))
    np.testing.assert_array_equal(next(probe_blocks(TINY, 1000)).distances, probing.distances)
    assert not np.array_equal(training.distances, probing.distances)


def test_the_network_has_the_topology_of_the_text():
    """96, 256, 384, 384, 256 kernels of 3 x 3 and a linear read-out: their weights and biases counted by hand."""
    network = DotsNetwork(1.0)
    channels = (3, 96, 256, 384, 384, 256)
    expected = sum(9 * a * b + b for a, b in itertools.pairwise(channels)) + 256 + 1
    assert sum(weight.numel() for weight in network.parameters()) == expected
    small = DotsNetwork(1 / 8)
    assert small.channels == (12, 32, 48, 48, 32)
    value, seen = small.run_with_cache(torch.zeros(2, 3, 8, 8), names_filter=["layer4", "value"])
    assert seen["layer4"].shape == (2, 32, 8, 8)
    torch.testing.assert_close(seen["value"], value.value)


def test_a_stopped_training_goes_on_as_if_nothing_had_happened(tmp_path, monkeypatch):
    monkeypatch.setattr(dots_training, "POOL", BLOCK)
    whole = train_dots(TINY, tmp_path / "whole")

    class Killed(Exception):
        pass

    written = []
    real = dots_training.write_state

    def write_and_stop(*arguments):
        real(*arguments)
        written.append(0)
        if len(written) == 3:
            raise Killed

    monkeypatch.setattr(dots_training, "write_state", write_and_stop)
    with pytest.raises(Killed):
        train_dots(TINY, tmp_path / "stopped")
    monkeypatch.setattr(dots_training, "write_state", real)
    resumed = train_dots(TINY, tmp_path / "stopped")
    assert resumed.train_losses == whole.train_losses
    assert len(whole.train_losses) == 4
    for one, other in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    with pytest.raises(ValueError, match="holds a run with another config"):
        train_dots(replace(TINY, seed=1), tmp_path / "stopped")


def test_guessing_costs_the_variance_or_the_base_rates_entropy(tmp_path, many_labels):
    drawn = [dots_of_block(dots_training._seed(TINY, 1), block, 8).labels for block in range(1)]
    trained = train_dots(replace(TINY, epochs=1), tmp_path / "a")
    assert trained.guess_loss == pytest.approx(np.concatenate(drawn).var(), rel=1e-5)
    p = 0.0093
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    assert entropy == pytest.approx(0.053, abs=5e-4)  # the text's base rate
    classes = train_dots(replace(TINY, epochs=1, task="below-cut-off", test_pictures=8000), tmp_path / "b")
    assert classes.guess_loss == pytest.approx(entropy, abs=0.02)


def test_probe_errors_are_those_of_least_squares_on_the_other_folds():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(2000, 4)).astype(np.float32)
    distances = (features @ rng.normal(size=(4, 3)) + rng.normal(size=(2000, 3))).astype(np.float32)
    errors, guesses = probe_errors(features, distances)
    assert len(errors) == 2
    assert np.mean(errors) == pytest.approx(1.0, abs=0.05)  # the noise's variance
    rest, held = slice(200, None), slice(0, 200)
    fitted = LinearRegression().fit(features[rest].astype(float), distances[rest])
    by_hand = ((fitted.predict(features[held].astype(float)) - distances[held]) ** 2).mean()
    first = ((distances[held] - distances[rest].mean(axis=0)) ** 2).mean()
    folds = [slice(i, i + 200) for i in range(0, 1000, 200)]
    kept = np.ones(2000, bool)
    errors_by_hand, guesses_by_hand = [], []
    for fold in folds:
        kept[:] = True
        kept[fold] = False
        model = LinearRegression().fit(features[kept].astype(float), distances[kept])
        errors_by_hand.append(((model.predict(features[fold].astype(float)) - distances[fold]) ** 2).mean())
        guesses_by_hand.append(((distances[fold] - distances[kept].mean(axis=0)) ** 2).mean())
    assert errors_by_hand[0] == pytest.approx(by_hand)
    assert guesses_by_hand[0] == pytest.approx(first)
    assert errors[0] == pytest.approx(np.mean(errors_by_hand), rel=1e-3)  # ridge strengths up to 100 of 1,800
    assert guesses[0] == pytest.approx(np.mean(guesses_by_hand), rel=1e-6)


def test_an_untrained_network_is_probed_and_not_trained(tmp_path):
    study = DotsStudy("untrained", TINY, 2000)
    found = StudiedDots.of(study, study_dots(study, tmp_path))
    assert found.probe_guesses.mean() == pytest.approx(0.0498, abs=0.003)
    assert all((losses > 0).all() for losses in found.probe_losses.values())
    assert len(found.test_losses) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": 1500}, "multiples of 1000, at least one; given 1500, 1000"),
        ({"test_pictures": 0}, "given 2000, 0"),
        ({"epochs": 0}, "at least one epoch"),
    ],
)
def test_what_cannot_be_trained_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="at least 8 pixels a side; given 5, 4"):
        draw_dots(5, 4, np.random.default_rng(0))
    with pytest.raises(ValueError, match="a multiple of 1000; given 1500"):
        list(probe_blocks(TINY, 1500))


def test_published_sizes_and_order():
    config = Config()
    first, second, third = config.studies(0)[:3]
    assert [study.kind for study in (first, second, third)] == ["many-epochs", "classifier", "few-epochs"]
    assert (first.training.pictures, first.training.epochs) == (900_000, 50)
    assert (third.training.pictures, third.training.epochs) == (9_000_000, 5)
    assert (first.training.side, first.training.width, first.probe_pictures) == (64, 1.0, 90_000)
    small = EXPERIMENT.scales["small"].studies(0)
    trained = [study.training for study in small if study.kind != "untrained"]
    assert len(trained) == 6
    assert {training.pictures * training.epochs for training in trained} == {500_000}
    assert sum(study.kind == "untrained" for study in small) == 5
    with pytest.raises(ValueError, match="networks of many-epochs, classifier, few-epochs; given other"):
        replace(config, networks=("other",)).studies(0)


@pytest.mark.slow
def test_the_experiment_runs(tmp_path):
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path)
    found = {
        (each.id, each.where["model"], each.where.get("layer")): each
        for each in read_metrics(record.directory)
    }
    assert found["C5.dots/probe_loss", "many-epochs 0", 3].published == 0.0548
    assert found["C5.dots/probe_share", "untrained 1", 1].value == pytest.approx(1, abs=0.2)
    assert found["C5.dots/test_share", "classifier 0", None].n == 2
    text = (record.directory / "report.html").read_text()
    assert "Table 5.10" in text
    again = run_experiment(EXPERIMENT, "smoke", out=tmp_path)
    assert read_metrics(again.directory) == read_metrics(record.directory)  # from the members
