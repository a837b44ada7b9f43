"""One forward pass of a network over frames, and its logits and value where it has them.

When to use: `capture` and the actors call this; call it yourself to run any network on frames as an
environment gives them. Networks differ in what they return; this is the one place that knows:

    an output with fields `logits` and `value`   both (the networks written here), and `state` if it has one
    a tensor [frame, action]                     logits (a Q network's are its action values)
    an output with the field `rewards`           the reward of each action (`procscope.rewardnets.network`)
    a tensor [frame] or [frame, 1]               value (of a reward network without actions, its reward)
    a Stable-Baselines3 actor-critic policy      both, from one pass over each of its parts

Networks take channel-first frames with values 0..255 and scale them themselves (Stable-Baselines3's do, too).
`to_input` makes those from `[frame, row, col, rgb]` without a copy: the result has channels_last strides, on
which convolutions on a CPU run several times faster.

Axes: `frame` observations of the batch, `row col` of a picture from the top, `action` raw actions.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from procscope.activations.hooks import HookedModules


class Reading(NamedTuple):
    """What a network says about each frame; None where it has no such output."""

    logits: Float[Tensor, "frame action"] | None
    value: Float[Tensor, "frame"] | None
    state: Float[Tensor, "frame *state"] | None = None
    """A recurrent network's state after these frames."""
    rewards: Float[Tensor, "frame action"] | None = None
    """A reward network's rewards, one per action."""


def to_input(observations: np.ndarray | Tensor, device: torch.device | str = "cpu") -> Tensor:
    """Observations as a network takes them, on `device`.

    Pictures (uint8, `[frame, row, col, rgb]`) and pairs of pictures (six channels) become channel-first with
    channels_last strides; all else is passed on as it is.
    """
    tensor = torch.from_numpy(observations) if isinstance(observations, np.ndarray) else observations
    if tensor.dtype == torch.uint8 and tensor.ndim == 4 and tensor.shape[-1] in (3, 6):
        tensor = tensor.permute(0, 3, 1, 2)
    return tensor.to(device)


def read_network(
    model: nn.Module,
    inputs: Tensor,
    state: Float[Tensor, "frame *state"] | None = None,
    first: Bool[Tensor, "frame"] | None = None,
) -> Reading:
    """Run `model` once on `inputs` and pick logits and value out of what it returns.

    Args:
        state: a recurrent network's state before these frames.
        first: to a recurrent network: which frames are the first of their episode.

    Raises ValueError: the output is none of those listed at the top of this file.
    """
    if isinstance(model, HookedModules):
        model = model.model
    if _is_sb3_actor_critic(model):
        return _read_sb3_actor_critic(model, inputs)
    output = model(inputs) if state is None and first is None else model(inputs, state, first)
    if hasattr(output, "logits") and hasattr(output, "value"):
        return Reading(output.logits, output.value, getattr(output, "state", None))
    if hasattr(output, "rewards"):
        return Reading(None, None, None, output.rewards)
    if isinstance(output, Tensor) and output.ndim == 2 and output.shape[1] > 1:
        return Reading(output, None)
    if isinstance(output, Tensor) and output.ndim in (1, 2):
        return Reading(None, output.reshape(len(output)))
    given = (
        f"a tensor of shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
    )
    raise ValueError(
        f"expected {type(model).__name__} to return an object with logits and value or with rewards, a "
        f"tensor [frame, action] or a tensor [frame]; it returned {given}. Wrap it in a module that does"
    )


def _is_sb3_actor_critic(model: nn.Module) -> bool:
    """By its parts, so that Stable-Baselines3 (a second's import) is not imported to ask."""
    return all(
        hasattr(model, part) for part in ("extract_features", "mlp_extractor", "action_net", "value_net")
    )


def _read_sb3_actor_critic(policy: Any, inputs: Tensor) -> Reading:
    """The policy's own forward pass, without drawing an action: every part runs once.

    (`get_distribution` and `predict_values` together would run the shared part twice, and its hooks with it.)
    """
    features = policy.extract_features(inputs)
    if policy.share_features_extractor:
        for_policy, for_value = policy.mlp_extractor(features)
    else:
        for_policy = policy.mlp_extractor.forward_actor(features[0])
        for_value = policy.mlp_extractor.forward_critic(features[1])
    return Reading(policy.action_net(for_policy), policy.value_net(for_value).squeeze(-1))
