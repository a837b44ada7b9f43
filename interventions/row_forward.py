"""Forward passes in which each row has interventions of its own, computing nothing twice that two rows share.

When to use: `run_arms` and `sweep_rollouts` do. A *row* is a frame under an arm.

- Rows that show the same frame share the layers before the split (`split.py`): there the batch is widened to one copy
  per row, each arm changes its own rows, and all later layers run on the wide batch.
- With a memo, a frame that was seen before is not run through the shared layers again, and a (frame, arm) pair not at
  all, unless what the arm does depends on more than the frame (its step, a draw).
- A recurrent network's rows have states of their own and share nothing.

A pass has at least `LEAST_ROWS` rows: in smaller ones, matrix products are computed by other kernels. On the CPUs where
this was tried, results are then the same to the last bit however rows are batched; elsewhere logits differ by about
1e-6 of their size.

Cost: a hash of each frame (8 us) and some microseconds a row, beside the passes that remain.

Axes: `frame` given ones, `row` a frame under an arm, `action`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int
from torch import Tensor, nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import Reading, read_network, to_input
from procscope.activations.hooks import HookPoint
from procscope.activations.memory import is_recurrent
from procscope.interventions.apply import with_hook_points
from procscope.interventions.conflicts import refuse_conflicts
from procscope.interventions.intervention import Intervention, Rows
from procscope.interventions.row_chunks import LEAST_ROWS, Chunk, GivenRows, at_least, given_rows, row_chunks
from procscope.interventions.row_memo import RowMemo
from procscope.interventions.split import find_layout, find_split

Arm = Sequence[Intervention]
"""The interventions of one arm, which act in order; none for the untouched network."""

WIDE_BYTES = 64 * 2**20
"""Size of the largest activation of a wide batch, unless one frame takes more."""


class RowReadings(NamedTuple):
    """What the network says in each row; None where it has no such output."""

    logits: Float32[np.ndarray, "row action"] | None
    value: Float32[np.ndarray, " row"] | None
    state: Tensor | None = None
    """A recurrent network's state after each row."""


class RowForward:
    """A network that is run with an arm for each row.

    Args:
        network: a `HookedNetwork`, or any module: then hook points are paths of its submodules.
        arms: the interventions of each.
        sample: a frame or two, as the network takes them, to see where the hook points lie.
        memo_bytes: what may be remembered of frames seen before; 0 for nothing.
        most_frames: frames a pass through the shared layers.

    Raises ValueError: no arms, arms whose interventions contradict each other, an unknown hook point, one that never
    passes, or passes more than once (recurrent networks: may pass more than once).
    """

    def __init__(
        self,
        network: nn.Module,
        arms: Sequence[Arm],
        sample: np.ndarray | Tensor,
        *,
        memo_bytes: int = 0,
        most_frames: int = 64,
    ) -> None:
        if len(arms) == 0 or len(sample) == 0 or most_frames < 1:
            raise ValueError(
                f"expected at least one arm, one frame and one frame a pass; given {len(arms)} arms, {len(sample)} "
                f"frames, most_frames={most_frames}"
            )
        for arm in arms:
            refuse_conflicts(arm)
        self.arms = [tuple(arm) for arm in arms]
        self.touched = list(dict.fromkeys(one.hook_point for arm in arms for one in arm))
        self.network, self.most_frames = network, most_frames
        self._hooked = with_hook_points(network, self.touched)
        self._device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
        self._by_row = np.array([any(one.depends_on_rows for one in arm) for arm in arms])
        self.split: str | None = None
        self.largest_row_bytes = 1
        # A single untouched arm has nothing to share.
        self._is_recurrent = is_recurrent(network)
        if not self._is_recurrent and (self.touched or len(arms) > 1 or memo_bytes):
            with torch.inference_mode(), evaluation_mode(network):
                inputs = to_input(sample[:2], self._device)
                layout = find_layout(self._hooked, inputs, self.touched)
                self.split = find_split(self._hooked, inputs, self.touched, layout)
            self.largest_row_bytes = layout.largest_from(self.split)
        # Frames at the split are large and outputs small; both are what most rows are saved by.
        self._shared: RowMemo[Tensor] = RowMemo(memo_bytes * 3 // 4 if self.split else 0)
        self._outputs: RowMemo[np.ndarray] = RowMemo(memo_bytes // 4)
        self._remembers = memo_bytes > 0
        self._n_logits = 0
        self._reached: set[str] = set()

    @torch.inference_mode()
    def read(
        self,
        frames: np.ndarray | Tensor,
        frame_of_row: Int[np.ndarray, " row"],
        arm_of_row: Int[np.ndarray, " row"],
        rows: Rows,
        *,
        digests: Sequence[bytes] | None = None,
    ) -> RowReadings:
        """Logits and value of each row, in evaluation mode; the network is left as it was.

        Args:
            frames: uint8 pictures [frame, row, col, rgb], or whatever the network takes.
            frame_of_row: which frame each row shows.
            arm_of_row: which arm it is under.
            rows: what the interventions may ask.
            digests: a hash of each frame, if there is one already.
        """
        given = given_rows(frames, frame_of_row, arm_of_row, rows, digests, by_looks=self._remembers)
        # Rows of the same frame and arm are one, unless what the arm does depends on which row it is.
        code = given.frame * len(self.arms) + arm_of_row
        by_row = self._by_row[arm_of_row]
        code = np.where(by_row, len(given.keys) * len(self.arms) + np.arange(len(code)), code)
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
        known: dict[int, np.ndarray] = {}
        if self._remembers:
            pairs = (
                (i, (given.keys[given.frame[row]], int(arm_of_row[row])))
                for i, row in enumerate(first.tolist())
            )
            known = {i: self._outputs[pair] for i, pair in pairs if pair in self._outputs}
        missing = np.delete(np.arange(len(first)), list(known))
        where = np.empty(len(code), np.int64)
        where[first] = np.arange(len(first))
        joined: np.ndarray | None = None
        most_rows = max(LEAST_ROWS, WIDE_BYTES // self.largest_row_bytes) if self.split else self.most_frames
        shared = None if self.split is None else self._shared
        for chunk in row_chunks(
            given, first[missing], shared, most_rows=most_rows, most_frames=self.most_frames
        ):
            with evaluation_mode(self.network):
                outputs = self._pass(given, chunk)
            joined = np.empty((len(first), outputs.shape[1]), np.float32) if joined is None else joined
            joined[where[chunk.rows]] = outputs
            if self._remembers:
                for row, output in zip(chunk.rows.tolist(), outputs, strict=True):
                    if not by_row[row]:
                        self._outputs.put((given.keys[given.frame[row]], int(arm_of_row[row])), output.copy())
        if joined is None:
            joined = np.stack([known[i] for i in range(len(first))])
        else:
            for i, output in known.items():
                joined[i] = output
        joined, n_logits = joined[place], self._n_logits
        value = joined[:, n_logits] if joined.shape[1] > n_logits else None
        return RowReadings(joined[:, :n_logits] if n_logits else None, value)

    @torch.inference_mode()
    def read_recurrent(
        self,
        frames: np.ndarray,
        arm_of_row: Int[np.ndarray, " row"],
        rows: Rows,
        state: Tensor,
        first: Bool[np.ndarray, " row"],
    ) -> RowReadings:
        """The same for a recurrent network, each row of a game of its own, with the state before it and after.

        Args:
            frames: one for each row.
            first: whether it is the first of its episode.
        """
        order = np.argsort(arm_of_row, kind="stable")
        parts: list[Reading] = []
        for start in range(0, len(order), self.most_frames):
            chosen = order[start : start + self.most_frames]
            at = torch.from_numpy(chosen).to(state.device)
            hooks = self._hooks(chosen, arm_of_row, rows)
            with evaluation_mode(self.network), self._hooked.hooks(hooks):
                inputs = to_input(frames[chosen], self._device)
                begins = torch.from_numpy(first[chosen]).to(self._device)
                parts.append(read_network(self._hooked, inputs, state[at], begins))
        self._require_reached()
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        at = torch.from_numpy(back).to(state.device)
        logits, value, after = (
            None if one[0] is None else torch.cat(one)[at]  # type: ignore[arg-type]
            for one in zip(*((part.logits, part.value, part.state) for part in parts), strict=True)
        )
        return RowReadings(
            None if logits is None else logits.float().cpu().numpy(),
            None if value is None else value.float().cpu().numpy(),
            after,
        )

    def _require_reached(self) -> None:
        if missed := [name for name in self.touched if name not in self._reached]:
            raise ValueError(
                f"the network ran and never reached the hook points {missed}, so nothing was changed there. Choose "
                "places that its forward pass goes through"
            )

    # -- A pass --

    def _pass(self, given: GivenRows, chunk: Chunk) -> Float32[np.ndarray, "row output"]:
        """Outputs of a chunk's rows: logits and value side by side."""
        rows = at_least(chunk.rows)
        if self.split is None:
            shown = given.frame[rows]
        else:  # with nothing new, some frame still has to go through for the later layers to be called
            shown = at_least(np.array(chunk.new or given.frame[rows[:1]].tolist()))
        inputs = to_input(given.frames[np.array(given.shown)[shown]], self._device)
        widen = None if self.split is None else partial(self._widened, given, rows, chunk.new)
        with self._hooked.hooks(self._hooks(rows, given.arm, given.rows, widen)):
            # Single frames have nothing before them: to a network with a memory, each begins an episode.
            begins = (
                torch.ones(len(inputs), dtype=torch.bool, device=self._device) if self._is_recurrent else None
            )
            reading = read_network(self._hooked, inputs, None, begins)
        self._require_reached()
        outputs = [
            one.float().reshape(len(rows), -1) for one in (reading.logits, reading.value) if one is not None
        ]
        self._n_logits = 0 if reading.logits is None else outputs[0].shape[1]
        return torch.cat(outputs, dim=1).cpu().numpy()[: len(chunk.rows)]

    def _widened(self, given: GivenRows, rows: np.ndarray, new: list[int], activation: Tensor) -> Tensor:
        """The activation at the split with a row for each row, from this pass and from earlier ones."""
        place = np.empty(len(given.keys), np.int64)
        place[new] = np.arange(len(new))
        old = np.setdiff1d(given.frame[rows], new)
        place[old] = len(activation) + np.arange(len(old))
        remembered = [self._shared[given.keys[frame]] for frame in old.tolist()]
        joined = torch.cat([activation, torch.stack(remembered)]) if remembered else activation
        wide = joined[torch.from_numpy(place[given.frame[rows]]).to(joined.device)]
        if self._remembers:
            for i, frame in enumerate(new):
                self._shared.put(given.keys[frame], activation[i].clone())
        # Convolutions are fast on the memory layout that they gave.
        is_last = activation.ndim == 4 and activation.is_contiguous(memory_format=torch.channels_last)
        return wide.contiguous(memory_format=torch.channels_last) if is_last else wide

    def _hooks(
        self,
        chosen: np.ndarray,
        arm_of_row: np.ndarray,
        rows: Rows,
        widen: Callable[[Tensor], Tensor] | None = None,
    ) -> list:
        """The hook of each place: it widens the batch, if it is the split, and lets each arm act on its own rows."""
        arms = arm_of_row[chosen]
        own = rows.of(chosen)
        # Rows are sorted by arm, so that each arm's are a slice.
        starts = np.flatnonzero(np.diff(arms, prepend=-1)).tolist()
        runs = [
            (slice(start, stop), self.arms[arms[start]])
            for start, stop in zip(starts, [*starts[1:], len(arms)], strict=True)
        ]

        def altering(name: str) -> Callable[..., Tensor]:
            def alter(activation: Tensor, /, *, hook: HookPoint) -> Tensor:
                self._reached.add(name)
                wide = widen(activation) if widen is not None and name == self.split else activation
                if len(wide) != len(arms):
                    raise ValueError(
                        f"expected one row per frame at {name!r}, {len(arms)}; it has {len(wide)}. Choose a hook point "
                        "whose first axis is the frame"
                    )
                changed = None
                for part, arm in runs:
                    acting = [one for one in arm if one.hook_point == name]
                    if not acting:
                        continue
                    mine, mine_rows = wide[part], own.of(np.arange(part.start, part.stop))
                    for one in acting:
                        mine = one.replaced(mine, mine_rows)
                    changed = wide.clone() if changed is None else changed
                    changed[part] = mine
                return wide if changed is None else changed

            return alter

        split = [] if self.split is None or widen is None else [self.split]
        return [(name, altering(name)) for name in dict.fromkeys([*split, *self.touched])]
