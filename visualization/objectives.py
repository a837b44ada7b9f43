"""What an optimised picture is to excite, as values: one number a picture, to be made large.

    ChannelMean("conv_out", channels=range(32))                  # 32 pictures, one for each channel
    GroupNorm("block2.res1", groups=[[0, 3, 7], [1, 2]])         # 2 pictures, one for each group
    ChannelMean("logits", [3]) - 0.5 * ChannelMean("logits", [2])
    ChannelMean("value", [0])                                    # an output with one number a picture is channel 0

A logit, a value and the reward of an action are channels of the hook points that are the network's outputs. Places in a
map and directions are in `place_objectives.py`, terms that look at the picture or at others of its batch in
`picture_objectives.py`.

An objective speaks of a batch of pictures, each with a unit or group of its own, so that a whole layer is optimised at
once (`optimise_inputs.py`). Objectives with as many pictures add, subtract and take weights. A new kind is a frozen
dataclass that derives from `Objective`.

Source: `ChannelMean` as in Lucid's `channel` (Olah et al. 2017); `GroupNorm` is S0's, section 4.4.3.

Axes: `picture` of the batch, `channel` of a map or unit of a layer.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

PICTURE = "picture"
"""In place of a hook point: the objective reads the picture itself."""


class Objective(ABC):
    """One number for each picture of a batch."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many pictures it is about."""

    @property
    @abstractmethod
    def hook_points(self) -> tuple[str, ...]:
        """Where it reads activations."""

    @property
    def together(self) -> int:
        """How many pictures, one after the other, depend on each other and are optimised in one batch."""
        return 1

    @abstractmethod
    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        """The numbers of a batch of `count` pictures.

        Args:
            activations: by hook point; under `PICTURE` the pictures themselves, between 0 and 1.

        Raises ValueError: a channel that the network lacks.
        """

    @abstractmethod
    def part(self, pictures: slice) -> "Objective":
        """The objective of some of its pictures."""

    def __add__(self, other: "Objective") -> "Objective":
        return WeightedSum((self, other), (1.0, 1.0))

    def __sub__(self, other: "Objective") -> "Objective":
        return WeightedSum((self, other), (1.0, -1.0))

    def __neg__(self) -> "Objective":
        return WeightedSum((self,), (-1.0,))

    def __rmul__(self, weight: float) -> "Objective":
        return WeightedSum((self,), (float(weight),))


@dataclass(frozen=True)
class ChannelMean(Objective):
    """Picture i excites channel `channels[i]`: its mean over the map, or the unit's value where there is no map."""

    hook_point: str
    channels: Sequence[int]
    """Kept as a tuple. Raises ValueError: none, or a negative one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", checked_channels(self.hook_point, self.channels))

    @property
    def count(self) -> int:
        return len(self.channels)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        maps = channels_last(activations[self.hook_point], self.hook_point, max(self.channels))
        return maps[torch.arange(self.count), torch.tensor(self.channels)].mean(dim=1)

    def part(self, pictures: slice) -> "ChannelMean":
        return replace(self, channels=self.channels[pictures])


@dataclass(frozen=True)
class GroupNorm(Objective):
    """Picture i excites a group of channels: the sum of their absolute activations over group and map (L1 of L1)."""

    hook_point: str
    groups: Sequence[Sequence[int]]
    """Channels of each group; kept as tuples. Raises ValueError: none, an empty group, a negative channel."""

    def __post_init__(self) -> None:
        groups = tuple(checked_channels(self.hook_point, group) for group in self.groups)
        if not groups:
            raise ValueError(f"expected at least one group of channels of {self.hook_point!r}, given none")
        object.__setattr__(self, "groups", groups)

    @property
    def count(self) -> int:
        return len(self.groups)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        largest = max(map(max, self.groups))
        sizes = channels_last(activations[self.hook_point], self.hook_point, largest).abs().sum(dim=2)
        member = torch.zeros_like(sizes)
        for picture, group in enumerate(self.groups):
            member[picture, list(group)] = 1
        return (sizes * member).sum(dim=1)

    def part(self, pictures: slice) -> "GroupNorm":
        return replace(self, groups=self.groups[pictures])


@dataclass(frozen=True)
class WeightedSum(Objective):
    """Objectives of the same number of pictures, times a weight each. Raises ValueError: other numbers."""

    terms: tuple[Objective, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        counts = [term.count for term in self.terms]
        if len(set(counts)) != 1 or len(self.weights) != len(self.terms):
            raise ValueError(
                f"expected objectives of the same number of pictures with a weight each, given {counts} pictures "
                f"and {len(self.weights)} weights"
            )

    @property
    def count(self) -> int:
        return self.terms[0].count

    @property
    def hook_points(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for term in self.terms for name in term.hook_points))

    @property
    def together(self) -> int:
        return math.lcm(*(term.together for term in self.terms))

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        parts = [weight * term.of(activations) for term, weight in zip(self.terms, self.weights, strict=True)]
        return torch.stack(parts).sum(dim=0)

    def part(self, pictures: slice) -> "WeightedSum":
        return replace(self, terms=tuple(term.part(pictures) for term in self.terms))


def checked_channels(hook_point: str, channels: Sequence[int]) -> tuple[int, ...]:
    """The channels as a tuple. Raises ValueError: none, or a negative one."""
    kept = tuple(int(channel) for channel in channels)
    if not kept or min(kept) < 0:
        raise ValueError(f"expected channels of {hook_point!r} from 0 up, at least one, given {list(kept)}")
    return kept


def channels_last(
    activation: Tensor, hook_point: str, largest: int
) -> Float[Tensor, "picture channel position"]:
    """The activation with its positions flattened; a vector has one, and so has a single number.

    Raises ValueError: too few channels.
    """
    values = activation[:, None] if activation.dim() == 1 else activation
    if values.dim() < 2 or values.shape[1] <= largest:
        raise ValueError(
            f"expected {hook_point!r} to have channel {largest}; its activations have shape "
            f"{tuple(activation.shape)}, first axis pictures"
        )
    return values.flatten(2) if values.dim() > 2 else values[:, :, None]
