"""Statistics streamed in pieces equal NumPy's over the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from procscope.activations.channel_statistics import channel_statistics


@given(
    pieces=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(lambda sizes: sum(sizes) > 0),
    positions=st.sampled_from([(), (1,), (3, 2)]),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
    offset=st.sampled_from([0.0, 500.0]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_as_numpy_over_the_whole(pieces, positions, dtype, offset, seed):
    rng = np.random.default_rng(seed)
    whole = (rng.normal(size=(sum(pieces), 4, *positions)) + offset).astype(dtype)
    batches = np.split(whole, np.cumsum(pieces)[:-1])
    found = channel_statistics(iter(batches))
    exact = whole.astype(np.float64).reshape(len(whole), 4, -1)
    assert found.n_frames == len(whole)
    np.testing.assert_allclose(found.mean, exact.mean(axis=(0, 2)), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found.std, exact.std(axis=(0, 2)), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.minimum, exact.min(axis=(0, 2)))
    np.testing.assert_array_equal(found.maximum, exact.max(axis=(0, 2)))
    np.testing.assert_allclose(found.norm, np.linalg.norm(exact, axis=2).mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.share_active, (exact > 0).mean(axis=(0, 2)), rtol=1e-12)


def test_a_large_mean_loses_no_digits():
    """The sum of squares less the square of the sum would give nonsense here."""
    values = 1e8 + np.tile([0.0, 1.0], 500)[:, None]
    found = channel_statistics(values[i : i + 7] for i in range(0, 1000, 7))
    np.testing.assert_allclose(found.std, 0.5, rtol=1e-6)


def test_nearest_in_norm():
    found = channel_statistics(np.array([[1.0, -8.0, 2.5, 2.0]]))
    assert [found.nearest_in_norm(channel) for channel in range(4)] == [3, 2, 3, 2]
    with pytest.raises(ValueError, match="given channel 4 of 4"):
        found.nearest_in_norm(4)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "at least one frame"),
        ([np.zeros((0, 3))], "at least one frame"),
        ([np.zeros(3)], r"\[frame, channel"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], "expected 3 channels"),
        ([np.zeros((2, 3, 4)), np.zeros((2, 3, 5))], "of 4 positions"),
        ([np.array([[0.0, np.inf]])], "channel 1"),
        ([np.array([[np.nan, 1.0]])], "channel 0"),
    ],
)
def test_bad_input(batches, message):
    with pytest.raises(ValueError, match=message):
        channel_statistics(batches)
