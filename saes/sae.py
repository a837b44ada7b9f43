"""A sparse autoencoder that takes a network's activations as they are and gives them back as they were.

When to use: wherever latents are read or changed. It has what `SpliceLatent` and probes ask for, `encode` and `decode`:

    trained = load_sae("sae/fc/sae.safetensors")
    latents = trained.sae.encode(activations)            # [sample, latent]
    SpliceLatent(trained.hook_point, autoencoder=trained.sae, latents=[7], scale=0)

The normalisation that it was trained with is part of it and of its file, so raw activations go in and come out:

    y = (x - mean) / scale
    z = activation((y - b_dec) W_enc + b_enc)            # latents, in units of `scale`
    x' = mean + scale * (z W_dec + b_dec)

Three activations: `top-k` keeps the k largest of each sample and cuts below 0; `jump-relu` keeps what lies above each
latent's threshold (also what batch-top-k becomes after training); `relu`. Rows of W_dec are of length 1.

A map's positions are samples: `samples_of` and `maps_of` go from [frame, channel, row, col] to rows and back.

Source: Bricken et al. 2023 (the autoencoder); Gao et al. 2024 (top-k); Bussmann et al. 2024 (batch-top-k);
Rajamanoharan et al. 2024 (JumpReLU). Parameters are named as in sae-lens (`lens_format.py` converts).
Cost: one product of [sample, input] and [input, latent], and the choice of the k largest.

Axes: `sample` a frame or a position of a frame's map; `input` a unit or channel; `latent`.
"""

from os import PathLike
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network

ARCHITECTURE = "sae"
"""Its name under the entry-point group `procscope.architectures`."""

Activation = Literal["top-k", "jump-relu", "relu"]


class Sae(nn.Module):
    """A trained autoencoder; every parameter is frozen.

    Args:
        n_inputs: units of a vector, or channels of a map.
        n_latents: its width.
        activation: `top-k`, `jump-relu` or `relu`.
        k: latents that stay, for `top-k`; 0 otherwise.

    Raises ValueError: no inputs or latents, an unknown activation, a k that does not fit it.
    """

    def __init__(self, n_inputs: int, n_latents: int, activation: str = "top-k", k: int = 0) -> None:
        super().__init__()
        if min(n_inputs, n_latents) < 1:
            raise ValueError(f"expected at least 1 input and 1 latent; given {n_inputs} and {n_latents}")
        if activation not in get_args(Activation):
            raise ValueError(
                f"expected the activation {', '.join(get_args(Activation))}; given {activation!r}"
            )
        if (activation == "top-k") != (k > 0) or k > n_latents:
            raise ValueError(
                f"expected k from 1 to the {n_latents} latents for top-k, and 0 for other activations; given "
                f"k = {k} for {activation}"
            )
        self.n_inputs, self.n_latents, self.activation, self.k = n_inputs, n_latents, activation, k
        self.W_enc = _frozen(torch.zeros(n_inputs, n_latents))
        self.b_enc = _frozen(torch.zeros(n_latents))
        self.W_dec = _frozen(torch.zeros(n_latents, n_inputs))
        self.b_dec = _frozen(torch.zeros(n_inputs))
        self.register_buffer("mean", torch.zeros(n_inputs))
        self.register_buffer("scale", torch.ones(()))
        self.mean: Tensor
        self.scale: Tensor
        if activation == "jump-relu":
            self.threshold = _frozen(torch.zeros(n_latents))

    @property
    def options(self) -> dict[str, Any]:
        """Its arguments, for the header of its file."""
        return {
            "n_inputs": self.n_inputs,
            "n_latents": self.n_latents,
            "activation": self.activation,
            "k": self.k,
        }

    def pre_activations(self, activations: Float[Tensor, "sample input"]) -> Float[Tensor, "sample latent"]:
        """What the latents' activation function is applied to."""
        if activations.shape[-1] != self.n_inputs:
            raise ValueError(
                f"expected activations of {self.n_inputs} units or channels, those that the autoencoder was trained "
                f"on; given {activations.shape[-1]}"
            )
        normalised = (activations.float() - self.mean) / self.scale
        return torch.addmm(self.b_enc, normalised - self.b_dec, self.W_enc)

    def encode(self, activation: Float[Tensor, "sample input"]) -> Float[Tensor, "sample latent"]:
        """The latents of raw activations, none below 0. Raises ValueError: another number of inputs."""
        before = self.pre_activations(activation)
        if self.activation == "top-k":
            values, indices = before.topk(self.k, dim=-1, sorted=False)
            return torch.zeros_like(before).scatter_(-1, indices, values.relu())
        if self.activation == "jump-relu":
            return before.relu() * (before > self.threshold)
        return before.relu()

    def decode(self, latents: Float[Tensor, "sample latent"]) -> Float[Tensor, "sample input"]:
        """Activations, as the network has them."""
        return self.mean + self.scale * torch.addmm(self.b_dec, latents, self.W_dec)

    def forward(self, activation: Float[Tensor, "sample input"]) -> Float[Tensor, "sample input"]:
        """The reconstruction."""
        return self.decode(self.encode(activation))

    def directions(self) -> Float[Tensor, "latent input"]:
        """What one unit of each latent adds to the activations, as the network has them."""
        return self.scale * self.W_dec


class TrainedSae(NamedTuple):
    """An autoencoder with what is known about it."""

    sae: Sae
    hook_point: str
    """The place in the network whose activations it takes."""
    model: str
    """Name of the network, as it was given in training."""
    model_hash: str
    """`weights_hash` of that network: of the caches that fit."""
    header: CheckpointHeader
    """How it was trained: `header.training`."""
    name: str
    """As it was asked for: a registered name or a path."""


def load_sae(name_or_path: str | PathLike[str], device: str = "cpu") -> TrainedSae:
    """An autoencoder by its name in the zoo or the path of its file.

    Raises FileNotFoundError: no such file. Raises ValueError: unknown, damaged, or another kind of network.
    """
    loaded = load_network(name_or_path, device)
    if not isinstance(loaded.network, Sae):
        raise ValueError(
            f"expected a sparse autoencoder; {loaded.name} is a network of the architecture "
            f"{loaded.header.architecture!r}. Train one on its activations: procscope sae train --cache ..."
        )
    facts = loaded.header.training
    return TrainedSae(
        loaded.network,
        facts.get("hook_point", ""),
        facts.get("model", ""),
        facts.get("model_hash", ""),
        loaded.header,
        loaded.name,
    )


def samples_of(activations: Float[Tensor, "frame input *position"]) -> Float[Tensor, "sample input"]:
    """Rows of a hook point: its frames, or the positions of its maps, frame by frame and row by row."""
    return activations.movedim(1, -1).reshape(-1, activations.shape[1])


def maps_of(
    samples: Float[Tensor, "sample value"], positions: tuple[int, ...]
) -> Float[Tensor, "frame value *position"]:
    """The reverse of `samples_of`; `positions` are rows and columns, () for vectors."""
    return samples.reshape(-1, *positions, samples.shape[1]).movedim(-1, 1)


def _frozen(tensor: Tensor) -> nn.Parameter:
    return nn.Parameter(tensor, requires_grad=False)
