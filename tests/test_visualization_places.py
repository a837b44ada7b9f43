"""Plots by place, strength, distance and cell: what is drawn is what was given, and what cannot be drawn is refused."""

import numpy as np
import pytest

from procscope.envs.maze import MazeLevel
from procscope.visualization.corridor_importance import ImportancePanel, plot_corridor_importance
from procscope.visualization.distance_curves import DistanceCurve, DistancePanel, plot_distance_curves
from procscope.visualization.place_series import PlacePanel, PlaceSeries, plot_place_series
from procscope.visualization.search_depth import SearchPanel, plot_search_depth
from procscope.visualization.strength_maps import StrengthMap, plot_strength_maps
from procscope.visualization.vector_field import HeatPanel, plot_heat_panels
from procscope.workbench.figures import panel_grid, styled
from procscope.workbench.statistics import Interval

HALF = Interval(0.5, 0.4, 0.7, 10)


def test_a_grid_has_a_place_for_each_panel_and_empty_ones_at_the_end():
    with styled():
        figure, axes = panel_grid(5, 3, panel_inches=(2.0, 1.5), margin_inches=0.5)
    assert len(axes) == 5
    assert len(figure.axes) == 6
    assert [axis.axison for axis in figure.axes] == [True] * 5 + [False]
    assert tuple(figure.get_size_inches()) == (6.5, 3.0)
    with styled():
        assert len(panel_grid(2, 4, panel_inches=(2.0, 1.5))[0].axes) == 2, "no more columns than panels"
    for count, columns in ((0, 3), (2, 0)):
        with pytest.raises(ValueError, match=f"given {count}, columns={columns}"):
            panel_grid(count, columns, panel_inches=(1.0, 1.0))


def test_series_by_place():
    series = [PlaceSeries("one", "blue", [HALF, None]), PlaceSeries("two", "grey", [None, None])]
    figure = plot_place_series([[PlacePanel("net", ["first", "second"], series)]], xlabels=["change"])
    axis = figure.axes[0]
    assert axis.lines[1].get_xdata().tolist() == [0.5]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["first", "second"]
    with pytest.raises(ValueError, match=r"other numbers of intervals in \['net'\]"):
        plot_place_series([[PlacePanel("net", ["first"], series)]], xlabels=["change"])


def test_shades_by_strength():
    change = np.array([[0.5, -1.0]])
    panel = StrengthMap("net", ["place"], [-1.0, 2.0], change, np.array([[False, True]]))
    figure = plot_strength_maps([[panel]], label="change")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), change)
    assert figure.axes[0].collections[0].get_offsets().tolist() == [[1, 0]]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["−1", "+2"]
    with pytest.raises(ValueError, match="a change and a truth value for each place"):
        plot_strength_maps([[panel._replace(places=["a", "b"])]], label="")


def test_curves_by_distance():
    curve = DistanceCurve("edit", "blue", np.array([2.5, 6.5]), [HALF, HALF])
    figure = plot_distance_curves([DistancePanel("net", [curve])], xlabel="steps", ylabel="share")
    assert figure.axes[0].lines[0].get_ydata().tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match=r"other numbers in \['edit'\]"):
        plot_distance_curves([DistancePanel("net", [curve._replace(shares=[HALF])])], xlabel="", ylabel="")


def test_points_by_channel():
    vertical, horizontal = np.array([0.1, 0.0, 0.3]), np.array([0.2, 0.0, 0.0])
    figure = plot_corridor_importance([ImportancePanel("net", vertical, horizontal)])
    points = figure.axes[0].collections[0].get_offsets()
    np.testing.assert_allclose(points, np.stack([vertical, horizontal], axis=1))
    panel = SearchPanel("net", ["first"], [vertical], [np.array([False, False, True])])
    found = plot_search_depth([panel])
    assert found.axes[0].collections[1].get_offsets().tolist() == [[0.3, 0]]
    with pytest.raises(ValueError, match="places and arrays"):
        plot_search_depth([panel._replace(places=[])])


def test_heat_of_many_levels_has_no_walls():
    level = MazeLevel.from_ascii("..C\n.#.\nM..")
    cells = np.array([[0, 1], [2, 2]])
    figure = plot_heat_panels(
        [
            HeatPanel("one", level, cells, np.array([0.5, np.nan])),
            HeatPanel("all", level, cells, np.ones(2), walls=False),
        ],
        label="share",
    )
    assert len(figure.axes[0].patches) == 1, "a cell without a number shows the level"
    assert len(figure.axes[0].images) == 1
    assert len(figure.axes[1].patches) == 2
    assert not figure.axes[1].images
