"""How fast circuits are searched: patches side by side against one at a time, and what attribution patching takes.

    python benchmarks/circuits.py [--seconds 60] [--pairs 8]

On one thread, on direction pairs of mazes:

- activation patching of every channel of a hook point, and of every unit of `conv_out`, in wide passes, against the
  same patches one at a time (`applied` with a `Patch`, then a forward pass; of many patches only some are made, and the
  time is scaled to all);
- attribution patching of all channels and positions of all hook points: forward and backward passes of each pair,
  counted, and its time a pair in plain forward passes of a frame.

The bar: at most 3 forward-backward passes a pair.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from arguments import parser
from interleaved import interleave
from torch import nn

from procscope.activations.forward import read_network, to_input
from procscope.interventions.apply import applied
from procscope.interventions.circuits.activation_patching import activation_patching
from procscope.interventions.circuits.attribution_patching import attribution_patching
from procscope.interventions.circuits.metrics import MoveLogOdds
from procscope.interventions.circuits.pairs import FramePairs, direction_frames
from procscope.interventions.circuits.sites import By
from procscope.interventions.patch import Patch
from procscope.workbench.checkpoints import load_network

CASES: tuple[tuple[str, By], ...] = (
    ("block1.pool", "channel"),
    ("block2.res1", "channel"),
    ("block3.res1", "channel"),
    ("conv_out", "channel"),
    ("conv_out", "position"),
    ("conv_out", "unit"),
)
TRIED = 16
"""Patches made one at a time in a round."""


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__, seconds=60)
    arguments.add_argument("--pairs", type=int, default=8)
    options = arguments.parse_args()
    torch.set_num_threads(1)
    network = load_network(options.model).network
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    drawn = direction_frames(options.pairs, 11, np.random.default_rng(0))
    metric = MoveLogOdds(drawn.toward, drawn.away)
    print(f"{options.model}, {options.pairs} pairs, one thread")
    for hook_point, by in CASES:
        patches(network, drawn.pairs, metric, hook_point, by, options.seconds / (len(CASES) + 1))
    attribution(network, drawn.pairs, metric, options.seconds / (len(CASES) + 1))


def patches(
    network: nn.Module, pairs: FramePairs, metric: MoveLogOdds, hook_point: str, by: By, seconds: float
) -> None:
    """Side by side against one at a time."""

    def wide() -> np.ndarray:
        return activation_patching(network, pairs, metric, [hook_point], by=by).change(hook_point)

    changes = wide()
    sites = np.argwhere(np.ones(changes.shape[1:], bool))
    rng = np.random.default_rng(0)
    tried = [(int(rng.integers(len(pairs))), rng.choice(sites).tolist()) for _ in range(TRIED)]
    alone = [_alone(network, pairs, hook_point, by, pair, site) for pair, site in tried]

    def one_at_a_time() -> None:
        for patch in alone:
            patch()

    rounds = interleave({"wide": wide, "alone": one_at_a_time}, seconds, least_rounds=4)
    per_wide = rounds.seconds["wide"] / changes.size
    per_alone = rounds.seconds["alone"] / TRIED
    low, middle, high = np.quantile(per_alone / per_wide, [0.25, 0.5, 0.75])
    print(
        f"  {hook_point} by {by}: {changes.size:,} patches, {1e3 * np.median(per_wide):.2f} ms each in wide passes, "
        f"{middle:.1f} times ({low:.1f} to {high:.1f}) as fast as one at a time"
    )


def _alone(
    network: nn.Module, pairs: FramePairs, hook_point: str, by: By, pair: int, site: list[int]
) -> Callable[[], object]:
    where: dict[str, Any] = {}
    if by in ("channel", "unit"):
        where["channels"] = site[:1]
    if by in ("position", "unit"):
        where["positions"] = [tuple(site[-2:])]
    patch = Patch.from_frames(network, pairs.clean[pair : pair + 1], hook_point, **where)
    inputs = to_input(pairs.corrupted[pair : pair + 1])

    @torch.inference_mode()
    def run() -> object:
        with applied(network, patch):
            return read_network(network, inputs)

    return run


def attribution(network: Any, pairs: FramePairs, metric: MoveLogOdds, seconds: float) -> None:
    """Passes of each pair, counted at the first convolution, and time."""
    forward, backward = [], []
    first = network.block1.unit1
    handles = [
        first.register_forward_hook(lambda module, inputs, output: forward.append(len(output))),
        first.register_full_backward_hook(lambda module, before, after: backward.append(len(after[0]))),
    ]
    found = attribution_patching(network, pairs, metric)
    for handle in handles:
        handle.remove()
    inputs = to_input(pairs.corrupted)

    @torch.inference_mode()
    def plain() -> None:
        read_network(network, inputs)

    rounds = interleave(
        {"attribution": lambda: attribution_patching(network, pairs, metric), "plain": plain}, seconds, 4
    )
    units = sum(one[0].size for one in found.changes.values())
    cost = 1 / rounds.speed("attribution", "plain").median
    print(
        f"attribution patching: {units:,} units of {len(found.changes)} hook points; {sum(forward) / len(pairs):g} "
        f"forward and {sum(backward) / len(pairs):g} backward passes a pair (bar: 3 of both); "
        f"{1e3 * np.median(rounds.seconds['attribution']) / len(pairs):.1f} ms a pair, {cost:.1f} plain forward "
        "passes"
    )


if __name__ == "__main__":
    main()
