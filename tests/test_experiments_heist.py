"""The three Heist experiments: their numbers from results that are known, settings, and tiny runs."""

from dataclasses import replace

import numpy as np
import pytest
from untrained_impala import saved_impala, untrained_impala

from procscope.experiments import heist_entities, heist_goals, heist_spatial
from procscope.experiments.heist_entities_results import Tracked, Unit, best_next_key
from procscope.experiments.heist_networks import PLACES, map_center, places_of
from procscope.experiments.heist_spatial_numbers import record_numbers
from procscope.experiments.heist_spatial_results import FramesResult, PlayResult, SpatialStudy
from procscope.interventions.fake_study import FakeStudy
from procscope.probes.next_key import NextKeys
from procscope.visualization.likeness import LikenessPanel, plot_likeness
from procscope.visualization.scores_by_thing import ScorePanel, plot_scores
from procscope.workbench.checkpoints import CheckpointHeader, LoadedModel
from procscope.workbench.experiments import run_experiment
from procscope.workbench.published import package_claims
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import Interval

STUDY = FakeStudy("m", "0", "block2.res2", 0.1, 4, 4, (1, 2), (1.0,), ("zero",), 2, 9, 0)


def level(scores: list[float], by_agent: list[list[float]]) -> dict:
    """What `study_level` gives of one hook point with two units, for both keys and masses."""
    one = {
        "overlap": scores,
        "equivariance": scores,
        "shuffled": {"overlap": [0.1, 0.1]},
        "by_agent": by_agent,
    }
    return {thing: {"conv": {"change": one, "activation": one}} for thing in ("blue key", "red key")}


def test_units_are_chosen_on_one_half_and_judged_on_the_other():
    agents = [[0.9, 0.5], [0.1, 0.5]]
    trained = [level(scores, agents) for scores in ([0.8, 0.2], [0.6, 0.2], [0.3, 0.9], [0.5, 0.9])]
    untrained = [[level([0.4, 0.1], agents)] * 2 + [level([0.2, 0.1], agents), level([0.3, 0.1], agents)]]
    tracked = Tracked(("conv",), trained, untrained)
    best = tracked.best(("blue key", "red key"), "change", "overlap")
    assert best.unit == Unit("conv", 0), "the second unit is better on the half that judges alone"
    assert best.scores.mean() == pytest.approx(0.4)
    over = tracked.over(("blue key",), "change", "overlap", "untrained")
    assert over.value == pytest.approx(((0.3 - 0.2) + (0.5 - 0.3)) / 2)
    assert tracked.over(("blue key",), "change", "overlap", "shuffled").value == pytest.approx(0.3)
    assert tracked.followers("blue key") == [Unit("conv", 0)]
    with pytest.raises(ValueError, match="no interval"):
        tracked.agent_spread("blue key", Unit("conv", 0), "change")


def test_the_next_keys_unit_is_judged_where_it_was_not_chosen():
    right = NextKeys(np.full((4, 2, 2), [1.0, 0.0]), np.zeros((4, 2, 2)))
    right.at_next[3, 0, 0] = -1
    found = best_next_key({"conv": right})
    assert found.unit == Unit("conv", 0)
    assert found.right.tolist() == [1, 0]


def test_numbers_of_spatial_edits(tmp_path):
    arms = {
        "untouched": {"fake_first": [0, 0, 0, 1], "key_first": [2, 2, 2, 1]},
        "source": {"fake_first": [0, 0, 0, 1], "key_first": [2, 2, 2, 1]},
        "spot 1 x1 zero": {"fake_first": [1, 0, 0, 1], "key_first": [1, 2, 2, 1]},
        "vector x1": {"fake_first": [2, 2, 1, 2], "key_first": [0, 0, 0, 0]},
        "key moved": {"fake_first": [2, 2, 2, 2], "key_first": [0, 0, 0, 0]},
    }
    frames = {
        "channels": [0, 1, 2, 3],
        "moved": [4.0, 2.0, 2.0, 4.0],
        "arms": {
            name: {"toward": toward, "switched": [0, 1, 0, 1], "action_kl": [0.1, 0.2, 0.3, 0.4]}
            for name, toward in {
                "near": [2.0, 1.0, 1.0, 2.0],
                "patch 1": [1.0, 0.5, 0.5, 1.0],
                "patch random 1": [0.0, 0.0, 0.0, 0.0],
            }.items()
        },
    }
    study = SpatialStudy(
        "one",
        "no variant",
        {"block2.res2": FramesResult(STUDY, frames)},
        {"block2.res2": PlayResult(STUDY, {"arms": arms})},
    )
    record = RunRecord.create(
        tmp_path, "heist-spatial", {}, "test", claims=package_claims("procscope.experiments")
    )
    record_numbers(record, [study])
    found = {(m.id.split("/")[1], m.where.get("arm")): m.value for m in record.metrics}
    assert found["near_share", None] == pytest.approx(0.5)
    assert found["redundancy", None] == 0
    assert found["trackers_over_random", None] == pytest.approx(0.25)
    assert found["fake_first", "vector x1"] == pytest.approx(7 / 8)
    assert found["fake_gain", "source"] == 0
    assert found["fake_gain", "vector x1"] == pytest.approx(6 / 8)
    assert found["vector_over_spot", None] == pytest.approx((0.5 + 0.5) / 2)


def test_settings_that_make_no_sense():
    with pytest.raises(ValueError, match="at least four rooms"):
        replace(heist_entities.EXPERIMENT.scales["smoke"], rooms=2)
    with pytest.raises(ValueError, match="at least four levels to edit"):
        replace(heist_spatial.EXPERIMENT.scales["smoke"], pairs=2)
    with pytest.raises(ValueError, match="counts with 1 and times with 1"):
        replace(heist_spatial.EXPERIMENT.scales["smoke"], counts=(4,))
    with pytest.raises(ValueError, match="at least eight pairs to find"):
        replace(heist_goals.EXPERIMENT.scales["smoke"], finding_pairs=4)


def test_places_go_by_architecture():
    unknown = LoadedModel(untrained_impala(), CheckpointHeader("nature-cnn", {}), "0", "some.safetensors")
    with pytest.raises(ValueError, match=r"some\.safetensors is 'nature-cnn'"):
        places_of(unknown)
    assert set(PLACES) == {"impala", "interpretable-cnn"}
    assert map_center(untrained_impala(), 8) == 1 / 16


@pytest.mark.slow
@pytest.mark.parametrize("module", [heist_entities, heist_spatial, heist_goals])
def test_a_tiny_run(module, tmp_path):
    model = saved_impala(tmp_path / "one.safetensors", 0, ())
    experiment = module.EXPERIMENT
    changes = {"models": (model,)}
    if module is heist_entities:
        changes |= {"maze_models": (), "corners": 2, "readout_levels": 40, "stages": 6}
    config = replace(experiment.scales["smoke"], **changes)
    records = [run_experiment(experiment, "smoke", out=tmp_path, config=config) for _ in range(2)]
    assert records[0].metrics == records[1].metrics
    assert len(records[0].metrics) > 40
    page = (records[0].directory / "report.html").read_text()
    assert "In short" in page


def test_figures_refuse_what_does_not_fit():
    interval = Interval(0.5, 0.4, 0.6, 9)
    figure = plot_scores([ScorePanel("one", {"trained": {"gem": interval}, "untrained": {}})], xlabel="share")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["gem"]
    with pytest.raises(ValueError, match="at least one panel with a score"):
        plot_scores([], xlabel="share")
    with pytest.raises(ValueError, match="a cosine for each pair"):
        plot_likeness([LikenessPanel("one", ["a", "b"], np.ones((3, 3)))])
