"""A hooked network that costs next to nothing, in a module that worker processes can import, too."""

import dataclasses

from torch import nn

from procscope.activations.hooks import HookedNetwork, HookPoint


class TinyPolicy(HookedNetwork):
    """Large strides, so that a pass costs next to nothing; `width` logits and a value."""

    def __init__(self, width: int = 15) -> None:
        super().__init__()
        self.weights = nn.Conv2d(3, 4, 8, stride=8)
        self.heads = nn.Linear(256, width + 1)
        self.map = HookPoint()
        self.units = HookPoint()
        self.setup()

    def forward(self, frames):
        hidden = self.map(self.weights(frames.float() / 255).relu())
        outputs = self.heads(self.units(hidden.flatten(1)))
        return dataclasses.make_dataclass("Output", ["logits", "value"])(outputs[:, :-1], outputs[:, -1])
