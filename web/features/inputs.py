"""What a site is made from, opened and checked against each other.

When to use: the command does. An autoencoder names its network and hook point; the measurements of its latents
(`procscope analyze sae` writes them) name their cache; the cache has the frames. Given a cache and no measurements, it
measures, which takes as long as an encoding of the cache and the effects do, and keeps the result.

    inputs = open_inputs("sae/fc/sae.safetensors", cache="caches/maze", keep=Path("site.latents.safetensors"))
    inputs.latents.survey, inputs.cache, inputs.missing
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from procscope.activations.cache import ActivationCache
from procscope.interventions.zero_channels import model_of_cache
from procscope.saes.latents import LatentMeasurements, measure_latents
from procscope.saes.sae import TrainedSae, load_sae
from procscope.web.features.atlas import LatentAtlas, read_atlas
from procscope.workbench.checkpoints import checkpoint_path

LATENTS_FILE = "latents.safetensors"


@dataclass(frozen=True, eq=False)
class SiteInputs:
    """Everything that a site shows, before it is drawn."""

    trained: TrainedSae
    latents: LatentMeasurements
    cache: ActivationCache
    network: nn.Module | None
    atlas: LatentAtlas | None
    missing: Mapping[str, str]
    """From what cannot be shown to the reason."""

    @property
    def has_frames(self) -> bool:
        return "frames" in self.cache.spec.arrays


def open_inputs(
    sae: str,
    *,
    cache: str = "",
    latents: Path | None = None,
    model: str = "",
    atlas: Path | None = None,
    keep: Path | None = None,
    progress: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> SiteInputs:
    """Open an autoencoder and what belongs to it.

    Args:
        sae: a name or the path of its file.
        cache: directory or URL; by default the one that was measured on.
        latents: file of the measurements; by default looked for beside the autoencoder, in the folder of the run that
            trained it, and at `keep`.
        model: name or path of the network; by default the installed one with the cache's hash.
        atlas: a folder of atlases (`procscope.visualization.atlas`).
        keep: where measurements made here are written.
        progress: show bars.
        say: gets sentences for people.

    Raises FileNotFoundError: no such autoencoder, file of measurements or cache. Raises ValueError: neither
    measurements nor a cache to make them on; things of different networks, hook points or widths; only dead latents.
    """
    trained = load_sae(sae)
    found = latents or next((path for path in _places(sae, keep) if path.is_file()), None)
    if found is None and not cache:
        raise ValueError(_nothing_measured(sae, _places(sae, None)))
    measured = None if found is None else _loaded(found)
    opened = _cache(cache or (measured.cache if measured else ""), given=bool(cache))
    if trained.model_hash:
        opened.require_model(trained.model_hash)
    network, missing = _network(opened, model)
    if measured is None:
        say(f"measuring {trained.sae.n_latents:,} latents on {len(opened):,} frames")
        measured = measure_latents(trained, opened, network, progress=progress)
        if keep is not None:
            keep.parent.mkdir(parents=True, exist_ok=True)
            say(f"measurements: {measured.save(keep)}")
    else:
        say(f"measurements: {found}")
        measured = replace(measured, cache=opened.path)
    _require_fit(trained, measured, opened, found)
    if "frames" not in opened.spec.arrays:
        missing["frames"] = f"the cache {opened.path} holds no frames; build it with --keep-frames"
    if not measured.survey.cell_sums.size:
        missing["map over cells"] = "the cache has no labels agent_x and agent_y"
    missing |= {part: reason for part, reason in measured.missing.items() if part != "network"}
    pictures = None if atlas is None else read_atlas(atlas, trained)
    return SiteInputs(trained, measured, opened, network, pictures, missing)


def _places(sae: str, keep: Path | None) -> list[Path]:
    """Where measurements lie: beside the file, in the folder of an analysis that trained it, beside the site."""
    file = checkpoint_path(sae)
    places = [file.with_name(LATENTS_FILE)]
    if file.parent.name == "sae":
        places.append(file.parent.parent / LATENTS_FILE)
    return places if keep is None else [*places, keep]


def _nothing_measured(sae: str, places: list[Path]) -> str:
    return (
        f"expected measurements of the latents of {sae}; there are none at {' or '.join(map(str, places))}. Measure "
        "them by naming a cache of the network, with frames: "
        f"procscope sae site --sae {sae} --cache DIR --out DIR. Or make a report of the autoencoder, "
        f"procscope analyze sae --sae {sae} --cache DIR, and give its latents.safetensors with --latents"
    )


def _loaded(path: Path) -> LatentMeasurements:
    try:
        return LatentMeasurements.load(path)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"expected measurements of latents as this version of procscope writes them; {path} is of another one "
            f"({error} does not fit). Remove it and measure again with --cache"
        ) from error


def _cache(path: str, *, given: bool) -> ActivationCache:
    try:
        return ActivationCache.open(path)
    except FileNotFoundError:
        if given:
            raise
        raise FileNotFoundError(
            f"the latents were measured on the cache {path}, which is not there any more. Say where it is now with "
            "--cache, or build it again with the same command"
        ) from None


def _network(cache: ActivationCache, model: str) -> tuple[nn.Module | None, dict[str, str]]:
    """The network that the cache is of, if it is installed."""
    try:
        return model_of_cache(cache, model).network, {}
    except (ValueError, FileNotFoundError) as error:
        if model:
            raise
        return None, {"network": str(error)}


def _require_fit(
    trained: TrainedSae, latents: LatentMeasurements, cache: ActivationCache, file: Path | None
) -> None:
    """Raises ValueError: measurements of another autoencoder, or on another cache, or of dead latents only."""
    sae, survey = trained.sae, latents.survey
    if (latents.hook_point, latents.n_latents) != (trained.hook_point, sae.n_latents):
        raise ValueError(
            f"expected measurements of the {sae.n_latents} latents of {trained.name} at {trained.hook_point!r}; {file} "
            f"is of {latents.n_latents} latents at {latents.hook_point!r}. Give the right file with --latents"
        )
    shape = tuple(cache.activations(latents.hook_point).shape)
    positions = survey.position_means.shape[1:]
    if len(cache) != survey.n_frames or (shape[2:] or (1, 1)) != positions:
        raise ValueError(
            f"expected the cache that was measured on, {survey.n_frames:,} frames with {positions} positions at "
            f"{latents.hook_point!r}; {cache.path} has {len(cache):,} frames of {shape[1:]}. Give the right one with "
            f"--cache, or remove {file} to measure on this one"
        )
    if not (survey.firings > 0).any():
        raise ValueError(
            f"expected an autoencoder with a latent that is active; all {sae.n_latents} of {trained.name} are dead on "
            f"the {survey.n_frames:,} frames of {cache.path}. Train it longer, or with a larger k or a smaller penalty"
        )
