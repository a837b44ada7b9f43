"""How well single latents say single things, beside single units of the network and beside linear probes.

When to use: to ask whether an autoencoder splits what units mix (S4.vis-sae-vs-raw, which its author did not measure).

    found = measure_meaning(sae, cache, "fc", [read_statements(cache, default_statements(cache))])
    found.latents.label[7], found.latents.precision[7], found.latents.recall[7]
    found.latent_f1, found.unit_f1, found.probe_f1              # of the best for each statement

For each latent: the statement that it says best at its best threshold, and precision and recall there. Statement and
threshold are chosen on half of the levels and judged on the other half, since the best of many is flattered by its
choice. Units of the hook point are treated alike, and a ridge probe of each statement (of all units, fitted to the
first half) says what a linear read-out can do: a latent that is as good holds the thing alone.

Of a map, statements about places (`here(...)`) are compared with its positions, all others with frames, in which a
latent, or a channel, counts as the largest value that it has anywhere.

Thresholds lie between `BINS` bins of equal size of a unit's values (of a latent's values above 0, and one for 0).

Source: precision and recall of single latents as in Bricken et al. 2023; the split over levels and the comparison with
units and probes are ours.
Cost: an encoding of the samples, and for each unit a pass over those in which it is not silent.

Axes: `sample`, `unit` a latent or a unit of the network, `label` a statement, `bin`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
from torch import Tensor

from procscope.activations.cache import ActivationCache
from procscope.probes.levels import folds
from procscope.saes.labels import Statements
from procscope.saes.metrics import ThresholdScores, best_labels, f1_lift, threshold_scores
from procscope.saes.probe_scores import probe_scores
from procscope.saes.sae import Sae, samples_of

BINS = 64
MOST_SAMPLES = 60_000
"""More are not looked at: of maps, frames are drawn until their positions are about so many."""


@dataclass(frozen=True, eq=False)
class UnitMeanings:
    """What each unit says best, and how well on levels that it was not chosen on."""

    label: Int64[np.ndarray, " unit"]
    """Place among the statements; -1 for a unit that is silent on the levels of the choice."""
    precision: Float64[np.ndarray, " unit"]
    recall: Float64[np.ndarray, " unit"]
    f1: Float64[np.ndarray, " unit"]
    lift: Float64[np.ndarray, " unit"]
    """Of its f1 over saying the statement always (`metrics.f1_lift`)."""
    threshold: Float64[np.ndarray, " unit"]
    """It says so where it is above."""

    def median_lift(self) -> float:
        """Over units that are not silent. Raises ValueError: all are."""
        if not (self.label >= 0).any():
            raise ValueError("expected a unit that is active on the levels of the choice; all are silent")
        return float(np.median(self.lift[self.label >= 0]))


class Meanings(NamedTuple):
    """Latents, units and probes on the same statements and samples."""

    statements: tuple[str, ...]
    shares: Float64[np.ndarray, " label"]
    """Of the samples of which each statement is true: the f1 of saying it always is 2 share / (1 + share)."""
    n_samples: Int64[np.ndarray, " label"]
    latents: UnitMeanings
    units: UnitMeanings
    latent_f1: Float64[np.ndarray, " label"]
    """Of the latent that is best for the statement, chosen on the one half, judged on the other."""
    unit_f1: Float64[np.ndarray, " label"]
    probe_f1: Float64[np.ndarray, " label"]
    best_latent: Int64[np.ndarray, " label"]
    best_unit: Int64[np.ndarray, " label"]


def measure_meaning(
    sae: Sae, cache: ActivationCache, hook_point: str, statements: Sequence[Statements], *, seed: int = 0
) -> Meanings:
    """Latents, units and probes against statements.

    Args:
        statements: of frames, of the positions of the hook point's map, or some of each.
        seed: of the halves, and of the frames drawn where there are too many.

    Raises ValueError: no statements; statements of other samples than the hook point has; fewer than two levels.
    """
    if not statements:
        raise ValueError("expected statements to compare latents with; given none")
    groups = [_measure_group(sae, cache, hook_point, group, seed) for group in statements]
    of_latents = _joined([group.latents for group in groups])
    of_units = _joined([group.units for group in groups])
    probe_f1 = np.concatenate([np.diagonal(group.probes.judged.f1) for group in groups])
    own = np.arange(of_latents.chosen.f1.shape[1])
    best_latent, best_unit = of_latents.chosen.f1.argmax(axis=0), of_units.chosen.f1.argmax(axis=0)
    return Meanings(
        tuple(name for group in statements for name in group.names),
        of_latents.shares.mean(axis=0),
        np.concatenate([np.full(group.probes.shares.shape[1], group.n_samples) for group in groups]),
        of_latents.meanings(),
        of_units.meanings(),
        of_latents.judged.f1[best_latent, own],
        of_units.judged.f1[best_unit, own],
        probe_f1,
        best_latent.astype(np.int64),
        best_unit.astype(np.int64),
    )


def _measure_group(
    sae: Sae, cache: ActivationCache, hook_point: str, statements: Statements, seed: int
) -> "_Group":
    """Latents, units and probes against statements of one kind of sample."""
    rng = np.random.default_rng((seed, 7))
    rng = np.random.default_rng((seed, 7))
    read = _samples(sae, cache, hook_point, statements, rng)
    of_latents = _score(sae.n_latents, _columns_of_sparse(read.latents), read.truth, read.in_choice)
    of_units = _score(read.units.shape[1], _columns_of_dense(read.units), read.truth, read.in_choice)
    probes = probe_scores(read.units, read.truth, read.in_choice)
    of_probes = _score(probes.shape[1], _columns_of_dense(probes), read.truth, read.in_choice)
    return _Group(of_latents, of_units, of_probes, len(read.truth))


class _Scored(NamedTuple):
    chosen: ThresholdScores
    """On the half of the choice."""
    judged: ThresholdScores
    """At the same thresholds, on the other half."""
    active: Bool[np.ndarray, " unit"]
    thresholds: Float64[np.ndarray, "unit label"]
    shares: Float64[np.ndarray, "half label"]
    """Of the samples of which each statement is true."""

    def meanings(self) -> UnitMeanings:
        label = best_labels(self.chosen, self.shares[0])
        rows = np.arange(len(label))
        return UnitMeanings(
            np.where(self.active, label, -1),
            self.judged.precision[rows, label],
            self.judged.recall[rows, label],
            self.judged.f1[rows, label],
            f1_lift(self.judged.f1, self.shares[1])[rows, label],
            self.thresholds[rows, label],
        )


class _Group(NamedTuple):
    latents: _Scored
    units: _Scored
    probes: _Scored
    n_samples: int


def _joined(groups: Sequence[_Scored]) -> _Scored:
    """The same units on the statements of all groups."""

    def together(parts: Sequence[Any]) -> Any:
        return np.concatenate(parts, axis=1)

    def scores(parts: Sequence[ThresholdScores]) -> ThresholdScores:
        return ThresholdScores(*map(together, zip(*parts, strict=True)))

    return _Scored(
        scores([group.chosen for group in groups]),
        scores([group.judged for group in groups]),
        np.any([group.active for group in groups], axis=0),
        together([group.thresholds for group in groups]),
        together([group.shares for group in groups]),
    )


class _Samples(NamedTuple):
    latents: Tensor
    """Sparse [sample, latent]."""
    units: Float32[np.ndarray, "sample unit"]
    truth: Bool[np.ndarray, "sample label"]
    in_choice: Bool[np.ndarray, " sample"]
    """Whether the sample's level is of the half on which things are chosen."""


@torch.inference_mode()
def _samples(
    sae: Sae, cache: ActivationCache, hook_point: str, statements: Statements, rng: np.random.Generator
) -> _Samples:
    """Frames, or positions of frames; of a map read by frames, the largest value anywhere."""
    array = cache.activations(hook_point)
    n_positions = int(np.prod(array.shape[2:]))
    per_frame = statements.samples_per_frame
    if per_frame not in (1, n_positions):
        raise ValueError(
            f"expected statements of frames, or of the {n_positions} positions of each frame of {hook_point}; given "
            f"{per_frame} a frame. Read them with positions={array.shape[2:]}"
        )
    half = folds(statements.levels, 2, rng)
    most = max(2, MOST_SAMPLES // per_frame)
    rows = np.sort(rng.permutation(len(statements.frames))[:most])
    latents, units = [], []
    for part in np.array_split(rows, max(1, len(rows) * n_positions // 16_384)):
        values = torch.from_numpy(np.asarray(array.oindex[statements.frames[part]])).float()
        samples = samples_of(values)
        found = sae.encode(samples.to(sae.b_enc.device)).cpu()
        if per_frame < n_positions:
            found = found.reshape(len(part), n_positions, -1).amax(dim=1)
            samples = samples.reshape(len(part), n_positions, -1).amax(dim=1)
        latents.append(found.to_sparse())
        units.append(samples.numpy())
    truth = statements.true.reshape(len(statements.frames), per_frame, -1)[rows]
    return _Samples(
        torch.cat(latents).coalesce(),
        np.concatenate(units),
        truth.reshape(len(rows) * per_frame, -1),
        np.repeat(half[rows] == 0, per_frame),
    )


Columns = Callable[[int], tuple[np.ndarray, np.ndarray, float]]
"""From a unit to the samples in which it is not silent, its values there, and its value where it is silent."""


def _columns_of_sparse(latents: Tensor) -> Columns:
    """Of a sparse tensor [sample, latent]: silent where it is 0."""
    sample, latent = latents.indices().numpy()
    order = np.argsort(latent, kind="stable")
    sample, value = sample[order], latents.values().numpy()[order]
    starts = np.searchsorted(latent[order], np.arange(latents.shape[1] + 1))
    return lambda unit: (
        sample[starts[unit] : starts[unit + 1]],
        value[starts[unit] : starts[unit + 1]],
        0.0,
    )


def _columns_of_dense(values: Float32[np.ndarray, "sample unit"]) -> Columns:
    """Silent is a unit at its least value, as after a ReLU."""

    def columns(unit: int) -> tuple[np.ndarray, np.ndarray, float]:
        column = values[:, unit]
        least = column.min()
        above = np.flatnonzero(column > least)
        return above, column[above], float(least)

    return columns


def _score(
    n_units: int,
    columns: Columns,
    truth: Bool[np.ndarray, "sample label"],
    in_choice: Bool[np.ndarray, " sample"],
) -> _Scored:
    halves = (in_choice, ~in_choice)
    counts = np.zeros((2, n_units, BINS + 1, truth.shape[1]), np.int64)
    samples = np.zeros((2, n_units, BINS + 1), np.int64)
    edges = np.zeros((n_units, BINS))
    n_true = [truth[half].sum(axis=0) for half in halves]
    marks = torch.from_numpy(truth.astype(np.float32))
    for unit in range(n_units):
        rows, values, silent = columns(unit)
        of_choice = values[in_choice[rows]]
        if not len(of_choice):
            rows, values = rows[:0], values[:0]
        else:
            edges[unit] = np.quantile(of_choice, np.arange(BINS) / BINS, method="lower")
            edges[unit, 0] = silent  # above the lowest threshold is whatever is not silent
        bins = np.searchsorted(edges[unit], values, side="right")
        for half, chosen in enumerate(halves):
            here = chosen[rows]
            table = torch.zeros(BINS + 1, truth.shape[1])
            table.index_add_(0, torch.from_numpy(bins[here]), marks[torch.from_numpy(rows[here])])
            counts[half, unit] = table.numpy()
            samples[half, unit] = np.bincount(bins[here], minlength=BINS + 1)
            counts[half, unit, 0] += n_true[half] - counts[half, unit].sum(axis=0)
            samples[half, unit, 0] += int(chosen.sum()) - samples[half, unit].sum()
    best = threshold_scores(counts[0], samples[0])
    judged = threshold_scores(counts[1], samples[1], at=best.lowest_bin)
    shares = np.stack([true / max(1, int(half.sum())) for true, half in zip(n_true, halves, strict=True)])
    thresholds = np.take_along_axis(edges, best.lowest_bin - 1, axis=1)
    return _Scored(best, judged, samples[0, :, 1:].sum(axis=1) > 0, thresholds, shares)
