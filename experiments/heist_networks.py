"""What the Heist experiments share about their networks: where maps are read, and what a position looks at.

Any network will do that is named by its zoo name or a path. Hook points are chosen by architecture, from the first maps
to the last, unless an experiment is given others.

Axes: none.
"""

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from procscope.activations.capture import capture
from procscope.agents.networks.interpretable_cnn import InterpretableCnn
from procscope.envs.engine import scratch_engine
from procscope.envs.maze.geometry import MIDDLE
from procscope.interventions.goal_tracking import center_of
from procscope.workbench.checkpoints import LoadedModel


class Places(NamedTuple):
    """Hook points of one architecture."""

    maps: tuple[str, ...]
    """One for each size of map, and the last maps."""
    middle: str
    """The 16 x 16 maps: those of the source's `conv3a`, where it intervenes by default."""
    last: str
    """The last maps after a ReLU."""
    vector: str
    """The last hidden vector after its ReLU."""


PLACES = {
    "impala": Places(
        ("block1.res2", "block2.res2", "block3.res2", "conv_out"), "block2.res2", "conv_out", "fc"
    ),
    "interpretable-cnn": Places(("relu1a", "relu2b", "relu3a", "relu4a"), "relu3a", "relu4a", "fc2"),
}
"""By architecture, as checkpoints name it."""


def places_of(model: LoadedModel) -> Places:
    """The hook points of a network. Raises ValueError: an architecture that is not listed."""
    name = model.header.architecture
    if name not in PLACES:
        raise ValueError(
            f"expected a network of the architectures {', '.join(PLACES)}, whose hook points are known; "
            f"{model.name} is {name!r}. Add its hook points to PLACES"
        )
    return PLACES[name]


def map_center(network: nn.Module, map_size: int) -> float:
    """Where the middle of what a position looks at lies in its unit (`procscope.envs.maze.geometry`).

    The interpretable network's poolings do not overlap, so that its maps are centred; IMPALA's look to the upper left.
    """
    return MIDDLE if isinstance(network, InterpretableCnn) else center_of(map_size)


def centers_of(model: LoadedModel, hook_points: Sequence[str]) -> tuple[float, ...]:
    """Where the middle of what a position looks at lies in the maps of each hook point."""
    frames = scratch_engine("heist").frames[:1]
    maps = capture(model.network, frames, list(hook_points)).activations
    return tuple(map_center(model.network, maps[name].shape[-1]) for name in hook_points)
