"""Adversarial examples of reward networks: transitions that are worth nothing and are predicted to be worth much.

    found = ascend(network, starts, actions, steps=16)                 # as the dissertation: Adam on pixels
    found = ascend(network, starts, actions, steps=64, bound=0.05)     # no number of the pictures changed by more
    found = signed_ascent(network, starts, actions, bound=8 / 255)     # another optimiser
    found = search_moments(network, moments, seed=0)                   # states that the engine plays, no pixels

When to use: `adversarial_training.py` trains on the first; `robustness.py` judges by all.

How: pixel attacks begin from given transitions. The first two are `optimise_inputs` on a `FrameChange`, with random
shifts of up to 8 pixels before each pass, as the dissertation's dataset-seeded visualisation (section 5.4); pictures
are rounded to bytes at the end, and all rewards given are of what can be shown. The third takes steps of the
gradient's sign (Madry et al. 2018), without shifts. The last edits levels and actions (`moments.py`), and keeps those
whose true reward stays 0.

Cost: steps x (forward and backward pass) a picture; the search 2 ms a moment and round.

Axes: `example`; pairs `row col 6`, the colours of the frame before those of the next one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int, UInt8
from torch import nn

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import to_input
from procscope.envs.level_search import LevelSearch, search_levels
from procscope.rewardnets.moments import Moment, moment_edits, play_moments, stays_unrewarded
from procscope.rewardnets.predict import predicted_rewards
from procscope.visualization.objectives import ChannelMean
from procscope.visualization.optimise_inputs import optimise_inputs
from procscope.visualization.picture_parameters import FrameChange
from procscope.visualization.picture_transforms import PRESETS

SHIFTS = PRESETS["reward-network"]
BATCH = 32


class Examples(NamedTuple):
    """What an attack came to."""

    pairs: UInt8[np.ndarray, "example row col 6"]
    actions: Int[np.ndarray, " example"]
    rewards: Float32[np.ndarray, " example"]
    """Predicted for the action."""
    rewards_before: Float32[np.ndarray, " example"]
    """Of what the attack began with."""


def rewards_of(
    network: nn.Module, pairs: UInt8[np.ndarray, "example row col 6"], actions: Int[np.ndarray, " example"]
) -> Float32[np.ndarray, " example"]:
    """Predicted rewards of transitions for one action each."""
    rewards = predicted_rewards(network, pairs[..., :3], pairs[..., 3:])
    return rewards[np.arange(len(pairs)), actions]


def ascend(
    network: nn.Module,
    pairs: UInt8[np.ndarray, "example row col 6"],
    actions: Int[np.ndarray, " example"],
    *,
    steps: int = 16,
    learning_rate: float = 0.05,
    bound: float = 1.0,
    seed: int = 0,
) -> Examples:
    """Gradient ascent on the predicted reward by Adam, with shifts.

    Args:
        actions: whose reward is to be large, one for each transition.
        bound: most that any number changes, of a range of 1.
        seed: of the shifts.

    Raises ValueError: other numbers of actions than transitions, and as `optimise_inputs`.
    """
    _check(pairs, actions)
    frames = torch.from_numpy(pairs).permute(0, 3, 1, 2).float() / 255
    found = optimise_inputs(
        network,
        ChannelMean("rewards", actions.tolist()),
        FrameChange(frames, bound),
        SHIFTS,
        steps=steps,
        learning_rate=learning_rate,
        brightest=255.0,
        seed=seed,
        batch_pictures=BATCH,
    )
    return _examples(network, pairs, found.pictures.permute(0, 2, 3, 1).numpy(), actions)


def signed_ascent(
    network: nn.Module,
    pairs: UInt8[np.ndarray, "example row col 6"],
    actions: Int[np.ndarray, " example"],
    *,
    steps: int = 20,
    bound: float = 8 / 255,
    seed: int = 0,
) -> Examples:
    """Steps of the gradient's sign from a random place within the bound, each a tenth of it.

    Source: projected gradient descent of Madry et al. 2018. Raises ValueError: a bound that is not in (0, 1], fewer
    than one step, other numbers of actions than transitions.
    """
    _check(pairs, actions)
    if not 0 < bound <= 1 or steps < 1:
        raise ValueError(
            f"expected a bound above 0 and at most 1 and at least one step; given {bound}, {steps}"
        )
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    done = []
    with evaluation_mode(network):
        for start in range(0, len(pairs), BATCH):
            original = to_input(pairs[start : start + BATCH]).float().to(device) / 255
            taken = torch.as_tensor(actions[start : start + BATCH], device=device).long()
            noise = 2 * torch.rand(original.shape, generator=generator).to(device) - 1
            shown = (original + bound * noise).clamp(0, 1)
            for _ in range(steps):
                shown.requires_grad_()
                reward = network(255 * shown).rewards.gather(1, taken[:, None]).sum()
                (gradient,) = torch.autograd.grad(reward, shown)
                with torch.no_grad():
                    moved = shown + bound / 10 * gradient.sign()
                    shown = torch.clamp(moved, original - bound, original + bound).clamp(0, 1)
            done.append(shown.detach().permute(0, 2, 3, 1).cpu().numpy())
    return _examples(network, pairs, np.concatenate(done), actions)


def search_moments(
    network: nn.Module,
    starts: Sequence[Moment],
    *,
    seed: int,
    rounds: int = 40,
    children: int = 8,
    progress: str = "",
) -> LevelSearch[Moment]:
    """Edits of states and actions that raise the predicted reward while the true one stays 0.

    Raises ValueError: starts that are rewarded or end the episode, and as `search_levels`.
    """

    def score(moments: Sequence[Moment]) -> np.ndarray:
        played = play_moments(moments)
        rewards = predicted_rewards(network, played.frames, played.next_frames)
        return rewards[np.arange(len(moments)), played.actions]

    return search_levels(
        starts,
        score,
        moment_edits(starts[0].level.game) if starts else {},
        seed=seed,
        rounds=rounds,
        children=children,
        allowed=stays_unrewarded,
        progress=progress,
    )


def _examples(network: nn.Module, before: np.ndarray, pictures: np.ndarray, actions: np.ndarray) -> Examples:
    pairs = np.rint(255 * pictures).astype(np.uint8)
    return Examples(pairs, actions, rewards_of(network, pairs, actions), rewards_of(network, before, actions))


def _check(pairs: np.ndarray, actions: np.ndarray) -> None:
    if len(pairs) != len(actions) or not len(pairs):
        raise ValueError(
            f"expected an action for each transition, at least one; given {len(actions)} for {len(pairs)}"
        )
