"""The DQN paper's convolutions as a policy and value network: what Stable-Baselines3 calls `CnnPolicy`.

When to use: for policies imported from Stable-Baselines3, and as the baseline that most others report. Inputs are
64x64 frames, uint8 or floats of 0..255; the network divides by 255 itself.

Source: Mnih et al. 2015, Human-level control (Nature 518), methods; sizes as in Stable-Baselines3's `NatureCNN`.

Hook points (B is the batch):

    conv1_pre  conv1     B 32 15 15   8x8, stride 4; before the ReLU, after it
    conv2_pre  conv2     B 64 6 6     4x4, stride 2
    conv3_pre  conv3     B 64 4 4     3x3
    fc_pre     fc        B hidden
    logits               B 15         one per raw action (`procscope.envs.actions`)
    value                B            expected discounted return

Cost: 3.7 million multiply-adds a frame; on one core 6,100 frames/s forward and 1,900 in training, seven times
IMPALA (16, 32, 32).
"""

from jaxtyping import Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_he, scale_weights
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import N_ACTIONS


class NatureCnn(HookedNetwork):
    """Three convolutions and one hidden layer for 64x64 RGB frames.

    Args:
        hidden: units of the fully connected layer.
        n_actions: logits.
    """

    def __init__(self, hidden: int = 512, n_actions: int = N_ACTIONS) -> None:
        super().__init__()
        self.hidden, self.n_actions = hidden, n_actions
        self.weights_conv1 = nn.Conv2d(3, 32, 8, stride=4)
        self.weights_conv2 = nn.Conv2d(32, 64, 4, stride=2)
        self.weights_conv3 = nn.Conv2d(64, 64, 3)
        self.weights_fc = nn.Linear(64 * 4 * 4, hidden)
        self.policy_head = nn.Linear(hidden, n_actions)
        self.value_head = nn.Linear(hidden, 1)
        self.conv1_pre, self.conv1, self.conv2_pre, self.conv2 = (HookPoint() for _ in range(4))
        self.conv3_pre, self.conv3, self.fc_pre, self.fc = (HookPoint() for _ in range(4))
        self.logits, self.value = HookPoint(), HookPoint()
        initialise_he(self)
        scale_weights(SMALL_HEAD, self.policy_head, self.value_head)
        self.setup()

    def forward(self, frames: Num[Tensor, "batch 3 64 64"]) -> PolicyOutput:
        """Logits and value of frames with values 0..255."""
        x = self.conv1(F.relu(self.conv1_pre(self.weights_conv1(frames.float() / 255))))
        x = self.conv2(F.relu(self.conv2_pre(self.weights_conv2(x))))
        x = self.conv3(F.relu(self.conv3_pre(self.weights_conv3(x))))
        x = self.fc(F.relu(self.fc_pre(self.weights_fc(x.flatten(1)))))
        return PolicyOutput(self.logits(self.policy_head(x)), self.value(self.value_head(x).squeeze(-1)))
