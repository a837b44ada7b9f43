"""The units that are looked at: channels of a hook point, directions in it, or latents of an encoder of it.

    Channels("conv_out", range(32))
    Directions("conv_out", [probe.direction], ["agent_x"])       # a probe, a decoder direction, a difference of two
    Latents("conv_out", sae, range(512))                         # anything with `encode`

Each says what is to be made large (`objective`), and what it is on data (`values`). A unit's value in a frame is its
mean over the map; at a place it is the number there.

Axes: `frame`, `unit`, `channel`, `row col` of a map, `place` the same flattened.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from procscope.visualization.objectives import ChannelMean, Objective, checked_channels
from procscope.visualization.place_objectives import Direction
from procscope.workbench.checkpoints import weights_hash


@runtime_checkable
class Encoder(Protocol):
    """A sparse autoencoder, say: latents of the channels at a place.

    Where it also has `pre_activations`, of the same shape, these are what is made large: latents that are cut to 0, by
    a top-k, say, have no gradient until they are among the k largest.
    """

    def encode(self, activations: Float[Tensor, "sample channel"], /) -> Float[Tensor, "sample latent"]: ...


class Units(ABC):
    """Units of one hook point."""

    hook_point: str

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What each is called."""

    @abstractmethod
    def objective(self) -> Objective:
        """The value of each, one picture a unit."""

    @abstractmethod
    def values(
        self, activations: Float[np.ndarray, "frame channel *map"]
    ) -> Float[np.ndarray, "frame unit place"]:
        """What they are in some frames, place by place.

        Raises ValueError: activations that do not have these units.
        """

    @abstractmethod
    def part(self, chosen: Sequence[int]) -> "Units":
        """Some of them, by their place in the order."""

    @property
    def identities(self) -> tuple[str, ...]:
        """What each is, exactly: two units of one network and hook point with the same one are the same."""
        return self.names

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Channels(Units):
    """Channels of a map, or units of a layer."""

    hook_point: str
    channels: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", checked_channels(self.hook_point, self.channels))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"channel {channel}" for channel in self.channels)

    def objective(self) -> ChannelMean:
        return ChannelMean(self.hook_point, self.channels)

    def values(
        self, activations: Float[np.ndarray, "frame channel *map"]
    ) -> Float[np.ndarray, "frame unit place"]:
        maps = _places_last(activations)
        if maps.shape[1] <= max(self.channels):
            raise ValueError(
                f"expected {self.hook_point!r} to have channel {max(self.channels)}; it has {maps.shape[1]}"
            )
        whole = self.channels == tuple(range(maps.shape[1]))
        return (maps if whole else maps[:, list(self.channels)]).astype(np.float32, copy=False)

    def part(self, chosen: Sequence[int]) -> "Channels":
        return replace(self, channels=[self.channels[i] for i in chosen])


@dataclass(frozen=True, eq=False)
class Directions(Units):
    """Directions over channels, or over all numbers of the activation (then a frame has one place)."""

    hook_point: str
    directions: Float[np.ndarray, "unit ..."]
    labels: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "directions", np.asarray(self.directions, np.float32))
        object.__setattr__(self, "labels", tuple(self.labels))
        if len(self.labels) != len(self.directions):
            raise ValueError(
                f"expected a name for each of {len(self.directions)} directions, given {len(self.labels)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.labels)

    @property
    def identities(self) -> tuple[str, ...]:
        digests = [hashlib.sha256(direction.tobytes()).hexdigest()[:16] for direction in self.directions]
        return tuple(f"{name} {digest}" for name, digest in zip(self.labels, digests, strict=True))

    def objective(self) -> Direction:
        return Direction(self.hook_point, self.directions)

    def values(
        self, activations: Float[np.ndarray, "frame channel *map"]
    ) -> Float[np.ndarray, "frame unit place"]:
        values = activations.astype(np.float32, copy=False)
        if self.directions.shape[1:] == values.shape[1:]:
            return (values.reshape(len(values), -1) @ self.directions.reshape(len(self), -1).T)[:, :, None]
        if self.directions.shape[1:] != values.shape[1:2]:
            raise ValueError(
                f"expected directions of {values.shape[1]} channels or of shape {values.shape[1:]} at "
                f"{self.hook_point!r}; given {self.directions.shape[1:]}"
            )
        return np.einsum("uc,fcp->fup", self.directions, _places_last(values), optimize=True)

    def part(self, chosen: Sequence[int]) -> "Directions":
        names = [self.labels[i] for i in chosen]
        return replace(self, directions=self.directions[list(chosen)], labels=names)


@dataclass(frozen=True, eq=False)
class Latents(Units):
    """Latents of an encoder of the channels at each place."""

    hook_point: str
    encoder: Encoder
    latents: Sequence[int]

    def __post_init__(self) -> None:
        object.__setattr__(self, "latents", checked_channels(self.hook_point, self.latents))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"latent {latent}" for latent in self.latents)

    @property
    def identities(self) -> tuple[str, ...]:
        """Raises ValueError: an encoder that is no torch module, whose weights cannot be told."""
        if not isinstance(self.encoder, nn.Module):
            raise ValueError(
                f"expected an encoder that is a torch module, to tell it by its weights; given a "
                f"{type(self.encoder).__name__}"
            )
        digest = weights_hash(self.encoder.state_dict())[:16]
        return tuple(f"{name} {digest}" for name in self.names)

    def objective(self) -> "LatentMean":
        return LatentMean(self.hook_point, self.encoder, self.latents)

    def values(
        self, activations: Float[np.ndarray, "frame channel *map"]
    ) -> Float[np.ndarray, "frame unit place"]:
        maps = torch.from_numpy(_places_last(activations.astype(np.float32, copy=False)))
        with torch.inference_mode():
            return _encoded(self.encoder.encode, maps, self.latents, self.hook_point).numpy()

    def part(self, chosen: Sequence[int]) -> "Latents":
        return replace(self, latents=[self.latents[i] for i in chosen])


@dataclass(frozen=True, eq=False)
class LatentMean(Objective):
    """Picture i excites latent `latents[i]`: its mean over the positions of the map, before it is cut to 0."""

    hook_point: str
    encoder: Encoder
    latents: Sequence[int]

    @property
    def count(self) -> int:
        return len(self.latents)

    @property
    def hook_points(self) -> tuple[str, ...]:
        return (self.hook_point,)

    def of(self, activations: Mapping[str, Tensor]) -> Float[Tensor, " picture"]:
        maps = activations[self.hook_point]
        maps = maps.flatten(2) if maps.ndim > 2 else maps[:, :, None]
        encode = getattr(self.encoder, "pre_activations", self.encoder.encode)
        encoded = _encoded(encode, maps, self.latents, self.hook_point)
        return encoded.diagonal().mean(dim=0)

    def part(self, pictures: slice) -> "LatentMean":
        return replace(self, latents=self.latents[pictures])


def _encoded(
    encode: Callable[[Tensor], Tensor],
    maps: Float[Tensor, "frame channel place"],
    latents: Sequence[int],
    hook_point: str,
) -> Float[Tensor, "frame unit place"]:
    samples = maps.transpose(1, 2)
    encoded = encode(samples.flatten(0, 1))
    if encoded.shape[1] <= max(latents):
        raise ValueError(
            f"expected an encoder of {hook_point!r} with latent {max(latents)}; it has {encoded.shape[1]}"
        )
    return encoded[:, list(latents)].unflatten(0, samples.shape[:2]).transpose(1, 2)


def _places_last(activations: Float[np.ndarray, "frame channel *map"]) -> np.ndarray:
    return activations.reshape(*activations.shape[:2], -1)
