"""All that is known of an autoencoder's latents, in one value that is kept in one file.

When to use: `measure_latents` makes it, analyses report it, and pages of latents are drawn from it.

    latents = measure_latents(trained, cache, network)
    latents.survey.firing_rate[7], latents.nearest.indices[7], latents.best_label(7), latents.effects.mean[7]
    latents.save("latents.safetensors"); LatentMeasurements.load("latents.safetensors")

Cost: that of `survey.py`, `monosemanticity.py` and `effects.py`. On disk some kB a latent.

Axes: as in these.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save
from torch import nn

from procscope.activations.cache import ActivationCache
from procscope.saes.effects import LatentEffects, latent_effects
from procscope.saes.labels import Statements, default_places, default_statements, looks_at, read_statements
from procscope.saes.metrics import NearestLatents, nearest_latents
from procscope.saes.monosemanticity import Meanings, UnitMeanings, measure_meaning
from procscope.saes.sae import TrainedSae
from procscope.saes.survey import LatentSurvey, survey_latents
from procscope.workbench.atomic import write_bytes_atomically

NEAREST = 8
"""Latents that are named as nearest to each."""


class BestLabel(NamedTuple):
    """What a latent says best."""

    statement: str
    precision: float
    recall: float
    f1: float
    lift: float
    """Of the f1 over saying the statement always."""
    threshold: float


@dataclass(frozen=True, eq=False)
class LatentMeasurements:
    """One row per latent in every part; parts that could not be measured are None, and `missing` says why."""

    sae: str
    """Name or path of the autoencoder."""
    hook_point: str
    model: str
    cache: str
    """Path of the cache whose frames are meant by every row number."""
    survey: LatentSurvey
    nearest: NearestLatents
    meanings: Meanings | None
    effects: LatentEffects | None
    missing: Mapping[str, str]
    """From part to reason."""

    @property
    def n_latents(self) -> int:
        return len(self.survey.firings)

    def best_label(self, latent: int) -> BestLabel | None:
        """The statement that a latent says best, judged on levels that it was not chosen on; None if it is silent."""
        if self.meanings is None or self.meanings.latents.label[latent] < 0:
            return None
        found = self.meanings.latents
        return BestLabel(
            self.meanings.statements[int(found.label[latent])],
            *(
                float(part[latent])
                for part in (found.precision, found.recall, found.f1, found.lift, found.threshold)
            ),
        )

    def save(self, path: str | PathLike[str]) -> Path:
        """Write one file, whole or not at all."""
        facts: dict[str, Any] = {
            name: getattr(self, name) for name in ("sae", "hook_point", "model", "cache")
        }
        facts["missing"] = dict(self.missing)
        tensors, facts["survey"] = _taken_apart("survey", vars(self.survey))
        for name in ("nearest", "meanings"):
            part = getattr(self, name)
            if part is None:
                continue
            found, facts[name] = _taken_apart(name, part._asdict())
            tensors |= found
        if self.effects is not None:
            tensors["effects.by_frame"] = self.effects.by_frame
        arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        write_bytes_atomically(path, save(arrays, {"procscope_latents": json.dumps(facts)}))
        return Path(path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "LatentMeasurements":
        """What `save` wrote. Raises FileNotFoundError: no such file. Raises ValueError: another kind of file."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"there are no measurements of latents at {path}")
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get("procscope_latents")
        if text is None:
            raise ValueError(
                f"expected measurements of latents, as the analysis sae writes them; {path} is something else"
            )
        facts, tensors = json.loads(text), load_file(path)

        def part(name: str) -> dict[str, Any]:
            own = {
                key.split(".", 1)[1]: value for key, value in tensors.items() if key.startswith(f"{name}.")
            }
            return own | facts[name]

        meanings = None
        if "meanings" in facts:
            found = part("meanings")
            found["statements"] = tuple(found["statements"])
            for units in ("latents", "units"):
                names = [field.name for field in fields(UnitMeanings)]
                found[units] = UnitMeanings(**{name: found.pop(f"{units}.{name}") for name in names})
            meanings = Meanings(**found)
        effects = LatentEffects(tensors["effects.by_frame"]) if "effects.by_frame" in tensors else None
        return cls(
            **{name: facts[name] for name in ("sae", "hook_point", "model", "cache")},
            survey=LatentSurvey(**part("survey")),
            nearest=NearestLatents(**part("nearest")),
            meanings=meanings,
            effects=effects,
            missing=facts["missing"],
        )


def measure_latents(
    trained: TrainedSae,
    cache: ActivationCache,
    network: nn.Module | None = None,
    *,
    statements: tuple[str, ...] = (),
    top: int = 25,
    effect_frames: int = 8,
    seed: int = 0,
    progress: bool = False,
) -> LatentMeasurements:
    """Measure every latent of an autoencoder on a cache.

    Args:
        network: the one that was read, for effects on actions; needs a cache with frames.
        statements: that latents are compared with; `default_statements` if none are given.
        top: top frames of each latent.
        effect_frames: of these, so many are used for effects.

    Raises ValueError: a cache of another network, or without the hook point; statements that cannot be read.
    """
    if trained.model_hash:
        cache.require_model(trained.model_hash)
    sae, hook_point = trained.sae, trained.hook_point
    survey = survey_latents(sae, cache, hook_point, seed=seed, top=top, progress=progress)
    nearest = nearest_latents(sae.directions().cpu().numpy(), min(NEAREST, sae.n_latents - 1))
    missing: dict[str, str] = {}
    meanings = effects = None
    try:
        meanings = measure_meaning(
            sae, cache, hook_point, _statements(cache, hook_point, statements), seed=seed
        )
    except ValueError as error:
        if statements:
            raise
        missing["meanings"] = str(error)
    if network is None or "frames" not in cache.spec.arrays:
        missing["effects"] = (
            "the network was not given" if network is None else "the cache holds no frames (--keep-frames)"
        )
    elif not (survey.top_frames >= 0).any():
        missing["effects"] = "all latents are dead on this cache"
    else:
        stored = cache.frames
        effects = latent_effects(
            network,
            lambda rows: np.asarray(stored.oindex[rows]),
            hook_point,
            sae,
            survey.top_frames[:, :effect_frames],
            progress=progress,
        )
    return LatentMeasurements(
        trained.name, hook_point, trained.model, cache.path, survey, nearest, meanings, effects, missing
    )


def _statements(cache: ActivationCache, hook_point: str, given: tuple[str, ...]) -> list[Statements]:
    """Those given, or those that the labels allow: about frames, and about the positions of a map."""
    positions = tuple(cache.activations(hook_point).shape[2:])
    places = tuple(text for text in given if "here(" in text) if given else default_places(cache)
    about_frames = (
        tuple(text for text in given if "here(" not in text) if given else default_statements(cache)
    )
    found = [read_statements(cache, about_frames)] if about_frames else []
    if places and (positions or given):
        found.append(read_statements(cache, places, positions, center=looks_at(cache, positions)))
    return found


def _taken_apart(name: str, part: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays of a part, by name, and its other fields."""
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, Any] = {}
    for key, value in part.items():
        if isinstance(value, np.ndarray):
            arrays[f"{name}.{key}"] = value
        elif isinstance(value, UnitMeanings):
            arrays |= {f"{name}.{key}.{one}": array for one, array in vars(value).items()}
        else:
            facts[key] = value
    return arrays, facts
