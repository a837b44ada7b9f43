"""visualize-heist: are pictures of an autoencoder's latents clearer than those of channels, and which method says more?

Every claim of the Heist notes about pictures of units gets a number. `visualize_heist_numbers.py` says which;
`visualize_heist_report.py` tells them; docs/experiments/visualize-heist.md has what was found.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.experiments.maze_networks import open_networks
from procscope.experiments.visualize_heist_numbers import TARGETS, record_numbers
from procscope.experiments.visualize_heist_report import write_report
from procscope.saes.config import SaeConfig
from procscope.saes.sae import load_sae
from procscope.saes.training import train_sae
from procscope.visualization.atlas.build import Atlas, build_atlas
from procscope.visualization.atlas.settings import AtlasSettings
from procscope.visualization.atlas.sources import cache_for
from procscope.visualization.unit_scan import scan_units
from procscope.visualization.units import Channels, Latents
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import member_key
from procscope.workbench.runs import RunRecord

METHODS = ("lucid", "lucid-plain-colours", "centre-patch", "frames", "patches")


@dataclass(frozen=True)
class Config:
    """Settings of `visualize-heist`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("heist-easy-impala",)
    """Networks, by name or path."""
    hook_point: str = "conv_out"
    """A hook point with maps."""
    frames: int = 20_000
    """Of each network's own play."""
    cache: str = ""
    """A cache of the one network, with its frames, to read in place of building one."""
    expansion: int = 4
    """Latents of the autoencoder for each channel, as in the notes' code."""
    l1_weight: float = 5.0
    """Penalty on the latents."""
    samples: int = 500_000
    """Places of maps that the autoencoder learns from."""
    units: int = 12
    """Channels, and latents, drawn at random among those that vary on data."""
    steps: int = 128
    """Of synthetic pictures."""
    examples: int = 6
    """Frames and patches of a unit."""


def run(config: Config, record: RunRecord) -> None:
    """Build both atlases of each network, record the numbers, write the report."""
    if config.cache and len(config.models) > 1:
        raise ValueError(f"expected one network with a cache of it, given {', '.join(config.models)}")
    atlases: dict[str, dict[str, Atlas]] = {}
    for model in open_networks(config.models, record):
        cache = _cache(model, config, record)
        sae = load_sae(_trained(cache, model, config, record)).sae
        n_channels = cache.activations(config.hook_point).shape[1]
        kinds = {
            "raw": Channels(config.hook_point, range(n_channels)),
            "sae": Latents(config.hook_point, sae, range(config.expansion * n_channels)),
        }
        settings = AtlasSettings(
            METHODS,
            steps=config.steps,
            examples=config.examples,
            diversity=0.0,  # whether a unit's examples are alike is what is asked
            batch_pictures=16,
            seed=record.seed,
        )
        atlases[model.name] = {}
        rng = np.random.default_rng(record.seed)
        for kind, units in kinds.items():
            scan = scan_units(cache, units)
            varying = np.flatnonzero(np.ptp(scan.peak, axis=0) > 1e-6)
            chosen = np.sort(rng.choice(varying, min(config.units, len(varying)), replace=False)).tolist()
            record.log(f"{model.name}, {kind}: {len(units) - len(varying)} of {len(units)} units never vary")
            directory = record.directory.parent / "atlas" / f"{model.weights_hash[:16]}-{kind}"
            atlases[model.name][kind] = build_atlas(model, cache, units.part(chosen), settings, directory)
        numbers = record_numbers(record, model, cache, atlases[model.name])
        write_report(record, model, atlases[model.name], numbers)


def _cache(model: LoadedModel, config: Config, record: RunRecord) -> ActivationCache:
    """The network's own play, shared by all runs of this experiment."""
    if config.cache:
        return ActivationCache.open(config.cache, model=model.network)
    key = member_key([model.weights_hash, config.hook_point, config.frames, record.seed])
    place = record.directory.parent / "caches" / key
    return cache_for(model, config.hook_point, config.frames, record.seed, place)


def _trained(cache: ActivationCache, model: LoadedModel, config: Config, record: RunRecord) -> Path:
    """The autoencoder, trained or found."""
    settings = SaeConfig(
        kind="l1",
        width=config.expansion * cache.activations(config.hook_point).shape[1],
        l1_weight=config.l1_weight,
        samples=config.samples,
        seed=record.seed,
    )
    key = member_key([cache.path.rsplit("/", 1)[-1], settings])
    directory = record.directory.parent / "saes" / key
    return train_sae(settings, cache, config.hook_point, directory, model=model.name, progress=False)


EXPERIMENT = Experiment(
    name="visualize-heist",
    question="Are pictures of a sparse autoencoder's latents clearer than those of raw channels, do decorrelated "
    "colours help, and which way of looking at a unit tells most of it?",
    targets=tuple(TARGETS),
    scales={
        "smoke": replace(Config(), frames=512, samples=20_000, expansion=2, units=3, steps=4, examples=3),
        "small": Config(),
        "long": replace(Config(), samples=10_000_000, units=128, steps=512),
    },
    run=run,
)
