"""What a Heist network goes by when it chooses its goal: the key that lies there, the ring of keys, the lock's colour?

When to use: before a goal is switched inside the network, to know what rule it follows. Goal pairs are shown in four
ways, of which training draws the first two alone; choice pairs with either colour of their lock. Read are the most
probable first moves.

    rules = goal_rules(network, goal_pairs(200, rng), choice_pairs(200, rng))
    rules.to_key["held, lying too"].mean(), rules.needed.mean()

Source: ours.
Cost: four frames a goal pair, two a choice pair.

Axes: `pair`; `which` of a choice pair's two levels.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool
from torch import nn

from procscope.activations.capture import capture
from procscope.envs.actions import greedy_moves
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import ChoicePair, GoalPair
from procscope.envs.level_frames import frames_of_levels

SITUATIONS = ("lying", "held", "held, lying too", "neither held nor lying")


class GoalRules(NamedTuple):
    """First moves."""

    to_key: Mapping[str, Bool[np.ndarray, " pair"]]
    """By situation: whether the first move is the one to the key's place."""
    to_lock: Mapping[str, Bool[np.ndarray, " pair"]]
    needed: Bool[np.ndarray, "pair which"]
    """Whether it is the one to the key that opens the lock, in either level of each choice pair."""
    same: Bool[np.ndarray, " pair"]
    """Whether it is the same in both levels of a choice pair, whatever the lock's colour."""


def goal_rules(network: nn.Module, pairs: Sequence[GoalPair], choices: Sequence[ChoicePair]) -> GoalRules:
    """Raises ValueError: no pairs, or a network without logits."""
    colours = [pair.key_lies.keys[0].colour for pair in pairs]
    levels = {
        "lying": [pair.key_lies for pair in pairs],
        "held": [pair.key_held for pair in pairs],
        "held, lying too": [
            pair.key_lies.with_key_held(colour, keep_others=True)
            for pair, colour in zip(pairs, colours, strict=True)
        ],
        "neither held nor lying": [
            pair.key_lies.without_key(colour, allow_unsolvable=True)
            for pair, colour in zip(pairs, colours, strict=True)
        ],
    }
    key, lock = (
        np.array([int(pair.key_move) for pair in pairs]),
        np.array([int(pair.lock_move) for pair in pairs]),
    )
    moves = {name: _first_moves(network, each) for name, each in levels.items()}
    chosen = np.stack(
        [_first_moves(network, [pair.levels[which] for pair in choices]) for which in (0, 1)], axis=1
    )
    right = np.array([[int(move) for move in pair.moves] for pair in choices])
    return GoalRules(
        {name: each == key for name, each in moves.items()},
        {name: each == lock for name, each in moves.items()},
        chosen == right,
        chosen[:, 0] == chosen[:, 1],
    )


def _first_moves(network: nn.Module, levels: Sequence[HeistLevel]) -> np.ndarray:
    return greedy_moves(capture(network, frames_of_levels(levels).frames, []).logits_of(network))
