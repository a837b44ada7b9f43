"""IMPALA with a bilinear hidden layer: logits are quadratic forms of the last maps, so the weights can be read.

When to use: to explain a policy from its weights rather than from examples. The hidden layer multiplies two linear maps
of `conv_out` unit by unit and has no other non-linearity and no bias, so each logit is x' B x + b, x being `conv_out`.
`bilinear_weights.py` gives B and its eigenvectors: patterns of channels and places, each of which pushes the logit by
its eigenvalue times the square of its overlap with x.

Source: Pearce et al. 2024, Bilinear MLPs enable weight-based mechanistic interpretability (arXiv:2410.08417),
section 3; on mazes of Procgen: Sinha et al. 2024, Bilinear convolution decomposition for causal RL interpretability
(arXiv:2412.00944), who make the convolutions bilinear, too.

Hook points: those of `impala.py` up to `conv_out`, and with `hidden` units (B is the batch):

    fc_left    B hidden   W x
    fc_right   B hidden   V x
    fc         B hidden   their product
    logits     B 15       one per raw action (`procscope.envs.actions`)
    value      B          expected discounted return

Cost: that of IMPALA: the second linear map is 2% of its multiply-adds.
"""

from collections.abc import Sequence

from jaxtyping import Num
from torch import Tensor, nn
from torch.nn import functional as F

from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.agents.networks.impala import Block, scale_residual_branches
from procscope.agents.networks.initial_weights import SMALL_HEAD, initialise_he, scale_weights
from procscope.agents.networks.outputs import PolicyOutput
from procscope.envs.actions import N_ACTIONS
from procscope.envs.frames import FRAME_SIZE


class BilinearImpala(HookedNetwork):
    """IMPALA's blocks, a bilinear layer and two heads, for 64x64 RGB frames, uint8 or floats of 0..255.

    Args:
        widths: channels of the three blocks.
        hidden: units of the bilinear layer.
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
        units = widths[2] * (FRAME_SIZE // 8) ** 2
        self.weights_left = nn.Linear(units, hidden, bias=False)
        self.weights_right = nn.Linear(units, hidden, bias=False)
        self.policy_head = nn.Linear(hidden, n_actions)
        self.value_head = nn.Linear(hidden, 1)
        self.conv_out, self.fc_left, self.fc_right = (HookPoint() for _ in range(3))
        self.fc, self.logits, self.value = (HookPoint() for _ in range(3))
        initialise_he(self)
        scale_residual_branches(self.block1, self.block2, self.block3)
        scale_weights(0.5**0.5, self.weights_left, self.weights_right)  # no ReLU follows
        scale_weights(SMALL_HEAD, self.policy_head, self.value_head)
        self.setup()

    def forward(self, frames: Num[Tensor, "batch 3 64 64"]) -> PolicyOutput:
        """Logits and value of frames with values 0..255."""
        x = frames.float() / 255
        x = self.conv_out(F.relu(self.block3(self.block2(self.block1(x))))).flatten(1)
        x = self.fc(self.fc_left(self.weights_left(x)) * self.fc_right(self.weights_right(x)))
        return PolicyOutput(self.logits(self.policy_head(x)), self.value(self.value_head(x).squeeze(-1)))
