"""An atlas's pictures from data: frames, patches, quantiles.

When to use: `build.py` does.

Cost: after the scan, the frames are read once for each method.
"""

from collections.abc import Sequence

from procscope.visualization.atlas.data import LayerData
from procscope.visualization.atlas.entry import AtlasEntry, shown
from procscope.visualization.atlas.settings import AtlasSettings
from procscope.visualization.exciting_frames import (
    Example,
    exciting_frames,
    exciting_patches,
    quantile_frames,
)


def from_data(data: LayerData, method: str, settings: AtlasSettings) -> list[AtlasEntry]:
    """Entries of all units. Raises ValueError: patches of a layer without maps."""
    return [
        AtlasEntry(
            data.units.names[unit],
            method,
            tuple(shown(example.picture, _caption(example)) for example in examples),
            examples[0].value if method != "quantiles" else examples[-1].value,
            problem=data.problem(unit),
        )
        for unit, examples in enumerate(_found(data, method, settings))
    ]


def _found(data: LayerData, method: str, settings: AtlasSettings) -> Sequence[list[Example]]:
    if method == "frames":
        return exciting_frames(data.cache, data.scan, most=settings.examples, diversity=settings.diversity)
    if method == "quantiles":
        return quantile_frames(data.cache, data.scan)
    return exciting_patches(
        data.cache,
        data.scan,
        data.fields,
        most=settings.examples,
        diversity=settings.diversity,
        patch_pixels=settings.patch_pixels,
    )


def _caption(example: Example) -> str:
    where = f", {example.quantile:.0%} quantile" if example.quantile is not None else ""
    return f"{example.value:.3g}{where}, frame {example.frame}"
