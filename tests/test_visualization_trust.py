"""Trust measures against pictures whose numbers are known, and the forced choice on planted classes."""

import numpy as np
import pytest

from procscope.visualization.forced_choice import ForcedChoice, class_labels
from procscope.visualization.trust import reach, reach_from_median, seed_similarity, spectral_slope


def test_reach_is_a_ratio_and_undefined_below_0():
    assert reach(3.0, 2.0) == 1.5
    assert reach(3.0, -2.0) is None
    assert reach_from_median(3.0, -1.0, 1.0) == 2.0
    assert reach_from_median(3.0, 1.0, 1.0) is None
    with pytest.raises(ValueError, match="expected finite activations, given nan and 1"):
        reach(float("nan"), 1.0)


def test_seeds_agree_up_to_a_shift_and_noise_does_not():
    rng = np.random.default_rng(0)
    picture = rng.random((3, 64, 64))
    shifted = np.roll(picture, (5, -9), axis=(1, 2))
    assert seed_similarity(np.stack([picture, shifted, 0.3 * picture + 0.2])) == pytest.approx(1)
    assert seed_similarity(rng.random((4, 3, 64, 64))) == pytest.approx(0.04, abs=0.01)
    assert seed_similarity(picture[None]) is None
    assert seed_similarity(np.full((2, 3, 8, 8), 0.5)) is None


@pytest.mark.parametrize("slope", [0.0, -1.0, -2.0, -3.0])
def test_the_slope_is_that_of_the_spectrum(slope):
    rng = np.random.default_rng(1)
    frequency = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None])
    frequency[0, 0] = 1
    spectra = np.fft.fft2(rng.normal(size=(40, 64, 64))) * frequency ** (slope / 2)
    pictures = np.fft.ifft2(spectra).real
    assert spectral_slope(pictures) == pytest.approx(slope, abs=0.2)
    assert spectral_slope(np.full((3, 16, 16), 0.2)) is None


def planted(n: int = 900) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Features with the move's and the colour's class in them, 40 frames a level."""
    rng = np.random.default_rng(2)
    move, colour = rng.integers(0, 4, n), rng.integers(0, 2, n)
    features = rng.normal(size=(n, 12))
    features[np.arange(n), move] += 4
    features[:, 8] += 4 * colour
    labels = {"best_move": move, "holds_blue": colour, "constant": np.zeros(n, int)}
    return features, labels, np.arange(n) // 40


def test_the_forced_choice_asks_about_the_label_that_explains_the_unit():
    features, labels, levels = planted()
    choice = ForcedChoice.fitted(features, labels, levels)
    assert set(choice.classifiers) == {"best_move", "holds_blue"}
    assert choice.classifiers["best_move"].accuracy > 0.95
    values = 2.0 * (labels["best_move"] == 2) + np.random.default_rng(3).normal(size=len(levels))
    preference = choice.preference(values)
    assert (preference.label, preference.value) == ("best_move", 2)
    # Two levels 2 apart, the higher with a share of 1/4, and noise of variance 1.
    assert preference.eta_squared == pytest.approx(0.75 / 1.75, abs=0.05)
    pictures = np.zeros((2, 12))
    pictures[0, 2] = pictures[1, 0] = 4
    assert choice.picks(pictures, "best_move").tolist() == [2, 0]
    assert choice.n_classes("best_move") == 4
    assert choice.preference(np.full(len(levels), 3.0)) is None


def test_labels_are_those_with_few_classes_and_quarters():
    columns = {
        "agent_row": np.array([0, 40, 40, -1]),
        "agent_col": np.array([63, 0, 40, -1]),
        "best_move": np.array([0, 1, 2, 3]),
        "holds_red": np.array([True, False, True, True]),
        "episode": np.array([0, 0, 1, 1]),
        "agent_x": np.array([0, 1, 2, 3]),
        "value": np.array([0.0, 1, 2, 3]),
    }
    found = class_labels(columns)
    assert list(found) == ["agent_quarter", "best_move", "holds_red"]
    assert found["agent_quarter"].tolist() == [1, 2, 3, -1]
    columns["reward"] = np.array([0.0, 10, 0, 10])
    assert "rewarded" not in class_labels(columns)
    assert class_labels(columns | {"next_best_move": columns["best_move"]})["rewarded"].tolist() == [
        0,
        1,
        0,
        1,
    ]


def test_bad_input_says_what_is_expected():
    features, labels, levels = planted(60)
    with pytest.raises(ValueError, match="labels of 60 frames, given 59 of 'best_move'"):
        ForcedChoice.fitted(features, {"best_move": labels["best_move"][1:]}, levels)
    with pytest.raises(ValueError, match="a label with at least two classes"):
        ForcedChoice.fitted(features, {"constant": labels["constant"]}, levels)
