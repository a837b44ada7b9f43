"""What a circuit is asked about: one number per frame, read off the network's output and differentiable.

When to use: as the `metric` of everything in this folder. A metric is a value; entries may differ from pair to pair:

    MoveLogOdds(Move.UP, Move.RIGHT)            # up against right, in every pair
    MoveLogOdds(toward, away)                   # arrays with an entry for each pair
    LogitDifference(5, 7)                       # of raw actions: linear in the logits, as direct attribution needs
    Value()
    ActionReward(3)                             # of a reward network, the reward of a raw action
    ActionKl()                                  # from the clean run's choice

A metric of one's own derives from `Metric` and has one method, `measured`.

Source: Heimersheim & Nanda 2024, How to use and interpret activation patching (arXiv:2404.15255): prefer
logit differences, which are linear in the last layer, to probabilities, which saturate.

Axes: `row` frames that pass together; each belongs to the pair (or frame) with the number given.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from procscope.activations.forward import Reading
from procscope.envs.actions import ACTION_NAMES, ACTION_TO_MOVE, N_ACTIONS, N_MOVES, Move

EachPair = int | Sequence[int] | np.ndarray
"""One number for all pairs, or one for each."""


class Metric(ABC):
    """A number per frame."""

    needs_clean = False
    """Whether it compares with the clean run, so that it has no meaning for frames that are in no pair."""

    @abstractmethod
    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        """The metric of each row.

        Args:
            reading: what the network says.
            numbers: which pair, or which of the frames given, each row belongs to.
            clean: what it says in each row's clean run; None where frames are in no pair.

        Raises ValueError: the network has no such output.
        """

    def where(self, chosen: Bool[np.ndarray, " pair"] | Int[np.ndarray, " chosen"]) -> "Metric":
        """The same for some of the pairs, as `FramePairs.where` picks them."""
        cut = {name: np.array(entries)[chosen] for name, entries in self._entries().items()}
        return replace(self, **cut) if cut else self  # pyright: ignore[reportArgumentType]

    def require_entries(self, n: int) -> None:
        """Raises ValueError unless there is one entry for all pairs, or one for each of `n`."""
        for name, entries in self._entries().items():
            if len(entries) != n:
                raise ValueError(
                    f"expected one number for all {n} pairs or one for each; given {len(entries)} in `{name}`. "
                    "`metric.where(chosen)` cuts a metric as `pairs.where(chosen)` cuts pairs"
                )

    def _entries(self) -> dict[str, tuple[int, ...]]:
        """By field, what differs from pair to pair."""
        return {name: value for name, value in vars(self).items() if isinstance(value, tuple)}


@dataclass(frozen=True)
class ActionLogit(Metric):
    """The logit of a raw action. Raises ValueError: an action that there is not."""

    action: EachPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", _checked(self.action, "action"))

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        return _logits_of(reading, self.action, numbers)

    def __str__(self) -> str:
        return f"logit of {_named(self.action, ACTION_NAMES, 'an action')}"


@dataclass(frozen=True)
class LogitDifference(Metric):
    """The logit of one raw action less that of another: linear in the logits.

    Raises ValueError: actions that there are not, or that are the same.
    """

    first: EachPair
    second: EachPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "first", _checked(self.first, "action"))
        object.__setattr__(self, "second", _checked(self.second, "action"))
        _refuse_alike(self.first, self.second, "actions")

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        return _logits_of(reading, self.first, numbers) - _logits_of(reading, self.second, numbers)

    def __str__(self) -> str:
        first = _named(self.first, ACTION_NAMES, "one action")
        return f"logit of {first} less that of {_named(self.second, ACTION_NAMES, 'another')}"


@dataclass(frozen=True)
class MoveLogOdds(Metric):
    """Log odds of one move against another, in nats; all raw actions of a move count (`procscope.envs.actions`).

    log p(toward) - log p(away), that is the difference of the log-sum-exps of the two moves' logits. Raises ValueError:
    moves that there are not, or that are the same; in a pass, a network without logits of the 15 raw actions.
    """

    toward: EachPair
    away: EachPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "toward", _checked(self.toward, "move"))
        object.__setattr__(self, "away", _checked(self.away, "move"))
        _refuse_alike(self.toward, self.away, "moves")

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        logits = _required(reading.logits, "logits")
        if logits.shape[1] != N_ACTIONS:
            raise ValueError(
                f"expected logits of the {N_ACTIONS} raw actions, to add them up to moves; given {logits.shape[1]}. "
                "Use LogitDifference"
            )
        of_move = torch.from_numpy(ACTION_TO_MOVE).to(logits.device)

        def log_weight(moves: EachPair) -> Tensor:
            mine = of_move == _of_rows(moves, numbers)[:, None]
            return logits.masked_fill(~mine, -torch.inf).logsumexp(dim=1)

        return log_weight(self.toward) - log_weight(self.away)

    def __str__(self) -> str:
        names = [move.name.lower() for move in Move]
        return f"log odds of {_named(self.toward, names, 'one move')} against {_named(self.away, names, 'another')}"


@dataclass(frozen=True)
class Value(Metric):
    """The value of the frame; of a reward network its reward."""

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        return _required(reading.value, "a value")

    def __str__(self) -> str:
        return "value"


@dataclass(frozen=True)
class ActionReward(Metric):
    """The reward of a raw action, of a reward network. Raises ValueError: an action that there is not."""

    action: EachPair

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", _checked(self.action, "action"))

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        return _of_actions(_required(reading.rewards, "rewards"), self.action, numbers)

    def __str__(self) -> str:
        return f"reward of {_named(self.action, ACTION_NAMES, 'an action')}"


@dataclass(frozen=True)
class ActionKl(Metric):
    """Divergence of the action distribution from the clean run's, in nats: 0 in the clean run itself.

    sum over actions of p (log p - log q), p the clean run's. It says how much of *all* that the clean run does comes
    back, but not to which move; at the clean run its gradient is zero.
    """

    needs_clean = True

    def measured(
        self, reading: Reading, numbers: Int[Tensor, " row"], clean: Reading | None = None
    ) -> Float[Tensor, " row"]:
        if clean is None:
            raise ValueError(
                "ActionKl compares with a clean run, and these frames are in no pair. Use LogitDifference or Value"
            )
        log_q = _required(reading.logits, "logits").log_softmax(dim=1)
        log_p = _required(clean.logits, "logits").log_softmax(dim=1)
        return (log_p.exp() * (log_p - log_q)).sum(dim=1)

    def __str__(self) -> str:
        return "KL from the clean run's choice"


def _required(output: Tensor | None, name: str) -> Tensor:
    if output is None:
        raise ValueError(f"the metric needs {name}, and this network gives none. Choose another metric")
    return output


def _logits_of(reading: Reading, actions: EachPair, numbers: Tensor) -> Tensor:
    return _of_actions(_required(reading.logits, "logits"), actions, numbers)


def _of_actions(outputs: Tensor, actions: EachPair, numbers: Tensor) -> Tensor:
    chosen = _of_rows(actions, numbers)
    if int(chosen.max()) >= outputs.shape[1]:
        raise ValueError(
            f"expected actions from 0 to {outputs.shape[1] - 1}, those of this network; given {int(chosen.max())}"
        )
    return outputs.gather(1, chosen[:, None])[:, 0]


def _of_rows(entries: EachPair, numbers: Tensor) -> Tensor:
    """The entry of each row."""
    if isinstance(entries, int):
        return torch.full_like(numbers, entries)
    return torch.tensor(entries, device=numbers.device)[numbers]


def _checked(entries: EachPair, what: str) -> int | tuple[int, ...]:
    """Whole numbers of actions or moves, hashable. How many actions the network has is seen when it is run."""
    array = np.asarray(entries)
    most = N_MOVES if what == "move" else np.iinfo(np.int32).max
    if (
        array.ndim > 1
        or array.size == 0
        or array.dtype.kind not in "iu"
        or array.min() < 0
        or array.max() >= most
    ):
        wanted = (
            ", ".join(f"Move.{move.name}" for move in Move) if what == "move" else "a whole number from 0"
        )
        raise ValueError(
            f"expected a{'n' if what == 'action' else ''} {what} ({wanted}) or one for each pair; given {entries!r}"
        )
    return int(array) if array.ndim == 0 else tuple(array.tolist())


def _refuse_alike(first: EachPair, second: EachPair, what: str) -> None:
    one, two = np.atleast_1d(first), np.atleast_1d(second)
    if len(one) != len(two) and min(len(one), len(two)) > 1:
        raise ValueError(
            f"expected as many of the first {what} as of the second; given {len(one)} and {len(two)}"
        )
    if (one == two).any():
        alike = np.flatnonzero(np.broadcast_to(one == two, max(len(one), len(two))))
        raise ValueError(
            f"expected two {what} that differ; they are the same in the pairs {alike[:10].tolist()}"
        )


def _named(entries: EachPair, names: Sequence[str], otherwise: str) -> str:
    if isinstance(entries, int):
        return names[entries] if entries < len(names) else f"action {entries}"
    return otherwise
