"""visualize-units: what do the units of whole layers want to see, and how far can their pictures be trusted?

The atlas of a layer of each network: every channel, by gradient in the environment's colours and in plain ones, for the
whole map and its middle, by search over levels, and from data; with the trust measures of every picture, method by
method, and S4's claims about pictures made by gradient. A reward network's pictures are transitions, a frame and the
next one; no levels are searched for it. docs/visualization.md says what was found.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from procscope.experiments.atlas_numbers import AtlasNumber, made_numbers, trust_numbers
from procscope.experiments.maze_networks import training_of
from procscope.experiments.reward_scenes import kind_of
from procscope.visualization.atlas.build import Atlas, build_atlas
from procscope.visualization.atlas.data import LayerData
from procscope.visualization.atlas.page import write_atlas, write_index
from procscope.visualization.atlas.settings import FROM_DATA, AtlasSettings
from procscope.visualization.atlas.sheet import plot_sheet
from procscope.visualization.atlas.sources import applicable_methods, cache_for
from procscope.visualization.atlas.summary import summarise_atlas
from procscope.visualization.units import Channels
from procscope.workbench.checkpoints import LoadedModel, load_network
from procscope.workbench.experiments import Experiment
from procscope.workbench.members import member_key
from procscope.workbench.runs import RunRecord

METHODS = ("lucid", "lucid-plain-colours", "centre-patch", "levels", "frames", "patches", "quantiles")
HOOK_POINTS = {"impala": "block2.res2", "reward-network": "layer4"}
"""By architecture, where none is named: the middle of a policy, the last maps of a reward network."""
_SHOWN = 8
"""Units on a sheet."""


@dataclass(frozen=True)
class Config:
    """Settings of `visualize-units`; the defaults are those of the small scale."""

    models: tuple[str, ...] = ("heist-easy-impala", "maze-easy-topright", "coinrun-reward")
    """Networks, by name or path."""
    hook_point: str = ""
    """A hook point with maps, of all of them; without it block2.res2 of an IMPALA, layer4 of a reward network."""
    frames: int = 10_000
    """Of each network's own play; for a reward network, transitions."""
    actor: str = "coinrun-easy-atend"
    """Who plays the transitions of a reward network."""
    units: int = 0
    """The first so many channels; 0 for all of the layer."""
    steps: int = 128
    """Of synthetic pictures; 0 for those of the recipes, 512."""
    seeds: int = 2
    """Synthetic pictures of a unit."""
    level_starts: int = 2
    """Levels that a search begins with."""
    level_rounds: int = 16
    """Rounds of edits of a search."""


def run(config: Config, record: RunRecord) -> None:
    """Build the atlas of each network, record the numbers, write the report."""
    pages = record.directory / "atlas"
    for name in config.models:
        model = load_network(name)
        record.network(model.name, model.weights_hash, _kind(model))
        hook_point = config.hook_point or _usual(model)
        key = member_key([model.weights_hash, hook_point, config.frames, config.actor, record.seed])
        cache = cache_for(
            model,
            hook_point,
            config.frames,
            record.seed,
            record.directory.parent / "caches" / key,
            actor=config.actor if model.header.architecture == "reward-network" else None,
        )
        channels = cache.activations(hook_point).shape[1]
        units = Channels(hook_point, range(min(config.units or channels, channels)))
        settings = AtlasSettings(
            applicable_methods(model, cache, hook_point, METHODS),
            seeds=config.seeds,
            steps=config.steps,
            level_starts=config.level_starts,
            level_rounds=config.level_rounds,
            batch_pictures=8,
            seed=record.seed,
        )
        kept = record.directory.parent / "atlas" / f"{model.weights_hash[:16]}-{hook_point}"
        atlas = build_atlas(model, cache, units, settings, kept, progress=True, say=record.log)
        _report(record, model, atlas, LayerData(model, cache, units))
        write_atlas(atlas, pages / _file_name(model) / hook_point)
    write_index(pages)


def _report(record: RunRecord, model: LoadedModel, atlas: Atlas, data: LayerData) -> None:
    rng = np.random.default_rng((record.seed, 1))
    place = {"model": model.name, "training": _kind(model), "hook_point": atlas.hook_point}

    def keep(number: AtlasNumber, **where: str) -> None:
        if number.value is None:
            record.undefined_metric(number.id, place | where, "fewer than two units have this number")
        else:
            record.metric(number.id, number.value, place | where, unit=number.unit)

    for number in made_numbers(atlas, data.colours, rng):
        keep(number, kind="raw")
    for method in atlas.settings.methods:
        if method not in FROM_DATA:
            for number in trust_numbers(atlas.of(method), rng):
                keep(number, method=method)
    rows = [row._asdict() | {"matches": row.matches and row.matches.value} for row in summarise_atlas(atlas)]
    record.table(
        f"trust_{_file_name(model)}", pd.DataFrame(rows), f"{model.name}: trust measures, method by method."
    )
    record.figure(
        f"sheet_{_file_name(model)}",
        plot_sheet(
            atlas,
            told_best(atlas),
            methods=[m for m in atlas.settings.methods if m != "quantiles"],
            pictures=2,
        ),
        f"{model.name}, {atlas.hook_point}: the {_SHOWN} channels of which one label explains most.",
    )
    problems = [
        unit for unit in atlas.units if any(atlas.entries[unit, m].problem for m in atlas.settings.methods)
    ]
    record.say(
        model.name,
        f"{len(atlas.units)} channels of {atlas.hook_point}, {len(problems)} of them dead or flat by some method"
        f"{': ' + ', '.join(problems) if problems else ''}. All pages: atlas/index.html.",
    )


def told_best(atlas: Atlas, most: int = _SHOWN) -> list[str]:
    """The units that a label explains most of, in the layer's order; dead ones last."""
    entries = atlas.of(atlas.settings.methods[0])
    explained = [-1.0 if entry.problem else entry.eta_squared or 0.0 for entry in entries]
    best = np.argsort(-np.array(explained), kind="stable")[:most]
    return [atlas.units[place] for place in sorted(best.tolist())]


def _kind(model: LoadedModel) -> str:
    """What a network was trained on; of a reward network, which of the dissertation's it stands for."""
    return (
        f"reward, {kind_of(model)}" if model.header.architecture == "reward-network" else training_of(model)
    )


def _usual(model: LoadedModel) -> str:
    if model.header.architecture not in HOOK_POINTS:
        raise ValueError(
            f"expected a hook point for {model.name}, a network of the architecture {model.header.architecture!r}. "
            "Name one with maps: --hook-point"
        )
    return HOOK_POINTS[model.header.architecture]


def _file_name(model: LoadedModel) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "-", model.name)


EXPERIMENT = Experiment(
    name="visualize-units",
    question="What do the units of whole layers want to see, how far can each way of asking be trusted, and do S4's "
    "claims about pictures made by gradient hold for other networks?",
    targets=("S4.feature-vis", "S4.decorrelation", "S4.patch-vis"),
    scales={
        "smoke": replace(Config(), frames=256, units=3, steps=2, level_starts=1, level_rounds=1),
        "small": Config(),
        "long": replace(Config(), steps=0, level_starts=4, level_rounds=30),
    },
    run=run,
)
