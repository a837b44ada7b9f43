"""visualize-rewards: where changes lie by hand, and a whole run on a little data."""

import numpy as np
import pytest

from procscope.experiments.visualize_rewards import columns_of_gradient, mean_columns
from procscope.workbench.checkpoints import load_network
from procscope.workbench.experiments import load_experiment, run_experiment


def test_mean_columns_by_hand():
    weights = np.zeros((3, 4, 8, 6))
    weights[0, 1, 6, 2] = 5
    weights[1, :, 1], weights[1, :, 5] = 1, 3
    assert mean_columns(weights) == [6.0, 4.0, 3.5]


def test_the_gradient_lies_where_the_reward_depends_on_the_pair():
    """A reward network's maps are averaged, so that of uniform pairs the gradient is symmetrical about the middle."""
    model = load_network("coinrun-reward")
    columns = columns_of_gradient(model, np.full((1, 64, 64, 6), 128, np.uint8), np.array([3]))
    assert columns[0] == pytest.approx(31.5, abs=6)


@pytest.mark.slow
def test_the_smoke_scale_runs_and_says_what_it_lacks(tmp_path):
    record = run_experiment(load_experiment("visualize-rewards"), "smoke", out=tmp_path)
    ids = {metric.id for metric in record.metrics}
    assert {"C5.vis-denovo/scrambled", "C5.vis-dataset/reward", "C5.vis-dataset/gradient_moves"} <= ids
    assert "No adversarially trained network" in (record.directory / "report.html").read_text()
    rows = (record.directory / "tables" / "rewards_coinrun-reward.csv").read_text()
    assert "700" in rows
