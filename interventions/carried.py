"""How many channels carry what makes two frames different: patch the best one, two, four … of a layer.

When to use: to ask whether one channel does it or several, and whether two distinctions are made by the same channels.
Channels are ordered by what each carries alone on half of the pairs; sets of the best are patched on the other half.

    found = carried(network, first_frames, second_frames, moves, "block2.res2", counts=(1, 4, 16))
    found.share[4], found.order[:4]

In each pair, first frame and second frame lead to different moves. The effect of a patch from the second into the first
is the change of the log odds of the second's move against the first's; its share is the mean over that of going over to
the second frame altogether.

Source: ours; interchange interventions (Geiger et al. 2021, arXiv:2106.02997).
Cost: the later layers once for each channel and first-half pair, and each count and second-half pair.

Axes: `pair`, `which` first or second, `channel`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, UInt8
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.actions import ACTION_TO_MOVE, Move
from procscope.interventions.arms import Arm, run_arms
from procscope.interventions.patch import Patch
from procscope.workbench.statistics import Interval, bootstrap


@dataclass(frozen=True, eq=False)
class Carried:
    """What channels of one hook point carry."""

    hook_point: str
    order: tuple[int, ...]
    """Channels by their share on the first half of the pairs, the largest first."""
    alone: Float64[np.ndarray, " channel"]
    """Share of each channel alone on the first half."""
    share: Mapping[int, Interval]
    """By number of the best channels, on the second half."""
    random: Mapping[int, Interval]
    """The same of random channels."""

    @property
    def for_half(self) -> int:
        """The least count whose best channels carry half. Raises ValueError: none does."""
        enough = [count for count, found in self.share.items() if found.value >= 0.5]
        if not enough:
            raise ValueError(
                f"none of {list(self.share)} channels of {self.hook_point!r} carry half of the effect"
            )
        return min(enough)


def carried(
    network: nn.Module,
    first: UInt8[np.ndarray, "pair row col rgb"],
    second: UInt8[np.ndarray, "pair row col rgb"],
    moves: Int[np.ndarray, "pair which"],
    hook_point: str,
    counts: Sequence[int],
    *,
    rng: np.random.Generator,
) -> Carried:
    """Patch channels of the second frames into the first.

    Args:
        moves: right in the first and in the second frame of each pair.
        counts: numbers of channels; those beyond the layer's are left out, and all are added.
        rng: draws the random channels.

    Raises ValueError: fewer than eight pairs, a network without logits, and as `capture`.
    """
    if len(first) < 8 or len(first) != len(second) or len(moves) != len(first):
        raise ValueError(
            f"expected at least eight pairs of frames, with two moves each: half of them order the channels; given "
            f"{len(first)}, {len(second)} and {len(moves)}"
        )
    source = capture(network, second, [hook_point], dtype="float32")
    maps, theirs = source.activations[hook_point], source.logits_of(network)
    n_channels, half = maps.shape[1], len(first) // 2
    one, two = slice(0, half), slice(half, None)

    def shares(part: slice, sets: Sequence[Sequence[int]]) -> Float64[np.ndarray, "arm pair"]:
        arms: list[Arm] = [(), *[(Patch.of(maps[part], hook_point, list(c), per_frame=True),) for c in sets]]
        logits = [each.logits for each in run_arms(network, first[part], arms) if each.logits is not None]
        odds = log_odds(np.concatenate(logits, axis=1), moves[part])
        full = log_odds(theirs[part][None], moves[part])[0] - odds[0]
        return np.concatenate([odds[1:] - odds[0], full[None]])

    single = shares(one, [[channel] for channel in range(n_channels)])
    alone = single[:-1].mean(axis=1) / single[-1].mean()
    order = np.argsort(-alone, kind="stable").tolist()
    wanted = [*dict.fromkeys((*(count for count in counts if count < n_channels), n_channels))]
    shuffled = rng.permutation(n_channels).tolist()
    found = shares(two, [*[order[:count] for count in wanted], *[shuffled[:count] for count in wanted]])

    def ratio(toward: np.ndarray) -> Interval:
        rng_of_ratio = np.random.default_rng(0)
        return bootstrap(lambda a, b: float(a.mean() / b.mean()), toward, found[-1], rng=rng_of_ratio)

    return Carried(
        hook_point,
        tuple(order),
        alone,
        {count: ratio(found[i]) for i, count in enumerate(wanted)},
        {count: ratio(found[len(wanted) + i]) for i, count in enumerate(wanted)},
    )


def log_odds(
    logits: Float[np.ndarray, "arm pair action"], moves: Int[np.ndarray, "pair which"]
) -> Float64[np.ndarray, "arm pair"]:
    """Of the second move of each pair against the first."""
    # In logs throughout: a probability of a very sure network can be below the least float.
    of_move = np.stack(
        [
            np.logaddexp.reduce(logits[..., move == ACTION_TO_MOVE].astype(np.float64), axis=-1)
            for move in Move
        ],
        axis=-1,
    )
    rows = np.arange(len(moves))
    return of_move[:, rows, moves[:, 1]] - of_move[:, rows, moves[:, 0]]
