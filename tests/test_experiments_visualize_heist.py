"""visualize-heist: likeness and colour distances by hand, and a whole run on a little data."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from procscope.experiments.atlas_numbers import agreement, colour_distance, likeness_to_others
from procscope.visualization.atlas.entry import AtlasEntry, shown
from procscope.visualization.colours import Colours
from procscope.workbench.experiments import load_experiment, run_experiment


def entry(unit: str, *pictures: np.ndarray) -> AtlasEntry:
    return AtlasEntry(unit, "frames", tuple(shown(picture, "") for picture in pictures), 0.0)


def test_units_whose_pictures_are_their_own_agree_and_others_do_not():
    rng = np.random.default_rng(0)
    own = rng.integers(0, 256, (3, 16, 16, 3)).astype(np.uint8)
    alike = [entry(f"{i}", own[i], own[i]) for i in range(3)]
    # Three unrelated pictures less their mean have a cosine of about -1/2 to each other, and 1 to themselves.
    np.testing.assert_allclose(agreement(alike), 1.5, atol=0.1)
    same = [entry(f"{i}", own[0], own[1]) for i in range(3)]
    assert (agreement(same) < 0).all()
    np.testing.assert_allclose(likeness_to_others(alike), -0.5, atol=0.1)


def test_the_environments_own_colours_are_at_distance_3():
    frames = np.random.default_rng(1).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    colours = Colours.of(frames)
    distances = [colour_distance(entry("a", frame), colours) for frame in frames]
    assert np.mean(distances) == pytest.approx(3)
    picture = Image.open(io.BytesIO(base64.b64decode(entry("a", frames[0]).pictures[0].png)))
    np.testing.assert_array_equal(np.asarray(picture), frames[0])


@pytest.mark.slow
def test_the_smoke_scale_runs(tmp_path):
    record = run_experiment(load_experiment("visualize-heist"), "smoke", out=tmp_path)
    ids = {metric.id for metric in record.metrics}
    assert {
        "S4.decorrelation/colour_distance_drop",
        "S4.max-patch/agreement",
        "S4.patch-vis/likeness_over_channel",
    } <= ids
    assert (record.directory / "report.html").is_file()
