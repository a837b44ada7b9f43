"""visualize-units: the numbers of an atlas by hand, and a whole run on a little data."""

import numpy as np
import pytest

from procscope.experiments.atlas_numbers import trust_numbers
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.workbench.experiments import load_experiment, run_experiment


def entry(unit: int, **measured) -> AtlasEntry:
    return AtlasEntry(f"channel {unit}", "lucid", (), 0.0, **measured)


def test_trust_is_averaged_over_the_units_whose_pictures_mean_something():
    entries = [
        entry(
            0,
            reach_from_median=2.0,
            seed_similarity=0.1,
            slope=-1.0,
            unit_class=1,
            picture_class=1,
            n_classes=4,
        ),
        entry(
            1,
            reach_from_median=0.5,
            seed_similarity=0.3,
            slope=-2.0,
            unit_class=1,
            picture_class=0,
            n_classes=2,
        ),
        entry(2, reach_from_median=9.0, seed_similarity=0.9, slope=-9.0, problem="flat"),
    ]
    found = {number.id: number.value for number in trust_numbers(entries, np.random.default_rng(0))}
    assert found["atlas/beyond_data"].value == 0.5
    assert found["atlas/seed_similarity"].value == pytest.approx(0.2)
    assert found["atlas/slope"].value == pytest.approx(-1.5)
    assert found["atlas/choice_over_chance"].value == pytest.approx((0.75 - 0.5) / 2)
    assert all(number.value is None for number in trust_numbers(entries[2:], np.random.default_rng(0)))


@pytest.mark.slow
def test_the_smoke_scale_runs_for_policies_and_reward_networks(tmp_path):
    record = run_experiment(load_experiment("visualize-units"), "smoke", out=tmp_path)
    assert {metric.where["model"] for metric in record.metrics} >= {"maze-easy-topright", "coinrun-reward"}
    assert "S4.feature-vis/beyond_data" in {metric.id for metric in record.metrics}
    assert (record.directory / "atlas" / "heist-easy-impala" / "block2.res2" / "index.html").is_file()
