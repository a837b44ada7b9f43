"""Training for clusterability: a penalty on small eigenvalues of the network's graph, with its gradient in closed form.

    penalty = EigenvaluePenalty([network.hidden1, network.hidden2, network.hidden3, network.logits])
    loss = cross_entropy + 0.1 * penalty()          # the mean of eigenvalues 2, 3 and 4 of L_norm
    loss.backward(); optimiser.step(); normalise_neurons(penalty.layers)

    loss.backward(); penalty.add_gradient(0.1)      # the same, faster

A low k-th eigenvalue of the normalised Laplacian means that the graph can be cut well into k parts (Lee et al. 2014).
Its gradient, for the weight w between nodes a and b, with u the unit eigenvector of L_sym and v = D^-1/2 u, is

    d lambda / d w = sign(w) [(v_a - v_b)^2 - lambda (v_a^2 + v_b^2)]

(the element-wise formulas that S0 prints, section 3.5.1, have 1/4 where 1/2 belongs). Layers that feed the next one
make a two-sided graph, so the eigenvectors are singular vectors of a matrix B of half the size
(`spectral_embedding`), and the gradients of all its entries are one product of B's shape.

- `exact` solves the eigenproblem of B'B at each call.
- `iterative` keeps a few vectors and their images under B'B from call to call, and takes the best combinations of
  them for the weights at hand (Rayleigh and Ritz); the leading vector, D^1/2, is known and taken out. Weights move
  little in a step of training, so that the eigenvalues stay within 1% of the exact ones.

Convolutions count too, through the L1 norms of their kernel slices: give those whose channels are the graph, the first
one for the number of its channels. S0 had this for MLPs alone.

Cost on one core beside a plain training step of the 49-64-64-64-10 MLP: see benchmarks/cluster_penalty.py.

Axes: `small` and `large` the nodes of even and odd layers, whichever are fewer; `eigenvalue` those penalised.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

Method = Literal["exact", "iterative"]
GUARD = 2
"""Vectors kept beyond those asked for: the more, the faster the wanted ones are followed."""
SETTLED = 0.005
"""Eigenvalues that moved by less since the step before need no further one."""
MOST_STEPS = 50
TINY = 1e-12
"""Below the square of any eigenvalue that counts."""


class _Block(NamedTuple):
    """Where one layer's weights lie in B."""

    rows: slice
    columns: slice
    turned: bool
    """Transposed there."""
    channels: int
    """Nodes that the layer reads."""


class EigenvaluePenalty:
    """Mean of chosen eigenvalues of a chain of layers' normalised Laplacian; call it to get it with its gradient.

    Args:
        layers: `nn.Linear` and convolutions, each reading the one before (a linear layer may read a flattened map).
            Of an MLP give all; of a CNN the hidden convolutions.
        eigenvalues: counted from 1, rising; the first is always 0. S0 takes 2, 3 and 4 with weight 0.1 on their mean.
        method: `exact` or `iterative`.
        include_input: whether the first layer's inputs are nodes; by default for linear layers, not for convolutions.

    Raises ValueError: layers that do not connect, fewer than two layers of nodes, eigenvalues out of range.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module],
        eigenvalues: Sequence[int] = (2, 3, 4),
        method: Method = "iterative",
        include_input: bool | None = None,
    ) -> None:
        if method not in get_args(Method):
            raise ValueError(f"expected a method among {', '.join(get_args(Method))}, given {method!r}")
        check_chain(layers)
        self.layers, self.method = tuple(layers), method
        if include_input is None:
            include_input = isinstance(layers[0], nn.Linear)
        self._read = self.layers if include_input else self.layers[1:]
        if not self._read:
            raise ValueError(
                "expected at least two layers of nodes, given one. Give the layer that reads it, too"
            )
        first: Any = self._read[0]
        sizes = [channels_in(first), *(units_out(layer) for layer in self._read)]
        self._place(sizes)
        if not eigenvalues or min(eigenvalues) < 2 or max(eigenvalues) > self._n_small:
            raise ValueError(
                f"expected eigenvalues between 2 and {self._n_small}, given {tuple(eigenvalues)}: "
                "the first is 0 for every network, and there are as many as the smaller side has nodes"
            )
        self.eigenvalues = tuple(eigenvalues)
        self._subspace: Tensor | None = None
        self._places: Tensor | None = None
        self._across: Tensor | None = None
        self._roots = torch.zeros(0)

    def __call__(self) -> Float[Tensor, ""]:
        """The mean eigenvalue; its gradient reaches the layers' weights."""
        return _Penalty.apply(self, *(layer.weight for layer in self._read))  # type: ignore[return-value]

    @torch.no_grad()
    def add_gradient(self, weight: float) -> Float[Tensor, ""]:
        """Add `weight` times the gradient to the weights' own, after `backward`; returns the mean eigenvalue.

        The same as adding `weight * penalty()` to the loss, without autograd's share of the work.
        """
        weights = [layer.weight for layer in self._read]
        value, gradients = self._solve(weights)  # pyright: ignore[reportArgumentType]
        for parameter in weights:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)  # pyright: ignore
        # One call for all layers: for small networks calls are what costs.
        torch._foreach_add_([parameter.grad for parameter in weights], gradients, alpha=weight)  # pyright: ignore
        return value

    def spectrum(self) -> Float[Tensor, " eigenvalue"]:
        """The chosen eigenvalues as the last call found them."""
        return 1 - self._values

    def _place(self, sizes: list[int]) -> None:
        """Where each layer lies in B, whose rows are one side's nodes and columns the other's."""
        even, odd = sum(sizes[0::2]), sum(sizes[1::2])
        self._n_large, self._n_small = max(even, odd), min(even, odd)
        starts, at = [], [0, 0]
        for number, size in enumerate(sizes):
            starts.append(at[number % 2])
            at[number % 2] += size
        self._blocks: list[_Block] = []
        for number, (source, target) in enumerate(pairwise(sizes)):
            reads = slice(starts[number], starts[number] + source)
            writes = slice(starts[number + 1], starts[number + 1] + target)
            # torch keeps a weight as [target, source]; it lies turned where the source's side are B's rows.
            turned = (number % 2 == 0) != (even <= odd)
            rows, columns = (reads, writes) if turned else (writes, reads)
            self._blocks.append(_Block(rows, columns, turned, source))

    @torch.no_grad()
    def _solve(self, weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """The mean eigenvalue and its gradient with respect to each weight."""
        across, places = self._matrix(weights[0])
        as_edges = [
            weight.abs().reshape(weight.shape[0], block.channels, -1).sum(dim=2)
            if weight.dim() > 2 or weight.shape[1] != block.channels  # a kernel, or a map that was flattened
            else weight
            for weight, block in zip(weights, self._blocks, strict=True)
        ]
        torch._foreach_copy_(places, as_edges)  # pyright: ignore[reportPrivateImportUsage]
        signs = across.sign()
        across.abs_()
        degrees = across.sum(dim=0)
        large, small = _inverse_root(across.sum(dim=1)), _inverse_root(degrees)
        scaled = across.mul_(large[:, None]).mul_(small)
        values, vectors = self._leading(scaled, degrees)
        self._values = values
        # u has a part on either side, each of length 1 / sqrt(2); the factor 1 / count makes the mean's gradient.
        share = (0.5 / len(values)) ** 0.5
        v_large = (scaled @ (vectors * (share / values))).mul_(large[:, None])
        v_small = (vectors * share).mul_(small[:, None])
        edge = (v_large.square() @ values)[:, None] + v_small.square() @ values
        edge.addmm_(v_large, v_small.T, alpha=-2)
        edge.mul_(signs)
        gradients = []
        for weight, (rows, columns, turned, _) in zip(weights, self._blocks, strict=True):
            part = edge[rows, columns].T if turned else edge[rows, columns]
            if weight.shape != part.shape:
                spread = part[:, :, None].expand(*part.shape, weight.numel() // part.numel())
                part = weight.sign().mul_(spread.reshape(weight.shape))
            gradients.append(part)
        return 1 - values.mean(), gradients

    def _matrix(self, like: Tensor) -> tuple[Tensor, list[Tensor]]:
        """B's memory, 0 outside of the layers' places, and those places laid out as torch keeps weights."""
        if self._across is None or self._across.device != like.device or self._across.dtype != like.dtype:
            self._across = like.new_zeros(self._n_large, self._n_small)
            self._places_of_layers = [
                self._across[rows, columns].T if turned else self._across[rows, columns]
                for rows, columns, turned, _ in self._blocks
            ]
        return self._across, self._places_of_layers

    def _leading(self, scaled: Tensor, degrees: Tensor) -> tuple[Tensor, Tensor]:
        """The chosen singular values of B, and its singular vectors on the smaller side."""
        if self.method == "exact":
            squares, vectors = torch.linalg.eigh(scaled.T @ scaled)
            return self._chosen(squares, vectors)
        known = degrees.sqrt()[:, None]
        # So many fit beside the known vector, in the vectors followed and in their images.
        wanted = max(self.eigenvalues) - 1
        count = max(wanted, min(wanted + GUARD, (len(degrees) - 1) // 2))
        if self._subspace is None or self._subspace.device != scaled.device:
            generator = torch.Generator().manual_seed(0)
            start = torch.randn(len(degrees), count, generator=generator, dtype=scaled.dtype)
            self._subspace, self._roots = start.to(scaled.device), scaled.new_zeros(wanted)
        for _ in range(MOST_STEPS):
            # Rayleigh and Ritz on the vectors followed and on what B'B made of them last time. The known vector comes
            # first in the basis, so that all others are free of it.
            basis = torch.linalg.qr(torch.cat([known, self._subspace], dim=1))[0][:, 1:]
            image = scaled @ basis
            squares, turn = torch.linalg.eigh(image.T @ image)
            squares, turn = squares[-count:], turn[:, -count:]
            vectors, following = basis @ turn, scaled.T @ (image @ turn)
            both = 2 * count < len(degrees)
            self._subspace = torch.cat([vectors, following], dim=1) if both else following
            roots = squares[-wanted:].clamp_min(TINY).sqrt_()
            moved, self._roots = (roots - self._roots).abs_().max(), roots
            if moved < SETTLED:
                break
        # As if the known vector stood behind them, where the exact method has it.
        return self._chosen(squares, vectors, ahead=1)  # pyright: ignore[reportPossiblyUnboundVariable]

    def _chosen(self, squares: Tensor, vectors: Tensor, ahead: int = 0) -> tuple[Tensor, Tensor]:
        """The singular values wanted and their vectors, out of rising squares less the `ahead` largest."""
        size = len(squares) + ahead
        if self._places is None or self._places.device != squares.device:
            self._places = torch.tensor([size - number for number in self.eigenvalues], device=squares.device)
        chosen = squares.index_select(0, self._places).clamp_min_(TINY).sqrt_()
        return chosen, vectors.index_select(1, self._places)


class _Penalty(torch.autograd.Function):
    """The closed form as one operation of autograd."""

    @staticmethod
    def forward(ctx: Any, penalty: EigenvaluePenalty, *weights: Tensor) -> Tensor:
        value, gradients = penalty._solve(weights)
        ctx.save_for_backward(*gradients)
        return value

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, ...]:
        # Laid out as the weight is, or the optimiser takes its slow path.
        return None, *((gradient * above[0]).contiguous() for gradient in ctx.saved_tensors)


def check_chain(layers: Sequence[nn.Module]) -> None:
    """Raises ValueError: no layers, another kind of layer, or one that does not read the one before it."""
    if not layers:
        raise ValueError("expected at least one layer, given none")
    for layer in layers:
        if not isinstance(layer, nn.Linear | _ConvNd) or getattr(layer, "groups", 1) != 1:
            raise ValueError(
                f"expected nn.Linear layers and convolutions without groups, given {type(layer).__name__}"
            )
    for number, (one, following) in enumerate(pairwise(layers), start=1):
        reads, writes = channels_in(following), units_out(one)
        flattened = isinstance(one, _ConvNd) and isinstance(following, nn.Linear)
        if reads != writes and not (flattened and reads % writes == 0):
            raise ValueError(
                f"expected layer {number} to read the {writes} units that layer {number - 1} writes, "
                f"given one that reads {reads}"
            )


def channels_in(layer: Any) -> int:
    """Units or channels that a layer reads."""
    return layer.in_features if isinstance(layer, nn.Linear) else layer.in_channels


def units_out(layer: Any) -> int:
    """Units or channels that a layer writes."""
    return layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels


def _inverse_root(degrees: Tensor) -> Tensor:
    return degrees.rsqrt().nan_to_num_(posinf=0.0)  # a node without edges has no part
