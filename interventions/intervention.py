"""What an intervention is: a value that says what becomes of some activations at a hook point.

When to use: derive from `Intervention` to make one of your own. A subclass is a frozen dataclass with a `kind` (its
name in stored configs) and one method:

    @dataclass(frozen=True)
    class Doubled(Intervention):
        kind: Literal["doubled"] = "doubled"

        def replacement(self, chosen):
            return 2 * chosen

    with applied(network, Doubled("conv_out", channels=[3], positions=[(0, 0)])): ...

*Where* and *when* it acts is the same for all of them and done here: channels, positions of the map, frames of those
that are given, steps of the episode, in any combination. Being values, interventions compare, hash and print
themselves, and are stored in a run's config and read back.

Axes: `frame` of the batch, `channel` of a map [frame, channel, row, col] or unit of a vector [frame, unit],
`chosen` the channels that are intervened on.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from procscope.activations.channel_statistics import ChannelStatistics
from procscope.interventions.array_value import ArrayValue
from procscope.interventions.control_channels import other_channels
from procscope.interventions.kinds import import_kind, known_kinds
from procscope.interventions.rows import Rows
from procscope.interventions.where import (
    Places,
    checked_channels,
    checked_frames,
    checked_positions,
    checked_steps,
    chosen_rows,
    position_axes,
)
from procscope.workbench.configs import plain, restored
from procscope.workbench.plugins import suggest

IF_SET = {"stored": "if set"}
"""Metadata of a field that configs leave out while it has its default."""
BY_HASH = {"stored": "never"}
"""Metadata of a field that no config can hold; another field says which one it was."""


class Control(NamedTuple):
    """An intervention of like size that should not do what the one under study does."""

    name: str
    """What differs: "other channel", "sign flipped"."""
    intervention: "Intervention"


@dataclass(frozen=True)
class Intervention(ABC):
    """New values for some activations at one hook point.

    Raises ValueError: channels, positions or frames that are negative, named twice, or none at all; steps that are
    none, or count backwards.
    """

    hook_point: str
    """Name of the place in the network."""

    channels: Sequence[int] | None = None
    """Channels (units of a vector) that change, kept as a tuple in the order given; None for all."""

    positions: ArrayValue | Sequence[Any] | np.ndarray | None = field(
        default=None, kw_only=True, metadata=IF_SET
    )
    """Positions of the map that change: a sequence of (row, col), or a mask of the map's shape; None for all."""

    frames: ArrayValue | Sequence[Any] | np.ndarray | None = field(
        default=None, kw_only=True, metadata=IF_SET
    )
    """Which of the frames given: their numbers, or a mask with an entry for each; None for all."""

    steps: range | None = field(default=None, kw_only=True, metadata=IF_SET)
    """Steps of the episode at which it acts, from 0, such as `range(10)` or `range(5, 500, 2)`; None for all."""

    overwrites: ClassVar[bool] = False
    """Whether the new values do not depend on what was there, so that two such on the same cells contradict."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__repr__" not in cls.__dict__:  # or `dataclass` would make one that prints every default
            cls.__repr__ = Intervention.__repr__

    def __post_init__(self) -> None:
        for name, value in (
            ("channels", checked_channels(self.channels, self.hook_point)),
            ("positions", checked_positions(self.positions, self.hook_point)),
            ("frames", checked_frames(self.frames, self.hook_point)),
        ):
            object.__setattr__(self, name, value)
        checked_steps(self.steps, self.hook_point)

    @abstractmethod
    def replacement(self, chosen: Float[Tensor, "frame chosen ..."]) -> Float[Tensor, "frame chosen ..."]:
        """The new activations of the chosen channels (all of them, if `channels` is None).

        Gets what is there, at all positions, makes a new tensor of the same shape, or of one that broadcasts to it,
        and leaves the old one alone. Any subset of frames may come; row i of both belongs to one frame.
        """

    def replacement_in(
        self, chosen: Float[Tensor, "frame chosen ..."], rows: Rows | None
    ) -> Float[Tensor, "frame chosen ..."]:
        """The same where it matters which frames these are: override it instead of changing `replacement`.

        `rows` is None where nobody knows, as on activations that come from no network.
        """
        return self.replacement(chosen)

    @property
    def depends_on_rows(self) -> bool:
        """Whether it matters which frames these are, so that two frames that look alike may be changed differently."""
        chooses = self.frames is not None or self.steps is not None
        return chooses or type(self).replacement_in is not Intervention.replacement_in

    def replaced(
        self, activation: Float[Tensor, "frame *rest"], rows: Rows | None = None
    ) -> Float[Tensor, "frame *rest"]:
        """The whole activation, changed where and when the intervention acts, as a new tensor.

        Raises ValueError: a channel or position that the hook point does not have; frames or steps to act at where
        `rows` does not tell which these are.
        """
        self._require_channels(activation)
        acting = chosen_rows(self, len(activation), rows)
        if acting is None:
            return self._changed(activation, rows)
        changed = activation.clone()
        if len(acting):
            at = torch.from_numpy(acting).to(activation.device)
            changed[at] = self._changed(activation[at], None if rows is None else rows.of(acting))
        return changed

    def on_channels(self, channels: Sequence[int], statistics: ChannelStatistics) -> "Intervention":
        """The same on other channels; `statistics` of the hook point, for numbers that belong to a channel."""
        return replace(self, channels=tuple(channels))

    def controls(self, statistics: ChannelStatistics, rng: np.random.Generator) -> list[Control]:
        """Matched controls: interventions of like size that should not do what this one does.

        Whatever is done to a network does some damage, and loud changes do more than quiet ones. By default the same on
        channels of like norm, and on random ones; kinds for which something else makes sense say so.

        Args:
            statistics: of the hook point, on the distribution that is studied.
            rng: draws channels, noise and spots.

        Returns none where there are none, as for an intervention on all channels. Raises ValueError: a channel that the
        statistics do not have.
        """
        if self.channels is None:
            return []
        others = other_channels(self.channels, statistics, rng)
        if others is None:
            return []
        some = "channel" if len(self.channels) == 1 else "channels"
        return [
            Control(f"{some} of like norm", self.on_channels(others.matched, statistics)),
            Control(f"random {some}", self.on_channels(others.random, statistics)),
        ]

    def overwritten_positions(self) -> Places | None:
        """Which positions are given new values; None for all of the map."""
        return None if self.positions is None else position_axes(self.positions)

    def identity(self) -> dict[str, Any]:
        """What tells it from others, as JSON data: as `to_config`, but of arrays the hashes alone."""
        return {
            entry.name: _identified(value)
            for entry in fields(self)
            if entry.metadata.get("stored") != "never"
            and not _is_left_out(entry, value := getattr(self, entry.name))
        }

    def to_config(self) -> dict[str, Any]:
        """The intervention as JSON data; `from_config` makes an equal one.

        Raises ValueError: an array that is too large to be stored in a config and was not saved to a file.
        """
        for entry in fields(self):
            if isinstance(value := getattr(self, entry.name), ArrayValue):
                value.require_stored(entry.name)
        return {
            entry.name: value.to_config() if isinstance(value, Intervention) else plain(value)
            for entry in fields(self)
            if entry.metadata.get("stored") != "never"
            and not _is_left_out(entry, value := getattr(self, entry.name))
        }

    @staticmethod
    def from_config(stored: Mapping[str, Any], **objects: Any) -> "Intervention":
        """The intervention that `to_config` described.

        The kinds of this package are known, and those of any class whose module is imported.

        Args:
            objects: by field, what no config can hold, such as the autoencoder of a `SpliceLatent`.

        Raises ValueError: an unknown kind (the nearest are suggested), fields that do not fit it, or an object missing.
        """
        import_kind(str(stored.get("kind")))
        known = {kind_of(one): one for one in _subclasses(Intervention)}
        if stored.get("kind") not in known:
            raise ValueError(
                f"expected the kind of an intervention, got {stored.get('kind')!r}. "
                f"{suggest(str(stored.get('kind')), {*known, *known_kinds()})}"
            )
        kind = known[stored["kind"]]
        absent = {f.name: None for f in fields(kind) if f.metadata == IF_SET and f.name not in stored}
        needed = {f.name for f in fields(kind) if f.metadata == BY_HASH}
        if needed != set(objects):
            raise ValueError(
                f"expected, to read {stored['kind']!r}, what no config holds: {sorted(needed) or 'nothing'}; given "
                f"{sorted(objects) or 'nothing'}. Pass it by name: `Intervention.from_config(stored, name=object)`"
            )
        if not needed:
            return restored(kind, {**stored, **absent})
        return kind(**{**stored, **objects})

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self._settings().items())
        return f"{type(self).__name__}({given})"

    def __str__(self) -> str:
        settings = self._settings()
        hook_point, channels = settings.pop("hook_point"), settings.pop("channels", None)
        where = hook_point if channels is None else f"{hook_point}{list(channels)}"
        rest = "".join(f", {name} {value}" for name, value in settings.items())
        return f"{kind_of(type(self))} {where}{rest}"

    def _settings(self) -> dict[str, Any]:
        """What is printed: fields that do not have their default."""
        return {
            entry.name: getattr(self, entry.name)
            for entry in fields(self)
            if entry.repr and (entry.default is MISSING or getattr(self, entry.name) != entry.default)
        }

    def _changed(self, activation: Tensor, rows: Rows | None) -> Tensor:
        """The activation with the chosen channels and positions replaced in all of these frames."""
        whole = self.channels is None and self.positions is None
        if whole:
            return torch.empty_like(activation).copy_(self.replacement_in(activation, rows))
        channels = slice(None) if self.channels is None else list(self.channels)
        chosen = activation[:, channels]
        new = self.replacement_in(chosen, rows).to(activation.dtype)
        if self.positions is not None:
            places = (slice(None), slice(None), *position_axes(self.positions, chosen, self))
            mixed = chosen.clone()
            mixed[places] = new.expand_as(chosen)[places]
            new = mixed
        changed = activation.clone()
        changed[:, channels] = new
        return changed

    def _require_channels(self, activation: Tensor) -> None:
        if self.channels is None:
            return
        if activation.ndim < 2:
            raise ValueError(
                f"{self!r}: hook point {self.hook_point!r} has one number per frame and no channels. "
                "Leave `channels` out"
            )
        n_channels = activation.shape[1]
        if beyond := [channel for channel in self.channels if channel >= n_channels]:
            raise ValueError(
                f"{self!r}: expected channels from 0 to {n_channels - 1}, since hook point "
                f"{self.hook_point!r} has {n_channels}; given {beyond}"
            )


def kind_of(one: type[Intervention]) -> str:
    """The kind of a class of interventions: what its `kind` field defaults to."""
    return str({entry.name: entry.default for entry in fields(one)}.get("kind", one.__name__))


def _identified(value: Any) -> Any:
    if isinstance(value, ArrayValue):
        return value.sha256
    return value.identity() if isinstance(value, Intervention) else plain(value)


def _is_left_out(entry: Any, value: Any) -> bool:
    return entry.metadata == IF_SET and value is None


def _subclasses(of: type[Intervention]) -> list[type[Intervention]]:
    return [one for direct in of.__subclasses__() for one in (direct, *_subclasses(direct))]
