"""The small Q network for Ms. Pac-Man of the SAE study: one raw Atari frame in, nine action values out.

When to use: as the agent of experiments on live features and sparse autoencoders (the study's reads `fc1`). It has no
memory and sees one frame: 210x160 RGB, uint8 or floats of 0..255. There is no scaling, as in the study, whose weights
are made for that.

Source: the study's public code. 878,505 parameters.

Hook points (B is the batch):

    conv1_pre  conv1     B 16 101 76   9x9, stride 2; before the ReLU, after it
    pool                 B 16 50 38    2x2 maximum
    conv2_pre  conv2     B 32 14 10    9x9, stride 3
    conv3_pre  conv3     B 64 5 3      6x6, stride 2
    fc1_pre    fc1       B 512
    fc2_pre    fc2       B 512
    q_values             B 9           one per action of `ALE/MsPacman-v5`; the output's `logits`

The output's `value` is the largest action value: what the policy that takes it expects.

Cost: 38 million multiply-adds a frame; on one core 700 frames/s forward and 280 in training (`channels_last`).
"""

from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_he, scale_weights
from procscope.agents.networks.outputs import PolicyOutput

#: Actions of `ALE/MsPacman-v5`: none, the four directions and the four diagonals.
N_PACMAN_ACTIONS = 9


class PacmanDqn(HookedNetwork):
    """Three convolutions and three linear layers for 210x160 RGB frames.

    Args:
        n_actions: action values.
    """

    def __init__(self, n_actions: int = N_PACMAN_ACTIONS) -> None:
        super().__init__()
        self.n_actions = n_actions
        self.weights_conv1 = nn.Conv2d(3, 16, 9, stride=2)
        self.weights_conv2 = nn.Conv2d(16, 32, 9, stride=3)
        self.weights_conv3 = nn.Conv2d(32, 64, 6, stride=2)
        self.weights_fc1 = nn.Linear(64 * 5 * 3, 512)
        self.weights_fc2 = nn.Linear(512, 512)
        self.q_head = nn.Linear(512, n_actions)
        self.conv1_pre, self.conv1, self.pool, self.conv2_pre, self.conv2 = (HookPoint() for _ in range(5))
        self.conv3_pre, self.conv3, self.fc1_pre, self.fc1 = (HookPoint() for _ in range(4))
        self.fc2_pre, self.fc2, self.q_values = (HookPoint() for _ in range(3))
        initialise_he(self)
        scale_weights(1 / 255, self.weights_conv1)  # frames come as 0..255
        scale_weights(SMALL_HEAD, self.q_head)
        self.setup()

    def forward(self, frames: Num[Tensor, "batch 3 210 160"]) -> PolicyOutput:
        """Action values, as `logits`, and the largest of them, of frames with values 0..255."""
        x = self.pool(F.max_pool2d(self.conv1(F.relu(self.conv1_pre(self.weights_conv1(frames.float())))), 2))
        x = self.conv2(F.relu(self.conv2_pre(self.weights_conv2(x))))
        x = self.conv3(F.relu(self.conv3_pre(self.weights_conv3(x))))
        x = self.fc1(F.relu(self.fc1_pre(self.weights_fc1(x.flatten(1)))))
        x = self.fc2(F.relu(self.fc2_pre(self.weights_fc2(x))))
        q_values: Float[Tensor, "batch action"] = self.q_values(self.q_head(x))
        return PolicyOutput(q_values, q_values.amax(dim=1))
