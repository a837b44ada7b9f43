"""Plots draw what they are given: every panel, every number, no error where there is nothing to show."""

import io

import numpy as np
import pytest
from PIL import Image

from procscope.envs.maze import MazeLevel
from procscope.envs.maze.pairs import direction_pairs
from procscope.visualization.arm_success import ArmPanel, ArmResult, plot_arm_success
from procscope.visualization.channel_tuning import TunedChannels, plot_tuning
from procscope.visualization.logistic_plot import LogisticPanel, plot_logistic
from procscope.visualization.pair_pictures import NumberRow, maze_pictures, plot_pairs
from procscope.visualization.sums_by_direction import SumsPanel, plot_sums_by_direction
from procscope.visualization.two_by_two import CountTable, plot_count_tables
from procscope.workbench.logistic_curve import binned_shares, logistic_curve
from procscope.workbench.statistics import wilson


def texts(figure) -> str:
    """All that is written in a figure, once drawn."""
    figure.savefig(io.BytesIO(), format="png", dpi=40)
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


def test_pictures_show_the_maze_without_the_wall_round_it():
    level = MazeLevel.from_ascii(
        "#####\n#...C\n#.###\n#...#\nM..##".replace("#...#", "....#"), allow_unsolvable=True
    )
    (picture,) = maze_pictures([level], pixels=100)
    assert abs(picture.shape[0] - 512 * 5 / 15) < 3
    assert picture.shape[0] == picture.shape[1]
    whole = np.array(Image.open(io.BytesIO(level._repr_png_())).convert("RGB"))
    start = round(512 * 5 / 15)
    assert np.array_equal(picture, whole[start : start + len(picture), start : start + len(picture)])


def test_pairs_show_every_number():
    pairs = direction_pairs(7, np.random.default_rng(0))
    rows = [
        NumberRow("channel 121", [36.7, 1.9, 10.4, 6.1, 1.4, 1.7, 2.4, 35.3]),
        NumberRow("flat", [2.0] * 8),
    ]
    titles = [(pair.first_move.name, pair.second_move.name) for pair in pairs]
    shown = texts(plot_pairs([(pair.first, pair.second) for pair in pairs], titles, rows))
    assert all(f"{number:.1f}" in shown for number in rows[0].numbers)
    assert "channel 121" in shown
    with pytest.raises(ValueError, match="8 mazes"):
        plot_pairs([(pair.first, pair.second) for pair in pairs], titles, [NumberRow("short", [1.0])])


def test_tuning_shows_means_and_effects():
    panel = TunedChannels(
        "net", ["121 up", "9 none"], np.array([[36.0, 6.2, 3.8, 2.1], [0, 0, 0, 0]]), np.array([18.1, 0.0])
    )
    figure = plot_tuning([panel], ["UP", "RIGHT", "DOWN", "LEFT"])
    shown = texts(figure)
    assert "36.0" in shown
    assert "121 up" in shown
    assert max(bar.get_width() for bar in figure.axes[1].patches) == 18.1


def test_sums_are_mirrored_and_the_threshold_is_drawn():
    rng = np.random.default_rng(0)
    right = np.arange(200) % 2 == 0
    sums = rng.gamma(2, 2, 200) + 10 * right
    panel = SumsPanel("net", sums, right, "UP", 9.0, 40.0, "AUROC 0.99")
    empty = SumsPanel("none", np.zeros(3), np.zeros(3, bool), "UP", None, 0.0, "AUROC undefined")
    figure = plot_sums_by_direction([[panel, empty]])
    heights = np.array([bar.get_height() for bar in figure.axes[0].patches])
    assert heights[heights > 0].sum() == pytest.approx(1)
    assert heights[heights < 0].sum() == pytest.approx(-1)
    assert [9.0, 9.0] in [list(line.get_xdata()) for line in figure.axes[0].lines]
    assert "AUROC undefined" in texts(figure)


def test_tables_show_shares_with_published_ones_beneath():
    counts = ((199, 0), (0, 1))
    published = ((0.995, 0.002), (0.0, 0.003))
    table = CountTable(
        "in", counts, ("mouse UP", "mouse not UP"), ("cheese is UP", "corner is UP"), published
    )
    shown = texts(plot_count_tables([[table, table._replace(counts=((0, 0), (0, 0)), published=None)]]))
    assert "99.5%" in shown
    assert "published 0.2%" in shown
    assert "n = 200" in shown
    assert "n = 0" in shown


def test_logistic_panels_draw_with_and_without_a_curve():
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 20, 200)
    y = rng.random(200) < 1 / (1 + np.exp(x / 5 - 2))
    full = LogisticPanel("net", logistic_curve(x, y), binned_shares(x, y), "slope")
    figure = plot_logistic([[full, LogisticPanel("none", None, (), "no squares")]], "cells", "share")
    assert "no squares" in texts(figure)
    assert len(figure.axes[0].lines) > len(figure.axes[1].lines)


def test_arms_of_one_kind_share_a_line():
    arms = [
        ArmResult("untouched", wilson(4, 10), "black"),
        *(ArmResult("random", wilson(k, 10), "grey") for k in (3, 5)),
    ]
    figure = plot_arm_success([[ArmPanel("net", arms)]])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["untouched", "random"]
    points = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    heights = [float(point.get_ydata()[0]) for point in points]
    assert heights == pytest.approx([0.0, 0.89, 1.11])
    assert "untouched" in texts(figure)
