"""Vector fields, sweeps over frames and retargeting: against plain loops, by hand, and what they refuse."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from untrained_impala import untrained_impala

from procscope.activations.acting import policy_logits
from procscope.activations.capture import capture
from procscope.envs.actions import Move, move_probabilities
from procscope.envs.engine import scratch_engine
from procscope.envs.heist import HeistLevel
from procscope.envs.level_frames import frames_from_seeds
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.variants import mouse_at_decision_square
from procscope.interventions.ablation import ZeroAblation
from procscope.interventions.apply import applied
from procscope.interventions.effects import action_kl
from procscope.interventions.frame_sweep import sweep_frames
from procscope.interventions.intervention import Intervention
from procscope.interventions.retarget import path_probabilities, retarget, spot_edits
from procscope.interventions.spot import SetSpot
from procscope.interventions.steer import Steer
from procscope.interventions.vector_field import VectorField, heist_fields, maze_fields
from procscope.visualization.vector_field import FieldPanel, plot_cell_heat, plot_vector_fields

SEEDS = range(1_000_000_000, 1_000_000_012)


@pytest.fixture(scope="module")
def network():
    return untrained_impala((2, 3, 4), loudness=30)


LEVEL = MazeLevel.from_ascii(
    """
    ..C
    .#.
    ...
    """.replace(" ", "")
)
"""A ring of eight cells; the mouse is at (0, 0)."""


# -- Fields --


def test_a_field_is_a_plain_loop_over_cells(network):
    level = MazeLevel.from_seed(SEEDS[9])
    arm = ZeroAblation("block2.res2", [0, 2])
    fields = maze_fields(network, level, {"zero": arm})
    engine = scratch_engine("maze")
    assert len(fields["zero"].cells) == (~level.walls).sum()
    for i in range(0, len(fields["zero"].cells), 4):
        x, y = fields["zero"].cells[i].tolist()
        frame = engine.render([level.with_mouse(x, y, allow_unsolvable=True).to_state()])
        np.testing.assert_allclose(fields["untouched"].logits[i], policy_logits(network, frame)[0], atol=1e-4)
        with applied(network, arm):
            np.testing.assert_allclose(fields["zero"].logits[i], policy_logits(network, frame)[0], atol=1e-4)
    change = fields["zero"].minus(fields["untouched"])
    assert change.mean_length > 1e-3
    np.testing.assert_allclose(change.arrows, fields["zero"].arrows - fields["untouched"].arrows)
    np.testing.assert_allclose(
        change.action_kl, action_kl(fields["untouched"].logits, fields["zero"].logits[None])[0]
    )
    assert (fields["untouched"].minus(fields["untouched"]).arrows == 0).all()


def field_of(probabilities, open_moves, cells=((0, 0), (1, 0))):
    """A field whose raw actions of each move get these probabilities."""
    logits = np.full((len(cells), 15), -1e9)
    logits[:, [1, 3, 4, 5, 7]] = np.log(np.maximum(probabilities, 1e-300))
    return VectorField(LEVEL, np.array(cells), logits, None, np.array(open_moves, bool))


def test_arrows_and_flow_by_hand():
    # left, down, stay, up, right
    field = field_of([[0.1, 0.2, 0.0, 0.3, 0.4], [0.5, 0, 0.5, 0, 0]], [[0, 0, 1, 1, 1], [1, 0, 1, 1, 0]])
    np.testing.assert_allclose(field.arrows, [[0.3, 0.1], [-0.5, 0.0]], atol=1e-9)
    np.testing.assert_allclose(field.flow, [[0.4, 0.3], [-0.5, 0.0]], atol=1e-9)
    assert field.path_probability([(0, 0), (1, 0)]) == pytest.approx(0.4)
    assert field.path_probability([(0, 0), (1, 0), (0, 0)]) == pytest.approx(np.sqrt(0.4 * 0.5))
    assert field.path_probability([(0, 0)]) == 1
    with pytest.raises(ValueError, match="neighbouring"):
        field.path_probability([(0, 0), (2, 0)])
    with pytest.raises(ValueError, match="is none"):
        field.path_probability([(1, 0), (2, 0), (3, 0)])
    with pytest.raises(ValueError, match="two fields of the same cells"):
        field.minus(field_of([[0, 0, 1, 0, 0]], [[0] * 5], cells=[(0, 0)]))


def test_walls_stop_the_flow(network):
    field = maze_fields(network, LEVEL)["untouched"]
    assert field.open[field.at((0, 1))].tolist() == [False, True, True, True, False]
    assert field.open[field.at((2, 2))].tolist() == [True, True, True, False, False]
    assert field.value is not None
    assert field.value.shape == (8,)


def test_one_field_of_heist_for_each_set_of_keys_held(network):
    levels = (HeistLevel.from_seed(seed) for seed in range(1_000_000_000, 1_000_000_100))
    level = next(level for level in levels if len(level.keys) == 2)
    colours = tuple(sorted((key.colour for key in level.keys), key=["blue", "green", "red"].index))
    fields = heist_fields(network, level, [ZeroAblation("conv_out")])
    assert set(fields) == {(), colours[:1], colours[1:], colours}
    free = (~level.walls).sum() - len(level.locks)
    assert all(len(one["untouched"].cells) == free for one in fields.values())
    both = fields[colours]["untouched"]
    held = level.with_key_held(colours[0]).with_key_held(colours[1])
    x, y = both.cells[7].tolist()
    frame = scratch_engine("heist").render([held.with_agent(x, y, allow_unsolvable=True).to_state()])
    np.testing.assert_allclose(both.logits[7], policy_logits(network, frame)[0], atol=1e-4)
    assert np.abs(both.logits - fields[()]["untouched"].logits).max() > 1e-3
    assert both.level == held


def test_fields_and_heat_maps_are_drawn(network):
    field = maze_fields(network, LEVEL)["untouched"]
    figure = plot_vector_fields(
        [
            FieldPanel("all", LEVEL, field.cells, field.arrows),
            FieldPanel("none", LEVEL, field.cells, 0 * field.arrows, True),
        ]
    )
    assert len(figure.axes) == 2
    assert len(figure.axes[0].collections) >= 1
    heat = plot_cell_heat(
        LEVEL, field.cells, [np.linspace(0, 1, 8)], ["share"], label="share", marked=[field.cells[:2]]
    )
    assert len(heat.axes[0].patches) == 8
    with pytest.raises(ValueError, match="an arrow for each cell"):
        plot_vector_fields([FieldPanel("wrong", LEVEL, field.cells, field.arrows[:3])])


# -- Frames --


@pytest.fixture(scope="module")
def shown():
    return frames_from_seeds("maze", SEEDS, ["cheese-anywhere", "mouse-anywhere"])


def test_a_sweep_over_frames_is_a_plain_loop(network, shown):
    arms = {
        "zero": ZeroAblation("conv_out", [1]),
        "each": lambda frame: ZeroAblation("conv_out", [frame % 4]),
    }
    sweep = sweep_frames(network, shown.frames, arms, labels=shown.labels)
    base = capture(network, shown.frames, [])
    with applied(network, arms["zero"]):
        zeroed = capture(network, shown.frames, [])
    np.testing.assert_allclose(
        sweep.of("zero", "action_kl"), action_kl(base.logits, zeroed.logits[None])[0], atol=1e-5
    )
    np.testing.assert_allclose(
        sweep.of("zero", "value_change").astype(float), zeroed.value - base.value, atol=1e-4
    )
    chances = move_probabilities(zeroed.logits.astype(float))
    np.testing.assert_allclose(sweep.of("zero", "p_up").astype(float), chances[:, Move.UP], atol=1e-5)
    best = shown.labels["best_move"]
    there = best != Move.STAY
    np.testing.assert_allclose(
        sweep.of("zero", "p_best_move").astype(float)[there], chances[there, best[there]], atol=1e-5
    )
    right = sweep.of("zero", "best_move")
    assert (pd.isna(right) == ~there).all()
    assert (right[there].astype(bool) == (chances.argmax(1) == best)[there]).all()
    for frame in range(4):
        with applied(network, arms["each"](frame)):
            alone = capture(network, shown.frames[frame : frame + 1], [])
        np.testing.assert_allclose(sweep.logits["each"][frame], alone.logits[0], atol=1e-4)
    assert {"zero: channel of like norm", "each: random channel"} <= set(sweep.logits)
    assert sweep.n_frames == 12


def test_frames_are_compared_and_moves_distributed(network, shown):
    steer = Steer("fc", vector=np.random.default_rng(3).normal(size=16), strength=5)
    sweep = sweep_frames(network, shown.frames, {"steered": steer}, labels=shown.labels)
    (kl,) = sweep.compare("action_kl")
    assert kl.value.value == pytest.approx(sweep.of("steered", "action_kl").astype(float).mean())
    assert len(kl.controls) == 2
    (kept,) = sweep.compare("keeps_move")
    assert kept.test is not None
    (best,) = sweep.compare("best_move", where=np.arange(12) > 1)
    assert best.change.n <= 10
    moves = sweep.move_distribution("steered")
    assert sum(one.probability.value for one in moves) == pytest.approx(1)
    assert sum(one.change.value for one in moves) == pytest.approx(0, abs=1e-9)
    with pytest.raises(ValueError, match="at least two frames with 'log_odds_goal'"):
        sweep.compare("log_odds_goal", where=np.zeros(12, bool))
    with pytest.raises(ValueError, match="no arm is called"):
        sweep.of("steere", "move")


def test_log_odds_at_decision_squares(network):
    shown = frames_from_seeds("maze", SEEDS, ["cheese-anywhere", mouse_at_decision_square])
    at = shown.labels["at_decision_square"]
    assert at.any()
    assert not at.all()
    sweep = sweep_frames(network, shown.frames, [ZeroAblation("fc")], labels=shown.labels, controls=False)
    odds = sweep.of("untouched", "log_odds_goal").astype(float)
    assert (np.isnan(odds) == ~at).all()
    chances = move_probabilities(sweep.logits["untouched"].astype(float))[at]
    rows = np.arange(at.sum())
    expected = np.log(
        chances[rows, shown.labels["best_move"][at]] / chances[rows, shown.labels["best_move_to_corner"][at]]
    )
    np.testing.assert_allclose(odds[at], expected, atol=1e-9)


@pytest.mark.parametrize(
    ("used", "arms", "message"),
    [
        (None, {}, "at least one arm"),
        (nn.Sequential(nn.Flatten(), nn.Linear(3 * 64 * 64, 1)), {"a": ZeroAblation("1")}, "value alone"),
    ],
)
def test_sweeps_over_frames_refuse(network, shown, used, arms, message):
    frames = shown.frames[:2]
    if used is not None:
        frames = frames.transpose(0, 3, 1, 2).astype(np.float32)
    with pytest.raises(ValueError, match=message):
        sweep_frames(used or network, frames, arms, controls=False)
    with pytest.raises(ValueError, match="at least one frame"):
        sweep_frames(network, shown.frames[:0], {"a": ZeroAblation("fc")})


# -- Retargeting --


class Compass(nn.Module):
    """Goes where its one map is brightest: a network that can be retargeted by a spot, by construction.

    The map is 3 x 3, a position a cell of the ring's maze; without a spot it stays.
    """

    def __init__(self):
        super().__init__()
        self.where = nn.Identity()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, frames):
        n = len(frames)
        spot = self.where(torch.zeros(n, 2, 3, 3))[:, 0]
        # The goal as (x, y) from the lower left; 0 everywhere without one.
        column = (spot.sum(1) * torch.arange(3.0)).sum(1) - spot.sum((1, 2))
        row = -(spot.sum(2) * torch.arange(3.0)).sum(1) + spot.sum((1, 2))
        logits = torch.full((n, 15), -50.0)
        logits[:, 4] = 0
        logits[:, 7], logits[:, 5] = 24 * column - 12, 24 * row - 12
        logits[:, 1], logits[:, 3] = -24 * column - 12, -24 * row - 12
        return logits


def edit(cell):
    """Up for the cells of the left column, right for the others: a way that Compass follows."""
    x, _ = cell
    return SetSpot("where", [0], spot=(0, 1) if x == 0 else (1, 2), value=1.0, map_size=(3, 3))


def test_retargeting_finds_what_an_edit_can_reach():
    found = retarget(Compass(), LEVEL, edit, repeats=12, max_steps=6, seed=0, statistics=STATISTICS)
    assert len(found.cells) == 7, "all but the mouse's own"
    share = dict(zip(map(tuple, found.cells.tolist()), found.reached("edit"), strict=True))
    assert share[0, 1] == share[0, 2] == 1.0, "up"
    assert share[1, 0] == share[2, 0] == 1.0, "right"
    assert share[2, 1] == share[2, 2] == 0.0, "right again, which a wall stops"
    assert found.reached("untouched").max() == 0
    assert {tuple(cell) for cell in found.told().tolist()} == {(0, 1), (0, 2), (1, 0), (2, 0)}
    table = found.table
    assert list(table["distance_cells"]) == [1, 2, 1, 3, 2, 3, 4]
    assert {"p_holm", "p_bh", "change_low", "other spot", "over random channel p_holm", "detectable"} <= set(
        table.columns
    )
    assert (table["channel of like norm"] == 0).all(), "the second map is not read"


def test_probabilities_of_the_ways():
    table = path_probabilities(Compass(), LEVEL, edit)
    way = dict(zip(zip(table["x"], table["y"], strict=True), table["edit"], strict=True))
    assert way[0, 2] == pytest.approx(np.exp(12) / (np.exp(12) + 1), rel=1e-4)
    assert way[2, 1] < 0.1, "right, right, then up, which it does not say"
    assert (table["untouched"] < 1e-4).all()


def test_spots_lie_where_the_cells_are():
    spots = spot_edits(LEVEL, "conv_out", [1], value=3.0, map_size=8)
    # The 3 x 3 maze is in the middle of a world of 15 cells, 8 / 15 positions each.
    assert isinstance(spots((0, 0)), Intervention)
    assert spots((0, 0)).spot == (4, 3)
    assert spots((2, 2)).spot[0] < spots((2, 0)).spot[0]
    heist = HeistLevel.from_seed(SEEDS[0])
    corner = spot_edits(heist, "conv_out", [1], value=3.0, map_size=9, center=0.5)
    world = len(heist.walls)
    assert corner((0, 0)).spot == (8, 0)
    assert corner((world - 1, world - 1)).spot == (0, 8)


def test_retargeting_refuses(network):
    with pytest.raises(ValueError, match="at least two episodes"):
        retarget(network, LEVEL, edit, repeats=1)
    with pytest.raises(ValueError, match=r"given \[\(1, 1\)\]"):
        retarget(network, LEVEL, edit, cells=[(0, 1), (1, 1)])


def _statistics():
    from procscope.activations.channel_statistics import channel_statistics

    return channel_statistics(np.random.default_rng(0).normal(size=(5, 2, 3, 3)))


STATISTICS = {"where": _statistics()}
