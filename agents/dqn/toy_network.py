"""A small Q network for toy Ms. Pac-Man, of any width: minutes to train, so that there can be many.

When to use: for questions about how features depend on a layer's width. `fc1` is the layer to read, as in the large
network (`pacman-dqn`). One 9x9 RGB frame in, uint8 or floats of 0..255, no memory; the network divides by 255 itself.

Hook points (B is the batch):

    conv1_pre  conv1     B c1 7 7    3x3; before the ReLU, after it
    conv2_pre  conv2     B c2 5 5    3x3
    fc1_pre    fc1       B width
    q_values             B 5         one per move (`procscope.envs.actions.Move`); the output's `logits`

The output's `value` is the largest action value. Channels (16, 32) and width 128 have 108,261 parameters.
"""

from collections.abc import Sequence

from jaxtyping import Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_he, scale_weights
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import N_MOVES
from procscope.envs.toy_pacman.board import SIZE


class ToyPacmanDqn(HookedNetwork):
    """Two convolutions and two linear layers for 9x9 RGB frames.

    Args:
        width: units of the hidden layer.
        channels: of the two convolutions.
    """

    def __init__(self, width: int = 128, channels: Sequence[int] = (16, 32)) -> None:
        super().__init__()
        if width < 1 or len(channels) != 2 or min(channels) < 1:
            raise ValueError(f"width and two channels must be positive; given: {width}, {channels}")
        self.width, self.channels = width, tuple(channels)
        self.weights_conv1 = nn.Conv2d(3, channels[0], 3)
        self.weights_conv2 = nn.Conv2d(channels[0], channels[1], 3)
        self.weights_fc1 = nn.Linear(channels[1] * (SIZE - 4) ** 2, width)
        self.q_head = nn.Linear(width, N_MOVES)
        self.conv1_pre, self.conv1, self.conv2_pre, self.conv2 = (HookPoint() for _ in range(4))
        self.fc1_pre, self.fc1, self.q_values = (HookPoint() for _ in range(3))
        initialise_he(self)
        scale_weights(SMALL_HEAD, self.q_head)
        self.setup()

    def forward(self, frames: Num[Tensor, "batch 3 9 9"]) -> PolicyOutput:
        """Action values, as `logits`, and the largest of them, of frames with values 0..255."""
        x = self.conv1(F.relu(self.conv1_pre(self.weights_conv1(frames.float() / 255))))
        x = self.conv2(F.relu(self.conv2_pre(self.weights_conv2(x))))
        x = self.fc1(F.relu(self.fc1_pre(self.weights_fc1(x.flatten(1)))))
        q_values = self.q_values(self.q_head(x))
        return PolicyOutput(q_values, q_values.amax(dim=1))
