"""Minimum description length: how many bits the layer saves somebody who must write the target down.

A probe that needs many frames to learn its task has found something complicated. The online code counts that in: levels
come in blocks that double, each block's labels are written with the probe learned from the blocks before, and the
bits of all blocks together are the description length. No separate penalty for the probe's size is needed.

    classes   `bits_per_sample` beside `guess_bits_per_sample` (the same code without features: shares of the classes so
              far) and `uniform_bits_per_sample` = log2(classes); `compression` = uniform / online, as in the source.
              The first block is written with the uniform code.
    numbers   a Gaussian code about the probe's prediction, whose width is the error on the block before. Its bits
    depend on
              the resolution at which numbers are written; the difference from the same code without features does not:
              `saved_bits_per_sample` is what is reported. The first block costs both codes the same.

The ridge strength, the penalty and the width that a block is written with are taken from earlier blocks alone.

Source: Voita and Titov 2020, Information-Theoretic Probing with Minimum Description Length (arXiv:2003.12298),
section 2.3; the blocks' sizes are theirs. Linear probes of numbers cost one pass: each block's bits follow from its
sums.

Axes: `sample`, `block`, `column`, `class`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from procscope.probes.levels import Levels
from procscope.probes.logistic import fit_logistic_best
from procscope.probes.moments import Moments
from procscope.probes.ridge import ALPHAS, checked_alphas, solve, squared_errors
from procscope.probes.whitening import Whitening

FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Share of the samples up to the end of each block."""
LEAST_SAMPLES = 40
"""In the first block: smaller blocks are joined with the next one."""


class Description(NamedTuple):
    """Lengths in bits per sample."""

    bits_per_sample: float
    """NaN for numbers, whose bits depend on the resolution."""
    guess_bits_per_sample: float
    uniform_bits_per_sample: float
    saved_bits_per_sample: float
    """Over the code without features."""
    compression: float
    """Uniform over online, for classes; NaN for numbers."""
    ends: tuple[float, ...]
    """Share of the samples up to the end of each block."""
    saved_by_block: tuple[float, ...]
    """Bits per sample saved in each block."""


def blocks_of(levels: Levels, rng: np.random.Generator) -> Int[np.ndarray, " sample"]:
    """The block of each sample, whole levels in a random order.

    Raises ValueError: too few samples for two blocks.
    """
    sizes = np.bincount(levels.of_frame, minlength=levels.n)
    order = rng.permutation(levels.n)
    upto = np.cumsum(sizes[order])
    ends = np.searchsorted(upto, np.array(FRACTIONS) * upto[-1], side="left")
    kept, last = [], 0
    for end in ends.tolist():
        if upto[end] - last >= LEAST_SAMPLES and (not kept or end > kept[-1]):
            kept.append(end)
            last = int(upto[end])
    if len(kept) < 2:
        raise ValueError(
            f"expected enough samples for two blocks of {LEAST_SAMPLES} or more, of different levels; given "
            f"{len(levels.of_frame)} samples of {levels.n} levels"
        )
    kept[-1] = levels.n - 1
    block = np.empty(levels.n, np.int64)
    block[order] = np.searchsorted(kept, np.arange(levels.n), side="left")
    return block[levels.of_frame]


def describe_numbers(
    moments: Moments, column: int, alphas: Sequence[float] = ALPHAS, *, standardise: bool = True
) -> Description:
    """The bits that a linear probe saves on one column. Args: moments: with a part for each block.

    Alpha 0 is left out: early blocks have fewer samples than dimensions.
    """
    strengths = checked_alphas([alpha for alpha in alphas if alpha > 0])
    past_errors = np.zeros(len(strengths))
    width = guess_width = float(moments.up_to(1).yy[column]) / int(moments.n[0])
    best = len(strengths) - 1
    saved, counts = [0.0], [int(moments.n[0])]
    for block in range(1, moments.n_parts):
        known = moments.up_to(block)
        held = moments.about(block, known)
        errors = squared_errors(held, solve(known, strengths, standardise).coefficients)[:, column]
        guess = float(held.yy[column])
        saved.append(
            _gaussian_bits(guess, held.n, guess_width) - _gaussian_bits(float(errors[best]), held.n, width)
        )
        counts.append(held.n)
        past_errors += errors
        best = int(past_errors.argmin())
        width, guess_width = float(errors[best]) / held.n, guess / held.n
    total = sum(counts)
    ends = tuple((np.cumsum(counts) / total).tolist())
    by_block = tuple(s / n for s, n in zip(saved, counts, strict=True))
    nan = float("nan")
    return Description(nan, nan, nan, sum(saved) / total, nan, ends, by_block)


def describe_classes(
    features: Shaped[np.ndarray, "sample dimension"],
    classes: Int[np.ndarray, " sample"],
    n_classes: int,
    block: Int[np.ndarray, " sample"],
    levels: Levels,
    rng: np.random.Generator,
    whitening: Whitening | None = None,
) -> Description:
    """The bits of the online code with logistic probes, and of the same code without features."""
    uniform = float(np.log2(n_classes))
    sizes = np.bincount(block)
    bits, guess_bits = [uniform * sizes[0]], [uniform * sizes[0]]
    for one in range(1, len(sizes)):
        known, held = block < one, block == one
        counts = np.bincount(classes[known], minlength=n_classes) + 1.0
        shares = -np.log2(counts / counts.sum())[classes[held]]
        guess_bits.append(float(shares.sum()))
        if len(np.unique(classes[known])) < 2:
            bits.append(guess_bits[-1])
            continue
        before = Levels.of(levels.of_frame[known])
        probe = fit_logistic_best(
            features[known], classes[known], n_classes, before, rng, whitening=whitening
        )
        # A class that did not come yet keeps a little probability, so that it can be written at all.
        logs = probe.log_probabilities(features[held])[np.arange(sizes[one]), classes[held]]
        floor = np.log(1 / (counts.sum() * n_classes))
        bits.append(float(-np.logaddexp(logs + np.log1p(-np.exp(floor)), floor).sum() / np.log(2)))
    total = len(classes)
    online, guess = sum(bits) / total, sum(guess_bits) / total
    return Description(
        online,
        guess,
        uniform,
        guess - online,
        uniform / online if online > 0 else float("inf"),
        tuple((np.cumsum(sizes) / total).tolist()),
        tuple(float((g - b) / n) for g, b, n in zip(guess_bits, bits, sizes, strict=True)),
    )


def _gaussian_bits(squared_error: float, n: int, width: float) -> float:
    """Of n numbers with that squared error in all, written with a Gaussian of variance `width`."""
    return float(n * 0.5 * np.log2(2 * np.pi * width) + squared_error / (2 * width * np.log(2)))
