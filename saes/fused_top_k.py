"""Loss and gradients of a top-k autoencoder by its active latents alone, without autograd and dense products.

When to use: `trainer.py` does, for top-k and batch-top-k on a CPU. Of a training step's dense products (encoder and
decoder, forward and backward), only the encoder's forward pass is needed in full, to know which latents are active.
The others touch k of the latents a sample: sums of k rows of the decoder (`embedding_bag`), one product for each active
entry (`sampled_addmm`), and sums over the samples of each latent for both weights' gradients.

The numbers are those that autograd gives for sae-lens' `TopKTrainingSAE`, to rounding; the tests compare them.

    latents = choose_top_k(pre, k)
    found = step_gradients(x, weights, latents, dead=None, aux_weight=1 / 32)

The auxiliary loss (Gao et al. 2024, appendix A.2): the d/2 dead latents with the largest pre-activations above 0
reconstruct what the live ones leave over; its gradient reaches dead latents only. It is weighted with
min(1, dead / (d/2)), as in sae-lens and sparsify.

Cost: 512 inputs, 2,048 latents, k 32: encoder 63%, choosing the k largest 21%, all else 16% of the step (one core).

Axes: `sample`, `input`, `latent`, `entry` an active latent of a sample, sample by sample.
"""

import warnings
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float32, Int64
from torch import Tensor
from torch.nn import functional as F


class Weights(NamedTuple):
    """The parameters of an autoencoder, or their gradients; both matrices have a row for each latent."""

    encoder: Float32[Tensor, "latent input"]
    b_enc: Float32[Tensor, " latent"]
    decoder: Float32[Tensor, "latent input"]
    b_dec: Float32[Tensor, " input"]


class ActiveLatents(NamedTuple):
    """Which latents are active in each sample, and how strongly."""

    values: Float32[Tensor, " entry"]
    """Not below 0; an entry that is 0 is not active."""
    indices: Int64[Tensor, " entry"]
    offsets: Int64[Tensor, " bound"]
    """First entry of each sample, and the number of entries."""


class StepGradients(NamedTuple):
    """What a step gives."""

    gradients: Weights
    mse: float
    """Squared error summed over inputs, mean over samples: sae-lens' `mse_loss`."""
    aux_loss: float
    """Weighted."""


def pre_activations(
    x: Float32[Tensor, "sample input"], weights: Weights
) -> tuple[Float32[Tensor, "sample input"], Float32[Tensor, "sample latent"]]:
    """The samples less the decoder's bias, and what the latents are chosen by."""
    centred = x - weights.b_dec
    return centred, torch.addmm(weights.b_enc, centred, weights.encoder.T)


def choose_top_k(pre: Float32[Tensor, "sample latent"], k: int) -> ActiveLatents:
    """The k largest latents of each sample; those below 0 count as 0."""
    values, indices = pre.topk(k, dim=1, sorted=False)
    offsets = torch.arange(0, values.numel() + 1, k)
    return ActiveLatents(values.relu().reshape(-1), indices.reshape(-1), offsets)


def choose_batch_top_k(
    pre: Float32[Tensor, "sample latent"], k: int, hint: float | None = None
) -> ActiveLatents:
    """The k x samples largest latents of the batch above 0.

    Args:
        hint: a value that the smallest chosen one probably lies above, such as most of that of the batch before: then
            only what lies above it is sorted. It changes the time and nothing else.
    """
    most = k * len(pre)
    floor = max(0.0, hint or 0.0)
    above = pre > floor
    counts = above.sum(dim=1)
    if floor > 0 and int(counts.sum()) < most:
        above = pre > 0
        counts = above.sum(dim=1)
    values, indices = pre[above], above.nonzero()[:, 1]
    if len(values) > most:
        samples = torch.arange(len(pre)).repeat_interleave(counts)
        chosen = values.topk(most, sorted=False).indices.sort().values
        values, indices = values[chosen], indices[chosen]
        counts = torch.bincount(samples[chosen], minlength=len(pre))
    offsets = torch.zeros(len(pre) + 1, dtype=torch.int64)
    torch.cumsum(counts, 0, out=offsets[1:])
    return ActiveLatents(values, indices, offsets)


def decoder_sums(
    latents: ActiveLatents, decoder: Float32[Tensor, "latent input"]
) -> Float32[Tensor, "sample input"]:
    """For each sample the weighted sum of its latents' rows: the reconstruction without its bias."""
    return F.embedding_bag(
        latents.indices,
        decoder,
        latents.offsets,
        mode="sum",
        per_sample_weights=latents.values,
        include_last_offset=True,
    )


def step_gradients(
    centred: Float32[Tensor, "sample input"],
    pre: Float32[Tensor, "sample latent"],
    weights: Weights,
    latents: ActiveLatents,
    dead: Bool[Tensor, " latent"] | None = None,
    aux_weight: float = 0.0,
) -> StepGradients:
    """Losses and gradients of one batch.

    Args:
        centred: the samples less the decoder's bias.
        pre: their pre-activations.
        latents: those of them that are active.
        dead: latents for the auxiliary loss; None for no such loss.
    """
    # x' - x = (sum of decoder rows + b_dec) - x = sum of decoder rows - centred
    error = decoder_sums(latents, weights.decoder).sub_(centred)
    upstream = error * (2 / len(centred))
    of_values = entry_products(latents, upstream, weights.decoder)
    of_values *= latents.values > 0
    n_latents = len(weights.decoder)
    order = latents.indices.argsort(stable=True)
    samples = torch.arange(len(centred)).repeat_interleave(latents.offsets.diff())[order]
    bounds = torch.zeros(n_latents + 1, dtype=torch.int64)
    torch.cumsum(torch.bincount(latents.indices, minlength=n_latents), 0, out=bounds[1:])

    def summed(rows: Tensor, by: Tensor) -> Tensor:
        """For each latent the weighted sum of its samples' rows."""
        return F.embedding_bag(
            samples, rows, bounds, mode="sum", per_sample_weights=by[order], include_last_offset=True
        )

    b_enc = torch.zeros_like(weights.b_enc).index_add_(0, latents.indices, of_values)
    found = Weights(summed(centred, of_values), b_enc, summed(upstream, latents.values), upstream.sum(dim=0))
    aux = 0.0
    if dead is not None and aux_weight > 0 and bool(dead.any()):
        aux = _add_auxiliary(found, centred, pre, weights, error, dead, aux_weight)
    found.b_dec.sub_(found.b_enc @ weights.encoder)
    return StepGradients(found, float(error.square().sum() / len(error)), aux)


def entry_products(
    latents: ActiveLatents,
    left: Float32[Tensor, "sample input"],
    right: Float32[Tensor, "latent input"],
) -> Float32[Tensor, " entry"]:
    """For each active entry the product of its sample's row and its latent's row."""
    if torch.backends.mkl.is_available():
        shape = (len(left), len(right))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that sparse tensors are in beta
            pattern = torch.sparse_csr_tensor(
                latents.offsets,
                latents.indices,
                torch.zeros_like(latents.values),
                shape,
                check_invariants=False,
            )
        return torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0).values()
    samples = torch.arange(len(left)).repeat_interleave(latents.offsets.diff())
    return (left @ right.T)[samples, latents.indices]


def _add_auxiliary(
    gradients: Weights,
    centred: Tensor,
    pre: Tensor,
    weights: Weights,
    error: Tensor,
    dead: Tensor,
    aux_weight: float,
) -> float:
    """Add the auxiliary loss' gradients of the dead latents; gives the loss."""
    which = dead.nonzero()[:, 0]
    n_aux = centred.shape[1] // 2
    values = pre[:, which].relu()
    if len(which) > n_aux > 0:
        least = values.topk(n_aux, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
        values = values * (values >= least)
    rows = weights.decoder[which]
    missed = values @ rows + error  # the live ones leave -error over
    weight = aux_weight * min(1.0, len(which) / max(1, n_aux))
    upstream = missed * (2 * weight / len(centred))
    of_values = (upstream @ rows.T) * (values > 0)
    gradients.decoder[which] += values.T @ upstream
    gradients.encoder[which] += of_values.T @ centred
    gradients.b_enc[which] += of_values.sum(dim=0)
    return weight * float(missed.square().sum() / len(centred))
