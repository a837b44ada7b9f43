"""Objectives of places and directions: a patch of a channel's map, one unit, all of a position, any direction.

    ChannelPatch("block2.res1", channels=[5, 5], corners=[(0, 0), (8, 8)], side=4)   # part of a map, 4 x 4
    unit("block2.res1", channels=[5], positions=[(8, 8)])                            # one place of a map
    InPatch(objective, corner=(7, 7), side=2)                                        # any objective, of that patch
    PositionNorm("conv_out", positions=[(4, 4)])                                     # whatever excites that place
    Direction("conv_out", probe.direction[None])                                     # a probe, a decoder direction
    Direction("fc", (first - second)[None])                                          # a difference of two

When to use: a whole channel's picture is a texture that fills the frame; a unit's or patch's has one thing in one
place. Synthetic pictures of patches are what S4.patch-vis calls near-uniform.

Source: `channel`, `neuron` and `direction` of Lucid (Olah et al. 2017); a direction is taken as a plain dot product.

Axes: `picture`, `channel`, `row col` of a map.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from procscope.visualization.objectives import Objective, channels_last, checked_channels

Place = tuple[int, int]
"""Row and column of a map, from the top left."""


@dataclass(frozen=True)
class ChannelPatch(Objective):
    """Picture i excites a square of the map of channel `channels[i]`: its mean there."""

    hook_point: str
    channels: Sequence[int]
    corners: Sequence[Place]
    """Upper left corner of each square. Raises ValueError: not one for each channel, or a negative one."""
    side: int = 1

    def __post_init__(self) -> None:
        channels = checked_channels(self.hook_point, self.channels)
        corners = _checked_places(self.corners)
        if len(corners) != len(channels) or self.side < 1:
            raise ValueError(
                f"expected a corner for each of {len(channels)} channels and a side of at least 1; given "
                f"{len(corners)} corners, side {self.side}"
            )
        object.__setattr__(self, "channels", channels)
        object.__setattr__(self, "corners", corners)

    @property
    def count(self) -> int:
        return len(self.channels)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        maps = activations[self.hook_point]
        channels_last(maps, self.hook_point, max(self.channels))
        _require_places(maps, self.hook_point, self.corners, self.side)
        reach = torch.arange(self.side)
        rows, cols = (place[:, None] + reach for place in torch.tensor(self.corners).unbind(1))
        picture, channel = torch.arange(self.count)[:, None, None], torch.tensor(self.channels)[:, None, None]
        return maps[picture, channel, rows[:, :, None], cols[:, None]].mean(dim=(1, 2))

    def part(self, pictures: slice) -> "ChannelPatch":
        return replace(self, channels=self.channels[pictures], corners=self.corners[pictures])


def unit(hook_point: str, channels: Sequence[int], positions: Sequence[Place]) -> ChannelPatch:
    """One place of each channel's map. A unit of a layer without maps is `ChannelMean`."""
    return ChannelPatch(hook_point, channels, positions, side=1)


@dataclass(frozen=True)
class PositionNorm(Objective):
    """Picture i excites one position of a map, whichever channels do it: the Euclidean norm over channels."""

    hook_point: str
    positions: Sequence[Place]

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions", _checked_places(self.positions))

    @property
    def count(self) -> int:
        return len(self.positions)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        maps = activations[self.hook_point]
        _require_places(maps, self.hook_point, self.positions, 1)
        rows, cols = torch.tensor(self.positions).unbind(1)
        return torch.linalg.vector_norm(maps[torch.arange(self.count), :, rows, cols], dim=1)

    def part(self, pictures: slice) -> "PositionNorm":
        return replace(self, positions=self.positions[pictures])


@dataclass(frozen=True, eq=False)
class Direction(Objective):
    """Picture i excites `directions[i]`: the dot product with it, averaged over the positions of a map.

    A direction has an entry for each channel, or one for each number of the activation: then it is the dot product with
    all of it. Its length counts: divide by it where directions are to be compared.
    """

    hook_point: str
    directions: Float[np.ndarray, "picture ..."]

    def __post_init__(self) -> None:
        directions = np.asarray(self.directions, dtype=np.float32)
        flat = directions.reshape(len(directions), -1) if directions.ndim > 1 else directions[None, :0]
        if flat.size == 0 or not np.isfinite(flat).all() or not np.abs(flat).max(axis=1).all():
            raise ValueError(
                f"expected directions [picture, channel] or [picture, channel, row, col], finite and none of them all "
                f"zeros; given shape {directions.shape}. Add the first axis with `direction[None]`"
            )
        object.__setattr__(self, "directions", directions)

    @property
    def count(self) -> int:
        return len(self.directions)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        values = activations[self.hook_point]
        directions = torch.from_numpy(self.directions).to(values)
        if directions.shape[1:] == values.shape[1:]:
            return (values * directions).flatten(1).sum(dim=1)
        if directions.ndim == 2 and directions.shape[1] == values.shape[1]:
            return (values.flatten(2).mean(dim=2) * directions).sum(dim=1)
        raise ValueError(
            f"expected directions of {values.shape[1]} channels or of shape {tuple(values.shape[1:])} at "
            f"{self.hook_point!r}; given {tuple(directions.shape[1:])}. Was it found at another hook point?"
        )

    def part(self, pictures: slice) -> "Direction":
        return replace(self, directions=self.directions[pictures])


@dataclass(frozen=True, eq=False)
class InPatch(Objective):
    """Any objective of a map as if the map were only a square of it: every mean is then one over that square."""

    inner: Objective
    corner: Place
    """Upper left corner of the square, in all pictures."""
    side: int

    def __post_init__(self) -> None:
        _checked_places([self.corner])
        if self.side < 1:
            raise ValueError(f"expected a side of at least 1, given {self.side}")

    @property
    def count(self) -> int:
        return self.inner.count

    @property
    def together(self) -> int:
        return self.inner.together

    @property
    def hook_points(self) -> tuple[str, ...]:
        return self.inner.hook_points

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        row, col = self.corner
        cut = {}
        for name, maps in activations.items():
            _require_places(maps, name, [self.corner], self.side)
            cut[name] = maps[:, :, row : row + self.side, col : col + self.side]
        return self.inner.of(cut)

    def part(self, pictures: slice) -> "InPatch":
        return replace(self, inner=self.inner.part(pictures))


def _checked_places(places: Sequence[Place]) -> tuple[Place, ...]:
    kept = tuple((int(row), int(col)) for row, col in places)
    if not kept or min(map(min, kept)) < 0:
        raise ValueError(f"expected at least one position (row, column) from (0, 0), given {list(kept)}")
    return kept


def _require_places(maps: Tensor, hook_point: str, places: Sequence[Place], side: int) -> None:
    rows, cols = maps.shape[2:] if maps.ndim == 4 else (0, 0)
    for row, col in places:
        if row + side > rows or col + side > cols:
            raise ValueError(
                f"expected places inside the maps of {hook_point!r}, whose activations have shape "
                f"{tuple(maps.shape)}; given a square of {side} at row {row}, column {col}"
            )
