"""What the methods of an atlas need to know of a network's data: quantiles, colours, receptive fields, classifiers.

When to use: `build.py` makes one `LayerData` for each hook point. Each part is worked out when it is first asked for.

Cost: one pass over the hook point's activations; the colours read frames of a few blocks; the classifiers read the
activations of 4,000 frames at one more hook point.

Axes: `frame`, `unit`, `feature`.
"""

from functools import cached_property

import numpy as np
from jaxtyping import Float, UInt8

from procscope.activations.cache import ActivationCache
from procscope.activations.capture import capture
from procscope.visualization.atlas.entry import AtlasEntry, Shown
from procscope.visualization.colours import Colours
from procscope.visualization.forced_choice import ForcedChoice, Preference, class_labels
from procscope.visualization.receptive_fields import ReceptiveFields, receptive_fields
from procscope.visualization.trust import TOP_QUANTILE, reach, reach_from_median, spectral_slope
from procscope.visualization.unit_scan import UnitScan, scan_units
from procscope.visualization.units import Units
from procscope.workbench.checkpoints import LoadedModel

COLOUR_FRAMES = 10_000
CHOICE_FRAMES = 4_000


class LayerData:
    """A network, a cache of it, and units of one of its hook points.

    Raises ValueError: the cache is another network's, or has no frames or not this hook point.
    """

    def __init__(
        self, model: LoadedModel, cache: ActivationCache, units: Units, progress: bool = False
    ) -> None:
        cache.require_model(model.network)
        cache.activations(units.hook_point)
        rows, cols, channels = cache.frames.shape[1:]
        self.picture_shape = (int(channels), int(rows), int(cols))
        self.model, self.cache, self.units, self.progress = model, cache, units, progress

    @cached_property
    def scan(self) -> UnitScan:
        """Every unit in every frame."""
        progress = f"{self.units.hook_point} on data" if self.progress else ""
        return scan_units(self.cache, self.units, progress=progress)

    @cached_property
    def top(self) -> Float[np.ndarray, " unit"]:
        """The 99.9th percentile of each unit's mean."""
        return self.scan.quantile(TOP_QUANTILE)

    @cached_property
    def median(self) -> Float[np.ndarray, " unit"]:
        """The median of each unit's mean."""
        return self.scan.quantile(0.5)

    @cached_property
    def silent(self) -> np.ndarray:
        """Units that never vary on data."""
        return self.scan.peak.max(axis=0) - self.scan.mean.min(axis=0) <= 1e-6

    @cached_property
    def colours(self) -> Colours:
        """Of the first frames: blocks are alike, since each holds levels of its own."""
        channels, rows, cols = self.picture_shape
        first = np.asarray(self.cache.frames[: COLOUR_FRAMES * 3 // channels])
        frames = first.reshape(len(first), rows, cols, -1, 3)
        return Colours.of(np.moveaxis(frames, 3, 1).reshape(-1, rows, cols, 3))

    @cached_property
    def fields(self) -> ReceptiveFields:
        """Receptive fields of the hook point."""
        return receptive_fields(self.model.network, self.units.hook_point, self.picture_shape)

    @cached_property
    def choice_point(self) -> str:
        """The hook point that the forced choice reads: the cache's last without maps, or its last; another one than
        the units' own where there is one."""
        names = [name for name in self.cache.hook_points if name != self.units.hook_point]
        names = names or self.cache.hook_points
        vectors = [name for name in names if self.cache.activations(name).ndim == 2]
        return (vectors or names)[-1]

    @cached_property
    def choice(self) -> ForcedChoice | None:
        """Classifiers of the labels; None where no label of the cache has two classes."""
        rows = self._choice_rows
        features = _pooled(np.asarray(self.cache.activations(self.choice_point)[:])[rows])
        columns = self.cache.labels().to_pandas()
        labels = class_labels(
            {name: columns[name].to_numpy()[rows] for name in columns}, self.picture_shape[1]
        )
        try:
            return ForcedChoice.fitted(features, labels, self.scan.levels[rows])
        except ValueError:
            return None

    @cached_property
    def preferences(self) -> list[Preference | None]:
        """What each unit answers to on data."""
        if self.choice is None:
            return [None] * len(self.units)
        values = self.scan.mean[self._choice_rows]
        return [self.choice.preference(values[:, unit]) for unit in range(len(self.units))]

    def measured(
        self,
        unit: int,
        method: str,
        pictures: UInt8[np.ndarray, "picture row col channel"],
        shown: tuple[Shown, ...],
        *,
        seed_similarity: float | None = None,
        problem: str = "",
    ) -> AtlasEntry:
        """The entry of a unit's pictures: the first is run through the network as it is shown."""
        name = self.units.hook_point
        found = capture(
            self.model.network, pictures[:1], [name, self.choice_point], dtype="float32"
        ).activations
        value = float(self.units.part([unit]).values(found[name]).mean())
        preference, picked, n_classes = self.preferences[unit], None, None
        if preference is not None and self.choice is not None and not problem:
            picked = int(self.choice.picks(_pooled(found[self.choice_point]), preference.label)[0])
            n_classes = self.choice.n_classes(preference.label)
        return AtlasEntry(
            self.units.names[unit],
            method,
            shown,
            value,
            reach=reach(value, float(self.top[unit])),
            reach_from_median=reach_from_median(value, float(self.median[unit]), float(self.top[unit])),
            seed_similarity=seed_similarity,
            slope=spectral_slope(pictures[0].transpose(2, 0, 1) / 255),
            label=preference.label if preference else "",
            eta_squared=preference.eta_squared if preference else None,
            unit_class=preference.value if preference else None,
            picture_class=picked,
            n_classes=n_classes,
            problem=problem or self.problem(unit),
        )

    def problem(self, unit: int) -> str:
        """What is wrong with a unit on data, if anything."""
        return f"silent in all {len(self.cache):,} frames" if self.silent[unit] else ""

    @cached_property
    def _choice_rows(self) -> np.ndarray:
        return np.unique(np.linspace(0, len(self.cache) - 1, CHOICE_FRAMES).astype(int))


def _pooled(activations: np.ndarray) -> Float[np.ndarray, "frame feature"]:
    """Maps by their mean over positions, in float64: discriminants invert a covariance."""
    values = activations.astype(np.float64)
    return values.reshape(*values.shape[:2], -1).mean(axis=2)
