"""What a site says of the autoencoder as a whole: what it is of, the statements, the actions, what is missing.

Source of the numbers: `procscope.saes.survey` and `procscope.saes.monosemanticity`, which define them.
"""

from typing import Any

import numpy as np

from procscope.saes.metrics import dead_latents
from procscope.saes.survey import QUANTILES
from procscope.web.features.actions import actions_of
from procscope.web.features.heat import HeatMaps
from procscope.web.features.inputs import SiteInputs
from procscope.web.features.scripts import number, numbers

LATENTS_A_SHEET = 64
"""Thumbnails in one picture."""


def overview(
    inputs: SiteInputs, missing: dict[str, str], heat: HeatMaps | None, picture: tuple[int, ...] | None
) -> dict[str, Any]:
    """Everything but the latents.

    Args:
        missing: what cannot be shown, and why.
        heat: the heat maps, if there are any.
        picture: height and width of a frame, if there are frames.
    """
    return {
        "sae": _sae(inputs),
        "survey": _survey(inputs),
        "statements": _statements(inputs),
        "actions": _actions(inputs),
        "cells": _cells(inputs),
        "frames": None if picture is None else _frames(inputs, picture),
        "heat": None
        if heat is None
        else {
            "kind": heat.kind,
            "hook_point": heat.hook_point,
            "shape": list(heat.values.shape[1:]),
            "center": heat.center,
        },
        "missing": [{"part": part, "reason": reason} for part, reason in missing.items()],
        "latents_a_sheet": LATENTS_A_SHEET,
    }


def _sae(inputs: SiteInputs) -> dict[str, Any]:
    trained, source = inputs.trained, inputs.cache.source
    sae, environment = trained.sae, source.get("environment", {})
    said = {name: value for name, value in trained.header.metrics.items() if isinstance(value, int | float)}
    return {
        "name": trained.name,
        "hook_point": trained.hook_point,
        "model": trained.model or inputs.latents.model,
        "cache": inputs.cache.path,
        "played": ", ".join(
            str(part)
            for part in (environment.get("game"), environment.get("mode"), *environment.get("variants", ()))
            if part
        ),
        "actor": str(source.get("actor", {}).get("name", "")),
        "n_inputs": sae.n_inputs,
        "n_latents": sae.n_latents,
        "activation": sae.activation,
        "k": sae.k,
        "metrics": [{"name": name, "value": number(value)} for name, value in said.items()],
    }


def _survey(inputs: SiteInputs) -> dict[str, Any]:
    survey = inputs.latents.survey
    return {
        "n_frames": survey.n_frames,
        "samples_per_frame": survey.samples_per_frame,
        "positions": list(survey.position_means.shape[1:]),
        "sampled_frames": survey.sampled_frames,
        "dead": dead_latents(survey.firings, survey.n_samples).n_dead,
        "l0": number(survey.firings.sum() / survey.n_samples),
        "quantiles": list(QUANTILES),
        "bins": survey.histogram.shape[1],
    }


def _statements(inputs: SiteInputs) -> list[dict[str, Any]]:
    found = inputs.latents.meanings
    if found is None:
        return []
    return [
        {
            "name": name,
            "share": number(found.shares[place]),
            "n_samples": int(found.n_samples[place]),
            "latent_f1": number(found.latent_f1[place]),
            "unit_f1": number(found.unit_f1[place]),
            "probe_f1": number(found.probe_f1[place]),
            "best_latent": int(found.best_latent[place]),
        }
        for place, name in enumerate(found.statements)
    ]


def _actions(inputs: SiteInputs) -> list[dict[str, Any]]:
    effects = inputs.latents.effects
    if effects is None:
        return []
    return [{"name": action.name, "step": action.step} for action in actions_of(effects.by_frame.shape[2])]


def _cells(inputs: SiteInputs) -> dict[str, Any] | None:
    frames = inputs.latents.survey.cell_frames
    if not frames.size:
        return None
    return {"shape": list(frames.shape), "frames": numbers(frames.astype(np.float64), 12)}


def _frames(inputs: SiteInputs, picture: tuple[int, ...]) -> dict[str, Any]:
    height, width = picture
    return {"height": height, "width": width, "panels": width // int(inputs.cache.frames.shape[2])}
