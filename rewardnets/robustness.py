"""How easily a reward network is fooled, judged by attacks of several kinds: those that it was trained on and others.

    found = judge(network, data, moments, seed=0)
    found["bounded"].after.mean(), found["level search"].fooled.mean()

Every attack begins with transitions of test levels that are worth nothing (but for `rewarded start`, which is what
adversarial training uses), so that what it ends with should be predicted to be worth nothing:

    rewarded start   highest predicted reward, 16 steps of Adam, shifts: as in training
    more steps       the same with 128
    other start      16 steps from transitions without reward
    bounded          64 steps from transitions without reward, no number changed by more than 5%
    other optimiser  20 steps of the gradient's sign, no number changed by more than 8 of 255
    from nothing     a spectrum of noise, optimised for 128 steps (the dissertation's de-novo visualisation)
    noise            pure noise, no attack at all
    level search     edits of states and actions that the engine plays (`moments.py`); the true reward is asked, not
                     supposed

An attack of 0 means one that found nothing: a network may have hidden its gradients (the text's "flat part of the
ReLU"), which is what the last two, without gradients, are for.

Source: sections 5.4, 5.5 and 5.8 of the dissertation for the first, the second, the sixth and the seventh; the rest is
ours. Cost at width 1/16 and shrink 2, 48 examples each: about three minutes on one core, half of it the level search.

Axes: `example`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from torch import nn

from procscope.rewardnets.attacks import Examples, ascend, rewards_of, search_moments, signed_ascent
from procscope.rewardnets.moments import Moment, play_moments
from procscope.rewardnets.noise import noise_pairs
from procscope.rewardnets.splits import Split
from procscope.rewardnets.transitions import Transitions
from procscope.visualization.objectives import ChannelMean
from procscope.visualization.optimise_inputs import optimise_inputs
from procscope.visualization.picture_parameters import Fourier
from procscope.visualization.recipes import RECIPES

ATTACKS = (
    "rewarded start",
    "more steps",
    "other start",
    "bounded",
    "other optimiser",
    "from nothing",
    "noise",
    "level search",
)
TRAINED_ON = "rewarded start"
FOOLED = 5.0
"""A predicted reward above that is nearer to the goal's than to none."""
_CANDIDATES = 2048


class Attacked(NamedTuple):
    """One attack on one network."""

    after: Float32[np.ndarray, " example"]
    """Predicted rewards of what it ended with."""
    before: Float32[np.ndarray, " example"]
    pairs: UInt8[np.ndarray, "example row col 6"]
    """What it ended with."""

    @property
    def fooled(self) -> Bool[np.ndarray, " example"]:
        return self.after > FOOLED


class JudgedNetwork(NamedTuple):
    """A network, how well it predicts and how it stands up to attacks."""

    name: str
    training: str
    """`standard` or `adversarial`."""
    loss: float
    """Mean squared error on transitions of test levels."""
    floor: float
    """The same of guessing the mean training reward."""
    n: int
    """Such transitions."""
    attacked: dict[str, Attacked]


def judge(
    network: nn.Module,
    data: Transitions,
    moments: Sequence[Moment],
    *,
    examples: int = 48,
    rounds: int = 40,
    seed: int = 0,
    attacks: Sequence[str] = ATTACKS,
    progress: str = "",
) -> dict[str, Attacked]:
    """All attacks on one network; the same starts for every network, but for those with the highest prediction.

    Args:
        data: transitions; those of test levels are begun with.
        moments: that the level search begins with, from levels that nobody was trained on; none leaves it out.
        examples: of each attack on pixels.
        rounds: of the level search.

    Raises ValueError: an unknown attack, data without transitions of both kinds to test on.
    """
    unknown = set(attacks) - set(ATTACKS)
    if unknown:
        raise ValueError(f"expected attacks of {', '.join(ATTACKS)}; given {', '.join(sorted(unknown))}")
    rng = np.random.default_rng(seed)
    test = np.flatnonzero(data.of(Split.TEST))
    looked_at = np.sort(rng.permutation(test)[:_CANDIDATES])
    unrewarded = rng.permutation(test[data.rewards[test] == 0])[:examples]
    plain = np.asarray(data.cache.frames[np.sort(unrewarded)])
    played = data.column("action")[np.sort(unrewarded)].astype(np.int64)
    top, top_actions = _highest(network, data, looked_at, examples)
    found: dict[str, Attacked] = {}
    for name in attacks:
        if name == "rewarded start":
            found[name] = _attacked(ascend(network, top, top_actions, seed=seed))
        elif name == "more steps":
            found[name] = _attacked(ascend(network, top, top_actions, steps=128, seed=seed))
        elif name == "other start":
            found[name] = _attacked(ascend(network, plain, played, seed=seed))
        elif name == "bounded":
            found[name] = _attacked(ascend(network, plain, played, steps=64, bound=0.05, seed=seed))
        elif name == "other optimiser":
            found[name] = _attacked(signed_ascent(network, plain, played, seed=seed))
        elif name == "from nothing":
            found[name] = _from_nothing(network, seed)
        elif name == "noise":
            found[name] = _noise(network, examples, rng)
        elif moments:
            found[name] = _searched(network, moments, rounds, seed, progress)
    return found


def _highest(
    network: nn.Module, data: Transitions, rows: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Transitions with the highest predicted reward for the action that was played in them."""
    pairs = np.asarray(data.cache.frames[rows])
    actions = data.column("action")[rows].astype(np.int64)
    best = np.argsort(-rewards_of(network, pairs, actions), kind="stable")[:count]
    return pairs[best], actions[best]


def _attacked(found: Examples) -> Attacked:
    return Attacked(found.rewards, found.rewards_before, found.pairs)


def _from_nothing(network: nn.Module, seed: int, steps: int = 128) -> Attacked:
    """One example for each action."""
    recipe, actions = RECIPES["dissertation"], np.arange(15)
    found = optimise_inputs(
        network,
        ChannelMean("rewards", actions.tolist()),
        Fourier((6, 64, 64), recipe.start_deviation),
        recipe.transform_list(),
        steps=steps,
        learning_rate=recipe.learning_rate,
        brightest=255.0,
        seed=seed,
    )
    pairs = np.rint(255 * found.pictures.permute(0, 2, 3, 1).numpy()).astype(np.uint8)
    rewards = rewards_of(network, pairs, actions)
    return Attacked(rewards, found.history[:, 0].numpy().astype(np.float32), pairs)


def _noise(network: nn.Module, count: int, rng: np.random.Generator) -> Attacked:
    pairs = np.concatenate(noise_pairs(count, "different", rng), axis=-1)
    rewards = rewards_of(network, pairs, np.arange(count) % 15)
    return Attacked(rewards, rewards, pairs)


def _searched(
    network: nn.Module, moments: Sequence[Moment], rounds: int, seed: int, progress: str
) -> Attacked:
    found = search_moments(network, moments, seed=seed, rounds=rounds, progress=progress)
    played = play_moments(found.best)
    pairs = np.concatenate([played.frames, played.next_frames], axis=-1)
    return Attacked(found.scores.astype(np.float32), found.history[:, 0].astype(np.float32), pairs)
