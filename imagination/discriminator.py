"""The discriminator: does a board come from the world or from a decoder?

Source: S2.model, adversarial decoder training, which names no network; this is the one of the authors' code
(github.com/wichersn/visualize-nn-imagination): three 3x3 convolutions of stride 2 with 4, 8 and 16 channels, each with
a leaky ReLU and dropout, and a linear layer. It is small on purpose: one that tells every decoded board from every
real one teaches the decoder nothing.
"""

import itertools

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

CHANNELS = (4, 8, 16)
_STRIDE, _SLOPE, _DROPPED = 2, 0.3, 0.3


class Discriminator(nn.Module):
    """Logits that boards of `side` rows and columns are real.

    Args:
        given: channels of what both real and decoded states are shown with, such as a maze's walls.
    """

    def __init__(self, side: int, given: int = 0) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, 3, stride=_STRIDE, padding=1)
            for before, after in itertools.pairwise((1 + given, *CHANNELS))
        )
        for _ in CHANNELS:
            side = -(-side // _STRIDE)
        self.head = nn.Linear(CHANNELS[-1] * side * side, 1)

    def forward(self, boards: Float[Tensor, "batch channel row col"]) -> Float[Tensor, " batch"]:
        """One logit a board, whose cells are 0 to 1."""
        for layer in self.layers:
            boards = F.dropout(F.leaky_relu(layer(boards), _SLOPE), _DROPPED, self.training)
        return self.head(boards.flatten(1)).squeeze(1)
