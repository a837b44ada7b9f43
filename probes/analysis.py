"""The analysis `probe`: what can be read out of each layer, beside guessing, an untrained network, pixels and controls.

    procscope cache build --model maze-easy-topright --hooks conv_out fc --keep-frames --out caches/maze
    procscope analyze probe --cache caches/maze --target distance_to_goal_cells best_move

How it uses the cache. Its *activations* are streamed, pass by pass, never held. Its *labels* give the targets, the
levels by which everything is split, and the types of the control task. Its *frames*, if it was built with
`--keep-frames`, are what the untrained network and the pixel baseline read: without them these two are left out, and
the report says so.

For each target and each layer the report has the score on levels that the probe did not see (R² or accuracy), with an
interval over levels; the same for guessing, for the untrained network, for pixels, and for the control task; the best
monotone recoding of the target; and the probes themselves as directions to intervene along (`probes.safetensors`).

Source: the dissertation's section 5.7 (targets, pooled layers, the mean and a random network as baselines); controls,
intervals, the split by level and the rest are ours.

Cost: 4,000 frames, `conv_out` pooled, a target of numbers and one of classes, with untrained network, pixels and
controls: 39 s of one core, most of it the untrained network's forward passes and the logistic probes. `conv_out`
read flat (2,048 numbers) adds a Cholesky factor of 0.14 s for each fold and strength.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np

from procscope.activations.cache import ActivationCache
from procscope.interventions.zero_channels import model_of_cache
from procscope.probes.control import cached_types, recurring_share
from procscope.probes.direction import LinearProbe, linear_probe
from procscope.probes.features import CachedFeatures, Features, PixelFeatures
from procscope.probes.findings import Studied
from procscope.probes.moments import require_memory
from procscope.probes.reading import Reading
from procscope.probes.report import report_probes
from procscope.probes.result import PIXELS, TRAINED, Place, ProbeResult
from procscope.probes.run_features import run_features
from procscope.probes.settings import ProbeSettings
from procscope.probes.study import study
from procscope.probes.targets import TargetData, read_targets
from procscope.probes.untrained import untrained_like
from procscope.workbench.analyses import Analysis
from procscope.workbench.checkpoints import LoadedModel
from procscope.workbench.runs import RunRecord


def run(cache: ActivationCache, config: ProbeSettings, record: RunRecord) -> ProbeResult:
    """Read targets out of the layers of a network with probes, beside baselines and controls."""
    hook_points = config.hook or tuple(cache.hook_points)
    places = list(_places(cache, hook_points, config, record))
    data = {positions: _data(cache, config, positions, record.seed) for positions in {p for _, p in places}}
    model, missing = _model(cache, config)
    studied: dict[Place, Studied] = {}
    probes: list[LinearProbe] = []
    for place, positions in places:
        found = data[positions]
        features = CachedFeatures(cache, place.hook_point, place.read, found.rows)
        record.log(
            f"{place.hook_point}, {place.read}: {len(found.rows):,} frames of {found.levels.n:,} levels"
        )
        studied[place] = _studied(features, cache, found, config, record)
        probes += _probes(studied[place], place, features.shape, found, cache)
    if model is not None:
        _study_untrained(cache, model, places, data, config, record, studied)
    if config.pixels and "pixels" not in missing and () in data:
        pixels = PixelFeatures(cache, "flat", data[()].rows)
        studied[Place(PIXELS, "pixels", "flat")] = _studied(pixels, cache, data[()], config, record)
    result = ProbeResult(studied, data, tuple(probes), missing)
    report_probes(record, cache, config, result, model)
    return result


def _places(
    cache: ActivationCache, hook_points: tuple[str, ...], config: ProbeSettings, record: RunRecord
) -> Iterator[tuple[Place, tuple[int, ...]]]:
    """What is to be read, with the map whose positions are samples."""
    given = 0
    for hook_point in hook_points:
        shape = tuple(cache.activations(hook_point).shape[1:])
        reads = [Reading.of(text) for text in config.read]
        if len(shape) == 1:
            if all(read.kind in ("position", "each-position") for read in reads):
                reads[0].shape(shape)  # which says why not
            reads = [Reading("flat")]
        for read in reads:
            dimensions = int(np.prod(read.shape(shape)))
            try:
                require_memory(dimensions, config.folds, f"{hook_point}, {read},")
            except ValueError as error:
                if len(reads) == 1:
                    raise
                record.log(f"left out: {error}")
                continue
            given += 1
            positions = shape[1:] if read.kind == "each-position" else ()
            yield Place(TRAINED, hook_point, str(read)), positions
    if not given:
        raise ValueError("expected at least one layer small enough to read. Read it pooled: --read pooled")


def _data(cache: ActivationCache, config: ProbeSettings, positions: tuple[int, ...], seed: int) -> TargetData:
    data = read_targets(
        cache,
        config.target,
        only_where=config.only_where,
        kind=config.kind,
        allow_future=config.allow_future,
        positions=positions,
        center=config.center or _center(cache, positions),
    )
    return data.some(config.frames, np.random.default_rng((seed, 0))) if config.frames else data


def _center(cache: ActivationCache, positions: tuple[int, ...]) -> float:
    """Each of IMPALA's pools (3 x 3, stride 2, padded by 1) looks half a pixel of its input to the upper left."""
    architecture = str(cache.source.get("model", {}).get("architecture", "")).lower()
    return positions[0] / 128 if positions and "impala" in architecture else 0.5


def _model(cache: ActivationCache, config: ProbeSettings) -> tuple[LoadedModel | None, dict[str, str]]:
    """The network to make an untrained one of, and what cannot be had."""
    missing = {}
    has_frames = "frames" in cache.spec.arrays
    reason = "the cache holds no frames. Build it with --keep-frames"
    if config.pixels and not has_frames:
        missing["pixels"] = reason
    model = None
    try:
        model = model_of_cache(cache, config.model, config.device)
    except (ValueError, FileNotFoundError) as error:
        if config.model:
            raise
        reason = str(error) if has_frames else reason
    if config.untrained and (model is None or not has_frames):
        missing["untrained"] = reason
    return model, missing


def _studied(
    features: Features, cache: ActivationCache, data: TargetData, config: ProbeSettings, record: RunRecord
) -> Studied:
    types = cached_types(cache, config.control_by, data.rows)
    found = study(features, data, types, config, record.seed)
    if types is not None and (share := recurring_share(types, data.levels)) < 0.9:
        found.notes.append(
            f"Only {share:.0%} of the frames are of a type that occurs in another level, too: the control task is "
            "weaker "
            "than it looks. Tell types apart more coarsely (--control-by)."
        )
    return found


def _study_untrained(
    cache: ActivationCache,
    model: LoadedModel,
    places: list[tuple[Place, tuple[int, ...]]],
    data: dict[tuple[int, ...], TargetData],
    config: ProbeSettings,
    record: RunRecord,
    studied: dict[Place, Studied],
) -> None:
    if "frames" not in cache.spec.arrays:
        return
    rows = next(iter(data.values())).rows
    dtype = "float32" if "float32" in {array.dtype for array in cache.spec.arrays.values()} else "float16"
    for number in range(config.untrained):
        network = untrained_like(model, seed=record.seed * 1000 + number)
        wanted = [(place.hook_point, place.read) for place, _ in places]
        with ExitStack() as stack:
            source = f"untrained {number}"
            read = stack.enter_context(run_features(network, cache, wanted, rows, dtype, source))
            for (place, positions), features in zip(places, read, strict=True):
                studied[place._replace(source=source)] = _studied(
                    features, cache, data[positions], config, record
                )


def _probes(
    found: Studied, place: Place, shape: tuple[int, ...], data: TargetData, cache: ActivationCache
) -> list[LinearProbe]:
    """Linear probes of all frames; of a class, of "is it this one?"."""
    assert found.fit is not None
    made = []
    for target in data.targets:
        first = found.columns[target.name].start
        for i, name in enumerate(target.classes or ("",)):
            made.append(
                linear_probe(
                    found.fit,
                    first + i,
                    target=f"{target.name} == {name}" if name else target.name,
                    hook_point=place.hook_point,
                    read=place.read,
                    shape=shape,
                    model=str(cache.source.get("model", {}).get("weights_hash", "")),
                )
            )
    return made


ANALYSIS = Analysis(ProbeSettings, run, open_cache=ActivationCache.open, targets=())
