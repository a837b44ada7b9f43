"""Splice a sparse autoencoder into a network and change some of its latents.

When to use: to ask what a latent of an SAE causes. By default what the autoencoder does not reconstruct is kept, so
that only the latents' change is felt; with `keep_error=False` the reconstruction alone is passed on, which tells what
the autoencoder misses.

    SpliceLatent("conv_out", autoencoder=sae, latents=[7], scale=0)           # ablate
    SpliceLatent("conv_out", autoencoder=sae, latents=[7], add=3.0)           # steer
    SpliceLatent("conv_out", autoencoder=sae, latents=[7], high=1.0)          # clamp
    SpliceLatent("conv_out", autoencoder=sae, latents=[7], scale=0, add=5.0)  # hold at 5
    SpliceLatent("conv_out", autoencoder=sae, keep_error=False)               # nothing but the reconstruction

Anything with `encode` and `decode` will do. A map's positions are its samples: it gets [sample, channel].

Source: Bricken et al. 2023, Towards monosemanticity, for the error that is kept.
Cost: one encoding and two decodings.

Axes: `sample` a frame, or a position of a frame's map; `latent`; otherwise as in `intervention.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import index
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from procscope.activations.channel_statistics import ChannelStatistics
from procscope.interventions.intervention import BY_HASH, IF_SET, Control, Intervention
from procscope.interventions.scale import finite
from procscope.workbench.checkpoints import weights_hash


@runtime_checkable
class Autoencoder(Protocol):
    """What a splice needs of an SAE."""

    def encode(self, activation: Float[Tensor, "sample channel"]) -> Float[Tensor, "sample latent"]:
        """The latents."""
        ...

    def decode(self, latents: Float[Tensor, "sample latent"]) -> Float[Tensor, "sample channel"]:
        """The reconstruction."""
        ...


@dataclass(frozen=True)
class SpliceLatent(Intervention):
    """The activation with some latents changed: each becomes scale * latent + add, kept within low and high.

    Raises ValueError: no encoder and decoder, settings that change nothing, an autoencoder other than the one stored;
    in a forward pass, latents that it does not have, or channels other than it takes.
    """

    autoencoder: Any = field(kw_only=True, compare=False, repr=False, metadata=BY_HASH)
    """An `Autoencoder`. Configs hold its hash instead: `from_config(stored, autoencoder=sae)`."""

    latents: Sequence[int] | None = field(default=None, kw_only=True)
    """Which change, kept as a tuple; None for all."""

    scale: float | int = field(default=1.0, kw_only=True)
    add: float | int = field(default=0.0, kw_only=True)
    low: float | int | None = field(default=None, kw_only=True)
    high: float | int | None = field(default=None, kw_only=True)

    keep_error: bool = field(default=True, kw_only=True)
    """Whether what the autoencoder does not reconstruct stays."""

    autoencoder_hash: str | None = field(default=None, kw_only=True, metadata=IF_SET)
    """SHA-256 of its weights: found by itself for a module, else its attribute `weights_hash`."""

    kind: Literal["splice-latent"] = field(default="splice-latent", repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        found = checked_autoencoder(self.autoencoder, self.hook_point, self.autoencoder_hash)
        object.__setattr__(self, "autoencoder_hash", found)
        if self.latents is not None:
            latents = tuple(index(latent) for latent in self.latents)
            object.__setattr__(self, "latents", latents)
            if not latents or min(latents) < 0 or len(set(latents)) < len(latents):
                raise ValueError(f"expected different latents, numbered from 0; given {list(latents)}")
        for name in ("scale", "add", "low", "high"):
            number = getattr(self, name)
            object.__setattr__(self, name, None if number is None else finite(self, name, number))
        bounded = self.low is not None or self.high is not None
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"expected low <= high; given {self.low} and {self.high}")
        if self.keep_error and self.scale == 1 and self.add == 0 and not bounded:
            raise ValueError(
                f"{self!r} changes nothing: give scale, add, low or high, or keep_error=False for the reconstruction"
            )

    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        rows = chosen.movedim(1, -1)
        samples = rows.reshape(-1, rows.shape[-1])
        latents = self.autoencoder.encode(samples)
        if self.latents is not None and max(self.latents) >= latents.shape[-1]:
            raise ValueError(
                f"{self!r}: expected latents from 0 to {latents.shape[-1] - 1}, those of the autoencoder; given "
                f"{[latent for latent in self.latents if latent >= latents.shape[-1]]}"
            )
        which = slice(None) if self.latents is None else list(self.latents)
        changed = latents.clone()
        new = changed[:, which] * self.scale + self.add
        changed[:, which] = new if self.low is None and self.high is None else new.clamp(self.low, self.high)
        result = self.autoencoder.decode(changed)
        if result.shape != samples.shape:
            raise ValueError(
                f"{self!r}: expected a reconstruction of {tuple(samples.shape)}, the samples and channels of "
                f"{self.hook_point!r}; the autoencoder gave {tuple(result.shape)}"
            )
        if self.keep_error:
            result = samples + result - self.autoencoder.decode(latents)
        return result.reshape(rows.shape).movedim(-1, 1)

    def on_channels(self, channels: Sequence[int], statistics: ChannelStatistics) -> "SpliceLatent":
        raise ValueError(f"{self!r}: the autoencoder reads its own channels")

    def controls(self, statistics: ChannelStatistics, rng: np.random.Generator) -> list[Control]:
        """The same on random other latents, and the opposite sign of what is added."""
        found = []
        others = self._other_latents(statistics)
        if self.latents is not None and len(others) >= len(self.latents):
            drawn = rng.choice(others, size=len(self.latents), replace=False)
            found.append(Control("random latents", replace(self, latents=tuple(int(one) for one in drawn))))
        if self.add and self.low is None and self.high is None:
            found.append(Control("sign flipped", replace(self, add=-self.add)))
        return found

    def _other_latents(self, statistics: ChannelStatistics) -> list[int]:
        width = statistics.n_channels if self.channels is None else len(self.channels)
        encoder: Any = self.autoencoder
        weights = encoder.parameters() if isinstance(encoder, nn.Module) else ()
        like = next(iter(weights), torch.zeros(()))
        with torch.no_grad():
            n_latents = encoder.encode(like.new_zeros(1, width)).shape[-1]  # pyright: ignore[reportCallIssue]
        return [latent for latent in range(n_latents) if latent not in (self.latents or ())]


def checked_autoencoder(autoencoder: Any, hook_point: str, stored: str | None) -> str:
    """The hash of an autoencoder's weights.

    Args:
        stored: the hash that it has to have; None for any.

    Raises ValueError: no `encode` and `decode`, nothing to tell its weights by, or another hash.
    """
    if not isinstance(autoencoder, Autoencoder):
        raise ValueError(
            f"expected an autoencoder with `encode` and `decode` for {hook_point!r}; given a "
            f"{type(autoencoder).__name__}"
        )
    found = _hash_of(autoencoder)
    if stored not in (None, found):
        raise ValueError(
            f"expected the autoencoder with the hash {str(stored)[:16]}, which was stored; given one with {found[:16]}"
        )
    return found


def _hash_of(autoencoder: Any) -> str:
    if isinstance(autoencoder, nn.Module):
        return weights_hash(autoencoder.state_dict())
    found = getattr(autoencoder, "weights_hash", None)
    if not isinstance(found, str):
        raise ValueError(
            f"expected a torch module, or an autoencoder with the text attribute `weights_hash`, so that what was done "
            f"can be stored; given a {type(autoencoder).__name__}"
        )
    return found
