"""What policy networks return.

Whoever acts or learns reads `logits` and `value` by these names, whatever the network (`activations/forward.py`
understands them, too).
"""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class PolicyOutput(NamedTuple):
    """What a policy network returns."""

    logits: Float[Tensor, "*batch action"]
    """Unnormalised log-probabilities of the actions; of a Q network the action values, whose largest is its choice."""
    value: Float[Tensor, "*batch"]
    """Expected discounted return."""


class RecurrentOutput(NamedTuple):
    """What a policy network with memory returns."""

    logits: Float[Tensor, "*batch action"]
    value: Float[Tensor, "*batch"]
    state: Float[Tensor, "batch *state"]
    """What it remembers; to be given back with the next frames of the same episodes."""
