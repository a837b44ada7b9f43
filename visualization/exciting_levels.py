"""The levels that excite a unit most, found by editing levels: the picture is a state that can occur.

When to use: beside a synthetic picture, which shows what a unit *would* answer to. This shows the most that edits of
real levels bring it to, drawn by the engine, walls and all.

    found = exciting_levels(network, Channels("conv_out", range(32)), starts, game("maze").random_edits, seed=0)
    found[21][0].level, found[21][0].value, found[21][0].start_value

Every unit has a search of its own from each of the starts (`procscope.envs.level_search`), and the results are ordered:
the best level of all starts comes first.

Cost: units x starts x rounds x children levels drawn and passed through the network: 0.5 ms to 1 ms each, and the pass.

Axes: `level`, `unit`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import nn
from tqdm import tqdm

from procscope.activations.capture import capture
from procscope.envs.engine import scratch_engine
from procscope.envs.level_search import RandomEdit, on_frames, search_levels
from procscope.visualization.units import Units


@dataclass(frozen=True, eq=False)
class ExcitingLevel:
    """What one search came to."""

    level: Any
    """A level value, such as `MazeLevel`."""
    value: float
    """The unit's mean in its first frame."""
    start_value: float
    """In the level that the search began with."""
    changes: tuple[str, ...]
    """Names of the edits, in order."""
    picture: UInt8[np.ndarray, "64 64 3"]


def exciting_levels(
    network: nn.Module,
    units: Units,
    starts: Sequence[Any],
    edits: Mapping[str, RandomEdit[Any]],
    *,
    seed: int,
    rounds: int = 30,
    children: int = 8,
    progress: str = "",
) -> list[list[ExcitingLevel]]:
    """For each unit, one level for each of the starts, the most exciting first.

    Raises ValueError: an unknown hook point or unit, and as `search_levels`.
    """
    found = []
    for number in tqdm(range(len(units)), desc=progress, disable=None if progress else True):
        alone = units.part([number])

        def excitement(frames: np.ndarray, alone: Units = alone) -> np.ndarray:
            activations = capture(network, frames, [alone.hook_point], dtype="float32").activations
            return alone.values(activations[alone.hook_point]).mean(axis=2)[:, 0]

        search = search_levels(
            starts, on_frames(excitement), edits, seed=seed, rounds=rounds, children=children
        )
        best = np.argsort(-search.scores, kind="stable")
        game, mode = search.best[0].game, search.best[0].mode
        pictures = scratch_engine(game, mode).render([search.best[i].to_state() for i in best])
        found.append(
            [
                ExcitingLevel(
                    search.best[i],
                    float(search.scores[i]),
                    float(search.history[i, 0]),
                    search.changes[i],
                    picture.copy(),
                )
                for i, picture in zip(best.tolist(), pictures, strict=True)
            ]
        )
    return found
