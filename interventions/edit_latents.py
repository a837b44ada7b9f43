"""Do to an autoencoder's latents what other interventions do to channels: set a spot, move a map, patch, ablate.

When to use: wherever latents are to take the place of channels, such as in retargeting by a latent that says where the
cheese is. `SpliceLatent` is shorter for what is the same everywhere in the map.

    there = SetSpot("conv_out", channels=[7], spot=(2, 5), value=4.0)           # latent 7, at one position
    EditLatents("conv_out", autoencoder=sae, edit=there)

The `edit` is an intervention on the latents: its channels are latents, its positions those of the map. What the
autoencoder does not reconstruct is kept, so that only the change of latents is felt.

Cost: one encoding and two decodings.

Axes: `latent`; otherwise as in `intervention.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from procscope.activations.channel_statistics import ChannelStatistics
from procscope.interventions.intervention import BY_HASH, Control, Intervention
from procscope.interventions.rows import Rows
from procscope.interventions.splice import checked_autoencoder


@dataclass(frozen=True)
class EditLatents(Intervention):
    """The activation after an intervention on an autoencoder's latents.

    Raises ValueError: no encoder and decoder, an edit that is none or acts at another hook point, an autoencoder other
    than the one stored; in a forward pass, what the edit refuses, and channels other than the autoencoder takes.
    """

    autoencoder: Any = field(kw_only=True, compare=False, repr=False, metadata=BY_HASH)
    """Anything with `encode` and `decode`. Configs hold its hash instead: `from_config(stored, autoencoder=sae)`."""

    edit: Intervention | Mapping[str, Any] = field(kw_only=True)
    """An intervention on the latents (or its config), at the same hook point."""

    autoencoder_hash: str | None = field(default=None, kw_only=True)
    """SHA-256 of its weights: found by itself for a module, else its attribute `weights_hash`."""

    latent_statistics: ChannelStatistics | None = field(
        default=None, kw_only=True, compare=False, repr=False, metadata={"stored": "never", "for": "controls"}
    )
    """Of the latents on the distribution that is studied, for matched controls; without them there are none."""

    kind: Literal["edit-latents"] = field(default="edit-latents", repr=False, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        found = checked_autoencoder(self.autoencoder, self.hook_point, self.autoencoder_hash)
        object.__setattr__(self, "autoencoder_hash", found)
        if isinstance(self.edit, Mapping):
            object.__setattr__(self, "edit", Intervention.from_config(self.edit))
        edit = self.edit
        if not isinstance(edit, Intervention) or edit.hook_point != self.hook_point:
            raise ValueError(
                f"expected an intervention on the latents of {self.hook_point!r}, at this hook point, such as "
                f"SetSpot({self.hook_point!r}, channels=[7], ...); given {edit!r}"
            )

    @property
    def depends_on_rows(self) -> bool:
        return super().depends_on_rows or self._edit.depends_on_rows

    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        return self.replacement_in(chosen, None)

    def replacement_in(
        self, chosen: Float[Tensor, "frame chosen ..."], rows: Rows | None
    ) -> Float[Tensor, "frame chosen ..."]:
        channels_last = chosen.movedim(1, -1)
        samples = channels_last.reshape(-1, chosen.shape[1])
        latents = self.autoencoder.encode(samples)
        maps = latents.reshape(*channels_last.shape[:-1], latents.shape[-1]).movedim(-1, 1)
        changed = self._edit.replaced(maps, rows).movedim(1, -1).reshape(latents.shape)
        change = self.autoencoder.decode(changed) - self.autoencoder.decode(latents)
        if change.shape != samples.shape:
            raise ValueError(
                f"{self!r}: expected a reconstruction of {tuple(samples.shape)}, the samples and channels of "
                f"{self.hook_point!r}; the autoencoder gave {tuple(change.shape)}"
            )
        return (samples + change).reshape(channels_last.shape).movedim(-1, 1)

    def on_channels(self, channels: Sequence[int], statistics: ChannelStatistics) -> "EditLatents":
        raise ValueError(f"{self!r}: the autoencoder reads its own channels")

    def controls(self, statistics: ChannelStatistics, rng: np.random.Generator) -> list[Control]:
        """The controls of the edit, among the latents."""
        if self.latent_statistics is None:
            return []
        return [
            Control(control.name.replace("channel", "latent"), replace(self, edit=control.intervention))
            for control in self._edit.controls(self.latent_statistics, rng)
        ]

    @property
    def _edit(self) -> Intervention:
        assert isinstance(self.edit, Intervention), "made one in __post_init__"
        return self.edit
