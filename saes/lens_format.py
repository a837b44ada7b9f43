"""To sae-lens and back: its classes to train with, its files to share.

When to use: `train` builds sae-lens' training classes here, and writes `sae_lens/` beside our own file, which
`sae_lens.SAE.load_from_disk` reads. `procscope sae export` and `sae import` are this on the command line.

    save_sae_lens(trained.sae, "out")              # out/cfg.json, out/sae_weights.safetensors
    sae = from_sae_lens(sae_lens.SAE.load_from_disk("out"))

sae-lens' file has no mean and scale, so they are folded into the weights: y = (x - mean) / scale becomes

    W_enc / scale,  b_enc,  scale W_dec,  mean + scale b_dec,  the same threshold

and latents and reconstructions are the same to rounding. Batch-top-k is a JumpReLU after training, there as here.
`import sae_lens` takes some 10 s, so it is done at the point of use; to play, measure and look, nobody needs it.

Axes: `input`, `latent`.
"""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from procscope.saes.config import SaeConfig
from procscope.saes.normalisation import Normalisation
from procscope.saes.sae import Sae

if TYPE_CHECKING:
    from sae_lens import SAE, TrainingSAE

_OURS = {"topk": "top-k", "jumprelu": "jump-relu", "standard": "relu"}
_THEIRS = {ours: theirs for theirs, ours in _OURS.items()}
BANDWIDTH = 0.05
FIRST_THRESHOLD = 0.01
"""Of JumpReLU: sae-lens' defaults, on activations of unit size."""


def training_sae(config: SaeConfig, n_inputs: int) -> "TrainingSAE[Any]":
    """sae-lens' training class of a config, with new weights drawn from `config.seed`.

    Decoder rows have length 1. Raises ValueError: sae-lens is missing.
    """
    lens = _sae_lens()
    # Decoder rows are kept at length 1, so nothing is to be rescaled by their norm.
    common = {"d_in": n_inputs, "d_sae": config.width, "decoder_init_norm": 1.0}
    top_k = {"k": config.k, "rescale_acts_by_decoder_norm": False, "aux_loss_coefficient": config.aux_weight}
    made = {
        "top-k": lambda: (lens.TopKTrainingSAE, lens.TopKTrainingSAEConfig(**common, **top_k)),
        "batch-top-k": lambda: (
            lens.BatchTopKTrainingSAE,
            lens.BatchTopKTrainingSAEConfig(**common, **top_k),
        ),
        "l1": lambda: (
            lens.StandardTrainingSAE,
            lens.StandardTrainingSAEConfig(**common, l1_coefficient=config.l1_weight),
        ),
        "jump-relu": lambda: (
            lens.JumpReLUTrainingSAE,
            lens.JumpReLUTrainingSAEConfig(
                **common,
                jumprelu_init_threshold=FIRST_THRESHOLD,
                jumprelu_bandwidth=BANDWIDTH,
                jumprelu_sparsity_loss_mode="quadratic",
                l0_coefficient=config.l0_weight,
                target_l0=float(config.k),
            ),
        ),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        kind, lens_config = made[config.kind]()
        return kind(lens_config)


def from_training(sae: "TrainingSAE[Any]", normalisation: Normalisation) -> Sae:
    """What was trained on normalised samples, as an autoencoder that takes raw ones.

    A training class of batch-top-k becomes a JumpReLU at the threshold that it kept.
    """
    architecture = sae.cfg.architecture()
    activation = "jump-relu" if architecture == "batchtopk" else _activation(architecture)
    state = {name: tensor.detach().float().cpu() for name, tensor in sae.state_dict().items()}
    if architecture == "batchtopk":
        state["threshold"] = torch.full_like(state["b_enc"], float(state.pop("topk_threshold")))
    return _with_weights(sae.cfg, activation, state, normalisation)


def to_sae_lens(sae: Sae) -> "SAE[Any]":
    """The same in sae-lens' class for use, with mean and scale folded into its weights."""
    lens = _sae_lens()
    kind, config = {
        "top-k": lambda: (lens.TopKSAE, lens.TopKSAEConfig),
        "jump-relu": lambda: (lens.JumpReLUSAE, lens.JumpReLUSAEConfig),
        "relu": lambda: (lens.StandardSAE, lens.StandardSAEConfig),
    }[sae.activation]()
    extra = {"k": sae.k} if sae.activation == "top-k" else {}
    folded = {
        "W_enc": sae.W_enc / sae.scale,
        "b_enc": sae.b_enc,
        "W_dec": sae.W_dec * sae.scale,
        "b_dec": sae.mean + sae.scale * sae.b_dec,
    }
    if sae.activation == "jump-relu":
        folded["threshold"] = sae.threshold
    made = kind(config(d_in=sae.n_inputs, d_sae=sae.n_latents, **extra))
    made.load_state_dict({name: tensor.detach().clone() for name, tensor in folded.items()})
    return made


def save_sae_lens(sae: Sae, directory: str | PathLike[str], facts: dict[str, Any] | None = None) -> None:
    """Write `cfg.json` and `sae_weights.safetensors`, as `sae_lens.SAE.load_from_disk` reads them.

    Args:
        facts: go into the config's metadata, such as model_name and hook_name.
    """
    made = to_sae_lens(sae)
    for name, value in (facts or {}).items():
        setattr(made.cfg.metadata, name, value)
    made.save_model(Path(directory))


def load_sae_lens(directory: str | PathLike[str]) -> Sae:
    """What sae-lens wrote, as ours. Raises ValueError: as `from_sae_lens`. Raises FileNotFoundError: nothing there."""
    return from_sae_lens(_sae_lens().SAE.load_from_disk(directory))


def from_sae_lens(sae: "SAE[Any]") -> Sae:
    """One of sae-lens' top-k, JumpReLU or standard autoencoders as ours; it is left as it is.

    Raises ValueError: another architecture, or activations that are normalised or reshaped while it runs.
    """
    config: Any = sae.cfg
    activation = _activation(config.architecture())
    if config.normalize_activations != "none" or config.reshape_activations != "none":
        raise ValueError(
            "expected an autoencoder of activations as they are; this one has normalize_activations = "
            f"{config.normalize_activations!r} and reshape_activations = {config.reshape_activations!r}. Fold the "
            "normalisation into its weights first (sae.fold_activation_norm_scaling_factor)"
        )
    state = {name: tensor.detach().float().cpu().clone() for name, tensor in sae.state_dict().items()}
    norms = state["W_dec"].norm(dim=1)
    if activation == "top-k" and config.rescale_acts_by_decoder_norm:
        state["W_enc"] *= norms
        state["b_enc"] *= norms
        state["W_dec"] /= norms[:, None]
    if not config.apply_b_dec_to_input:
        state["b_enc"] += state["b_dec"] @ state["W_enc"]
    n_inputs = len(state["b_dec"])
    return _with_weights(config, activation, state, Normalisation(torch.zeros(n_inputs), 1.0))


def _with_weights(
    config: Any, activation: str, state: dict[str, Tensor], normalisation: Normalisation
) -> Sae:
    made = Sae(config.d_in, config.d_sae, activation, config.k if activation == "top-k" else 0)
    wanted = {name: state[name].contiguous() for name, _ in made.named_parameters()}
    made.load_state_dict(
        {**wanted, "mean": normalisation.mean.cpu(), "scale": torch.tensor(float(normalisation.scale))}
    )
    return made.eval()


def _activation(architecture: str) -> str:
    if architecture not in _OURS:
        raise ValueError(
            f"expected one of sae-lens' architectures {', '.join(_OURS)}; given {architecture!r}, which has no "
            "counterpart here"
        )
    return _OURS[architecture]


def _sae_lens() -> Any:
    try:
        import sae_lens
    except ModuleNotFoundError as error:
        raise ValueError(
            "sparse autoencoders are trained and exchanged through sae-lens, which is not installed: "
            "pip install 'procscope[saes]'"
        ) from error
    return sae_lens
