"""Pictures of latents from an atlas of feature visualisation, for the pages of the same latents.

When to use: `procscope sae site --atlas DIR` does. An atlas is of latents if it was built with
`procscope.visualization.units.Latents`, whose units are called `latent 7`; atlases of channels or of other hook points
in the same folder are passed over.

Source: the layout of `atlas.json`, which `procscope.visualization.atlas.page` describes.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from procscope.saes.sae import TrainedSae
from procscope.visualization.atlas.page import DATA
from procscope.visualization.atlas.settings import DESCRIPTIONS

_LATENT = re.compile(r"latent (\d+)")


class AtlasPictures(NamedTuple):
    """What one method made of one latent."""

    method: str
    description: str
    pictures: tuple[tuple[str, str], ...]
    """PNGs in base64, and their captions."""
    value: float | None
    """The latent's mean in the first one."""
    problem: str
    """Why they mean nothing, if so."""


class LatentAtlas(NamedTuple):
    """All pictures by latent."""

    pictures: dict[int, tuple[AtlasPictures, ...]]


def read_atlas(directory: Path, trained: TrainedSae) -> LatentAtlas:
    """The atlases of an autoencoder's latents in a folder and those beneath it.

    Raises FileNotFoundError: no atlas there. Raises ValueError: none is of these latents; a damaged file.
    """
    files = sorted(directory.glob(f"**/{DATA}"))
    if not files:
        raise FileNotFoundError(
            f"there is no {DATA} in {directory} or beneath it. Build an atlas of the latents first: "
            "docs/feature-viewer.md"
        )
    found: dict[int, tuple[AtlasPictures, ...]] = {}
    others = []
    for path in files:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            fits = data["hook_point"] == trained.hook_point and data["weights_hash"] == trained.model_hash
            units = [(match, unit) for unit in data["units"] if (match := _LATENT.fullmatch(unit["name"]))]
            if not fits or not units:
                others.append(f"{path}: {len(data['units'])} units of {data['hook_point']}")
                continue
            for match, unit in units:
                found[int(match[1])] = found.get(int(match[1]), ()) + _pictures_of(unit)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"expected an atlas in {path}, as procscope writes it; it is damaged: {error}"
            ) from error
    if not found or max(found) >= trained.sae.n_latents:
        raise ValueError(
            f"expected an atlas of the {trained.sae.n_latents} latents of {trained.name}, at {trained.hook_point!r} of "
            f"the same network; given {'; '.join(others) or f'latents up to {max(found)} in {files[0]}'}. How to build "
            "one: docs/feature-viewer.md"
        )
    return LatentAtlas(found)


def _pictures_of(unit: dict[str, Any]) -> tuple[AtlasPictures, ...]:
    return tuple(
        AtlasPictures(
            method,
            DESCRIPTIONS.get(method, ""),
            tuple((one["png"], one["caption"]) for one in entry["pictures"]),
            entry["value"],
            entry["problem"],
        )
        for method, entry in unit["methods"].items()
    )
