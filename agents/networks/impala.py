"""IMPALA: the residual convolutional network of the goal-misgeneralisation studies, at any width.

Source: Espeholt et al. 2018 (arXiv:1802.01561), figure 3 right, as procgen's authors use it: three blocks of
convolution, max-pool and two residual units, then one hidden layer. Inputs are 64x64 frames, uint8 or floats
of 0..255; the network divides by 255 itself.

Hook points, for widths (w1, w2, w3) and `hidden` units (B is the batch):

    blockN.conv                B wN s s     before the pool; s = 64, 32, 16 for N = 1, 2, 3
    blockN.pool                B wN s/2 s/2
    blockN.unitM.relu1         B wN s/2 s/2 input of residual unit M = 1, 2 after its ReLU
    blockN.unitM.conv1         B wN s/2 s/2 before the ReLU
    blockN.unitM.relu2         B wN s/2 s/2 after it
    blockN.unitM.conv2         B wN s/2 s/2 what the unit adds
    blockN.resM                B wN s/2 s/2 the sum, before the next ReLU: `block1.res1` .. `block3.res2`
    conv_out                   B w3 8 8     block3.res2 after its ReLU
    fc_pre                     B hidden     before the ReLU
    fc                         B hidden     after it
    logits                     B 15         one per raw action (`procscope.envs.actions`)
    value                      B            expected discounted return

Cost: (16, 32, 32) is 30 million multiply-adds a frame. On a CPU use `channels_last` memory (`capture`,
`evaluate` and training do): it is several times faster.
"""

from collections.abc import Sequence

from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_he, scale_weights
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import N_ACTIONS
from procscope.envs.frames import FRAME_SIZE


class ResidualUnit(nn.Module):
    """x + conv(relu(conv(relu(x)))), both convolutions 3x3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weights1 = nn.Conv2d(width, width, 3, padding=1)
        self.weights2 = nn.Conv2d(width, width, 3, padding=1)
        self.relu1, self.conv1, self.relu2, self.conv2 = (HookPoint() for _ in range(4))

    def forward(self, x: Float[Tensor, "batch width row col"]) -> Float[Tensor, "batch width row col"]:
        inner = self.conv1(self.weights1(self.relu1(F.relu(x))))
        return x + self.conv2(self.weights2(self.relu2(F.relu(inner))))


class Block(nn.Module):
    """Convolution, max-pool by 2, two residual units."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.weights = nn.Conv2d(width_in, width, 3, padding=1)
        self.unit1, self.unit2 = ResidualUnit(width), ResidualUnit(width)
        self.conv, self.pool, self.res1, self.res2 = (HookPoint() for _ in range(4))

    def forward(self, x: Float[Tensor, "batch width_in row col"]) -> Float[Tensor, "batch width row/2 col/2"]:
        x = self.pool(F.max_pool2d(self.conv(self.weights(x)), 3, stride=2, padding=1))
        return self.res2(self.unit2(self.res1(self.unit1(x))))


def scale_residual_branches(*blocks: Block) -> None:
    """Make what each residual unit adds small at first, so that the sums do not grow with depth."""
    scale_weights(0.3, *(unit.weights2 for block in blocks for unit in (block.unit1, block.unit2)))


class Impala(HookedNetwork):
    """IMPALA policy and value network for 64x64 RGB frames.

    Args:
        widths: channels of the three blocks; (64, 128, 128) is the channel-121 study's, (16, 32, 32) procgen's.
        hidden: units of the fully connected layer.
        n_actions: logits.
    """

    def __init__(
        self, widths: Sequence[int] = (16, 32, 32), hidden: int = 256, n_actions: int = N_ACTIONS
    ) -> None:
        super().__init__()
        if len(widths) != 3 or min(widths) < 1:
            raise ValueError(f"widths must be three positive numbers of channels; given: {widths}")
        self.widths, self.hidden, self.n_actions = tuple(widths), hidden, n_actions
        self.block1 = Block(3, widths[0])
        self.block2 = Block(widths[0], widths[1])
        self.block3 = Block(widths[1], widths[2])
        self.weights_fc = nn.Linear(widths[2] * (FRAME_SIZE // 8) ** 2, hidden)
        self.policy_head = nn.Linear(hidden, n_actions)
        self.value_head = nn.Linear(hidden, 1)
        self.conv_out, self.fc_pre, self.fc, self.logits, self.value = (HookPoint() for _ in range(5))
        self._initialise()
        self.setup()

    def _initialise(self) -> None:
        """He's weights; the residual branches and the heads start small."""
        initialise_he(self)
        scale_residual_branches(self.block1, self.block2, self.block3)
        scale_weights(SMALL_HEAD, self.policy_head, self.value_head)

    def forward(self, frames: Num[Tensor, "batch 3 64 64"]) -> PolicyOutput:
        """Logits and value of frames with values 0..255."""
        x = frames.float() / 255
        x = self.block3(self.block2(self.block1(x)))
        x = self.conv_out(F.relu(x))
        x = self.fc(F.relu(self.fc_pre(self.weights_fc(x.flatten(1)))))
        return PolicyOutput(self.logits(self.policy_head(x)), self.value(self.value_head(x).squeeze(-1)))
