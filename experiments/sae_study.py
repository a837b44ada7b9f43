"""What `sae-maze`, `sae-heist` and `sae-coinrun` share: caches, trainings and measurements of a game's networks.

Each network gets a cache of its own rollouts (kept under `OUT/<experiment>/caches`), each hook point of it autoencoders
of some kinds and widths (kept under `trainings`, where a stopped one goes on), and each autoencoder all measurements
of `procscope.saes.measure`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from procscope.activations.cache import ActivationCache
from procscope.activations.collect import CacheConfig, build_cache
from procscope.interventions.named_arms import UNTOUCHED
from procscope.saes.config import KINDS, Kind, SaeConfig
from procscope.saes.measure import measure_sae
from procscope.saes.metrics import dead_latents
from procscope.saes.report import report_sae, where_of
from procscope.saes.result import SaeResult
from procscope.saes.sae import load_sae
from procscope.saes.spliced import MEAN, SPLICED
from procscope.saes.training import train_sae
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.mean_intervals import mean_interval
from procscope.workbench.members import member_key
from procscope.workbench.runs import RunRecord
from procscope.workbench.statistics import wilson

FIRST_LEVEL_SEED = 1_500_000_000
"""Levels played; caches draw theirs from all test seeds."""


class Trained(NamedTuple):
    """One kind of autoencoder at one hook point."""

    hook_point: str
    kind: Kind
    width: int
    k: int
    positions_per_frame: int

    @classmethod
    def of(cls, text: str) -> "Trained":
        """From `fc top-k 1024 16` or, with positions drawn of each frame, `conv_out top-k 256 8 16`.

        Raises ValueError: something else.
        """
        words = text.split()
        if len(words) not in (4, 5) or words[1] not in KINDS or not all(one.isdigit() for one in words[2:]):
            raise ValueError(
                "expected a hook point, a kind, a width, k and, of a map, the positions drawn of each frame, such as "
                f"'fc top-k 1024 16' or 'conv_out l1 128 8 16'; given {text!r}"
            )
        width, k, *positions = map(int, words[2:])
        return cls(words[0], KINDS[KINDS.index(words[1])], width, k, positions[0] if positions else 0)


@dataclass(frozen=True)
class Config:
    """What is trained on which networks."""

    models: tuple[str, ...]
    """Networks, by name or path."""
    variant: tuple[str, ...] = ()
    """Level variants of the rollouts and of the levels played."""
    saes: tuple[str, ...] = ()
    """Hook point, kind, width, k and, of a map, positions drawn of each frame: `conv_out top-k 256 8 16`."""
    frames: int = 50_000
    """Of each network's cache."""
    samples: int = 2_000_000
    """Each autoencoder learns from."""
    batch_size: int = 2048
    seeds: tuple[int, ...] = (0,)
    """Of autoencoders."""
    levels: int = 200
    """Played with the reconstruction spliced in, and ablated."""
    measured_frames: int = 1000
    workers: int = 1


def scales(small: Config) -> dict[str, Config]:
    """The three scales of a game's experiment, made from its small one."""
    smoke = replace(
        small,
        models=small.models[:1],
        saes=("fc top-k 64 4",),
        frames=1024,
        samples=20_480,
        batch_size=256,
        levels=4,
        measured_frames=32,
    )
    long = replace(small, frames=200_000, samples=10_000_000, seeds=(0, 1, 2), levels=1000)
    return {"smoke": smoke, "small": small, "long": long}


def study(config: Config, record: RunRecord) -> None:
    """Train and measure all autoencoders of all networks, and report them."""
    results = []
    for name in config.models:
        model = load_network(name)
        cache = build(model, config, record)
        for result in of_network(model, cache, config, record):
            where = where_of(result.trained)
            prefix = f"{len(results)}_{where['hook_point']}_{where['kind']}_"
            report_sae(record, cache, result, model, prefix.replace(".", "-"))
            record_claims(record, result, model)
            results.append(result)
    record.table("autoencoders", [row(result) for result in results], "All autoencoders.")


def build(model: LoadedModel, config: Config, record: RunRecord) -> ActivationCache:
    """The cache of a network's own rollouts at all hook points that are asked for."""
    header = model.header
    wanted = CacheConfig(
        model=model.name,
        hook_points=tuple(dict.fromkeys(Trained.of(text).hook_point for text in config.saes)),
        n_frames=config.frames,
        variants=config.variant,
        game=header.game,
        mode=header.mode,
        engine_options=tuple(header.engine_options.items()),
        seed=record.seed,
        keep_frames=True,
    )
    key = member_key({"weights": model.weights_hash, **vars(wanted), "model": model.name})
    record.log(f"{model.name}: activations of {config.frames:,} frames")
    return build_cache(wanted, folder(record, "caches") / key, workers=config.workers)


def of_network(
    model: LoadedModel, cache: ActivationCache, config: Config, record: RunRecord
) -> Iterator[SaeResult]:
    """All autoencoders of one network."""
    for one in map(Trained.of, config.saes):
        for seed in config.seeds:
            training = SaeConfig(
                kind=one.kind,
                width=one.width,
                k=one.k,
                positions_per_frame=one.positions_per_frame,
                samples=config.samples,
                batch_size=config.batch_size,
                seed=seed,
            )
            key = member_key([training, one.hook_point, cache.spec.as_attributes()])
            record.log(f"{model.name}, {one.hook_point}: {one.kind}, width {one.width}, seed {seed}")
            path = train_sae(
                training, cache, one.hook_point, folder(record, "trainings") / key, model=model.name
            )
            yield measure_sae(
                load_sae(path),
                cache,
                model,
                frames=config.measured_frames,
                level_seeds=range(FIRST_LEVEL_SEED, FIRST_LEVEL_SEED + config.levels),
                seed=record.seed,
                members=record.members(),
            )


def record_claims(record: RunRecord, result: SaeResult, model: LoadedModel) -> None:
    """The numbers that S4's claims are about: intervals over latents, levels and statements."""
    where = where_of(result.trained)
    survey = result.latents.survey
    dead = dead_latents(survey.firings, survey.n_samples)
    share = wilson(dead.n_dead, dead.width)._replace(n=dead.survey_samples)
    record.metric("S4.sae/dead_share", share, where)
    if (play := result.in_play) is not None:
        record.metric("S4.sae/success_change", play.change(SPLICED), where, unit="share")
    if (found := result.latents.meanings) is not None:
        gain = mean_interval(found.latent_f1 - found.unit_f1)
        record.metric("S4.vis-sae-vs-raw/f1_gain", gain, where)


class SaeRow(NamedTuple):
    """One autoencoder's line of the table."""

    model: str
    hook_point: str
    kind: str
    width: int
    k: int
    seed: int
    fvu: float
    l0: float
    dead_share: float
    survey_samples: int
    success: float | None
    success_spliced: float | None
    return_recovered: float | None
    """Against mean-ablation."""


def row(result: SaeResult) -> SaeRow:
    """One autoencoder's line of the table."""
    survey, play = result.latents.survey, result.in_play
    dead = dead_latents(survey.firings, survey.n_samples)
    recovered = None
    if play is not None and play.success(MEAN).value != play.success(UNTOUCHED).value:
        recovered = play.return_recovered()
    return SaeRow(
        **where_of(result.trained),
        fvu=result.reconstruction.fvu,
        l0=result.reconstruction.l0,
        dead_share=dead.share,
        survey_samples=dead.survey_samples,
        success=None if play is None else play.success(UNTOUCHED).value,
        success_spliced=None if play is None else play.success(SPLICED).value,
        return_recovered=recovered,
    )


def folder(record: RunRecord, name: str) -> Path:
    """Shared by all runs of the experiment under the same `out`."""
    return record.directory.parent / name
