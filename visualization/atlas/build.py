"""Build an atlas of a layer: every unit by every method, each batch kept as soon as it is done.

    model = load_network("maze-easy-topright")
    cache = ActivationCache.open("caches/maze")
    atlas = build_atlas(model, cache, Channels("conv_out", range(32)), AtlasSettings(), Path("atlas/conv_out"))
    write_atlas(atlas, Path("atlas/conv_out"))

When to use: `procscope visualize` does. Run again after an interruption, it makes what is missing; with more methods,
it keeps the rest. What is kept is told by the network's weights, the unit, the cache's contents and the settings.

Cost: see `synthetic.py`: 512 steps and 2 seeds are 1,024 forward and backward passes a unit.

Axes: `unit`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procscope.activations.cache import ActivationCache
from procscope.activations.pairs import takes_pairs
from procscope.visualization.atlas.data import LayerData
from procscope.visualization.atlas.entry import AtlasEntry
from procscope.visualization.atlas.examples import from_data
from procscope.visualization.atlas.settings import CENTRE_PATCH, FROM_DATA, AtlasSettings
from procscope.visualization.atlas.synthetic import by_levels, by_recipe
from procscope.visualization.units import Units
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.members import Members, member_key

VERSION = 3
"""Raised when entries would come out otherwise."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """All units of a layer by all methods."""

    model: str
    weights_hash: str
    hook_point: str
    units: tuple[str, ...]
    identities: tuple[str, ...]
    """What each is, exactly: of a direction or a latent its name with a digest of its numbers or its encoder's."""
    settings: AtlasSettings
    entries: dict[tuple[str, str], AtlasEntry]
    """By unit and method."""
    n_frames: int
    """Of the cache."""
    classifiers: dict[str, tuple[float, float]]
    """By label of the forced choice: accuracy on levels not fitted to, and that of guessing."""

    def of(self, method: str) -> list[AtlasEntry]:
        """The entries of a method, unit by unit."""
        return [self.entries[unit, method] for unit in self.units]


def build_atlas(
    model: LoadedModel,
    cache: ActivationCache,
    units: Units,
    settings: AtlasSettings,
    directory: Path,
    *,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> Atlas:
    """Make what is missing under `directory`/members, and give all of it.

    Args:
        progress: show bars with rates.
        say: gets sentences for people, such as how much is there already.

    Raises ValueError: a cache of another network or without frames, an unknown hook point or unit, patches of a layer
        without maps, levels of a network that takes transitions, gradients that are not finite.
    """
    data = LayerData(model, cache, units, progress)
    in_maps = {"patches", CENTRE_PATCH} & set(settings.methods)
    if in_maps and cache.activations(units.hook_point).ndim == 2:
        raise ValueError(
            f"expected a hook point with maps for {' and '.join(sorted(in_maps))}; {units.hook_point!r} is a vector. "
            "Leave the method out"
        )
    if "levels" in settings.methods and takes_pairs(model.network):
        raise ValueError(
            f"expected a network that sees single frames for levels; {model.name} sees a frame and the next. Leave the "
            "method out"
        )
    members = Members(directory / "members")
    names = dict(zip(units.names, units.identities, strict=True))
    configs = {
        (name, method): _config(data, identity, method, settings)
        for method in settings.methods
        for name, identity in names.items()
    }
    missing = {key: config for key, config in configs.items() if config not in members}
    if say is not None:
        say(f"{units.hook_point}: {len(configs) - len(missing)} of {len(configs)} pictures there already")
    for method in settings.methods:
        wanted = [place for place, name in enumerate(units.names) if (name, method) in missing]
        for entry in _made(data, method, wanted, settings):
            members.put(configs[entry.unit, method], entry.as_json())
    entries = {key: AtlasEntry.from_json(members.get(config)) for key, config in configs.items()}
    told = {} if data.choice is None else data.choice.classifiers
    return Atlas(
        model.name,
        model.weights_hash,
        units.hook_point,
        units.names,
        units.identities,
        settings,
        entries,
        len(cache),
        {name: (one.accuracy, one.guess) for name, one in told.items()},
    )


def _made(data: LayerData, method: str, wanted: list[int], settings: AtlasSettings) -> Iterator[AtlasEntry]:
    """Entries as they are finished."""
    if method in FROM_DATA:
        chosen = set(wanted)
        found = from_data(data, method, settings) if wanted else []
        yield from (entry for unit, entry in enumerate(found) if unit in chosen)
        return
    for start in range(0, len(wanted), settings.batch_pictures):
        batch = wanted[start : start + settings.batch_pictures]
        progress = ""
        if data.progress:
            progress = f"{data.units.hook_point} {method}, units {start} to {start + len(batch) - 1}"
        if method == "levels":
            yield from by_levels(data, batch, settings, progress)
        else:
            yield from by_recipe(data, batch, method, settings, progress)


def _config(data: LayerData, identity: str, method: str, settings: AtlasSettings) -> dict[str, Any]:
    """Everything that an entry depends on."""
    config = {
        "version": VERSION,
        "model": data.model.weights_hash,
        "hook_point": data.units.hook_point,
        "unit": identity,
        "method": method,
        "cache": member_key({"source": data.cache.source, "n_frames": len(data.cache)}),
        "seed": settings.seed,
    }
    if method == "levels":
        return config | {"starts": settings.level_starts, "rounds": settings.level_rounds}
    if method in FROM_DATA:
        return config | {
            "examples": settings.examples,
            "patch_pixels": settings.patch_pixels,
            "diversity": settings.diversity,
        }
    return config | {"seeds": settings.seeds, "steps": settings.steps}
