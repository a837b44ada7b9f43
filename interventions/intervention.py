"""What an intervention is: a value that says which channels of a hook point get which new activations.

When to use: derive from `Intervention` to make one of your own; those that exist are in `ablation.py`. A
subclass is a frozen dataclass with a `kind` (its name in stored configs) and one method:

    @dataclass(frozen=True)
    class Doubled(Intervention):
        kind: Literal["doubled"] = "doubled"

        def replacement(self, chosen):
            return 2 * chosen

    with applied(network, Doubled("conv_out", channels=[3])): ...

Being values, interventions compare, hash and print themselves, and are stored in a run's config and read back.

Axes: `frame` of the batch, `channel` of a map [frame, channel, row, col] or unit of a vector [frame, unit],
`chosen` those that are intervened on.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from operator import index
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from procscope.workbench.configs import plain, restored
from procscope.workbench.plugins import suggest


@dataclass(frozen=True)
class Intervention(ABC):
    """New values for some channels at one hook point.

    Raises ValueError: channels that are negative, named twice, or none at all.
    """

    hook_point: str
    """Name of the place in the network."""

    channels: Sequence[int] | None = None
    """Channels (units of a vector) that change, kept as a tuple in the order given; None for all."""

    def __post_init__(self) -> None:
        if self.channels is None:
            return
        channels = tuple(index(channel) for channel in self.channels)
        object.__setattr__(self, "channels", channels)
        if not channels or min(channels) < 0 or len(set(channels)) < len(channels):
            raise ValueError(
                f"expected different channels, numbered from 0, or None for all of {self.hook_point!r}; "
                f"given {list(channels)}"
            )

    @abstractmethod
    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        """The new activations of the chosen channels (all of them, if `channels` is None).

        Gets what is there, makes a new tensor of the same shape, or of one that broadcasts to it, and leaves
        the old one alone. Any subset of frames may come; row i of both belongs to one frame.
        """

    def replaced(self, activation: Float[Tensor, "frame *rest"]) -> Float[Tensor, "frame *rest"]:
        """The whole activation with the chosen channels replaced, as a new tensor.

        Raises ValueError: a channel that the hook point does not have.
        """
        if self.channels is None:
            return torch.empty_like(activation).copy_(self.replacement(activation))
        self._require_channels(activation)
        channels = list(self.channels)
        changed = activation.clone()
        changed[:, channels] = self.replacement(activation[:, channels]).to(activation.dtype)
        return changed

    def to_config(self) -> dict[str, Any]:
        """The intervention as JSON data; `from_config` makes an equal one."""
        return plain(self)

    @staticmethod
    def from_config(stored: Mapping[str, Any]) -> "Intervention":
        """The intervention that `to_config` described.

        Only classes whose module is imported are known.

        Raises ValueError: an unknown kind (the nearest are suggested), or fields that do not fit it.
        """
        known = {kind_of(one): one for one in _subclasses(Intervention)}
        if stored.get("kind") not in known:
            raise ValueError(
                f"expected the kind of an intervention, got {stored.get('kind')!r}. "
                f"{suggest(str(stored.get('kind')), known)}"
            )
        return restored(known[stored["kind"]], stored)

    def _require_channels(self, activation: Tensor) -> None:
        if activation.ndim < 2:
            raise ValueError(
                f"{self!r}: hook point {self.hook_point!r} has one number per frame and no channels. "
                "Leave `channels` out"
            )
        n_channels = activation.shape[1]
        if beyond := [channel for channel in self.channels or () if channel >= n_channels]:
            raise ValueError(
                f"{self!r}: expected channels from 0 to {n_channels - 1}, since hook point "
                f"{self.hook_point!r} has {n_channels}; given {beyond}"
            )


def kind_of(one: type[Intervention]) -> str:
    """The kind of a class of interventions: what its `kind` field defaults to."""
    return str({entry.name: entry.default for entry in fields(one)}.get("kind", one.__name__))


def _subclasses(of: type[Intervention]) -> list[type[Intervention]]:
    return [one for direct in of.__subclasses__() for one in (direct, *_subclasses(direct))]
