"""What linear read-outs of all units say of statements, beside single latents and units (`monosemanticity.py`).

Axes: `sample`, `unit`, `label` a statement.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float32

from procscope.probes.moments import Batch
from procscope.probes.ridge import fit_ridge

ALPHAS = (1.0, 100.0, 1e4, 1e6)
"""Ridge strengths; the best one over the two halves of what is fitted."""


def probe_scores(
    x: Float32[np.ndarray, "sample unit"],
    truth: Bool[np.ndarray, "sample label"],
    in_choice: Bool[np.ndarray, " sample"],
) -> Float32[np.ndarray, "sample label"]:
    """What a ridge probe of each statement gives, fitted to the half of the choice, strength included."""
    rows = np.flatnonzero(in_choice)

    def batches() -> Iterator[Batch]:
        for start in range(0, len(rows), 8192):
            part = slice(start, min(start + 8192, len(rows)))
            yield Batch(part, x[rows[part]])

    fold = np.arange(len(rows)) * 2 // len(rows)
    fit = fit_ridge(batches(), truth[rows].astype(np.float64), fold, ALPHAS)
    best, columns = fit.errors.sum(axis=0).argmin(axis=0), np.arange(truth.shape[1])
    coefficients = fit.whole.coefficients[best, :, columns].T
    return (x @ coefficients + fit.whole.intercepts[best, columns]).astype(np.float32)
