"""How fast all targets and all ridge strengths are probed, against scikit-learn and against a probe trained by Adam.

    python benchmarks/probes.py [--frames 200000] [--dimensions 512] [--targets 10] [--strengths 13] [--folds 10]
    python benchmarks/probes.py --frames 20000                     # a quick look
    python benchmarks/probes.py --memory 2000000                   # peak memory of that many frames, streamed

Three ways to the same probes of a made-up layer (float16, correlated features, some of them dead) with half the
variance of each target in it:

    ours           one pass, then every target at every strength, cross-validated over levels (`fit_ridge`)
    scikit-learn   RidgeCV with one strength and the same folds, called for each target and strength, as one does who
    wants
                   each held-out score; --peer-calls of these calls are made and their mean time counts for each
    Adam           a linear probe in torch, batches of 128, its default rate, one target and no folds, until its R² on a
                   tenth of the frames is within 0.001 of what ours has there; features on the same scale. A target
                   costs that much. Stopped after --adam-epochs if it has not arrived (said then: the ratio is a
                   lower bound)

All are run in one process on the same number of threads, one after the other; times are of the CPU, which other
processes hardly touch. Nothing is extrapolated but what is said above: the same call on the next target.
"""

import argparse
import resource
import time
from collections.abc import Iterator

import numpy as np
import torch
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import PredefinedSplit
from torch.nn import functional as F

from procscope.probes.features import ArrayFeatures
from procscope.probes.levels import Levels, folds
from procscope.probes.moments import Batch, gather
from procscope.probes.ridge import fit_ridge, ridge_of_moments


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=200_000)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--targets", type=int, default=10)
    parser.add_argument("--strengths", type=int, default=13)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--peer-calls", type=int, default=1, help="calls of RidgeCV that are really made")
    parser.add_argument("--adam-epochs", type=int, default=20, help="at most so many")
    parser.add_argument(
        "--memory", type=int, default=0, help="only stream so many frames, and print the peak"
    )
    options = parser.parse_args()
    if options.memory:
        measure_memory(options)
        return
    x, y = made_up(options.frames, options.dimensions, options.targets)
    levels = Levels.of(np.arange(options.frames) // 50)
    fold = folds(levels, options.folds, np.random.default_rng(0))
    alphas = tuple(np.logspace(-2, 6, options.strengths).tolist())
    print(
        f"{options.frames:,} x {options.dimensions} float16, {options.targets} targets x {options.strengths} "
        "strengths, "
        f"{options.folds} folds, {torch.get_num_threads()} torch threads",
        flush=True,
    )
    began, cpu = time.perf_counter(), time.process_time()
    fit = fit_ridge(ArrayFeatures(x).batches(), y, fold, alphas, standardise=False)
    ours = time.process_time() - cpu
    print(
        f"ours           {ours:9.2f} s CPU ({time.perf_counter() - began:.1f} s by the clock)  all of it",
        flush=True,
    )
    measure_scikit_learn(options, x, y, fold, alphas, fit, ours)
    measure_adam(options, x, y, fold, ours)


def made_up(frames: int, dimensions: int, targets: int) -> tuple[np.ndarray, np.ndarray]:
    """A layer and targets: features mixed, after a ReLU; half of each target's variance is in the layer."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(64, dimensions)).astype(np.float32) / 8
    x = np.empty((frames, dimensions), np.float16)
    for start in range(0, frames, 20_000):
        n = min(20_000, frames - start)
        hidden = rng.standard_normal((n, 64), dtype=np.float32) @ mix
        noise = rng.standard_normal((n, dimensions), dtype=np.float32)
        x[start : start + n] = np.maximum(hidden + 0.5 * noise, 0)
    weights = rng.normal(size=(dimensions, targets)).astype(np.float32)
    y = np.concatenate([part.astype(np.float32) @ weights for part in np.array_split(x, 20)]).astype(
        np.float64
    )
    y = (y - y.mean(axis=0)) / y.std(axis=0)
    return x, y + rng.normal(size=y.shape)


def measure_scikit_learn(
    options: argparse.Namespace,
    x: np.ndarray,
    y: np.ndarray,
    fold: np.ndarray,
    alphas: tuple[float, ...],
    fit,
    ours: float,
) -> None:
    """RidgeCV for one target and one strength at a time; and whether the coefficients agree."""
    wide = x.astype(np.float64)
    taken = []
    for call in range(options.peer_calls):
        target, place = call % options.targets, call % options.strengths
        cpu = time.process_time()
        model = RidgeCV(alphas=[alphas[place]], cv=PredefinedSplit(fold), scoring="r2").fit(
            wide, y[:, target]
        )
        taken.append(time.process_time() - cpu)
        apart = _apart(fit.coefficients(target, alphas[place]), np.asarray(model.coef_))
        print(
            f"scikit-learn   {taken[-1]:9.2f} s CPU  one call; largest difference of coefficients {apart:.1e}",
            flush=True,
        )
    calls = options.targets * options.strengths
    total = float(np.mean(taken)) * calls
    print(
        f"               {total:9.2f} s CPU  for {calls} such calls: ours is {total / ours:.0f} times as fast",
        flush=True,
    )
    worst = max(
        np.abs(Ridge(a, solver="cholesky").fit(wide[:20_000], y[:20_000]).coef_.T - part).max()
        / np.abs(part).max()
        for a, part in _small(wide[:20_000], y[:20_000], alphas)
    )
    print(
        f"               coefficients of all targets at all strengths on 20,000 frames: within {worst:.1e}",
        flush=True,
    )


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, as a share of the largest coefficient."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _small(x: np.ndarray, y: np.ndarray, alphas: tuple[float, ...]) -> Iterator[tuple[float, np.ndarray]]:
    fit = ridge_of_moments(
        gather(ArrayFeatures(x).batches(), y, np.arange(len(x)) % 2, 2), alphas, standardise=False
    )
    for i, alpha in enumerate(alphas):
        yield alpha, fit.whole.coefficients[i]


def measure_adam(
    options: argparse.Namespace, x: np.ndarray, y: np.ndarray, fold: np.ndarray, ours: float
) -> None:
    """A probe trained to the R² that the closed form has on a tenth of the frames."""
    test = fold == 0
    moments = gather(ArrayFeatures(x).batches(), y[:, :1], test.astype(int), 2)
    known = ridge_of_moments(moments, (1.0,)).of_fold[1]
    wanted = _r2(
        x[test].astype(np.float64) @ known.coefficients[0, :, 0] + known.intercepts[0, 0], y[test, 0]
    )
    train = x[~test].astype(np.float32)
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    features, target = (
        torch.from_numpy((train - mean) / std),
        torch.from_numpy(y[~test, 0].astype(np.float32)),
    )
    held = torch.from_numpy((x[test].astype(np.float32) - mean) / std)
    torch.manual_seed(0)
    layer = torch.nn.Linear(options.dimensions, 1)
    optimiser = torch.optim.Adam(layer.parameters())
    spent, found, epoch, arrived = 0.0, -np.inf, 0, False
    for epoch in range(1, options.adam_epochs + 1):  # noqa: B007 (reported)
        cpu = time.process_time()
        for rows in torch.randperm(len(features)).split(128):
            optimiser.zero_grad()
            F.mse_loss(layer(features[rows])[:, 0], target[rows]).backward()
            optimiser.step()
        spent += time.process_time() - cpu
        with torch.no_grad():
            found = _r2(layer(held)[:, 0].numpy(), y[test, 0])
        if arrived := found >= wanted - 0.001:
            break
    calls = options.targets * options.strengths
    how = f"after {epoch} epochs" if arrived else f"not arrived after {epoch} epochs: a lower bound"
    print(
        f"Adam           {spent:9.2f} s CPU  one target, no folds: R² {found:.4f} of {wanted:.4f}, {how}",
        flush=True,
    )
    print(
        f"               for {options.targets} targets at one strength {spent * options.targets / ours:.0f} times, "
        "with "
        f"{options.strengths} strengths each {spent * calls / ours:.0f} times, and with {options.folds} folds, as "
        "ours, "
        f"{spent * calls * options.folds / ours:.0f} times as long as ours",
        flush=True,
    )


def _r2(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def measure_memory(options: argparse.Namespace) -> None:
    """Stream made-up blocks of a cache's size through the whole fit; print the peak of the process's memory."""
    frames, dimensions = options.memory, options.dimensions
    block, _ = made_up(4096, dimensions, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    rng = np.random.default_rng(0)
    y = rng.normal(size=(frames, options.targets))
    fold = folds(Levels.of(np.arange(frames) // 50), options.folds, rng)

    def batches() -> Iterator[Batch]:
        for start in range(0, frames, len(block)):
            n = min(len(block), frames - start)
            yield Batch(slice(start, start + n), block[rng.permutation(len(block))[:n]])

    cpu = time.process_time()
    fit_ridge(batches(), y, fold, tuple(np.logspace(-2, 6, options.strengths).tolist()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{frames:,} x {dimensions}, {options.targets} targets, {options.folds} folds: peak {peak:.2f} GB "
        f"({before:.2f} GB before the fit), {time.process_time() - cpu:.0f} s CPU"
    )


if __name__ == "__main__":
    main()
