"""Probes that are fitted by steps: on whole levels drawn into memory, cross-validated over levels.

When to use: `study.py` does, for classes and for the probes that the settings ask for.

Axes: `sample`, `dimension`, `class`, `fold`.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Int
from tqdm import tqdm

from procscope.probes.description import blocks_of, describe_classes
from procscope.probes.features import Features, collected
from procscope.probes.findings import Finding, Studied
from procscope.probes.isotonic import fit_isotonic
from procscope.probes.levels import Levels, folds
from procscope.probes.logistic import fit_logistic_best
from procscope.probes.mlp import fit_mlp
from procscope.probes.quantile import fit_quantile, pinball
from procscope.probes.scores import Score, class_score, number_score
from procscope.probes.settings import ProbeSettings
from procscope.probes.targets import Target, TargetData
from procscope.probes.whitening import Whitening

MEMORY_BYTES = 128 * 2**20
"""Of the features of probes that are fitted by steps, as float64; some copies are made."""
MEMORY_FOLDS = 5
"""Folds of probes that are fitted by steps."""


def study_in_memory(
    features: Features,
    data: TargetData,
    controls: dict[str, Target],
    levels: Levels,
    each: int,
    settings: ProbeSettings,
    seed: int,
    found: Studied,
) -> None:
    """Fit and judge them, and put what was found into `found`."""
    rng = np.random.default_rng((seed, 5))
    most = max(2000, MEMORY_BYTES // (8 * int(np.prod(features.shape))))
    chosen = _drawn(levels, min(settings.memory_frames * each, most), rng)
    if not chosen.all():
        found.notes.append(
            f"{features.name}: probes that are fitted by steps read {int(chosen.sum()):,} of {len(chosen):,} samples."
        )
    x = collected(features, chosen)
    few = levels.where(chosen)
    fold = folds(few, min(MEMORY_FOLDS, few.n), rng)
    also = set(settings.also)
    white = Whitening.of(x)
    for target in tqdm(data.targets, desc=f"probes fitted by steps, {features.name}", disable=None):
        one = replace(target, values=target.values[chosen])
        control = controls.get(target.name)
        same = None if control is None else replace(control, values=control.values[chosen])
        kinds = ["logistic"] if one.is_class else [kind for kind in ("isotonic", "quantile") if kind in also]
        kinds += ["mlp"] if "mlp" in also else []
        for kind in kinds:
            score = _cross_validated(kind, x, one, few, fold, white, seed)
            against = None if same is None else _cross_validated(kind, x, same, few, fold, white, seed)
            found.findings.append(Finding(target.name, kind, score, against))
        if "quantile" in kinds:
            found.pinball[target.name] = _pinball(x, one.values, fold, white)
        if one.is_class and "description" in also:
            block = blocks_of(few, np.random.default_rng((seed, 3)))
            found.descriptions[target.name] = describe_classes(
                x, one.values.astype(np.int64), len(one.classes), block, few, rng, white
            )


def _drawn(levels: Levels, most: int, rng: np.random.Generator) -> Bool[np.ndarray, " sample"]:
    sizes = np.bincount(levels.of_frame, minlength=levels.n)
    order = rng.permutation(levels.n)
    n = max(2, int(np.searchsorted(np.cumsum(sizes[order]), most, side="right")))
    return np.isin(levels.of_frame, order[:n])


def _cross_validated(
    kind: str,
    x: np.ndarray,
    target: Target,
    levels: Levels,
    fold: Int[np.ndarray, " sample"],
    white: Whitening,
    seed: int,
) -> Score:
    k = len(target.classes)
    values = target.values
    shape = (len(x), k) if k else (len(x),)
    given, guess = np.empty(shape), np.empty(shape)
    for part in np.unique(fold):
        out = fold == part
        before = Levels.of(levels.of_frame[~out])
        fitted = _fitted(kind, x[~out], values[~out], k, before, white, seed)
        given[out] = fitted(x[out])
        guess[out] = _guess(values[~out], k)
    if k:
        return class_score(values.astype(np.int64), given, guess, levels)
    return number_score(values.astype(np.float64), given, guess, levels)


def _guess(values: np.ndarray, n_classes: int) -> np.ndarray | float:
    """What is guessed without features: the mean, or the classes' log shares (each seen once more than it was)."""
    if not n_classes:
        return float(values.mean())
    counts = np.bincount(values, minlength=n_classes) + 1.0
    return np.log(counts / counts.sum())


def _fitted(
    kind: str, x: np.ndarray, values: np.ndarray, k: int, levels: Levels, white: Whitening, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    if kind == "logistic":
        rng = np.random.default_rng((seed, 6))
        return fit_logistic_best(
            x, values.astype(np.int64), k, levels, rng, whitening=white
        ).log_probabilities
    if kind == "mlp":
        probe = fit_mlp(x, values, levels, n_classes=k, seed=seed)
        return probe.log_probabilities if k else probe.predict
    if kind == "isotonic":
        return fit_isotonic(x, values, alpha=float(len(x)) / 100).predict
    return fit_quantile(x, values, whitening=white).predict


def _pinball(x: np.ndarray, values: np.ndarray, fold: np.ndarray, white: Whitening) -> tuple[float, float]:
    loss = guess = 0.0
    for part in np.unique(fold):
        out = fold == part
        loss += float(
            pinball(
                values[out], fit_quantile(x[~out], values[~out], whitening=white).predict(x[out]), 0.5
            ).sum()
        )
        guess += float(pinball(values[out], np.full(out.sum(), np.median(values[~out])), 0.5).sum())
    return loss / len(values), guess / len(values)
