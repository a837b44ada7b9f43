"""`maze-channels-wishes`: every claim has its number or a reason, on networks that nobody trained, and over a film."""

from dataclasses import replace

import numpy as np
import pytest
from untrained_impala import saved_impala

from procscope.envs.actions import Move
from procscope.experiments.maze_channels_wishes import EXPERIMENT
from procscope.experiments.maze_channels_wishes_setup import draw_mazes, squares_of_levels
from procscope.workbench.experiments import run_experiment
from procscope.workbench.over_training import Moment, lines
from procscope.workbench.published import package_claims

TINY = {
    "base_mazes": 3,
    "squares": 24,
    "decision_mazes": 24,
    "corridor_mazes": 6,
    "field_mazes": 2,
    "played_mazes": 4,
    "max_steps": 8,
}


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = (
        saved_impala(folder / "one.safetensors", 0, ("cheese-top-right",)),
        saved_impala(folder / "two.safetensors", 1, ("cheese-anywhere",)),
    )
    config = replace(EXPERIMENT.scales["smoke"], models=models, **TINY)
    return run_experiment(EXPERIMENT, "smoke", out=folder, config=config)


@pytest.mark.slow
def test_every_claim_of_the_targets_is_measured_or_undefined_for_a_reason(record):
    claims = [
        claim for claim in package_claims("procscope.experiments") if claim.target in EXPERIMENT.targets
    ]
    assert len(claims) > 10
    for claim in claims:
        about = [
            entry for entry in [*record.metrics, *record.undefined] if claim.about(entry.id, entry.where)
        ]
        assert len(about) == 2, f"{claim.id} {claim.where}: one number for each of the two networks"
    assert all(entry.reason for entry in record.undefined)
    assert {entry.where["training"] for entry in record.metrics if entry.verdict} == {"cheese-top-right"}


@pytest.mark.slow
def test_an_eighth_of_the_channels_is_taken_away(record):
    counts = [metric.value for metric in record.metrics if metric.id == "S3.zero16/channels"]
    assert counts == [1, 1], "of eight"


@pytest.mark.slow
def test_the_report_and_its_figures_are_there(record):
    page = (record.directory / "report.html").read_text()
    for heading in (
        "does the mouse still head for the cheese?",
        "mazes without the lattice?",
        "systematic search",
    ):
        assert heading in page
    figures = {path.stem for path in (record.directory / "figures").glob("*.png")}
    assert figures == {"many-channels", "corridors", "lattice", "search"}


@pytest.mark.slow
def test_what_is_followed_over_a_training_names_no_channel(record):
    """Channels differ between checkpoints, and a place that names one would be another place in each."""
    drawn = lines([Moment(frames, record.metrics) for frames in (0, 1000)])
    shares = drawn["S3.wishes/goes_to_corner (share)"]
    assert {line.label for line in shares} == {"distribution in", "distribution out"}
    assert not any("channel" in line.label for line in drawn.get("S3.wishes/points_to_corner (share)", []))


def test_mazes_are_used_for_one_thing_each():
    config = replace(EXPERIMENT.scales["smoke"], **TINY)
    mazes = draw_mazes(config, 0)
    seeds = [*mazes.squares, *mazes.calibration, *mazes.decisions]
    assert len(set(seeds)) == len(seeds) == 72
    levels = [*mazes.corridors, *mazes.fields]
    assert len(set(levels)) == 8
    assert {level.size for level in levels} == {15}
    assert {level.size for level in mazes.played} == {9}


@pytest.mark.parametrize("lattice", [True, False])
def test_squares_let_the_mouse_go_up(lattice):
    for level in squares_of_levels(7, 4, np.random.default_rng(0), Move.UP, lattice=lattice):
        x, y = level.mouse
        assert not level.walls[y + 1, x]
        assert min(level.cheese) >= 2
        assert level.holds_invariants() == lattice


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match=r"up to 0\.5"):
        replace(EXPERIMENT.scales["smoke"], share=0.7)
