"""Activations of given observations, in memory: exactly one row per observation.

When to use: for thousands of frames at once (levels of an experiment, the frames of a plot). For more, or to
keep them with the truth of every frame, build a cache (`cache.py`, `collect.py`), which calls this per block.

    captured = capture(network, frames, ["conv_out", "fc"])
    captured.activations["conv_out"]            # float16 [frame, channel, row, col]

Rows. In some libraries a forward hook fires more often than the environment steps: Stable-Baselines3 runs its
policy again on the last frame of a cut-off episode, and once more per epoch when it learns, so that rows
appended by a hook no longer line up with the steps. Here the rows come from running the network on the
observations given, and a hook point that passes twice, never, or with another number of rows is an error.

A recurrent network is given its state of each observation and gives back the next (`memory.py` carries it from frame
to frame).

Cost: the forward pass (IMPALA 16-32-32 on one core: about 1,000 frames/s) and 2 bytes an activation.

Axes: `frame` observations, `action` raw actions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from procscope.activations.forward import read_network, to_input
from procscope.activations.hooks import HookedNetwork, HookPoint, hook_modules, select_points

ActivationType = Literal["float16", "float32"]

LARGEST_FLOAT16 = 65504.0


@dataclass(frozen=True)
class Captured:
    """Activations of some observations, row i of everything belonging to observation i."""

    activations: dict[str, np.ndarray]
    """Hook point to array [frame, ...] in the type asked for."""

    logits: Float32[np.ndarray, "frame action"] | None
    """Scores of the actions; None where the network gives none."""

    value: Float32[np.ndarray, "frame"] | None
    """Value, or a reward network's reward; None where the network gives none."""

    state: Tensor | None = None
    """A recurrent network's state after each observation; None unless one was given before."""

    rewards: Float32[np.ndarray, "frame action"] | None = None
    """A reward network's rewards, one per action; None where the network gives none."""

    def logits_of(self, network: nn.Module) -> Float32[np.ndarray, "frame action"]:
        """The logits, for those who need some. Raises ValueError, naming the network that was run, if it has none."""
        if self.logits is None:
            raise ValueError(f"expected a policy, which gives logits; {type(network).__name__} gives none")
        return self.logits

    def __len__(self) -> int:
        return len(next(iter(self.activations.values()), self.logits if self.logits is not None else ()))


def capture(
    model: nn.Module,
    observations: np.ndarray | Tensor,
    hook_points: Sequence[str],
    batch_size: int = 64,
    dtype: ActivationType = "float16",
    *,
    state: Float32[Tensor, "frame *state"] | None = None,
    first: Bool[np.ndarray, "frame"] | None = None,
) -> Captured:
    """Run `model` on `observations` and keep the activations at `hook_points`, its logits and its value.

    The model runs where it is (its device), in evaluation mode and without gradients, and is left as it was:
    hooks, training flags, weights. Hooks that are attached already stay and act.

    Args:
        model: a `HookedNetwork`, or any module: then the hook points are paths of its submodules.
        observations: uint8 pictures [frame, row, col, rgb], or whatever the model takes, first axis `frame`.
        hook_points: names; none at all gives logits and value alone.
        batch_size: frames a pass. 64 is fastest on a CPU, 1,000 or so on a GPU; results of different sizes
            differ in the last bits.
        dtype: of the activations kept. Logits and value are float32 always.
        state: a recurrent network's state before each observation, each being of another game.
        first: to a recurrent network: which observations are the first of their episode. Without a state, all must be.

    Raises:
        ValueError: no observations, an unknown hook point (the nearest are suggested), a hook point that
            does not give one row per observation, an activation that float16 cannot hold, an output without
            logits and value (`forward.py` lists what is understood).
    """
    n_frames = len(observations)
    if n_frames == 0 or batch_size < 1:
        raise ValueError(
            f"expected at least one observation and a batch size of 1 or more; given {n_frames}, {batch_size}"
        )
    hooked = model if isinstance(model, HookedNetwork) else hook_modules(model, hook_points)
    points = select_points(hooked.hook_points(), hook_points)
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    rows, states = _Rows(n_frames), []
    batch = slice(0, 0)
    reached: set[str] = set()

    def keep(activation: Tensor, /, *, hook: HookPoint) -> None:
        name = hook.name or ""
        if name in reached:
            raise ValueError(
                f"hook point {name!r} passed twice in one forward pass, so it has no row per observation. "
                f"Choose a module that the network uses once"
            )
        reached.add(name)
        if dtype == "float16":
            _refuse_overflow(name, activation)
        rows.write(f"activation {name}", batch, activation, np.dtype(dtype))

    with torch.inference_mode(), evaluation_mode(model), hooked.hooks([(name, keep) for name in points]):
        for start in range(0, n_frames, batch_size):
            batch = slice(start, min(start + batch_size, n_frames))
            reached.clear()
            begins = None if first is None else torch.from_numpy(first[batch]).to(device)
            before = None if state is None else state[batch]
            reading = read_network(model, to_input(observations[batch], device), before, begins)
            if missed := [name for name in points if name not in reached]:
                raise ValueError(
                    f"the forward pass never reached the hook points {missed}, so they have no rows"
                )
            said = {"logits": reading.logits, "value": reading.value, "rewards": reading.rewards}
            for name, tensor in said.items():
                if tensor is not None:
                    rows.write(name, batch, tensor, np.dtype("float32"))
            if state is not None and reading.state is not None:
                states.append(reading.state)
    activations = {name: rows.arrays[f"activation {name}"] for name in points}
    after = torch.cat(states) if states else None
    return Captured(
        activations, rows.arrays.get("logits"), rows.arrays.get("value"), after, rows.arrays.get("rewards")
    )


class _Rows:
    """Arrays that are filled batch by batch, their shapes learnt from the first batch."""

    def __init__(self, n_frames: int):
        self.n_frames = n_frames
        self.arrays: dict[str, np.ndarray] = {}

    def write(self, name: str, batch: slice, tensor: Tensor, dtype: np.dtype[Any]) -> None:
        expected = batch.stop - batch.start
        if tensor.ndim == 0 or len(tensor) != expected:
            raise ValueError(
                f"{name} has shape {tuple(tensor.shape)} for {expected} observations; expected one row for "
                f"each. Choose a place where the first axis is the observation"
            )
        if name not in self.arrays:
            self.arrays[name] = np.empty((self.n_frames, *tensor.shape[1:]), dtype)
        torch.from_numpy(self.arrays[name][batch]).copy_(tensor)


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Dropout and batch statistics off for the length of a block; then every module's flag as it was."""
    training = [module for module in model.modules() if module.training]
    try:
        for module in training:
            module.training = False
        yield
    finally:
        for module in training:
            module.training = True


def _refuse_overflow(name: str, activation: Tensor) -> None:
    largest = float(activation.abs().max()) if activation.numel() else 0.0
    if largest > LARGEST_FLOAT16:
        raise ValueError(
            f"an activation at {name!r} is {largest:g}, more than float16 holds ({LARGEST_FLOAT16:g}). "
            f"Keep float32"
        )
