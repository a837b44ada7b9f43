"""To sae-lens and back: the same latents and reconstructions, its trainer on our cache, its training classes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sae_cache import episode_labels, sparse_features, write_cache

from procscope.saes.config import SaeConfig
from procscope.saes.lens_format import (
    from_sae_lens,
    from_training,
    load_sae_lens,
    save_sae_lens,
    training_sae,
)
from procscope.saes.normalisation import Normalisation
from procscope.saes.sae import Sae
from procscope.saes.samples import CacheSamples

pytestmark = pytest.mark.slow  # importing sae-lens takes some 10 s

INPUTS, LATENTS = 10, 24


def random_sae(activation: str) -> Sae:
    """With no parameter at 0, a mean and a scale."""
    generator = torch.Generator().manual_seed(0)
    sae = Sae(INPUTS, LATENTS, activation, 4 if activation == "top-k" else 0)
    for name, part in sae.state_dict().items():
        part.copy_(torch.randn(part.shape, generator=generator) * 0.5)
        if name in ("threshold", "scale"):
            part.copy_(part.abs() + 0.3)
    return sae


@pytest.fixture
def samples() -> torch.Tensor:
    return 3 + 2 * torch.randn(500, INPUTS, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ["top-k", "jump-relu", "relu"])
def test_a_round_trip_keeps_latents_and_reconstructions(
    samples: torch.Tensor, tmp_path: Path, activation: str
) -> None:
    import sae_lens

    sae = random_sae(activation)
    save_sae_lens(sae, tmp_path, {"hook_name": "fc"})
    theirs = sae_lens.SAE.load_from_disk(tmp_path)
    assert theirs.cfg.metadata.hook_name == "fc"
    z = sae.encode(samples)
    assert 0 < (z > 0).float().mean() < 1
    torch.testing.assert_close(theirs.encode(samples), z, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(theirs(samples), sae(samples), rtol=1e-4, atol=1e-4)
    back = load_sae_lens(tmp_path)
    torch.testing.assert_close(back(samples), sae(samples), rtol=1e-4, atol=1e-4)
    assert (back.activation, back.k) == (sae.activation, sae.k)


@pytest.mark.parametrize("kind", ["top-k", "batch-top-k", "jump-relu", "l1"])
def test_training_classes_save_what_we_save(samples: torch.Tensor, tmp_path: Path, kind: str) -> None:
    """sae-lens' own folding and `save_inference_model` of a training class, against ours made from it."""
    import sae_lens

    config = SaeConfig(kind=kind, width=LATENTS, k=4)  # type: ignore[arg-type]
    training = training_sae(config, INPUTS)
    with torch.no_grad():
        for part in training.parameters():
            part.add_(0.2 * torch.randn(part.shape, generator=torch.Generator().manual_seed(2)))
        if kind == "batch-top-k":
            training.topk_threshold.fill_(0.4)
        if kind == "jump-relu":
            training.threshold.abs_()
    normalisation = Normalisation(torch.linspace(2, 4, INPUTS), 1.7)
    ours = from_training(training, normalisation)
    training.fold_activation_whitening(
        normalisation.mean, torch.eye(INPUTS) / normalisation.scale, torch.eye(INPUTS) * normalisation.scale
    )
    training.save_inference_model(tmp_path)
    theirs = sae_lens.SAE.load_from_disk(tmp_path)
    assert type(theirs).__name__ == {"top-k": "TopKSAE", "l1": "StandardSAE"}.get(kind, "JumpReLUSAE")
    torch.testing.assert_close(theirs.encode(samples), ours.encode(samples), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(theirs(samples), ours(samples), rtol=1e-4, atol=1e-4)


def test_theirs_with_other_conventions(samples: torch.Tensor) -> None:
    """Latents rescaled by decoder norms, and a decoder's bias that is not taken off the input."""
    import sae_lens

    theirs = sae_lens.TopKSAE(
        sae_lens.TopKSAEConfig(
            d_in=INPUTS, d_sae=LATENTS, k=5, rescale_acts_by_decoder_norm=True, apply_b_dec_to_input=False
        )
    )
    with torch.no_grad():
        theirs.b_dec.copy_(torch.linspace(-1, 1, INPUTS))
        theirs.W_dec.mul_(torch.linspace(0.5, 2, LATENTS)[:, None])
    ours = from_sae_lens(theirs)
    torch.testing.assert_close(ours.encode(samples), theirs.encode(samples), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours(samples), theirs(samples), rtol=1e-4, atol=1e-4)


def test_what_has_no_counterpart_is_refused() -> None:
    import sae_lens

    gated = sae_lens.GatedSAE(sae_lens.GatedSAEConfig(d_in=INPUTS, d_sae=LATENTS))
    with pytest.raises(ValueError, match="expected one of sae-lens' architectures topk, jumprelu, standard"):
        from_sae_lens(gated)
    scaled = sae_lens.StandardSAE(
        sae_lens.StandardSAEConfig(d_in=INPUTS, d_sae=LATENTS, normalize_activations="layer_norm")
    )
    with pytest.raises(ValueError, match="normalize_activations = 'layer_norm'"):
        from_sae_lens(scaled)


def test_its_trainer_takes_our_cache(tmp_path: Path) -> None:
    import sae_lens
    from sae_lens.config import SAETrainerConfig

    x, _, _ = sparse_features(2000, INPUTS, 16, 2)
    cache = write_cache(tmp_path / "cache", {"fc": x}, episode_labels(2000))
    sae = sae_lens.TopKTrainingSAE(sae_lens.TopKTrainingSAEConfig(d_in=INPUTS, d_sae=LATENTS, k=2))
    config = SAETrainerConfig(
        total_training_samples=64 * 300, train_batch_size_samples=64, lr=3e-3, lr_end=3e-4
    )
    trainer = sae_lens.SAETrainer(config, sae, CacheSamples(cache, "fc", batch_size=64))
    trained = trainer.fit()
    given = torch.from_numpy(x).float()
    error = (trained(given) - given).square().sum() / (given - given.mean(dim=0)).square().sum()
    assert float(error) < 0.5
    assert np.isfinite(float(error))
