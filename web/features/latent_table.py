"""The columns of the table of latents: what can be sorted, searched and filtered without loading any latent.

Cost on disk: some 60 bytes a latent.

Axes: `latent`; every column has a value for each, None where it is not defined.
"""

from typing import Any

import numpy as np

from procscope.saes.latents import LatentMeasurements
from procscope.web.features.scripts import numbers


def latent_table(latents: LatentMeasurements) -> dict[str, list[Any]]:
    """Column name to values."""
    survey = latents.survey
    columns = {
        "rate": numbers(survey.firing_rate),
        "maximum": numbers(survey.maximum),
        "cosine": numbers(latents.nearest.cosines[:, 0], 3),
        "top_frame": survey.top_frames[:, 0].tolist(),
    }
    if (found := latents.meanings) is not None:
        said, silent = found.latents, found.latents.label < 0
        columns["statement"] = said.label.tolist()
        for name in ("f1", "precision", "recall", "lift"):
            columns[name] = numbers(np.where(silent, np.nan, getattr(said, name)), 3)
    if latents.effects is not None:
        mean = latents.effects.mean
        strongest = np.nan_to_num(np.abs(mean)).argmax(axis=1)
        known = ~np.isnan(mean).any(axis=1)
        columns["action"] = np.where(known, strongest, -1).tolist()
        columns["effect"] = numbers(mean[np.arange(len(mean)), strongest], 3)
    return columns
