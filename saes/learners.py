"""What learns in a training: an autoencoder's weights, and one step's losses and gradients for them.

Two of them, with the same loss and the same first weights for one seed:

    FusedTopK     top-k and batch-top-k on a CPU: gradients by the active latents alone (`fused_top_k.py`)
    LensLearner   everything else, and everything on a GPU: the training class of sae-lens, through autograd

Decoder rows are kept at length 1 in both: the part of a gradient along its row is taken off before Adam's step, and the
row is brought back to length 1 after it (Bricken et al. 2023).

Axes: `sample`, `input`, `latent`.
"""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float32
from torch import Tensor, nn

from procscope.saes.config import SaeConfig
from procscope.saes.fused_top_k import (
    ActiveLatents,
    Weights,
    choose_batch_top_k,
    choose_top_k,
    pre_activations,
    step_gradients,
)
from procscope.saes.lens_format import from_training, training_sae
from procscope.saes.normalisation import Normalisation
from procscope.saes.sae import Sae

THRESHOLD_RATE = 0.01
"""Of batch-top-k's running threshold: sae-lens' `topk_threshold_lr`."""
FIRST_ENCODER = 0.5
"""Length of the first encoder's rows: of 1, 0.5 and 0.2, with either of two learning rates, the best after 100 steps
of learning made-up sparse features of 128 inputs."""
_HINT = 0.8
"""Share of batch-top-k's last threshold that the next batch's probably lies above."""


class StepLosses(NamedTuple):
    """What one batch gave, beside the gradients."""

    mse: float
    """Squared error summed over inputs, mean over samples; of normalised activations."""
    other: float
    """Auxiliary loss or penalties, weighted."""
    l0: float
    """Mean number of active latents."""
    fired: Bool[Tensor, " latent"]
    """Active in at least one sample."""


@runtime_checkable
class Learner(Protocol):
    """Weights and how to get their gradients."""

    parameters: list[nn.Parameter]
    """What the optimiser changes."""

    def step(
        self, batch: Float32[Tensor, "sample input"], dead: Bool[Tensor, " latent"], penalty_share: float
    ) -> StepLosses:
        """Losses of normalised samples; the gradients of `parameters` are set."""
        ...

    def after_step(self) -> None:
        """Bring decoder rows back to length 1."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """All that a resumed training needs."""
        ...

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave."""
        ...

    def sae(self, normalisation: Normalisation) -> Sae:
        """The autoencoder as it is now, on the CPU."""
        ...


def make_learner(config: SaeConfig, n_inputs: int, device: torch.device) -> Learner:
    """The faster one that can do it. Raises ValueError: sae-lens is needed and missing."""
    if device.type == "cpu" and config.kind in ("top-k", "batch-top-k"):
        return FusedTopK(config, n_inputs)
    return LensLearner(config, n_inputs, device)


def first_decoder(config: SaeConfig, n_inputs: int) -> Float32[Tensor, "latent input"]:
    """Random rows of length 1, from the seed; the first encoder is `FIRST_ENCODER` times its transpose."""
    rows = torch.randn(config.width, n_inputs, generator=torch.Generator().manual_seed(config.seed))
    return rows / rows.norm(dim=1, keepdim=True)


class FusedTopK:
    """Top-k and batch-top-k on a CPU."""

    def __init__(self, config: SaeConfig, n_inputs: int) -> None:
        self.config = config
        decoder = first_decoder(config, n_inputs)
        parts = (FIRST_ENCODER * decoder, torch.zeros(config.width), decoder, torch.zeros(n_inputs))
        self.weights = Weights(*(nn.Parameter(part, requires_grad=False) for part in parts))
        self.parameters = [part for part in self.weights if isinstance(part, nn.Parameter)]
        self.threshold = torch.zeros((), dtype=torch.float64)
        self._last_least = 0.0

    def step(
        self, batch: Float32[Tensor, "sample input"], dead: Bool[Tensor, " latent"], penalty_share: float
    ) -> StepLosses:
        centred, pre = pre_activations(batch, self.weights)
        latents = self._choose(pre)
        found = step_gradients(centred, pre, self.weights, latents, dead, self.config.aux_weight)
        for parameter, gradient in zip(self.weights, found.gradients, strict=True):
            parameter.grad = gradient
        _take_off_radial(self.weights.decoder, found.gradients.decoder)
        active = latents.values > 0
        fired = torch.zeros(self.config.width, dtype=torch.bool)
        fired[latents.indices[active]] = True
        return StepLosses(found.mse, found.aux_loss, float(active.sum()) / len(batch), fired)

    def _choose(self, pre: Float32[Tensor, "sample latent"]) -> ActiveLatents:
        if self.config.kind == "top-k":
            return choose_top_k(pre, self.config.k)
        latents = choose_batch_top_k(pre, self.config.k, self._last_least * _HINT)
        if len(latents.values):
            self._last_least = float(latents.values.min())
            self.threshold += THRESHOLD_RATE * (self._last_least - self.threshold)
        return latents

    def after_step(self) -> None:
        decoder = self.weights.decoder
        decoder.div_(decoder.norm(dim=1, keepdim=True).clamp_min_(1e-8))

    def tensors(self) -> dict[str, Tensor]:
        return {**self.weights._asdict(), "threshold": self.threshold}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        for name, part in self.weights._asdict().items():
            part.copy_(tensors[name])
        self.threshold.copy_(tensors["threshold"])

    def sae(self, normalisation: Normalisation) -> Sae:
        if self.config.kind == "top-k":
            made = Sae(len(self.weights.b_dec), self.config.width, "top-k", self.config.k)
        else:
            made = Sae(len(self.weights.b_dec), self.config.width, "jump-relu")
            made.threshold.fill_(float(self.threshold))
        made.W_enc.copy_(self.weights.encoder.T)
        made.b_enc.copy_(self.weights.b_enc)
        made.W_dec.copy_(self.weights.decoder)
        made.b_dec.copy_(self.weights.b_dec)
        made.mean.copy_(normalisation.mean)
        made.scale.fill_(normalisation.scale)
        return made.eval()


class LensLearner:
    """sae-lens' training class of the config, with our first weights."""

    def __init__(self, config: SaeConfig, n_inputs: int, device: torch.device) -> None:
        self.lens: Any = training_sae(config, n_inputs)
        decoder = first_decoder(config, n_inputs)
        self.lens.W_dec.data.copy_(decoder)
        self.lens.W_enc.data.copy_(FIRST_ENCODER * decoder.T)
        self.lens.to(device)
        self.parameters = list(self.lens.parameters())

    def step(
        self, batch: Float32[Tensor, "sample input"], dead: Bool[Tensor, " latent"], penalty_share: float
    ) -> StepLosses:
        from sae_lens.saes.sae import TrainStepInput

        penalties = {
            name: penalty_share * (given.value if hasattr(given, "value") else given)
            for name, given in self.lens.get_coefficients().items()
        }
        for parameter in self.parameters:
            parameter.grad = None
        output = self.lens.training_forward_pass(
            TrainStepInput(
                sae_in=batch,
                coefficients=penalties,
                dead_neuron_mask=dead,
                n_training_steps=0,
                is_logging_step=False,
            )
        )
        output.loss.backward()
        _take_off_radial(self.lens.W_dec.data, self.lens.W_dec.grad)
        active = output.feature_acts.detach() > 0
        mse = float(output.losses["mse_loss"].detach())
        return StepLosses(
            mse, float(output.loss) - mse, float(active.sum()) / len(batch), active.any(dim=0).cpu()
        )

    def after_step(self) -> None:
        decoder = self.lens.W_dec.data
        decoder.div_(decoder.norm(dim=1, keepdim=True).clamp_min_(1e-8))
        if hasattr(self.lens, "threshold"):
            self.lens.threshold.data.clamp_min_(0)

    def tensors(self) -> dict[str, Tensor]:
        return dict(self.lens.state_dict())

    def restore(self, tensors: dict[str, Tensor]) -> None:
        self.lens.load_state_dict(tensors)

    def sae(self, normalisation: Normalisation) -> Sae:
        return from_training(self.lens, normalisation)


def _take_off_radial(
    rows: Float32[Tensor, "latent input"], gradient: Float32[Tensor, "latent input"]
) -> None:
    """Take the part along each row off its gradient, in place: it would only change the row's length."""
    gradient.addcmul_((gradient * rows).sum(dim=1, keepdim=True), rows, value=-1)
