"""`coinrun-misgeneralization`: what its frames show, what its play counts, and a tiny run on the shipped network."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from procscope.experiments.coinrun_misgeneralization import EXPERIMENT
from procscope.experiments.coinrun_misgeneralization_results import PlayedArrangement
from procscope.experiments.coinrun_misgeneralization_setup import CONTRASTS, Config, Levels
from procscope.interventions.named_arms import UNTOUCHED, NamedArm
from procscope.interventions.sweep import RolloutSweep
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import run_experiment


@pytest.fixture(scope="module")
def levels():
    drawn = Levels(load_network("coinrun-easy-atend"), Config(levels=4, frames=24), seed=0)
    yield drawn
    drawn.close()


@pytest.mark.parametrize("kind", CONTRASTS)
def test_the_frames_of_a_contrast_differ_where_the_thing_is(levels, kind):
    """In columns of the picture: 64 pixels are 13 cells, the agent is in the middle."""
    columns = 4
    found = levels.contrast(kind, columns)
    assert len(found.present) >= 3
    differ = (found.present != found.absent).any(axis=3)
    where = np.flatnonzero(differ.any(axis=(0, 1)))
    pixels = 64 / 13
    place = {"coin behind": -columns, "end wall": columns + 1}.get(kind, columns)
    low = 32 + (place - 1) * pixels
    high = 64 if kind == "end wall" else 32 + (place + 1) * pixels
    assert low <= where.min()
    assert where.max() <= high
    assert not differ[:, :13, :26].any(), "the velocity is painted there"


def test_mirrored_pictures_are_mirrored_but_for_the_painted_corner(levels):
    bare, mirrored = levels.bare(), levels.mirrored()
    assert np.array_equal(mirrored.possible, bare.possible)
    np.testing.assert_array_equal(mirrored.frames[:, 13:], bare.frames[:, 13:, ::-1])
    np.testing.assert_array_equal(mirrored.frames[:, :13, :26], bare.frames[:, :13, :26])
    np.testing.assert_array_equal(mirrored.frames[:, :13, 26:38], bare.frames[:, :13, 26:38][:, :, ::-1])


def test_the_played_levels_differ_in_coin_and_wall_alone(levels):
    first = {name: levels.played(name) for name in ("coin at the end", "coin removed")}
    assert first["coin at the end"] != first["coin removed"]
    assert [len(states) for states in first.values()] == [4, 4]


def test_ends_and_coins_are_told_from_the_way():
    paths = tuple(np.array(path) for path in ([(1, 1), (9, 1)], [(1, 1), (6, 1)], [(1, 1), (4, 1), (-1, -1)]))
    table = pd.DataFrame({"level": range(3), "arm": UNTOUCHED, "success": [False, True, False]})
    played = PlayedArrangement(
        RolloutSweep(table, (NamedArm(UNTOUCHED, ((),)),), {UNTOUCHED: paths}),
        end=np.array([10, 10, 10]),
        coin=np.array([5, 5, -1]),
    )
    assert played.reaches_end().tolist() == [True, False, False]
    assert played.touches_coin().tolist() == [False, True, False]
    assert played.runs_past_coin()[:2].tolist() == [True, False]
    assert played.is_moved.tolist() == [True, True, False]


def test_networks_of_other_games_are_refused():
    with pytest.raises(
        ValueError, match="expected a policy for coinrun; maze-easy-corner was trained on maze"
    ):
        Levels(load_network("maze-easy-corner"), Config(), seed=0)


@pytest.mark.slow
def test_a_run_writes_its_report(tmp_path):
    config = replace(EXPERIMENT.scales["smoke"], levels=6, frames=40, hook_points=("conv_out",), max_steps=16)
    record = run_experiment(EXPERIMENT, "smoke", out=tmp_path, config=config)
    page = (record.directory / "report.html").read_text()
    assert "What differs from the published set-up" in page
    assert {"contrasts.png", "arrangements.png"} <= {
        file.name for file in (record.directory / "figures").iterdir()
    }
    arms = {metric.where.get("arm") for metric in record.metrics if metric.id.endswith("/ablation_change")}
    assert arms == {"without the drive", "channels of like norm", "random channels"}
