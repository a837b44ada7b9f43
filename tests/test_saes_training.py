"""Training on caches with known features: what is recovered, how samples are drawn, resuming, and bad input."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sae_cache import episode_labels, sparse_features, write_cache

from procscope.activations.cache import ActivationCache
from procscope.saes.config import SaeConfig
from procscope.saes.metrics import mean_max_cosine
from procscope.saes.normalisation import measure_normalisation
from procscope.saes.reconstruction import measure_reconstruction
from procscope.saes.sae import Sae, load_sae, maps_of, samples_of
from procscope.saes.samples import CacheSamples
from procscope.saes.survey import survey_latents
from procscope.saes.trainer import Trainer
from procscope.saes.training import refuse_all_dead, train_sae
from procscope.workbench.checkpoints import save_checkpoint, weights_hash

INPUTS, FEATURES, ACTIVE = 32, 48, 3
CONFIG = SaeConfig(width=96, k=ACTIVE, samples=60_000, batch_size=256, dead_after=5_000, learning_rate=3e-3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[ActivationCache, np.ndarray]:
    """3,050 samples at `fc`, a map of them at `map` [2 x 3 positions], and the true directions."""
    n = 3050
    x, directions, _ = sparse_features(n, INPUTS, FEATURES, ACTIVE)
    of_map, _, _ = sparse_features(n * 6, 4, 6, 1, seed=1)
    arrays = {"fc": x, "map": of_map.reshape(n, 2, 3, 4).transpose(0, 3, 1, 2)}
    cache = write_cache(tmp_path_factory.mktemp("saes") / "cache", arrays, episode_labels(n))
    return cache, directions


@pytest.fixture(scope="module")
def trained(made, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_sae(CONFIG, made[0], "fc", tmp_path_factory.mktemp("sae"), model="made-up", progress=False)


# --- what is recovered -------------------------------------------------------------------------------------


def test_true_features_are_recovered(made, trained: Path) -> None:
    sae = load_sae(trained).sae
    assert mean_max_cosine(made[1], sae.W_dec.numpy()) >= 0.9
    found = measure_reconstruction(sae, made[0], "fc")
    assert found.fvu < 0.35
    assert found.l0 <= ACTIVE
    survey = survey_latents(sae, made[0], "fc")
    assert survey.firings.sum() == pytest.approx(found.l0 * 3050)
    assert survey.cell_sums.shape == (96, 0, 0)  # no label says where the agent is


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("batch-top-k", {}),
        ("jump-relu", {}),
        ("l1", {"l1_weight": 3.0}),
    ],
)
def test_every_kind_recovers_them(made, tmp_path: Path, kind: str, changes: dict) -> None:
    config = replace(CONFIG, kind=kind, samples=300_000, **changes)
    sae = load_sae(train_sae(config, made[0], "fc", tmp_path, progress=False)).sae
    assert mean_max_cosine(made[1], sae.W_dec.numpy()) >= 0.9
    found = measure_reconstruction(sae, made[0], "fc")
    assert found.fvu < 0.35
    if kind != "l1":
        assert found.l0 == pytest.approx(ACTIVE, rel=0.25)


def test_the_file_takes_raw_activations(made, trained: Path) -> None:
    """What a peer gets wrong: trained on normalised activations, spliced in on raw ones."""
    sae = load_sae(trained).sae
    x = torch.from_numpy(np.asarray(made[0].activations("fc")[:200])).float()
    normalisation = measure_normalisation(made[0], "fc")
    assert sae.mean.numpy() == pytest.approx(normalisation.mean.numpy())
    assert float(sae.scale) == pytest.approx(normalisation.scale)
    y = (x - normalisation.mean) / normalisation.scale
    z = ((y - sae.b_dec) @ sae.W_enc + sae.b_enc).topk(ACTIVE).values.relu().sum(dim=1)
    torch.testing.assert_close(sae.encode(x).sum(dim=1), z, rtol=1e-4, atol=1e-4)
    assert float((sae(x) - x).square().mean()) < 0.4 * float((x - x.mean(dim=0)).square().mean())


def test_the_header_says_what_it_is_of(trained: Path) -> None:
    found = load_sae(trained)
    assert (found.hook_point, found.model, found.model_hash) == ("fc", "made-up", "x" * 64)
    assert found.header.training["config"]["k"] == ACTIVE
    assert found.header.training["samples"] == 256 * CONFIG.steps


def test_normalisation_by_hand(tmp_path: Path) -> None:
    x = np.array([[1, 5], [3, 5], [1, 9], [3, 9]], np.float16)
    cache = write_cache(tmp_path / "cache", {"fc": x}, episode_labels(4, 1), block=2)
    found = measure_normalisation(cache, "fc")
    assert found.mean.tolist() == [2, 7]
    assert found.scale == pytest.approx(np.sqrt((1 + 4) / 2))


# --- samples -----------------------------------------------------------------------------------------------


def rows_of(batches: list[torch.Tensor]) -> list[tuple[float, ...]]:
    return sorted(tuple(row) for batch in batches for row in batch.tolist())


@pytest.mark.parametrize("pool_bytes", [1, 200_000, 10**9])
def test_a_pass_is_every_sample_once(made, pool_bytes: int) -> None:
    samples = CacheSamples(made[0], "fc", batch_size=610, seed=3, pool_bytes=pool_bytes)
    first = [next(samples) for _ in range(5)]  # 3,050 samples
    assert rows_of(first) == sorted(
        map(tuple, np.asarray(made[0].activations("fc")[:]).astype(float).tolist())
    )
    assert not torch.equal(next(samples), first[0])  # another order in the next pass


@pytest.mark.parametrize("batch", [0, 1, 4, 7, 23])
def test_any_batch_can_be_given_without_those_before(made, batch: int) -> None:
    """Also where a batch spans pools and passes: 3,050 is no multiple of 400."""
    options = {"batch_size": 400, "seed": 1, "pool_bytes": 100_000}
    straight = CacheSamples(made[0], "fc", **options)
    for _ in range(batch):
        next(straight)
    jumped = CacheSamples(made[0], "fc", **options).at(batch)
    for _ in range(10):
        assert torch.equal(next(straight), next(jumped))


def test_batches_mix_blocks(made) -> None:
    array = np.asarray(made[0].activations("fc")[:]).astype(np.float32)
    block_of = {row.tobytes(): i // 500 for i, row in enumerate(array)}
    batch = next(CacheSamples(made[0], "fc", batch_size=300, pool_bytes=3 * 500 * INPUTS * 2))
    blocks = [block_of[row.tobytes()] for row in batch.numpy()]
    assert (np.bincount(blocks) > 50).sum() >= 2  # of three, of which one may be the short last one


def test_positions_of_a_map_are_samples(made) -> None:
    samples = CacheSamples(made[0], "map", batch_size=3050 * 6)
    maps = torch.from_numpy(np.asarray(made[0].activations("map")[:])).float()
    assert rows_of([next(samples)]) == rows_of([samples_of(maps)])
    assert torch.equal(maps_of(samples_of(maps), (2, 3)), maps)
    assert torch.equal(samples_of(maps)[7], maps[1, :, 0, 1])


def test_positions_are_drawn_without_repeats(tmp_path: Path) -> None:
    x = np.arange(300 * 6, dtype=np.float32).reshape(300, 1, 2, 3)
    cache = write_cache(tmp_path / "cache", {"map": x}, episode_labels(300), block=100)
    samples = CacheSamples(cache, "map", batch_size=600, positions_per_frame=2)
    first, second = next(samples)[:, 0], next(samples)[:, 0]
    for drawn in (first, second):
        assert len(set(drawn.tolist())) == 600
        assert np.bincount((drawn // 6).long().numpy()).tolist() == [2] * 300
    assert set(first.tolist()) != set(second.tolist())  # drawn anew in each pass


def test_norm_proportional_draws(tmp_path: Path) -> None:
    """Two positions whose norms are as 3 to 1: one draw a frame takes the first in three of four frames."""
    x = np.zeros((4000, 2, 1, 2), np.float16)
    x[:, 0, 0, 0], x[:, 1, 0, 1] = 3, 1
    cache = write_cache(tmp_path / "cache", {"map": x}, episode_labels(4000))
    batch = next(CacheSamples(cache, "map", batch_size=4000, positions_per_frame=1, by_norm=True))
    assert float((batch[:, 0] > 0).float().mean()) == pytest.approx(0.75, abs=0.03)
    evenly = next(CacheSamples(cache, "map", batch_size=4000, positions_per_frame=1))
    assert float((evenly[:, 0] > 0).float().mean()) == pytest.approx(0.5, abs=0.03)


# --- resuming ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["top-k", "batch-top-k"])
def test_a_stopped_training_ends_with_the_same_weights(made, tmp_path: Path, kind: str) -> None:
    config = replace(CONFIG, kind=kind, samples=256 * 130, dead_after=1000)  # with dead latents on the way
    straight = train_sae(config, made[0], "fc", tmp_path / "straight", progress=False)
    for steps in (50, 70, None):
        stopped = train_sae(
            config, made[0], "fc", tmp_path / "stopped", max_steps=steps, commit_minutes=0.0, progress=False
        )
    one, two = (load_sae(path).sae.state_dict() for path in (straight, stopped))
    assert weights_hash(one) == weights_hash(two)
    curves = [
        [line.rsplit(",", 1)[0] for line in (path.parent / "curve.csv").read_text().splitlines()]
        for path in (straight, stopped)
    ]
    assert curves[0] == curves[1]  # but for the seconds


def test_another_config_is_refused(made, trained: Path) -> None:
    with pytest.raises(ValueError, match=r"holds a run with another config.*'k': \(3, 2\)"):
        train_sae(replace(CONFIG, k=2), made[0], "fc", trained.parent, progress=False)


def test_another_hook_point_is_refused(made, trained: Path) -> None:
    with pytest.raises(ValueError, match="holds a training on other activations"):
        train_sae(CONFIG, made[0], "map", trained.parent, progress=False)


# --- bad input ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 8, "k": 9}, "expected k to be at most the width.*k = 9 and width = 8"),
        ({"k": 0}, "expected k to be at least 1; given 0"),
        ({"kind": "gated"}, "expected the kind top-k, batch-top-k, jump-relu, l1; given 'gated'"),
        ({"samples": 10}, "expected samples for at least one batch of 2048; given 10"),
        ({"warm_up": 0.9, "decay": 0.2}, "expected warm_up and decay to be shares that sum to at most 1"),
        ({"by_norm": True}, "expected positions_per_frame from 1 on with by_norm"),
        ({"learning_rate": 0.0}, "expected a learning_rate above 0"),
    ],
)
def test_configs_that_cannot_be_trained(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SaeConfig(**options)


def test_a_hook_point_that_is_not_there(made, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected a hook point of this cache, got 'fcc'.*fc"):
        train_sae(CONFIG, made[0], "fcc", tmp_path, progress=False)


def test_nan_is_named_by_block_and_row(tmp_path: Path) -> None:
    x, _, _ = sparse_features(1200, 4, 6, 2)
    x[777, 2] = np.nan
    cache = write_cache(tmp_path / "cache", {"fc": x}, episode_labels(1200), block=500)
    with pytest.raises(ValueError, match=r"row 277 of block 1 of .*\(frame 777\) holds NaN or infinity"):
        train_sae(replace(CONFIG, width=8), cache, "fc", tmp_path / "sae", progress=False)
    with pytest.raises(ValueError, match="row 277 of block 1"):
        next(CacheSamples(cache, "fc", batch_size=1200))


def test_activations_that_never_change(tmp_path: Path) -> None:
    cache = write_cache(tmp_path / "cache", {"fc": np.full((600, 4), 1.5, np.float16)}, episode_labels(600))
    with pytest.raises(
        ValueError, match="expected activations that change; fc is the same in all 600 samples"
    ):
        train_sae(replace(CONFIG, width=8), cache, "fc", tmp_path / "sae", progress=False)


def test_an_all_dead_autoencoder_is_an_error(made, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(replace(CONFIG, samples=25_600), made[0], "fc", torch.device("cpu"))
    trainer.learner.weights.b_enc.fill_(-1e6)  # type: ignore[union-attr]
    while trainer.step < trainer.config.steps:
        trainer.play_round()
    with pytest.raises(
        ValueError, match="all 96 latents are dead: none was active in the last 5,000 samples"
    ):
        refuse_all_dead(trainer)


def test_batches_larger_than_a_cache(made) -> None:
    with pytest.raises(ValueError, match="expected a batch of 1 to 3,050 samples"):
        CacheSamples(made[0], "fc", batch_size=4000)
    with pytest.raises(ValueError, match="expected a map to draw positions of"):
        CacheSamples(made[0], "fc", batch_size=10, positions_per_frame=2)
    with pytest.raises(ValueError, match="expected at most the 6 positions of map"):
        CacheSamples(made[0], "map", batch_size=10, positions_per_frame=7)


def test_other_inputs_are_refused(trained: Path) -> None:
    sae = load_sae(trained).sae
    with pytest.raises(ValueError, match=r"expected activations of 32 units or channels.*given 31"):
        sae.pre_activations(torch.zeros(2, 31))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, 8, "top-k", 9), "expected k from 1 to the 8 latents"),
        ((4, 8, "jump-relu", 2), "0 for other activations"),
        ((4, 8, "gelu", 0), "expected the activation top-k, jump-relu, relu; given 'gelu'"),
        ((0, 8), "expected at least 1 input and 1 latent"),
    ],
)
def test_autoencoders_that_cannot_be(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sae(*arguments)


def test_a_policy_is_no_autoencoder() -> None:
    with pytest.raises(ValueError, match="expected a sparse autoencoder; maze-easy-topright is a network of"):
        load_sae("maze-easy-topright")


def test_a_file_keeps_every_part(trained: Path, tmp_path: Path) -> None:
    found = load_sae(trained)
    save_checkpoint(tmp_path / "again.safetensors", found.sae, found.header)
    assert weights_hash(load_sae(tmp_path / "again.safetensors").sae.state_dict()) == weights_hash(
        found.sae.state_dict()
    )
