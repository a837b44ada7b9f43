"""`maze-channels` end to end on small untrained networks: every claim has its number or a reason, and runs repeat."""

from dataclasses import replace

import pytest
from untrained_impala import saved_impala

from procscope.experiments.maze_channels import EXPERIMENT
from procscope.experiments.maze_channels_setup import draw_mazes
from procscope.workbench.experiments import run_experiment
from procscope.workbench.published import package_claims

TINY = {"base_mazes": 3, "squares": 24, "decision_mazes": 24, "played_mazes": 3, "max_steps": 12}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    one = saved_impala(folder / "one.safetensors", 0, ("cheese-top-right",))
    return one, saved_impala(folder / "two.safetensors", 1, ("cheese-anywhere",))


@pytest.fixture(scope="module")
def runs(models, tmp_path_factory):
    """The same tiny run twice, in two places."""
    config = replace(EXPERIMENT.scales["smoke"], models=models, **TINY)
    folder = tmp_path_factory.mktemp("runs")
    return [
        run_experiment(EXPERIMENT, "smoke", out=folder / name, config=config) for name in ("first", "second")
    ]


@pytest.mark.slow
def test_every_claim_of_the_targets_is_measured_or_undefined_for_a_reason(runs):
    record = runs[0]
    claims = [
        claim for claim in package_claims("procscope.experiments") if claim.target in EXPERIMENT.targets
    ]
    assert len(claims) > 60
    for claim in claims:
        about = [
            entry for entry in [*record.metrics, *record.undefined] if claim.about(entry.id, entry.where)
        ]
        assert len(about) == 2, f"{claim.id} {claim.where}: one number for each of the two networks"
    assert all(entry.reason for entry in record.undefined)


@pytest.mark.slow
def test_only_networks_trained_as_the_study_s_are_judged(runs):
    judged = {metric.where["training"] for metric in runs[0].metrics if metric.verdict}
    assert judged == {"cheese-top-right"}
    assert {metric.verdict for metric in runs[0].metrics if metric.verdict} == {"undecided"}, "n is tiny"


@pytest.mark.slow
def test_the_report_and_its_figures_are_there(runs):
    page = (runs[0].directory / "report.html").read_text()
    for heading in (
        "Which channels say where to go?",
        "Does the channel cause it?",
        "What differs from the study",
    ):
        assert heading in page
    assert len(list((runs[0].directory / "figures").glob("*.png"))) == 8


@pytest.mark.slow
def test_the_same_seed_gives_the_same_numbers(runs):
    first, second = runs
    assert first.metrics == second.metrics
    assert first.undefined == second.undefined


def test_mazes_are_used_for_one_thing_each():
    config = replace(EXPERIMENT.scales["smoke"], **TINY)
    mazes = draw_mazes(config, seed=0)
    used = [*mazes.squares, *mazes.calibration, *mazes.decisions]
    assert len(set(used)) == len(used) == 24 + 24 + 24
    assert draw_mazes(config, seed=0) == mazes
    assert not set(draw_mazes(config, seed=1).squares) & set(used)
