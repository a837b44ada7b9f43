"""Five convolutions without pooling and the average of each map: what the networks of Chapter 5 share.

When to use: as the base of a network that reads something off the averaged maps: rewards (`network.py`), or a number
of a picture. A subclass makes its read-outs after `super().__init__(...)`, ends with `self.setup()` and calls
`self.pool(pictures)` in its `forward`.

Source: section 5.3, and Krizhevsky et al. 2012 for the channels: 96, 256, 384, 384, 256, kernels of 3x3, stride 1,
padding that keeps the size, ReLU, no normalisation, no dropout.

Hook points (B is the batch, rows and columns those of the picture after `shrink`); at width 1:

    layer0_pre  layer0      B  96 64 64     before the ReLU, after it
    layer1_pre  layer1      B 256 64 64
    layer2_pre  layer2      B 384 64 64
    layer3_pre  layer3      B 384 64 64
    layer4_pre  layer4      B 256 64 64
    pooled                  B 256           the mean of each map of layer4

Cost: 13.6 billion multiply-adds a 64x64 picture at width 1 and 0.2 at width 1/8, three times that in training; both
fall with the square of `shrink`.
"""

from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint

CHANNELS = (96, 256, 384, 384, 256)
"""Of the five layers at width 1."""


class ConvolutionStack(HookedNetwork):
    """Five convolutions and the average of each map.

    Args:
        channels_in: of the pictures.
        width: share of the dissertation's channels in each layer, above 0.
        shrink: pictures are averaged over squares of so many pixels a side first: 2 makes 32x32 of 64x64.

    Raises:
        ValueError: a width that is not above 0, a shrink below 1.
    """

    def __init__(self, channels_in: int, width: float = 1.0, shrink: int = 1) -> None:
        super().__init__()
        if width <= 0 or shrink < 1:
            raise ValueError(f"expected a width above 0 and a shrink of at least 1; given {width}, {shrink}")
        self.width, self.shrink = width, shrink
        self.channels = tuple(max(1, round(width * channels)) for channels in CHANNELS)
        sizes = zip((channels_in, *self.channels[:-1]), self.channels, strict=True)
        self.convolutions = nn.ModuleList(nn.Conv2d(above, below, 3, padding=1) for above, below in sizes)
        self.layer0_pre, self.layer0, self.layer1_pre, self.layer1 = (HookPoint() for _ in range(4))
        self.layer2_pre, self.layer2, self.layer3_pre, self.layer3 = (HookPoint() for _ in range(4))
        self.layer4_pre, self.layer4, self.pooled = (HookPoint() for _ in range(3))
        everything: Any = self
        everything.to(memory_format=torch.channels_last)

    def pool(self, pictures: Num[Tensor, "batch rgb row col"]) -> Float[Tensor, "batch channel"]:
        """The average of each map of the last layer, for pictures with values 0..255."""
        x = pictures.float() / 255
        if self.shrink > 1:
            x = F.avg_pool2d(x, self.shrink)
        points = (
            (self.layer0_pre, self.layer0),
            (self.layer1_pre, self.layer1),
            (self.layer2_pre, self.layer2),
            (self.layer3_pre, self.layer3),
            (self.layer4_pre, self.layer4),
        )
        for convolution, (before, after) in zip(self.convolutions, points, strict=True):
            x = after(F.relu(before(convolution(x))))
        return self.pooled(x.mean((2, 3)))
