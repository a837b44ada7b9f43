"""Many interventions on the same frames in one pass, sharing the layers before the first place they touch.

When to use: to compare arms (each channel ablated, several strengths, the untouched network) on given frames.
A loop over arms runs the whole network once for each. Here the frames run once up to the *split*: there the
batch is widened to one copy of its rows per arm, and all that follows runs on the wide batch.

    arms = [(), *[(ZeroAblation("conv_out", channels=[c]),) for c in range(32)]]
    for part in run_arms(network, frames, arms):
        part.logits                         # [arm, frame, action] of the frames part.frames

The split must be a place that everything later depends on through that place alone. A hook point inside a
residual unit is not one, since the unit's input goes past it. So the split is found by trying: the latest
hook point, up to the first that an arm touches, from which two copies of two frames come out as they do one
at a time; failing all, the frames themselves are repeated. An arm's results are those of `applied` with its
interventions, to the last bits that a batch's size changes.

Cost: IMPALA (16, 32, 32), every channel of a hook point as one arm beside the untouched network, in plain forward
passes of the same frames: 33 arms at `conv_out` cost 1.5, 257 arms at `fc` 1.2, 33 arms inside block 3 cost 3.4
(measured on one core; a loop costs 33 or 257).

Axes: `arm`, `frame`, `action`; the rows of a wide batch are all frames of the first arm, then of the second.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import Reading, read_network, to_input
from procscope.activations.hooks import HookedModules, HookedNetwork, HookPoint
from procscope.interventions.apply import with_hook_points
from procscope.interventions.intervention import Intervention

Arm = Sequence[Intervention]
"""The interventions of one arm, which act in order; none for the untouched network."""

WIDE_BYTES = 64 * 2**20
"""Size of the largest activation of a wide batch, unless one frame takes more."""
MOST_FRAMES = 64
"""Frames a pass; more is not faster on a CPU."""


class ArmReadings(NamedTuple):
    """What the network says of some frames under each arm; None where it has no such output."""

    frames: slice
    """Which of the frames given these are."""
    logits: Float32[np.ndarray, "arm frame action"] | None
    value: Float32[np.ndarray, "arm frame"] | None


class _Layout(NamedTuple):
    """Where the hook points lie: what a plain forward pass of two frames showed."""

    order: list[str]
    """Hook points that pass once, in the order in which they pass."""
    bytes_per_frame: dict[str, int]


def run_arms(
    network: nn.Module, frames: np.ndarray | Tensor, arms: Sequence[Arm], *, most_frames: int = MOST_FRAMES
) -> Iterator[ArmReadings]:
    """Logits and value of every frame under every arm, in parts of at most `most_frames` frames.

    The network runs where it is, in evaluation mode and without gradients, and is left as it was.

    Args:
        network: a `HookedNetwork`, or any module: then hook points are paths of its submodules.
        frames: uint8 pictures [frame, row, col, rgb], or whatever the network takes, first axis `frame`.
        arms: the interventions of each.

    Raises:
        ValueError: no frames, no arms, an unknown hook point, one that never passes or passes more than once,
            a channel that a hook point does not have.
    """
    if len(frames) == 0 or len(arms) == 0 or most_frames < 1:
        raise ValueError(
            f"expected at least one frame, one arm and one frame a pass; given {len(frames)} frames, "
            f"{len(arms)} arms, most_frames={most_frames}"
        )
    touched = [one.hook_point for arm in arms for one in arm]
    hooked = with_hook_points(network, touched)
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    with torch.inference_mode(), evaluation_mode(network):
        sample = to_input(frames[:2], device)
        layout = _layout(hooked, sample, touched)
        split = _split_point(hooked, sample, touched, layout)
    return _parts(hooked, frames, arms, split, min(most_frames, _frames_per_pass(layout, split, len(arms))))


def split_point(network: nn.Module, frames: np.ndarray | Tensor, touched: Sequence[str]) -> str | None:
    """Where `run_arms` widens the batch for arms that touch these hook points; None for the input itself.

    Raises ValueError: an unknown hook point, or one that never passes or passes more than once.
    """
    hooked = with_hook_points(network, touched)
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    sample = to_input(frames[:2], device)
    with torch.inference_mode(), evaluation_mode(network):
        return _split_point(hooked, sample, touched, _layout(hooked, sample, touched))


def _split_point(
    network: HookedNetwork, sample: Tensor, touched: Sequence[str], layout: _Layout
) -> str | None:
    """The latest hook point, up to the first of `touched`, at which a batch of the sample may be widened."""
    first = min((layout.order.index(name) for name in touched), default=len(layout.order) - 1)
    plain = read_network(network, sample)
    for name in reversed(layout.order[: first + 1]):
        try:
            with network.hooks(
                [(name, lambda activation, hook: torch.cat([activation, activation.flip(0)]))]
            ):
                wide = read_network(network, sample)
        except Exception:  # any complaint about the batch's size means: not here
            continue
        if _is_widened(plain, wide):
            return name
    return None


def _parts(
    network: HookedNetwork, frames: np.ndarray | Tensor, arms: Sequence[Arm], split: str | None, n_frames: int
) -> Iterator[ArmReadings]:
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    touched = dict.fromkeys(one.hook_point for arm in arms for one in arm)
    places = dict.fromkeys([split, *touched] if split else touched)
    hooks = [(name, _altering(name, arms, widens=name == split)) for name in places]
    for start in range(0, len(frames), n_frames):
        part = slice(start, min(start + n_frames, len(frames)))
        with torch.inference_mode(), evaluation_mode(network):
            inputs = to_input(frames[part], device)
            with network.hooks(hooks):
                reading = read_network(network, inputs if split else torch.cat([inputs] * len(arms)))
            shaped = (
                None if output is None else output.unflatten(0, (len(arms), -1)).float().cpu().numpy()
                for output in (reading.logits, reading.value)
            )
        yield ArmReadings(part, *shaped)


def _altering(name: str, arms: Sequence[Arm], *, widens: bool) -> Callable[..., Tensor]:
    """The hook that widens the batch, if it is the place for that, and lets each arm act on its own rows."""

    def alter(activation: Tensor, /, *, hook: HookPoint) -> Tensor:
        rows = [activation] * len(arms) if widens else list(activation.chunk(len(arms)))
        for i, arm in enumerate(arms):
            for one in arm:
                if one.hook_point == name:
                    rows[i] = one.replaced(rows[i])
        # `cat` keeps the memory layout (channels_last), on which convolutions are fast.
        return torch.cat(rows)

    return alter


def _layout(network: HookedNetwork, sample: Tensor, touched: Sequence[str]) -> _Layout:
    passed: list[str] = []
    sizes: dict[str, int] = {}

    def note(activation: Tensor, /, *, hook: HookPoint) -> None:
        passed.append(hook.name or "")
        sizes[hook.name or ""] = activation[:1].numel() * activation.element_size()

    # Every submodule of a wrapped module may be a hook point, also such as give no tensor.
    names = dict.fromkeys(touched) if isinstance(network, HookedModules) else network.hook_points()
    with network.hooks([(name, note) for name in names]):
        read_network(network, sample)
    for name in touched:
        if passed.count(name) != 1:
            raise ValueError(
                f"expected a hook point that passes once in a forward pass; {name!r} passes "
                f"{passed.count(name)} times. Use `applied`, or another hook point"
            )
    return _Layout([name for name in passed if passed.count(name) == 1], sizes)


def _frames_per_pass(layout: _Layout, split: str | None, n_arms: int) -> int:
    later = layout.order[layout.order.index(split) :] if split else layout.order
    return max(1, WIDE_BYTES // (n_arms * max((layout.bytes_per_frame[name] for name in later), default=1)))


def _is_widened(plain: Reading, wide: Reading) -> bool:
    """Whether the wide output is the plain one, then its rows in the opposite order."""
    return all(
        one is None
        or (
            two is not None
            and two.shape == (2 * len(one), *one.shape[1:])
            and torch.allclose(
                two, torch.cat([one, one.flip(0)]), rtol=1e-3, atol=1e-4 * float(one.abs().max())
            )
        )
        for one, two in zip(plain, wide, strict=True)
    )
