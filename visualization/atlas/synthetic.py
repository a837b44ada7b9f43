"""An atlas's made pictures: by recipe, all units of a batch together, and by search over levels.

When to use: `build.py` does.

Cost: seeds x steps forward and backward passes a unit; of levels, `level_starts` x `level_rounds` x 8 frames a unit.

Axes: `seed`, `unit`, `row col channel`.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import UInt8

from procscope.envs.engine import TEST_SEEDS
from procscope.envs.games import game
from procscope.visualization.atlas.data import LayerData
from procscope.visualization.atlas.entry import AtlasEntry, shown
from procscope.visualization.atlas.settings import CENTRE_PATCH, AtlasSettings
from procscope.visualization.exciting_levels import exciting_levels
from procscope.visualization.place_objectives import InPatch
from procscope.visualization.recipes import recipe, visualise
from procscope.visualization.trust import seed_similarity


def by_recipe(
    data: LayerData, units: Sequence[int], method: str, settings: AtlasSettings, progress: str = ""
) -> list[AtlasEntry]:
    """Entries of some units, whose pictures are optimised in one batch."""
    how = recipe("lucid" if method == CENTRE_PATCH else method)
    how = replace(how, steps=settings.steps) if settings.steps else how
    objective = data.units.part(units).objective()
    if method == CENTRE_PATCH:
        rows, cols = data.scan.map_shape
        objective = InPatch(objective, (rows // 2 - 1, cols // 2 - 1), 2)
    found = [
        visualise(
            data.model.network,
            objective,
            how,
            shape=data.picture_shape,
            colours=data.colours if how.own_colours else None,
            seed=settings.seed * 1000 + number,
            batch_pictures=len(units),
            progress=f"{progress}, seed {number}" if progress else "",
        )
        for number in range(settings.seeds)
    ]
    entries = []
    for place, unit in enumerate(units):
        pictures = np.stack([_bytes(one.pictures[place]) for one in found])
        moved = any(bool(one.moved[place]) for one in found)
        agree = seed_similarity(pictures.transpose(0, 3, 1, 2) / 255) if moved else None
        entries.append(
            data.measured(
                unit,
                method,
                pictures,
                tuple(shown(picture, f"seed {number}") for number, picture in enumerate(pictures)),
                seed_similarity=agree,
                problem="" if moved else "flat: no gradient at any step",
            )
        )
    return entries


def by_levels(
    data: LayerData, units: Sequence[int], settings: AtlasSettings, progress: str = ""
) -> list[AtlasEntry]:
    """Entries of some units, each with searches of its own. Raises ValueError: a game whose levels are not edited."""
    header = data.model.header
    of_game = game(header.game)
    first = TEST_SEEDS.start + 10_000 * (settings.seed + 1)
    starts = [of_game.level_type.from_seed(first + i, header.mode) for i in range(settings.level_starts)]
    found = exciting_levels(
        data.model.network,
        data.units.part(units),
        starts,
        of_game.random_edits,
        seed=settings.seed,
        rounds=settings.level_rounds,
        progress=progress,
    )
    entries = []
    for unit, levels in zip(units, found, strict=True):
        pictures = np.stack([level.picture for level in levels])
        captions = [f"{level.value:.3g}, from {level.start_value:.3g}" for level in levels]
        flat = all(level.value == level.start_value for level in levels)
        entries.append(
            data.measured(
                unit,
                "levels",
                pictures,
                tuple(shown(*pair) for pair in zip(pictures, captions, strict=True)),
                problem="flat: no edit of any level changes it" if flat else "",
            )
        )
    return entries


def _bytes(picture: torch.Tensor) -> UInt8[np.ndarray, "row col channel"]:
    return (picture * 255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
