"""Steering: add a vector to what a place says, or a map.

When to use: to push a network along a direction that was found elsewhere: the difference between frames with and
without cheese, a probe's direction, a decoder direction of an SAE.

    vector = mean_difference(network, frames_with_cheese, frames_without, "block2.res1")
    Steer("block2.res1", vector=vector, strength=-1.0)         # a map: added position by position
    Steer("fc", channels=[3, 7], vector=[1.0, -2.0])           # a vector: at every position alike
    Steer("conv_out", vector=maps, per_frame=True)             # a map for each frame, or level of a rollout

Source: activation additions (Turner et al. 2023, arXiv:2308.10248); the cheese vector and the top-right vector of
Turner, MacDiarmid et al. 2023 (Understanding and controlling a maze-solving policy network, arXiv:2310.08043).
Cost: one copy of the activation.

Axes: as in `intervention.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32
from torch import Tensor, nn

from procscope.activations.capture import capture
from procscope.activations.channel_statistics import ChannelStatistics
from procscope.interventions.array_value import ArrayLike, ArrayValue, tensor_like
from procscope.interventions.intervention import Control, Intervention, Rows
from procscope.interventions.scale import finite


@dataclass(frozen=True)
class Steer(Intervention):
    """The chosen channels plus a vector or map, times a strength.

    Raises ValueError: numbers that are not finite, a vector of zeros; in a forward pass, one of another shape.
    """

    vector: ArrayLike = field(kw_only=True)
    """[channel], added at every position, or a map [channel, row, col]; with `per_frame`, an axis of frames in front.
    Kept as an `ArrayValue`."""

    strength: float | int = field(default=1.0, kw_only=True)
    """The vector is added this many times."""

    per_frame: bool = field(default=False, kw_only=True)
    """Whether there is a vector or map for each frame that passes; in a rollout, for each level."""

    kind: Literal["steer"] = field(default="steer", repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        vector = ArrayValue.of(self.vector, f"the steering vector at {self.hook_point!r}")
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "strength", finite(self, "strength", self.strength))
        shape = vector.shape[int(self.per_frame) :]
        wrong = self.channels is not None and shape[:1] != (len(self.channels),)
        if wrong or not shape or vector.dtype == "bool" or not vector.array.any():
            raise ValueError(
                f"expected a vector with one number, or one map, for each of the chosen channels at "
                f"{self.hook_point!r}{', frame by frame' if self.per_frame else ''}, not all 0; given {vector!r} for "
                f"channels {self.channels or 'all'}"
            )

    @property
    def norm(self) -> float:
        """Euclidean norm of what is added, strength included; of a vector, at one position. Of all frames together."""
        return abs(self.strength) * float(np.linalg.norm(self.vector.array.astype(np.float64)))

    @property
    def depends_on_rows(self) -> bool:
        return self.per_frame or self.frames is not None or self.steps is not None

    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        return self.replacement_in(chosen, None)

    def replacement_in(
        self, chosen: Float[Tensor, "frame chosen ..."], rows: Rows | None
    ) -> Float[Tensor, "frame chosen ..."]:
        shape, given = tuple(chosen.shape[1:]), self.vector.shape[int(self.per_frame) :]
        if given not in (shape, shape[:1]):
            raise ValueError(
                f"{self!r}: expected a vector of shape {shape[:1]} or a map of shape {shape} for hook point "
                f"{self.hook_point!r}; given {given}"
            )
        vectors = self.vector.array
        if self.per_frame:
            if rows is None or rows.number.max(initial=-1) >= len(vectors):
                came = "which frames pass is not known" if rows is None else f"frame {rows.number.max()} came"
                raise ValueError(
                    f"{self!r} has vectors for {len(vectors)} frames, and {came}. Use it through `applied`, "
                    "`sweep_frames` or `sweep_rollouts`, with a vector for each frame or level"
                )
            vectors = vectors[rows.number]
        added = tensor_like(vectors, chosen) * self.strength
        return chosen + added.reshape(*vectors.shape, *(1,) * (len(shape) - len(given)))

    def on_channels(self, channels: Sequence[int], statistics: ChannelStatistics) -> "Steer":
        """The same numbers on as many other channels."""
        return replace(self, channels=tuple(channels))

    def controls(self, statistics: ChannelStatistics, rng: np.random.Generator) -> list[Control]:
        """The sign flipped, and noise of equal norm: normal numbers, for a map spread over positions as it is.

        A map's noise has the norm of the map's own channels at each position, in a random direction.
        """
        noise = noise_like(self.vector.array, rng, channel_axis=int(self.per_frame))
        return [
            Control("sign flipped", replace(self, strength=-self.strength)),
            Control("noise of equal norm", replace(self, vector=noise)),
        ]


def noise_like(
    vector: Float[np.ndarray, "..."], rng: np.random.Generator, *, channel_axis: int = 0
) -> Float32[np.ndarray, "..."]:
    """Normal numbers with the vector's norm over the channels, at each position and in each frame by itself."""
    array = np.asarray(vector, dtype=np.float64)
    noise = rng.normal(size=array.shape)
    noise *= np.linalg.norm(array, axis=channel_axis, keepdims=True) / np.linalg.norm(
        noise, axis=channel_axis, keepdims=True
    )
    return noise.astype(np.float32)


def mean_difference(
    network: nn.Module,
    with_: np.ndarray | Tensor,
    without: np.ndarray | Tensor,
    hook_point: str,
    **options: Any,
) -> Float32[np.ndarray, "channel ..."]:
    """Mean activation on some frames less that on others: the vector from the second to the first.

    Args:
        options: of `capture`, such as `batch_size`.
    """
    first, second = (
        capture(network, frames, [hook_point], dtype="float32", **options)
        .activations[hook_point]
        .mean(axis=0, dtype=np.float64)
        for frames in (with_, without)
    )
    return (first - second).astype(np.float32)
