"""All probes of one reading of a network: fitted on some levels, judged on others, beside control tasks.

    found = study(features, data, types, settings, rng)
    for one in found.findings: one.target, one.probe, one.score.interval("r2", rng)

A pass over the features fits linear probes of every target, its control task and its bins at every strength; a
second one predicts each level with probes of other levels. Classes, and what else is fitted by steps, are read from
whole levels drawn into memory, with the same folds. Every score is of predictions on levels that the probe was not
fitted to; what guessing gives (the training levels' mean, or commonest class) is in the score.

Axes: `sample`, `dimension`, `column` of what linear probes regress on, `fold`.
"""

import numpy as np
from jaxtyping import Int

from procscope.probes.control import control_task
from procscope.probes.description import blocks_of, describe_numbers
from procscope.probes.features import Features
from procscope.probes.findings import Finding, Studied, ThresholdCurve
from procscope.probes.group_out import leave_one_group_out
from procscope.probes.in_memory import study_in_memory
from procscope.probes.levels import Levels, folds
from procscope.probes.moments import Columns, gather
from procscope.probes.monotone import Bins, best_recoding
from procscope.probes.ridge import RidgeFit, fit_ridge, held_out_values
from procscope.probes.scores import number_score
from procscope.probes.settings import ProbeSettings
from procscope.probes.targets import Target, TargetData
from procscope.probes.thresholds import level_auroc, threshold_probes


def study(
    features: Features,
    data: TargetData,
    types: Int[np.ndarray, " frame"] | None,
    settings: ProbeSettings,
    seed: int,
) -> Studied:
    """Fit and judge all probes that the settings ask for.

    Args:
        features: of the frames of `data`, in their order.
        types: of frames, for control tasks; None for none.
        seed: of folds, control tasks and what is drawn into memory: the same for readings that are to be compared.

    Raises ValueError: what the probes refuse.
    """
    each = features.samples_per_frame
    levels = Levels(np.repeat(data.levels.of_frame, each), data.levels.n, data.levels.unit)
    fold = np.repeat(folds(data.levels, settings.folds, np.random.default_rng((seed, 1))), each)
    controls = _controls(data, types, each, np.random.default_rng((seed, 2)))
    found = Studied()
    _linear(features, data.targets, controls, levels, fold, settings, seed, found)
    wants_memory = {"isotonic", "quantile", "mlp"} & set(settings.also) or any(
        one.is_class for one in data.targets
    )
    if wants_memory:
        study_in_memory(features, data, controls, levels, each, settings, seed, found)
    return found


def _controls(
    data: TargetData, types: np.ndarray | None, each: int, rng: np.random.Generator
) -> dict[str, Target]:
    if types is None:
        return {}
    return {one.name: control_task(one, np.repeat(types, each), rng) for one in data.targets}


def _linear(
    features: Features,
    targets: tuple[Target, ...],
    controls: dict[str, Target],
    levels: Levels,
    fold: Int[np.ndarray, " sample"],
    settings: ProbeSettings,
    seed: int,
    found: Studied,
) -> None:
    numbers = [one for one in targets if not one.is_class]
    control_numbers = [controls[one.name] for one in numbers if one.name in controls]
    wants_bins = {"monotone", "thresholds"} & set(settings.also)
    bins = {one.name: Bins.of(one.values) for one in numbers if wants_bins}
    regressed = [*targets, *control_numbers]
    matrix = Columns([one.codes for one in regressed] + [one.codes for one in bins.values()])
    names = [one.name for one in regressed] + [f"bins of {name}" for name in bins]
    found.columns = {
        name: slice(a, b) for name, a, b in zip(names, matrix.starts, matrix.starts[1:], strict=False)
    }
    alphas = _alphas(features, fold, settings, found)
    fit = found.fit = fit_ridge(features.batches(), matrix, fold, alphas, standardise=settings.standardise)
    predicted = [*numbers, *control_numbers]
    columns = np.array([found.columns[one.name].start for one in predicted], np.int64)
    if len(columns):
        values = held_out_values(features.batches(), fit, columns, fold)
        means = np.stack([fit.moments.mean_y(part)[columns] for part in range(fit.moments.n_parts)])
        scores = {
            one.name: number_score(one.values, values[:, i], means[:, i][fold], levels)
            for i, one in enumerate(predicted)
        }
        for one in numbers:
            control = controls[one.name].name if one.name in controls else ""
            found.findings.append(
                Finding(
                    one.name,
                    "linear",
                    scores[one.name],
                    scores.get(control),
                    fit.best_alpha(found.columns[one.name].start),
                )
            )
    for name, cut in bins.items():
        first = found.columns[f"bins of {name}"].start
        if "monotone" in settings.also:
            found.recodings[name] = best_recoding(fit, cut, first)
        if "thresholds" in settings.also:
            found.thresholds[name] = _threshold_curve(features, fit, cut, first, fold, levels, seed)
    if settings.leave_one_level_out and numbers:
        values = np.stack([one.values for one in numbers], axis=1)
        out = leave_one_group_out(features.batches, values, levels, alphas, standardise=settings.standardise)
        best = fit.errors.sum(axis=0).argmin(axis=0)
        found.left_out_r2 = {
            one.name: float(out.r2[best[found.columns[one.name].start], i]) for i, one in enumerate(numbers)
        }
    if "description" in settings.also and numbers:
        block = blocks_of(levels, np.random.default_rng((seed, 3)))
        moments = gather(
            features.batches(), np.stack([one.values for one in numbers], axis=1), block, int(block.max()) + 1
        )
        for i, one in enumerate(numbers):
            found.descriptions[one.name] = describe_numbers(
                moments, i, alphas, standardise=settings.standardise
            )


def _alphas(
    features: Features, fold: Int[np.ndarray, " sample"], settings: ProbeSettings, found: Studied
) -> tuple[float, ...]:
    """The strengths, without 0 where frames are fewer than dimensions."""
    least, dimensions = len(fold) - int(np.bincount(fold).max()), int(np.prod(features.shape))
    if 0.0 not in settings.alphas or least > dimensions or len(settings.alphas) == 1:
        return settings.alphas
    found.notes.append(
        f"{features.name}: ridge only, since there are {least:,} training samples and {dimensions:,} dimensions, so "
        "that "
        "endlessly many probes without a penalty fit perfectly."
    )
    return tuple(alpha for alpha in settings.alphas if alpha > 0)


def _threshold_curve(
    features: Features, fit: RidgeFit, bins: Bins, first: int, fold: np.ndarray, levels: Levels, seed: int
) -> ThresholdCurve:
    probes = threshold_probes(fit, bins, first)
    scores = probes.held_out(features.batches(), fold)
    value = bins.middles[bins.of_sample]
    rng = np.random.default_rng((seed, 4))
    areas = [
        level_auroc(scores[:, i], value > threshold, levels, rng=rng)
        for i, threshold in enumerate(probes.thresholds)
    ]
    return ThresholdCurve(probes, tuple(areas))
