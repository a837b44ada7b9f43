"""The pair finder, against the sums that the channel-121 study published and a slow count of its own."""

import numpy as np
import pytest
import torch

from procscope.activations.capture import capture
from procscope.agents.networks.impala import Impala
from procscope.envs.actions import Move
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.maze.pairs import ORIENTATIONS, direction_pairs
from procscope.interventions.direction_channels import (
    DIRECTIONS,
    DirectionChannels,
    find_direction_channels,
    reading_text,
    selectivity_of,
)

CHANNEL_121 = [[36.7, 1.9], [10.4, 6.1], [1.4, 1.7], [2.4, 35.3]]
CHANNEL_21 = [[0.0, 0.8], [0.0, 34.5], [28.3, 22.8], [32.1, 0.6]]
UP_TOO_BUT_WEAKER = [[3.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 3.0]]
SILENT = [[0.0, 0.0]] * 4


@pytest.fixture
def published():
    """The study's two channels, a weaker one and a silent one, as if found on one base maze."""
    return DirectionChannels(np.stack([UP_TOO_BUT_WEAKER, CHANNEL_21, SILENT, CHANNEL_121], axis=-1)[None])


def test_the_effects_are_those_of_the_published_sums(published):
    assert published.effects[3] == pytest.approx((34.8 + 4.3 + 0.3 + 32.9) / 4)
    assert published.effects[1] == pytest.approx((0.8 + 34.5 + 5.5 + 31.5) / 4)
    assert published.strongest(4)[2:] == [0, 2]
    assert [row.channel for row in published.rows()] == published.strongest(4)


def test_the_readings_are_those_of_the_study(published):
    assert reading_text(published.reading(3)) == "up"
    assert reading_text(published.reading(1)) == "down-left"
    assert published.reading(2) == ()
    assert reading_text(()) == "none"


def test_means_by_direction_are_those_worked_out_by_hand(published):
    assert published.tuning[:, 3] == pytest.approx([36.0, 6.15, 3.75, 2.05])  # up, right, down, left
    assert published.tuning[:, 1] == pytest.approx([0.3, 0.4, 31.4, 27.45])
    assert published.selectivity(3, [Move.UP]) == pytest.approx((36.0 - 6.15) / (36.0 + 6.15))
    assert published.selectivity(1, [Move.DOWN, Move.LEFT]) == pytest.approx((27.45 - 0.4) / (27.45 + 0.4))
    assert published.selectivity(3, [Move.LEFT]) < 0


def test_the_best_channel_is_the_one_of_the_largest_effect_with_that_reading(published):
    assert published.best([Move.UP]) == 3
    assert published.best([Move.LEFT, Move.DOWN]) == 1
    assert published.best([Move.RIGHT]) == 2, "none reads RIGHT: the silent one contradicts it least"


def test_a_reading_of_all_or_no_directions_stands_out_from_nothing():
    assert selectivity_of(np.array([1.0, 2.0, 3.0, 4.0]), DIRECTIONS) == 0.0
    assert selectivity_of(np.array([1.0, 2.0, 3.0, 4.0]), []) == 0.0
    assert selectivity_of(np.zeros(4), [Move.UP]) == 0.0


def test_a_network_is_read_maze_by_maze_in_the_order_of_the_pairs():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Impala(widths=(4, 4, 5), hidden=8)
    rng = np.random.default_rng(3)
    bases = [direction_pairs(7, rng), direction_pairs(7, rng)]
    found = find_direction_channels(network, bases)
    assert (found.n_mazes, found.n_channels) == (2, 5)
    by_step = {direction: [] for direction in DIRECTIONS}
    for maze, pairs in enumerate(bases):
        for orientation, pair in enumerate(pairs):
            for side, level in enumerate((pair.first, pair.second)):
                maps = capture(network, frames_of_levels([level]).frames, ["conv_out"], dtype="float32")
                sums = maps.activations["conv_out"][0].sum((1, 2))
                np.testing.assert_allclose(found.sums[maze, orientation, side], sums, rtol=1e-4)
                by_step[ORIENTATIONS[orientation][side]].append(sums)
    for place, direction in enumerate(DIRECTIONS):
        np.testing.assert_allclose(found.tuning[place], np.mean(by_step[direction], axis=0), rtol=1e-4)


def test_pairs_in_another_order_are_refused():
    network = Impala(widths=(4, 4, 4), hidden=8)
    pairs = direction_pairs(7, np.random.default_rng(0))
    with pytest.raises(ValueError, match="orientations"):
        find_direction_channels(network, [pairs[::-1]])
