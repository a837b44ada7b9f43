"""Pictures of latents from an atlas of feature visualisation, for the pages of the same latents.

When to use: `procscope sae site --atlas DIR` does. An atlas is of latents if it was built with
`procscope.visualization.units.Latents`, whose units say which latent of which encoder they are; atlases of channels, of
other autoencoders or other networks in the same folder are passed over.

Source: the layout of `atlas.json`, which `procscope.visualization.atlas.page` describes.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from procscope.saes.sae import TrainedSae
from procscope.visualization.atlas.page import DATA
from procscope.visualization.atlas.settings import DESCRIPTIONS
from procscope.visualization.units import Latents


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
    own = Latents(trained.hook_point, trained.sae, range(trained.sae.n_latents)).identities
    latent_of = {identity: latent for latent, identity in enumerate(own)}
    found: dict[int, tuple[AtlasPictures, ...]] = {}
    others = []
    for path in files:
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            units = [unit for unit in data["units"] if unit["identity"] in latent_of]
            if data["weights_hash"] != trained.model_hash or not units:
                named = data["units"][0]["name"] if data["units"] else "nothing"
                others.append(
                    f"{path}: {len(data['units'])} units of {data['hook_point']}, the first {named!r}"
                )
                continue
            for unit in units:
                latent = latent_of[unit["identity"]]
                found[latent] = found.get(latent, ()) + _pictures_of(unit)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"expected an atlas in {path}, as this version of procscope writes it; {error} does not fit. Build it "
                "anew"
            ) from error
    if not found:
        raise ValueError(
            f"expected an atlas of latents of {trained.name}, at {trained.hook_point!r} of the same network; given "
            f"{'; '.join(others)}. How to build one: docs/feature-viewer.md"
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
