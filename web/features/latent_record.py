"""All that the page of one latent shows, but for its frames' pictures.

When to use: `site.py` writes one for each latent. `LatentRecords` reads what many of them share once.

Axes: as in `shown_frames.py`.
"""

from typing import Any

import numpy as np

from procscope.activations.cache import column_values
from procscope.web.features.heat import FULL, HeatMaps
from procscope.web.features.inputs import SiteInputs
from procscope.web.features.scripts import number, numbers, packed
from procscope.web.features.shown_frames import ShownFrames

_CAPTIONS = ("episode", "step", "level_seed", "action")
"""Labels that stand under a frame, if the cache has them."""


class LatentRecords:
    """Records by latent."""

    def __init__(self, inputs: SiteInputs, shown: ShownFrames, heat: HeatMaps | None) -> None:
        self._inputs, self._shown, self._heat = inputs, shown, heat
        latents = inputs.latents
        known = [name for name in _CAPTIONS if name in inputs.cache.label_columns]
        table = inputs.cache.labels(known) if known else None
        self._captions = {name: column_values(table[name])[shown.rows] for name in known if table is not None}
        self._cell_means = latents.survey.cell_means() if latents.survey.cell_sums.size else None
        self._effects = None if latents.effects is None else latents.effects.mean
        self._agreement = None if latents.effects is None else latents.effects.sign_consistency()

    def of(self, latent: int) -> dict[str, Any]:
        """What the page of a latent is drawn from."""
        latents, survey = self._inputs.latents, self._inputs.latents.survey
        record: dict[str, Any] = {
            "latent": latent,
            "firings": int(survey.firings[latent]),
            "active_frames": int(survey.active_frames[latent]),
            "maximum": number(survey.maximum[latent]),
            "mean_active": number(survey.mean_active[latent]),
            "nearest": {
                "latents": latents.nearest.indices[latent].tolist(),
                "cosines": numbers(latents.nearest.cosines[latent], 3),
            },
        }
        if survey.firings[latent] == 0:
            return record
        record |= {
            "frames": self._frames(latent),
            "top": _places(self._shown.top[latent]),
            "quantiles": [_places(part) for part in self._shown.quantiles[latent]],
            "histogram": survey.histogram[latent].tolist(),
            "label": self._label(latent),
            "effects": self._effects_of(latent),
            "cells": None if self._cell_means is None else _heat_of(self._cell_means[latent]),
            "positions": _heat_of(survey.position_means[latent]) if survey.samples_per_frame > 1 else None,
        }
        if self._heat is not None:
            values = self._heat.values[self._shown.of(latent)]
            record["heat"] = {"scale": number(self._heat.scale[latent]), "values": packed(values)}
        if self._inputs.atlas is not None:
            record["atlas"] = [made._asdict() for made in self._inputs.atlas.pictures.get(latent, ())]
        return record

    def _frames(self, latent: int) -> dict[str, Any]:
        pairs = self._shown.of(latent)
        rows = self._shown.pair_row[pairs]
        return {
            "row": self._shown.rows[rows].tolist(),
            "value": numbers(self._shown.pair_value[pairs]),
            **{name: values[rows].tolist() for name, values in self._captions.items()},
        }

    def _label(self, latent: int) -> dict[str, Any] | None:
        best = self._inputs.latents.best_label(latent)
        if best is None:
            return None
        of_statement = {name: number(value) for name, value in best._asdict().items() if name != "statement"}
        return {"statement": best.statement, **of_statement}

    def _effects_of(self, latent: int) -> dict[str, Any] | None:
        effects = self._inputs.latents.effects
        if effects is None or self._effects is None or self._agreement is None:
            return None
        by_frame = effects.by_frame[latent]
        there = ~np.isnan(by_frame).any(axis=1)
        if not there.any():
            return None
        return {
            "mean": numbers(self._effects[latent]),
            "by_frame": numbers(by_frame[there], 3),
            "agreement": number(self._agreement[latent], 3),
        }


def _places(values: np.ndarray) -> list[int]:
    return values[values >= 0].tolist()


def _heat_of(means: np.ndarray) -> dict[str, Any]:
    """A map of means in steps of its largest over `FULL`; -1 where there is none."""
    top = float(np.nanmax(means, initial=0.0))
    steps = np.rint(means * (FULL / top)) if top > 0 else np.where(np.isnan(means), np.nan, 0)
    return {"maximum": number(top), "values": packed(np.where(np.isnan(means), -1, steps).astype(np.int8))}
