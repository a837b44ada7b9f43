"""Read a bilinear policy from its weights: the quadratic form of each logit, and its eigenvectors.

When to use: on a `BilinearImpala`.

    form = readout_form(network, network.policy_head.weight[LEFT] - network.policy_head.weight[RIGHT])
    form.values[0], form.vectors[0]        # the pattern [channel, row, col] that speaks most for left against right

A readout is a vector over the hidden units: a row of the policy head, the difference of two rows (a policy depends on
differences of logits alone), the value head, a probe's direction. Hidden unit k is (w_k . x)(v_k . x), so a readout r
is x' B x with B = sum_k r_k (w_k v_k' + v_k w_k') / 2: the third-order tensor sum_k w_k v_k' of the paper, contracted
with r and made symmetric, which changes no output.

Source: Pearce et al. 2024 (arXiv:2410.08417), sections 3.1 and 3.3.

Axes: `unit` units of `conv_out`, flattened channel by channel; `pair` an eigenvalue and its vector.

Cost: B of 2,048 units takes 16 MB and 65 ms. Its rank is at most twice the number of hidden units, so eigenvectors come
from a matrix of that size: 0.25 s for 256 hidden units instead of 1.3 s for those of B, on one core.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from procscope.agents.networks.bilinear_impala import BilinearImpala
from procscope.envs.frames import FRAME_SIZE


@dataclass(frozen=True)
class QuadraticForm:
    """A readout as a sum of squares: sum over pairs of value * (vector . x)^2, plus the readout's bias."""

    values: Float[Tensor, "pair"]
    """Eigenvalues, the largest in size first."""
    vectors: Float[Tensor, "pair channel row col"]
    """Eigenvectors, each of length 1 and orthogonal to the others, as maps of `conv_out`. Their sign is arbitrary."""

    def terms(self, conv_out: Float[Tensor, "batch channel row col"]) -> Float[Tensor, "batch pair"]:
        """What each pair contributes to the readout of some activations."""
        return self.values * (conv_out.flatten(1) @ self.vectors.flatten(1).T) ** 2


@torch.no_grad()
def interaction_matrix(
    network: BilinearImpala, readout: Float[Tensor, "hidden"]
) -> Float[Tensor, "unit unit"]:
    """The symmetric B with x' B x equal to the readout, without its bias."""
    left, right = network.weights_left.weight, network.weights_right.weight
    half = left.T @ (_checked(network, readout)[:, None] * right) / 2
    return half + half.T


@torch.no_grad()
def readout_form(network: BilinearImpala, readout: Float[Tensor, "hidden"]) -> QuadraticForm:
    """Eigenvalues and eigenvectors of `interaction_matrix`, all that can differ from zero.

    Computed in float64. Raises ValueError: the readout has another number of units than the layer.
    """
    readout = _checked(network, readout).double()
    basis = torch.cat([network.weights_left.weight, network.weights_right.weight]).double().T
    orthogonal, triangle = torch.linalg.qr(basis)
    zero = torch.zeros(len(readout), len(readout), dtype=torch.float64, device=readout.device)
    diagonal = torch.diag(readout) / 2
    core = torch.cat([torch.cat([zero, diagonal], 1), torch.cat([diagonal, zero], 1)])
    values, rotations = torch.linalg.eigh(triangle @ core @ triangle.T)
    order = values.abs().argsort(descending=True)
    vectors = (orthogonal @ rotations[:, order]).T.float()
    size = FRAME_SIZE // 8
    return QuadraticForm(values[order].float(), vectors.reshape(-1, network.widths[2], size, size))


def _checked(network: BilinearImpala, readout: Tensor) -> Tensor:
    if readout.shape != (network.hidden,):
        raise ValueError(
            f"a readout has one number for each of the {network.hidden} hidden units, such as "
            f"network.policy_head.weight[action]; given: shape {tuple(readout.shape)}"
        )
    return readout
