"""The smaller, pooled network of the Heist study: no residual sums, norm pooling, and maps of 32 channels at most.

When to use: as a policy whose layers are easy to look at one by one: every map has one source. Inputs are 64x64
frames, uint8 or floats of 0..255; the network divides by 255 itself.

Source: the Heist study's network, after Hilton et al. 2020, Understanding RL Vision (distill.pub). Strides of 1,
padding that keeps the size and p = 2 are not stated there and are taken from its public code.

Hook points (B is the batch); a convolution's name alone stands for its output before the ReLU:

    conv1a   relu1a            B 16 64 64   7x7          pool1   B 16 32 32
    conv2a   relu2a            B 32 32 32   5x5
    conv2b   relu2b            B 32 32 32   5x5          pool2   B 32 16 16
    conv3a   relu3a            B 32 16 16   5x5          pool3   B 32 8 8
    conv4a   relu4a            B 32 8 8     5x5          pool4   B 32 4 4
    fc1_pre  fc1               B 256        before the ReLU, after it
    fc2_pre  fc2               B 512
    logits                     B 15         one per raw action (`procscope.envs.actions`)
    value                      B            expected discounted return

363,216 parameters with 15 actions.

Cost: 57 million multiply-adds a frame. On one core of the machine on which
IMPALA (16, 32, 32) does 900 frames/s forward and 290 in training: 440 and 130 (`channels_last`). bf16 made it 8 times
slower there, on a processor without instructions for it.
"""

from jaxtyping import Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_zero_sum, scale_weights
from procscope.agents.networks.l2_pool import l2_pool
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import N_ACTIONS

MAPS = {"1a": (3, 16, 7), "2a": (16, 32, 5), "2b": (32, 32, 5), "3a": (32, 32, 5), "4a": (32, 32, 5)}
"""Channels in, channels out and width of the square kernel of each convolution."""


class InterpretableCnn(HookedNetwork):
    """Five convolutions, four poolings and two hidden layers for 64x64 RGB frames.

    Args:
        n_actions: logits.
    """

    def __init__(self, n_actions: int = N_ACTIONS) -> None:
        super().__init__()
        self.n_actions = n_actions
        (
            self.weights_conv1a,
            self.weights_conv2a,
            self.weights_conv2b,
            self.weights_conv3a,
            self.weights_conv4a,
        ) = (nn.Conv2d(width_in, width, kernel, padding="same") for width_in, width, kernel in MAPS.values())
        self.weights_fc1 = nn.Linear(32 * 4 * 4, 256)
        self.weights_fc2 = nn.Linear(256, 512)
        self.policy_head = nn.Linear(512, n_actions)
        self.value_head = nn.Linear(512, 1)
        self.conv1a, self.relu1a, self.pool1 = (HookPoint() for _ in range(3))
        self.conv2a, self.relu2a, self.conv2b, self.relu2b, self.pool2 = (HookPoint() for _ in range(5))
        self.conv3a, self.relu3a, self.pool3 = (HookPoint() for _ in range(3))
        self.conv4a, self.relu4a, self.pool4 = (HookPoint() for _ in range(3))
        self.fc1_pre, self.fc1, self.fc2_pre, self.fc2 = (HookPoint() for _ in range(4))
        self.logits, self.value = HookPoint(), HookPoint()
        initialise_zero_sum(self)
        scale_weights(SMALL_HEAD, self.policy_head, self.value_head)
        self.setup()

    def forward(self, frames: Num[Tensor, "batch 3 64 64"]) -> PolicyOutput:
        """Logits and value of frames with values 0..255."""
        x = self.relu1a(F.relu(self.conv1a(self.weights_conv1a(frames.float() / 255))))
        x = self.relu2a(F.relu(self.conv2a(self.weights_conv2a(self.pool1(l2_pool(x))))))
        x = self.relu2b(F.relu(self.conv2b(self.weights_conv2b(x))))
        x = self.relu3a(F.relu(self.conv3a(self.weights_conv3a(self.pool2(l2_pool(x))))))
        x = self.relu4a(F.relu(self.conv4a(self.weights_conv4a(self.pool3(l2_pool(x))))))
        x = self.pool4(l2_pool(x))
        x = self.fc1(F.relu(self.fc1_pre(self.weights_fc1(x.flatten(1)))))
        x = self.fc2(F.relu(self.fc2_pre(self.weights_fc2(x))))
        return PolicyOutput(self.logits(self.policy_head(x)), self.value(self.value_head(x).squeeze(-1)))
