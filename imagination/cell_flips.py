"""Does the network use what it imagines? Flip a cell of the state that it holds half-way, and let it go on.

When: on trained networks, with `flip_cells(network, world, step, ...)`. If the core's state after step k stands for
s_j, then making that cell alive (or dead) in it must change the last state just as the rules say of s_j with that
cell changed: nowhere else, and there in every cell.

A flip is made without the decoder and without a probe, so that it cannot succeed by what those read: from other
sequences we know the core's mean state at a cell for every pattern of 3x3 true cells round it (512 in the Game of
Life). Flipping a cell changes the patterns of nine; the core's state there is shifted by the difference between the
means of the new and the old pattern. Two controls shift the same nine positions by vectors of the same lengths: in
random directions ("random"), and by the differences that belong to another flip ("another").

Two shares are measured, on the cells that a change of one cell can reach: of those that should change, how many do;
and of those that should not, how many stay. A flip that does nothing scores 0 and 1.

Cost: 1,000 flips of 16x16 in 2 s on one core.

Axes: `sequence`, one flip each; `channel row col` of the core's state; `pattern` number of a 3x3 pattern, whose cell
i of nine, from the top left by rows, is its bit i.
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from procscope.imagination.borders import wrapped
from procscope.imagination.life import Life, life_step
from procscope.imagination.network import Imaginer
from procscope.imagination.worlds import Rollouts, read_codes

ARMS = ("flip", "random", "another")
_PATTERNS = 512
_CENTRE = 4
Boards = UInt8[Tensor, "sequence row col"]
States = Float[Tensor, "sequence channel row col"]


class FlipResult(NamedTuple):
    """What became of the last state, in one arm; one entry per sequence."""

    changed: Float[np.ndarray, " sequence"]
    """Of the cells of the last state that the rules say must change, the share that did; NaN where none must."""
    kept: Float[np.ndarray, " sequence"]
    """Of the other cells within reach of the flip, the share that stayed."""
    exact: Bool[np.ndarray, " sequence"]
    """Whether every cell within reach became what the rules say."""


def flip_cells(
    network: Imaginer,
    world: Life,
    step: int,
    time: int,
    known: Rollouts,
    flipped: Rollouts,
    generator: torch.Generator,
) -> dict[str, FlipResult]:
    """Flip one random cell of s_`time` in the state after `step` in each of the `flipped` sequences; all three arms.

    Args:
        step: K of the core's step, 1 ... T - 1.
        time: number of the true state that it is taken for, 2 ... m - 1.
        known: other sequences, from which the means are taken.

    Raises ValueError: a step or a time that is not between the first and the last.
    """
    if not (1 <= step < network.steps and 2 <= time < flipped.states.shape[1]):
        raise ValueError(
            f"expected a step from 1 to {network.steps - 1} and a time from 2 to {flipped.states.shape[1] - 1}; "
            f"given: {step} and {time}"
        )
    before = flipped.states[:, time - 1]
    cells = _random_cells(before, generator)
    after = before ^ cells.to(torch.uint8)
    held_means = pattern_means(state_after(network, known, step), known.states[:, time - 1], world.border)
    shift = held_means[patterns(after, world.border)] - held_means[patterns(before, world.border)]
    shift = shift.permute(0, 3, 1, 2)

    steps_left = flipped.states.shape[1] - time
    expected, unchanged = after, before
    for _ in range(steps_left):
        expected = life_step(expected, world.border)
        unchanged = life_step(unchanged, world.border)
    reach = _grown(cells, steps_left, world.border)

    state = state_after(network, flipped, step)
    random = F.normalize(torch.randn(shift.shape, generator=generator), dim=1) * shift.norm(
        dim=1, keepdim=True
    )
    other = _moved_to(shift.roll(1, 0), cells.roll(1, 0), cells)
    arms = {"flip": shift, "random": random, "another": other}
    return {
        name: _result(last_codes(network, state + added, step), expected, unchanged, reach)
        for name, added in arms.items()
    }


def pattern_means(states: States, boards: Boards, border: str) -> Float[Tensor, "pattern channel"]:
    """Mean of the core's state at cells whose 3x3 neighbourhood is each pattern.

    Patterns that never occur take the mean of their centre's class, dead or alive.
    """
    numbers = patterns(boards, border).flatten()
    values = states.permute(0, 2, 3, 1).flatten(0, 2)
    sums = torch.zeros(_PATTERNS, values.shape[1]).index_add_(0, numbers, values)
    counts = torch.bincount(numbers, minlength=_PATTERNS)
    alive = (torch.arange(_PATTERNS) >> _CENTRE & 1).bool()
    means = sums / counts.clamp_min(1)[:, None]
    for side in (alive, ~alive):
        if bool((side & (counts == 0)).any()):
            means[side & (counts == 0)] = sums[side].sum(0) / counts[side].sum().clamp_min(1)
    return means


def patterns(boards: Boards, border: str) -> Int64[Tensor, "sequence row col"]:
    """The number of the pattern round each cell."""
    maps = boards[:, None].float()
    padded = wrapped(maps, 1) if border == "torus" else F.pad(maps, (1, 1, 1, 1))
    bits = F.unfold(padded, 3).view(len(boards), 9, *boards.shape[1:]).long()
    return (bits << torch.arange(9)[:, None, None]).sum(1)


@torch.no_grad()
def state_after(network: Imaginer, rollouts: Rollouts, step: int) -> States:
    """The core's state after a step."""
    return network.roll(network.encode(rollouts.inputs))[step - 1]


@torch.no_grad()
def last_codes(network: Imaginer, state: States, step: int) -> Boards:
    """The last state that the network gives when the core's state after a step is this."""

    def put(activation: Tensor, /, *, hook: object) -> Tensor:
        return state

    inputs = torch.zeros(len(state), network.channels, *state.shape[2:])
    last = network.run_with_hooks(inputs, fwd_hooks=[(f"step{step}.state", put)])
    return read_codes(last, 2)


def _result(found: Boards, expected: Boards, unchanged: Boards, reach: Tensor) -> FlipResult:
    should = (expected != unchanged) & reach
    stays = (expected == unchanged) & reach
    right = found == expected

    def share(where: Tensor) -> np.ndarray:
        counts = where.sum(dim=(1, 2))
        shares = (right & where).sum(dim=(1, 2)) / counts.clamp_min(1)
        return torch.where(counts > 0, shares, torch.nan).double().numpy()

    return FlipResult(share(should), share(stays), (right | ~reach).flatten(1).all(1).numpy())


def _random_cells(boards: Boards, generator: torch.Generator) -> Bool[Tensor, "sequence row col"]:
    drawn = torch.randint(boards[0].numel(), (len(boards),), generator=generator)
    return F.one_hot(drawn, boards[0].numel()).bool().view(boards.shape)


def _grown(cells: Tensor, steps: int, border: str) -> Bool[Tensor, "sequence row col"]:
    """The cells that a change there can reach in so many steps."""
    maps = cells[:, None].float()
    for _ in range(steps):
        padded = wrapped(maps, 1) if border == "torus" else F.pad(maps, (1, 1, 1, 1))
        maps = F.max_pool2d(padded, 3, stride=1)
    return maps[:, 0] > 0


def _moved_to(shift: States, at: Tensor, to: Tensor) -> States:
    """Each shift moved so that its flip's cell falls on another; round the edges, also of a dead border."""
    distances = (to.nonzero() - at.nonzero())[:, 1:].tolist()  # one cell a sequence, in order
    return torch.stack([one.roll(by, (1, 2)) for one, by in zip(shift, distances, strict=True)])
