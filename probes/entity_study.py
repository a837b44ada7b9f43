"""Which units of a network follow which thing, level by level: `tracking.py` on the scenes of `entity_scenes.py`.

When to use: as the parts of a study in which units are chosen on some levels and judged on others (`heist-entities`).
One call reads one level with one network: the trained one, or one of its kind that nobody trained. Beside the true
scores stand those of the same maps with the thing's places shuffled.

Source: notes on a Heist agent (S4); see `tracking.py`.
Cost: places x agents frames for each thing.

Axes: `unit`, `agent`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from procscope.activations.encoding import Encoder
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.sweeps import open_room
from procscope.envs.maze import MazeLevel
from procscope.probes.entity_scenes import (
    ROOM_CELLS,
    Scene,
    cheese_scene,
    maze_scenes,
    read_scene,
    room_scenes,
)
from procscope.probes.tracking import TrackingScores, change, reduced, score
from procscope.probes.untrained import untrained_like
from procscope.workbench.checkpoints import LoadedModel

Setting = Literal["room", "maze", "cheese"]
"""An open room, the level's own maze, or a maze with a cheese."""
MEASURES = ("predictiveness", "equivariance", "pearson", "overlap")
MASSES = ("activation", "change")
"""What is taken as mass: the positive part of the activation, as in the source, or what the thing's place changes."""


@dataclass(frozen=True)
class TrackedLevel:
    """One level read by one network: all that the results depend on."""

    model: str
    weights_hash: str
    untrained: int
    """0 for the network itself, else the seed of one like it with initial weights."""
    setting: Setting
    level: Mapping[str, Any]
    """As the level's `to_json` gives it."""
    hook_points: tuple[str, ...]
    centers: tuple[float, ...]
    """Where the middle of what a position looks at lies, hook point by hook point "
    "(`procscope.envs.maze.geometry`)."""
    saes: tuple[str, ...]
    places: int
    agents: int
    seed: int
    version: int = 1
    """Of this computation; raised when it changes."""


def study_level(
    one: TrackedLevel, model: LoadedModel, encoders: Mapping[str, Encoder] | None = None
) -> dict[str, Any]:
    """Scores of every thing, hook point, mass and measure, as JSON data.

    `{thing: {hook point: {mass: {measure: [unit], "shuffled": {measure: [unit]}, "by_agent": [agent][unit]}}}}`; the
    last in rooms alone, where agents have the same cells in every level.

    Raises ValueError: the network's weights are not those named.
    """
    if model.weights_hash != one.weights_hash:
        raise ValueError(
            f"{one.model} has the weights {model.weights_hash[:16]}, the study is about {one.weights_hash[:16]}. "
            "Start it anew with the network as it is now"
        )
    network = untrained_like(model, one.untrained) if one.untrained else model.network
    rng = np.random.default_rng((one.seed, 11))
    found: dict[str, Any] = {}
    for scene in scenes_of(one, rng):
        read = read_scene(network, scene, one.hook_points, None if one.untrained else encoders)
        shuffled = rng.permutation(len(scene.places))
        found[scene.thing] = {}
        for (name, maps), center in zip(read.items(), one.centers, strict=True):
            spots = scene.spots(maps.shape[-1], center)
            by_mass = {}
            for mass, seen in zip(MASSES, (maps, change(maps)), strict=True):
                kept = reduced(seen)
                scores = score(kept, spots)
                by_mass[mass] = _listed(scores) | {"shuffled": _listed(score(kept, spots[shuffled]))}
                if one.setting == "room":
                    by_mass[mass]["by_agent"] = scores.equivariance_by_agent.round(3).tolist()
            found[scene.thing][name] = by_mass
    return found


def scenes_of(one: TrackedLevel, rng: np.random.Generator) -> Sequence[Scene]:
    """The scenes of a level."""
    data = dict(one.level)
    if one.setting == "cheese":
        return [cheese_scene(MazeLevel.from_json(data), one.places, one.agents, rng)]
    level = HeistLevel.from_json(data)
    if one.setting == "room":
        return list(room_scenes(open_room(level, ROOM_CELLS), one.agents))
    return list(maze_scenes(level, one.places, one.agents, rng))


def scores_of(
    found: Mapping[str, Any], thing: str, hook_point: str, mass: str, measure: str, shuffled: bool = False
) -> Float[np.ndarray, " unit"]:
    """One measure of every unit out of what `study_level` gives."""
    of_mass = found[thing][hook_point][mass]
    return np.array((of_mass["shuffled"] if shuffled else of_mass)[measure])


def _listed(scores: TrackingScores) -> dict[str, list[float]]:
    return {measure: getattr(scores, measure).round(4).tolist() for measure in MEASURES}
