"""How good an autoencoder is: every number that reports use, defined here once, with its formula.

Peers mean different things by these words, so a report's number is one of these functions on stated samples, which
`reconstruction.py`, `survey.py`, `spliced.py` and `monosemanticity.py` bring. What is undefined raises ValueError.

    reconstruction   fvu, explained_variance, l0
    latents          dead_latents, firing_rate_histogram, nearest_latents, matched_latents
    task             action_kl, agreement, recovered
    meaning          threshold_scores, f1_lift, best_labels

Axes: `sample` a frame or a position of its map, `input`, `latent`, `action`, `label` something that is true or false
of a sample, `bin` a range of a latent's activation, the lowest first.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Real

from procscope.interventions import effects

# --- reconstruction ----------------------------------------------------------------------------------------


class FvuSums:
    """Sums for the fraction of variance unexplained, batch by batch.

        fvu = Σ ‖x − x'‖² / Σ ‖x − m‖²

    with sums over all samples added and m the per-input mean over all of them (not of each batch).
    """

    def __init__(self) -> None:
        self.n, self.residual = 0, 0.0
        self._shift = self._sum = np.zeros(0)
        self._squares = 0.0

    def add(
        self, activations: Real[np.ndarray, "sample input"], reconstruction: Real[np.ndarray, "..."]
    ) -> None:
        """Count some samples."""
        if activations.shape != reconstruction.shape:
            raise ValueError(
                f"expected a reconstruction of the shape {activations.shape}; given {reconstruction.shape}"
            )
        wide = activations.astype(np.float64)
        if self.n == 0:
            self._shift, self._sum = wide.mean(axis=0), np.zeros(wide.shape[1])
        self.residual += float(((wide - reconstruction) ** 2).sum())
        wide -= self._shift
        self.n += len(wide)
        self._sum += wide.sum(axis=0)
        self._squares += float((wide**2).sum())

    @property
    def total(self) -> float:
        """Squared distance from the mean, over all samples."""
        return self._squares - float((self._sum**2).sum()) / max(1, self.n)

    @property
    def fvu(self) -> float:
        """Raises ValueError: no samples, or activations that never change."""
        if self.n == 0 or self.total <= 1e-12 * max(self._squares, 1e-300):
            raise ValueError(f"expected activations that change, given {self.n} samples that do not")
        return self.residual / self.total


def fvu(activations: Real[np.ndarray, "sample input"], reconstruction: Real[np.ndarray, "..."]) -> float:
    """Fraction of variance unexplained: 0 is perfect, 1 what the mean alone gives (see `FvuSums`)."""
    sums = FvuSums()
    sums.add(activations, reconstruction)
    return sums.fvu


def explained_variance(
    activations: Real[np.ndarray, "sample input"], given: Real[np.ndarray, "..."]
) -> float:
    """1 − fvu, `given` being the reconstruction."""
    return 1 - fvu(activations, given)


def l0(latents: Real[np.ndarray, "sample latent"]) -> float:
    """Mean number of latents above 0 in a sample."""
    if len(latents) == 0:
        raise ValueError("expected at least one sample, given none: l0 has no value")
    return float((latents > 0).sum(axis=1).mean())


# --- latents -----------------------------------------------------------------------------------------------


class DeadLatents(NamedTuple):
    """Latents that never fired, and on what that was counted."""

    n_dead: int
    width: int
    survey_samples: int
    """Samples that were looked at: counts on different surveys cannot be compared."""

    @property
    def share(self) -> float:
        """Dead latents of all."""
        return self.n_dead / self.width

    @property
    def live(self) -> int:
        """Latents that fired at least once."""
        return self.width - self.n_dead


def dead_latents(firings: Int[np.ndarray, " latent"], survey_samples: int) -> DeadLatents:
    """Dead: above 0 in none of the survey's samples.

    Args:
        firings: in how many samples of the survey each latent was above 0.

    Raises ValueError: a survey of no samples, or with fewer samples than firings.
    """
    if survey_samples < 1 or (len(firings) and int(firings.max()) > survey_samples):
        raise ValueError(
            f"expected a survey of at least 1 sample and as many as firings of a latent; given {survey_samples}"
        )
    return DeadLatents(int((firings == 0).sum()), len(firings), survey_samples)


class FiringRates(NamedTuple):
    """How many latents fire how often."""

    edges: Float64[np.ndarray, " edge"]
    """log10 of the rate."""
    counts: Int64[np.ndarray, " bin"]
    silent: int
    """Latents of rate 0, in no bin."""


def firing_rate_histogram(
    rates: Float[np.ndarray, " latent"], edges: Float64[np.ndarray, " edge"] | None = None
) -> FiringRates:
    """Latents by log10 of the share of samples in which they are above 0, by default in quarters from 1e-6 to 1.

    The lowest bin holds lower rates, too.
    """
    cuts = np.arange(-6, 0.01, 0.25) if edges is None else edges
    alive = rates[rates > 0]
    counts, _ = np.histogram(np.clip(np.log10(alive), cuts[0], cuts[-1]), bins=cuts)
    return FiringRates(cuts, counts.astype(np.int64), int((rates == 0).sum()))


class NearestLatents(NamedTuple):
    """For each latent those whose decoder directions lie closest, the closest first."""

    indices: Int64[np.ndarray, "latent rank"]
    cosines: Float64[np.ndarray, "latent rank"]


def nearest_latents(directions: Real[np.ndarray, "latent input"], n: int = 1) -> NearestLatents:
    """The n other latents with the largest cosine of decoder directions. Raises ValueError: fewer than n others."""
    if not 1 <= n < len(directions):
        raise ValueError(f"expected n from 1 to {len(directions) - 1}, the other latents; given {n}")
    unit = _unit(directions)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    indices = np.argsort(-cosines, axis=1, kind="stable")[:, :n]
    return NearestLatents(indices, np.take_along_axis(cosines, indices, axis=1))


class MatchedLatents(NamedTuple):
    """Latents of two autoencoders, one to one."""

    first: Int64[np.ndarray, " pair"]
    second: Int64[np.ndarray, " pair"]
    cosines: Float64[np.ndarray, " pair"]
    """Of decoder directions."""

    @property
    def stability(self) -> float:
        """Mean cosine of the pairs."""
        return float(self.cosines.mean())

    def share_above(self, cosine: float = 0.7) -> float:
        """Share of pairs that are alike (0.7: Paulo and Belrose 2025)."""
        return float((self.cosines > cosine).mean())


def matched_latents(
    first: Real[np.ndarray, "latent input"], second: Real[np.ndarray, "other input"]
) -> MatchedLatents:
    """The one-to-one matching with the largest sum of cosines (Hungarian algorithm); give live latents only."""
    from scipy.optimize import linear_sum_assignment

    cosines = _unit(first) @ _unit(second).T
    rows, columns = linear_sum_assignment(-cosines)
    return MatchedLatents(rows.astype(np.int64), columns.astype(np.int64), cosines[rows, columns])


def mean_max_cosine(
    true: Real[np.ndarray, "feature input"], learned: Real[np.ndarray, "latent input"]
) -> float:
    """Mean over true features of the largest cosine with any learned direction (Sharkey et al. 2022)."""
    return float((_unit(true) @ _unit(learned).T).max(axis=1).mean())


def _unit(rows: np.ndarray) -> Float64[np.ndarray, "row input"]:
    wide = rows.astype(np.float64)
    return wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-300)


# --- task --------------------------------------------------------------------------------------------------


def action_kl(
    logits: Float[np.ndarray, "sample action"], spliced: Float[np.ndarray, "sample action"]
) -> Float64[np.ndarray, " sample"]:
    """KL(p ‖ q) in nats, p the untouched network's probabilities of actions, q those with something spliced in."""
    return effects.action_kl(logits.astype(np.float32), spliced.astype(np.float32)[None])[0]


def agreement(
    logits: Float[np.ndarray, "sample action"], spliced: Float[np.ndarray, "sample action"]
) -> float:
    """Share of samples in which both take the same most probable action (or the one of the largest value)."""
    if len(logits) == 0:
        raise ValueError("expected at least one sample, given none: agreement has no value")
    return float((logits.argmax(axis=1) == spliced.argmax(axis=1)).mean())


def recovered(untouched: float, spliced: float, ablated: float) -> float:
    """(spliced − ablated) / (untouched − ablated): 1 as good as untouched, 0 no better than the hook point ablated.

    Of a return, a success rate, an action KL (untouched: 0). Raises ValueError: ablating changes nothing.
    """
    if untouched == ablated:
        raise ValueError(
            f"expected ablating the hook point to change the score; it is {untouched:g} with and without: what the "
            "reconstruction recovers has no value"
        )
    return (spliced - ablated) / (untouched - ablated)


# --- meaning -----------------------------------------------------------------------------------------------


class ThresholdScores(NamedTuple):
    """How well each unit, above a threshold of its own, says each label."""

    precision: Float64[np.ndarray, "unit label"]
    """Share of samples above the threshold of which the label is true."""
    recall: Float64[np.ndarray, "unit label"]
    """Share of samples of which the label is true that lie above it."""
    f1: Float64[np.ndarray, "unit label"]
    """2 / (1 / precision + 1 / recall); 0 where nothing true lies above."""
    lowest_bin: Int64[np.ndarray, "unit label"]
    """The bin from which on samples lie above the threshold."""


def threshold_scores(
    with_label: Int[np.ndarray, "unit bin label"],
    samples: Int[np.ndarray, "unit bin"],
    at: Int64[np.ndarray, "unit label"] | None = None,
) -> ThresholdScores:
    """Scores at the threshold of the largest f1, or at given ones.

    Args:
        with_label: samples in each bin of a unit's activation of which each label is true.
        samples: all samples in that bin. Bin 0, inactive, never counts as above a threshold.
        at: lowest bins above the threshold, such as those that were best on other samples.
    """
    true_above = with_label[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:].astype(np.float64)
    above = samples[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:, None].astype(np.float64)
    true = with_label.sum(axis=1, dtype=np.float64)[:, None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(true_above / above)
        recall = np.nan_to_num(true_above / true)
        f1 = np.nan_to_num(2 * true_above / (above + true))
    best = f1.argmax(axis=1) if at is None else at - 1

    def chosen(scores: np.ndarray) -> np.ndarray:
        return np.take_along_axis(scores, best[:, None, :], axis=1)[:, 0]

    return ThresholdScores(chosen(precision), chosen(recall), chosen(f1), best.astype(np.int64) + 1)


def f1_lift(
    f1: Float64[np.ndarray, "*of label"], shares: Float64[np.ndarray, " label"]
) -> Float64[np.ndarray, "*of label"]:
    """(f1 − always) / (1 − always), always = 2 share / (1 + share) being the f1 of saying a label of every sample.

    1 is perfect, 0 and less says nothing: f1 alone is large for whatever fires everywhere on a common label.

    Args:
        shares: of the samples of which each label is true.
    """
    always = 2 * shares / (1 + shares)
    return (f1 - always) / (1 - always)


def best_labels(scores: ThresholdScores, shares: Float64[np.ndarray, " label"]) -> Int64[np.ndarray, " unit"]:
    """The label that each unit says best, by the lift of its f1."""
    return f1_lift(scores.f1, shares).argmax(axis=1).astype(np.int64)
