"""How far a unit's picture can be trusted: what it reaches, whether other seeds agree, how natural it looks.

    reach(value, top)                      activation reached over the 99.9th percentile of frames; below 1 the picture
                                           shows less than what the unit meets anyway
    reach_from_median(value, median, top)  the same, both counted from the median of frames: for units of either sign
    seed_similarity(pictures)              do other seeds give the same picture? 1 the same, near 0 nothing in common
    spectral_slope(picture)                how power falls with frequency: about -2 in scenes, 0 in white noise

The fourth, whether the picture belongs to the labels that the unit answers to on data, is `forced_choice.py`.

Limits: a high reach is no virtue: the far side of what can occur is where networks do anything. Read the four together.

Source: ours; S4.vis-sae-vs-raw calls pictures clearer or noisier without a number. The slope of natural scenes: Field
1987.

Axes: `seed`, `row col`, `channel`.
"""

import math

import numpy as np
from jaxtyping import Float

TOP_QUANTILE = 0.999


def reach(activation: float, top_of_data: float) -> float | None:
    """Activation over the percentile on data; None where that is not above 0, since a ratio means nothing then.

    Raises ValueError: a number that is not finite.
    """
    if not (math.isfinite(activation) and math.isfinite(top_of_data)):
        raise ValueError(f"expected finite activations, given {activation} and {top_of_data} on data")
    return activation / top_of_data if top_of_data > 0 else None


def reach_from_median(activation: float, median_of_data: float, top_of_data: float) -> float | None:
    """Activation over the percentile on data, both less the median on data; None of a unit that hardly varies.

    Raises ValueError: a number that is not finite.
    """
    if not all(map(math.isfinite, (activation, median_of_data, top_of_data))):
        raise ValueError(
            f"expected finite activations, given {activation}, and {median_of_data}, {top_of_data} on data"
        )
    spread = top_of_data - median_of_data
    return (activation - median_of_data) / spread if spread > 1e-9 else None


def seed_similarity(pictures: Float[np.ndarray, "seed channel row col"]) -> float | None:
    """Mean over pairs of seeds of the highest correlation that any shift of one picture has with the other.

    A channel's picture may come anywhere, so shifts (round the edge) are free. Of white noise of 64 x 64 pixels it is
    about 0.04, not 0, since the best of 4,096 shifts is taken. None for a single seed or a flat picture.
    """
    centred = pictures - pictures.mean(axis=(2, 3), keepdims=True)
    norms = np.linalg.norm(centred.reshape(len(pictures), -1), axis=1)
    if len(pictures) < 2 or norms.min() < 1e-6:
        return None
    spectra = np.fft.rfft2(centred / norms[:, None, None, None])
    best = [
        np.fft.irfft2((spectra[one] * spectra[two].conj()).sum(axis=0), s=pictures.shape[2:]).max()
        for one in range(len(pictures))
        for two in range(one)
    ]
    return float(np.mean(best))


def spectral_slope(picture: Float[np.ndarray, "channel row col"]) -> float | None:
    """Slope of log power against log frequency, power averaged over channels and directions; None of a flat picture.

    Least squares over rings one cycle a picture wide, from 1 cycle to half the picture's shorter side.
    """
    rows, cols = picture.shape[1:]
    # Edges that do not meet would put power on the axes; a Hann window lets them.
    window = np.hanning(rows)[:, None] * np.hanning(cols)[None]
    centred = (picture - picture.mean(axis=(1, 2), keepdims=True)) * window
    power = (np.abs(np.fft.fft2(centred)) ** 2).mean(axis=0)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(cols)[None]) * min(rows, cols)
    ring = np.rint(frequency).astype(int)
    rings = range(1, min(rows, cols) // 2 + 1)
    by_ring = np.array([power[ring == number].mean() for number in rings])
    if by_ring.max() < 1e-12:
        return None
    logs = np.log(np.maximum(by_ring, 1e-12 * by_ring.max()))
    return float(np.polyfit(np.log(np.arange(1, len(by_ring) + 1)), logs, 1)[0])
