"""The analysis `sae`: train a sparse autoencoder on a hook point, measure it, and write a page about it.

    procscope cache build --model maze-easy-topright --hooks fc --frames 100000 --keep-frames --out caches/maze
    procscope analyze sae --cache caches/maze --hook fc --width 2048 --k 32
    procscope analyze sae --cache caches/maze --sae sae/fc/sae.safetensors         # one that is trained already

How it uses the cache. Its *activations* are streamed, shuffled, to train on, and in order to survey every latent. Its
*labels* give the statements that latents are compared with, and the levels that these are split by. Its *frames*, if
it was built with `--keep-frames`, and its *source* (network, game, variants) are what the spliced network is run on:
frames of the cache, and whole episodes of unseen levels. What cannot be had is left out, and the report says so.

The run's folder keeps `sae/` (the training) and `latents.safetensors` (`LatentMeasurements`).

Cost: that of the training and of `measure.py`.
"""

from dataclasses import dataclass

from procscope.activations.cache import ActivationCache
from procscope.interventions.zero_channels import model_of_cache
from procscope.saes.config import Kind, SaeConfig
from procscope.saes.measure import measure_sae
from procscope.saes.report import report_sae
from procscope.saes.result import SaeResult
from procscope.saes.sae import TrainedSae, load_sae
from procscope.saes.training import train_sae
from procscope.workbench.analyses import Analysis
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord


@dataclass(frozen=True)
class SaeSettings:
    """What is trained and how it is measured."""

    hook: str = ""
    """Hook point of the cache; may be left out if it has one."""

    sae: str = ""
    """Name or path of a trained autoencoder, which is then measured; the options of training are not used."""

    kind: Kind = "top-k"
    """top-k, batch-top-k, jump-relu or l1."""

    width: int = 2048
    """Latents."""

    k: int = 32
    """Active latents a sample, but for l1."""

    l1_weight: float = 5.0
    """Penalty of kind l1."""

    samples: int = 2_000_000
    """Samples to learn from."""

    batch_size: int = 2048
    """Samples an optimiser step."""

    learning_rate: float = 1e-3
    """Adam's highest."""

    positions_per_frame: int = 0
    """Of a map: positions drawn of each frame and pass; 0 for all."""

    by_norm: bool = False
    """Draw positions in proportion to their norm."""

    statements: tuple[str, ...] = ()
    """Expressions that latents are compared with; by default those that the cache's labels allow."""

    model: str = ""
    """Name or path of the network. By default the installed one with the cache's hash."""

    frames: int = 1000
    """Frames that the reconstruction is spliced into, each of another level."""

    levels: int = 100
    """Unseen levels played with the reconstruction spliced in, and with the hook point ablated; 0 for none."""

    max_steps: int = 500
    """Steps after which an episode is cut short."""

    first_level_seed: int = 1_500_000_000
    """Of the levels played."""

    device: str = "cpu"
    """Where networks run."""

    threads: int = 1
    """Threads of torch in training."""


def run(cache: ActivationCache, config: SaeSettings, record: RunRecord) -> SaeResult:
    """Train a sparse autoencoder on a hook point of the cache, measure it and every latent, and write a page."""
    model, missing = _model(cache, config)
    trained = _trained(cache, config, record, model)
    record.log(f"measuring {trained.sae.n_latents} latents on {len(cache):,} frames")
    result = measure_sae(
        trained,
        cache,
        model,
        statements=config.statements,
        frames=config.frames,
        level_seeds=range(config.first_level_seed, config.first_level_seed + config.levels),
        max_steps=config.max_steps,
        seed=record.seed,
        progress=True,
    )
    result.missing.update(missing)
    result.latents.save(record.directory / "latents.safetensors")
    report_sae(record, cache, result, model)
    return result


def _model(cache: ActivationCache, config: SaeSettings) -> tuple[LoadedModel | None, dict[str, str]]:
    try:
        return model_of_cache(cache, config.model, config.device), {}
    except (ValueError, FileNotFoundError) as error:
        if config.model:
            raise
        return None, {"network": str(error)}


def _trained(
    cache: ActivationCache, config: SaeSettings, record: RunRecord, model: LoadedModel | None
) -> TrainedSae:
    if config.sae:
        return load_sae(config.sae, config.device)
    hook = config.hook or (cache.hook_points[0] if len(cache.hook_points) == 1 else "")
    if not hook:
        raise ValueError(
            f"expected a hook point of {cache.path}, which has {', '.join(cache.hook_points)}. Name one: --hook "
            f"{cache.hook_points[-1]}"
        )
    training = SaeConfig(
        kind=config.kind,
        width=config.width,
        k=config.k,
        l1_weight=config.l1_weight,
        samples=config.samples,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        positions_per_frame=config.positions_per_frame,
        by_norm=config.by_norm,
        seed=record.seed,
        threads=config.threads,
    )
    path = train_sae(
        training,
        cache,
        hook,
        record.directory / "sae",
        model="" if model is None else model.name,
        device=config.device,
    )
    return load_sae(path, config.device)


ANALYSIS = Analysis(
    SaeSettings, run, open_cache=ActivationCache.open, targets=("S4.sae", "S4.vis-sae-vs-raw")
)
