"""Frames and patches of frames that excite units most, different from each other; and frames at each quantile.

When to use: to see what a unit answers to in the world it knows. Synthetic pictures show more than that, and less.

    examples = exciting_frames(cache, scan, most=8)                         # whole frames, by the unit's mean
    examples = exciting_patches(cache, scan, fields, most=8)                # cut out round the highest place
    examples = quantile_frames(cache, scan)                                 # from the lowest to the highest
    examples[21][0].picture, examples[21][0].value

Chosen one after the other, from the best frame of each of the best levels:

    score = value / highest value + diversity x (1 - mean cosine similarity to those chosen)

Similarity is that of the pictures less the mean picture of all candidates: raw frames of one game are all alike. A
patch is compared as it is shown, at one size.

Source: S4.max-act and S4.max-patch; the score is that of the code behind the notes with its weight of 2, which takes
the value as it is; ours is divided by the highest, so that the weight means the same for every unit.

Cost: after the scan, the frames are read once, at most those blocks that hold a candidate.

Axes: `candidate`, `frame`, `row col channel`: red, green and blue, of a pair of frames twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image

from procscope.activations.cache import ActivationCache
from procscope.visualization.receptive_fields import Box, ReceptiveFields
from procscope.visualization.unit_scan import UnitScan

DIVERSITY = 2.0
CANDIDATES = 32
PATCH_PIXELS = 24
"""Largest patch: the notes' code takes 16 to 32."""
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True, eq=False)
class Example:
    """One frame, or part of one."""

    frame: int
    """Its place in the cache."""
    value: float
    """The unit's mean in it, or its value at the patch's place."""
    picture: UInt8[np.ndarray, "row col channel"]
    """What is shown; of a frame and the next one six channels."""
    box: Box | None = None
    """The pixels of the frame, of a patch."""
    quantile: float | None = None


def exciting_frames(
    cache: ActivationCache,
    scan: UnitScan,
    *,
    most: int = 8,
    diversity: float = DIVERSITY,
    candidates: int = CANDIDATES,
) -> list[list[Example]]:
    """For each unit, up to so many frames of different levels with a high mean. Raises ValueError: no frames kept."""
    chosen = [scan.best_of_levels(unit, "mean", candidates) for unit in range(len(scan.units))]
    frames = read_frames(cache, np.concatenate(chosen))
    return [
        _diverse(
            [
                Example(int(frame), float(scan.mean[frame, unit]), frames[int(frame)])
                for frame in chosen[unit]
            ],
            most,
            diversity,
        )
        for unit in range(len(scan.units))
    ]


def exciting_patches(
    cache: ActivationCache,
    scan: UnitScan,
    fields: ReceptiveFields,
    *,
    most: int = 8,
    diversity: float = DIVERSITY,
    candidates: int = CANDIDATES,
    patch_pixels: int = PATCH_PIXELS,
) -> list[list[Example]]:
    """For each unit, up to so many patches of frames of different levels, cut out where the unit is highest.

    A patch is the place's receptive field, or the `patch_pixels` about its centre if the field is larger.

    Raises ValueError: no frames kept; receptive fields of another hook point.
    """
    if (len(fields.rows), len(fields.cols)) != scan.map_shape:
        raise ValueError(
            f"expected receptive fields of {scan.units.hook_point!r}, a map of {scan.map_shape}; given those of "
            f"{fields.hook_point!r}"
        )
    chosen = [scan.best_of_levels(unit, "peak", candidates) for unit in range(len(scan.units))]
    frames = read_frames(cache, np.concatenate(chosen))
    found = []
    for unit, of_unit in enumerate(chosen):
        examples = []
        for frame in of_unit.tolist():
            box = fields.crop(*scan.position(frame, unit), patch_pixels)
            cut = frames[frame][box.top : box.bottom, box.left : box.right]
            examples.append(Example(frame, float(scan.peak[frame, unit]), cut, box))
        found.append(_diverse(examples, most, diversity))
    return found


def quantile_frames(
    cache: ActivationCache, scan: UnitScan, quantiles: Sequence[float] = QUANTILES
) -> list[list[Example]]:
    """For each unit, the frame at each quantile of its mean.

    Raises ValueError: quantiles outside 0..1, no frames kept.
    """
    wanted = np.array(quantiles, dtype=np.float64)
    if len(wanted) == 0 or wanted.min() < 0 or wanted.max() > 1:
        raise ValueError(f"expected quantiles from 0 to 1, given {list(quantiles)}")
    chosen = [scan.at_quantiles(unit, wanted) for unit in range(len(scan.units))]
    frames = read_frames(cache, np.concatenate(chosen))
    return [
        [
            Example(frame, float(scan.mean[frame, unit]), frames[frame], quantile=quantile)
            for frame, quantile in zip(chosen[unit].tolist(), quantiles, strict=True)
        ]
        for unit in range(len(scan.units))
    ]


def read_frames(
    cache: ActivationCache, wanted: Int[np.ndarray, " frame"]
) -> dict[int, UInt8[np.ndarray, "row col channel"]]:
    """Some observations by their place in the cache, each block read once.

    Raises ValueError: the cache was built without them.
    """
    observations, found = cache.frames, {}
    places = np.unique(wanted)
    for block in np.unique(places // cache.spec.block_frames).tolist():
        rows = cache.spec.block_slice(block)
        inside = places[(places >= rows.start) & (places < rows.stop)]
        part = np.asarray(observations[rows])
        found |= {place: part[place - rows.start].copy() for place in inside.tolist()}
    return found


def _diverse(examples: list[Example], most: int, diversity: float) -> list[Example]:
    """The first is the highest; each next one has the best score beside those chosen."""
    if most < 1 or diversity < 0:
        raise ValueError(
            f"expected at least one example and a weight from 0 up, given {most} and {diversity}"
        )
    values = np.array([example.value for example in examples])
    alike = _similarity([example.picture for example in examples])
    highest = np.abs(values).max() or 1.0
    chosen = [0]
    while len(chosen) < min(most, len(examples)):
        score = values / highest + diversity * (1 - alike[:, chosen].mean(axis=1))
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
    return [examples[i] for i in chosen]


def _similarity(pictures: list[np.ndarray]) -> Float[np.ndarray, "candidate candidate_"]:
    """Cosine similarity of pictures [row, col, channel] less their mean; smaller ones are brought to the largest."""
    rows, cols = np.array([picture.shape[:2] for picture in pictures]).max(axis=0).tolist()
    whole = [
        picture if picture.shape[:2] == (rows, cols) else _resized(picture, (cols, rows))
        for picture in pictures
    ]
    flat = np.stack(whole).reshape(len(whole), -1).astype(np.float32)
    flat -= flat.mean(axis=0)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return (flat @ flat.T).astype(np.float64)


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    frames = np.split(picture, picture.shape[2] // 3, axis=2)
    return np.concatenate([np.asarray(Image.fromarray(frame).resize(size)) for frame in frames], axis=2)
