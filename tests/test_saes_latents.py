"""What is measured of single latents, against brute force and planted truths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sae_cache import episode_labels, write_cache

from procscope.activations.cache import ActivationCache
from procscope.saes.effects import latent_effects
from procscope.saes.labels import read_statements
from procscope.saes.latents import LatentMeasurements, measure_latents
from procscope.saes.monosemanticity import measure_meaning
from procscope.saes.sae import Sae, TrainedSae
from procscope.saes.survey import QUANTILES, survey_latents
from procscope.workbench.checkpoints import CheckpointHeader

N, LENGTH, UNITS = 1200, 20, 6


def identity_sae() -> Sae:
    """Latent i is unit i above 0.5 (as a JumpReLU), for i below 5; latent 5 is silent."""
    sae = Sae(UNITS, UNITS, "jump-relu")
    sae.W_enc.copy_(torch.eye(UNITS))
    sae.W_dec.copy_(torch.eye(UNITS))
    sae.threshold.fill_(0.5)
    sae.b_enc[5] = -100
    return sae


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ActivationCache, np.ndarray, dict]:
    """Unit 0 is large exactly where `agent_x == 2` is true; unit 1 half of these times; others by chance."""
    rng = np.random.default_rng(0)
    labels = episode_labels(N, LENGTH)
    labels |= {"agent_x": rng.integers(0, 4, N), "agent_y": rng.integers(0, 3, N)}
    x = rng.uniform(0, 1, (N, UNITS)).astype(np.float32)
    here = labels["agent_x"] == 2
    x[:, 0] = np.where(here, 2 + x[:, 0], 0.1 * x[:, 0])
    x[:, 1] = np.where(here & (rng.random(N) < 0.5), 2 + x[:, 1], 0.1 * x[:, 1])
    cache = write_cache(
        tmp_path_factory.mktemp("latents") / "cache", {"fc": x.astype(np.float16)}, labels, block=400
    )
    return cache, np.asarray(cache.activations("fc")[:]).astype(np.float32), labels


def test_the_survey_is_what_counting_gives(made) -> None:
    cache, x, labels = made
    found = survey_latents(identity_sae(), cache, "fc", top=7, examples=3)
    z = np.where(x > 0.5, x, 0)
    z[:, 5] = 0
    assert found.firings.tolist() == (z > 0).sum(axis=0).tolist()
    assert found.firing_rate == pytest.approx((z > 0).mean(axis=0))
    assert found.maximum == pytest.approx(z.max(axis=0))
    assert found.mean_active[0] == pytest.approx(z[:, 0][z[:, 0] > 0].mean(), rel=1e-5)
    assert found.position_means[:, 0, 0] == pytest.approx(z.mean(axis=0), rel=1e-5)
    assert found.histogram.sum(axis=1).tolist() == found.firings.tolist()
    strongest = z.reshape(-1, LENGTH, UNITS).max(axis=1)
    for latent in range(5):
        best = np.sort(strongest[:, latent])[::-1][:7]
        assert found.top_values[latent] == pytest.approx(best)
        assert z[found.top_frames[latent], latent] == pytest.approx(best)
        assert len(set(labels["episode"][found.top_frames[latent]])) == 7
    assert (found.top_frames[5] == -1).all()
    means = found.cell_means()
    chosen = (labels["agent_x"] == 3) & (labels["agent_y"] == 1)
    assert means[4, 1, 3] == pytest.approx(z[chosen, 4].mean(), rel=1e-5)
    assert found.cell_frames.sum() == N


def test_quantile_frames_lie_in_their_quantiles(made) -> None:
    cache, x, _ = made
    found = survey_latents(identity_sae(), cache, "fc", examples=3)
    active = np.sort(x[:, 2][x[:, 2] > 0.5])
    cuts = np.round(np.array(QUANTILES) * len(active)).astype(int)
    for part in range(len(QUANTILES) - 1):
        frames = found.quantile_frames[2, part]
        assert len(set(frames.tolist())) == 3
        values = x[frames, 2]
        assert values.min() >= active[cuts[part]] - 1e-6
        assert values.max() <= active[cuts[part + 1] - 1] + 1e-6


def test_a_planted_meaning_is_found(made) -> None:
    cache, _, _ = made
    truth = read_statements(cache, ["agent_x == 2", "agent_y == 0"])
    found = measure_meaning(identity_sae(), cache, "fc", [truth])
    assert found.statements == ("agent_x == 2", "agent_y == 0")
    assert found.latents.label[:2].tolist() == [0, 0]
    assert found.latents.precision[0] > 0.97
    assert found.latents.recall[0] > 0.97
    assert found.latents.precision[1] > 0.97
    assert found.latents.recall[1] == pytest.approx(0.5, abs=0.08)
    assert found.latents.lift[0] > 0.95
    assert found.latents.label[5] == -1
    assert found.latents.lift[2] < 0.2  # by chance
    assert found.best_latent[0] == found.best_unit[0] == 0
    assert found.probe_f1[0] > 0.97
    assert found.probe_f1[1] < 0.7


def test_statements_must_be_statements(made) -> None:
    cache, _, _ = made
    with pytest.raises(
        ValueError, match=r"expected a statement that is true or false.*'agent_x \* 2' gives numbers"
    ):
        read_statements(cache, ["agent_x * 2"])
    with pytest.raises(ValueError, match="expected at least one statement"):
        read_statements(cache, ["agent_x > 100"])


class Head(torch.nn.Module):
    """A picture's first numbers become `fc`, which a linear head turns into logits."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.head = torch.nn.Identity(), torch.nn.Linear(UNITS, 3, bias=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.head(self.fc(frames.float().flatten(1)[:, :UNITS] / 10))


def test_effects_of_a_linear_head() -> None:
    """Taking a latent away changes the logits by what its direction does to them."""
    network, sae = Head(), identity_sae()
    frames = np.random.default_rng(0).integers(0, 40, (8, 1, 2, 3)).astype(np.uint8)
    with torch.no_grad():
        weights = network.head.weight.numpy()
    x = np.transpose(frames, (0, 3, 1, 2)).reshape(8, -1)[:, :UNITS] / 10  # as the network gets them
    examples = np.array([[0, 3], [1, -1], [2, 5], [4, 6], [7, 0], [-1, -1]])
    found = latent_effects(network, lambda rows: frames[rows], "fc", sae, examples)
    for latent in range(5):
        for place, frame in enumerate(examples[latent]):
            if frame >= 0:
                z = x[frame, latent] if x[frame, latent] > 0.5 else 0
                expected = z * (weights[:, latent] - weights[:, latent].mean())
                assert found.by_frame[latent, place] == pytest.approx(expected, abs=1e-5)
    assert np.isnan(found.by_frame[1, 1]).all()
    assert np.isnan(found.mean[5]).all()
    with pytest.raises(ValueError, match="all latents are dead"):
        latent_effects(network, lambda rows: frames[rows], "fc", sae, np.full((6, 2), -1))


def test_measurements_come_back_from_their_file(made, tmp_path: Path) -> None:
    cache, _, _ = made
    trained = TrainedSae(
        identity_sae(), "fc", "made-up", "x" * 64, CheckpointHeader("sae"), "sae.safetensors"
    )
    found = measure_latents(trained, cache, statements=("agent_x == 2", "agent_y == 0"))
    again = LatentMeasurements.load(found.save(tmp_path / "latents.safetensors"))
    assert again.best_label(0) == found.best_label(0)
    assert again.best_label(5) is None
    assert again.survey.top_frames.tolist() == found.survey.top_frames.tolist()
    assert again.nearest.cosines.tolist() == found.nearest.cosines.tolist()
    assert again.effects is None
    assert again.missing == {"effects": "the network was not given"}
    with pytest.raises(FileNotFoundError, match="there are no measurements of latents"):
        LatentMeasurements.load(tmp_path / "nothing.safetensors")
    with pytest.raises(ValueError, match="expected a cache of the network"):
        measure_latents(trained._replace(model_hash="y" * 64), cache)


def test_an_autoencoder_is_spliced_in() -> None:
    """The spliced activation is the reconstruction, and latents are handles."""
    from procscope.interventions.splice import SpliceLatent

    sae = identity_sae()
    x = torch.tensor([[1.0, 0.2, 2.0, 0.0, 3.0, 1.0]])
    assert torch.equal(SpliceLatent("fc", autoencoder=sae, keep_error=False).replaced(x), sae(x))
    steered = SpliceLatent("fc", autoencoder=sae, latents=[2, 4], scale=0, add=5.0).replaced(x)
    assert steered[0].tolist() == pytest.approx([1.0, 0.2, 5.0, 0.0, 5.0, 1.0], abs=1e-6)
