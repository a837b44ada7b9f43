"""The network of dots and distances: the reward network's topology with one number to tell.

    network = DotsNetwork(width=1 / 8)
    network(pictures).value          # the mean distance, or the log-odds that it is below the cut-off

Source: dissertation, section 5.9. Hook points are those of `stack.py`, and `value`, [batch]. Cost on one core (AVX2):
training 195 pictures/s of 32 x 32 at width 1/8, which is 80% of what the processor can multiply.
"""

from typing import NamedTuple

from jaxtyping import Float, Num
from torch import Tensor, nn

from procscope.activations.hooks import HookPoint
from procscope.rewardnets.stack import ConvolutionStack


class DotsOutput(NamedTuple):
    """What the network returns."""

    value: Float[Tensor, " batch"]


class DotsNetwork(ConvolutionStack):
    """Five convolutions, the average of each map, and one linear read-out.

    Args:
        width: share of the dissertation's channels (96, 256, 384, 384, 256), above 0.
    """

    def __init__(self, width: float = 1.0) -> None:
        super().__init__(3, width)
        self.head = nn.Linear(self.channels[-1], 1)
        self.value = HookPoint()
        self.setup()

    def forward(self, pictures: Num[Tensor, "batch rgb row col"]) -> DotsOutput:
        """For pictures with values 0..255."""
        return DotsOutput(self.value(self.head(self.pool(pictures))[:, 0]))
