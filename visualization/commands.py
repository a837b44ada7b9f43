"""The command `visualize`: an atlas of a layer, browsable from disk.

Nothing heavy is imported before a command is called: `procscope --help` imports this file for the docstrings.
"""

from pathlib import Path


def visualize(
    model: str,
    hook: str,
    method: tuple[str, ...] = (),
    out: Path = Path("atlas"),
    cache: str | None = None,
    frames: int = 5_000,
    actor: str | None = None,
    channels: tuple[int, ...] = (),
    directions: Path | None = None,
    sae: str | None = None,
    seeds: int = 2,
    steps: int = 0,
    examples: int = 6,
    patch_pixels: int = 24,
    diversity: float = 2.0,
    level_starts: int = 4,
    level_rounds: int = 20,
    batch: int = 32,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Show what each unit of a layer wants to see: a page with a row a unit and a column a method.

    Methods: lucid, lucid-plain-colours, pixels, dissertation, heist-notes and centre-patch make pictures; levels
    searches for levels; frames, patches and quantiles are from data. Interrupted, the same command goes on where it
    was; with more methods or channels it keeps what is there.

    Args:
        model: a model's name or a path to a checkpoint.
        hook: the hook point, such as conv_out.
        method: columns of the page, in order; without it lucid, levels, frames, patches and quantiles, as far as they
            apply: a layer without maps has no patches, a reward network no levels.
        out: folder; the page comes to OUT/MODEL/HOOK/index.html, and OUT/index.html lists all layers.
        cache: an activation cache of this network with this hook point and --keep-frames; without it, one is built.
        frames: of the cache that is built.
        actor: who plays for it: expert, random, a model's name or path; a policy plays itself without it, a reward
            network needs one.
        channels: which channels, or which latents with --sae; all without it.
        directions: a .npy file of directions [unit, channel], in place of channels.
        sae: a sparse autoencoder of this hook point, by name or path: its latents in place of channels. The page comes
            to OUT/MODEL/HOOK-latents, and `procscope sae site --atlas OUT` shows its pictures.
        seeds: synthetic pictures of a unit.
        steps: of synthetic pictures; 0 for those of the method.
        examples: frames and patches of a unit.
        patch_pixels: side of the largest patch.
        diversity: weight of frames' and patches' unlikeness to each other; 0 takes the highest.
        level_starts: levels that a search begins with.
        level_rounds: rounds of edits of a search.
        batch: units whose pictures are optimised together.
        seed: of pictures, searches and the cache that is built.
        device: of the network: cpu, cuda, auto.
    """
    from dataclasses import replace

    from procscope.activations.cache import ActivationCache
    from procscope.visualization.atlas.build import build_atlas
    from procscope.visualization.atlas.page import write_atlas, write_index
    from procscope.visualization.atlas.settings import DEFAULT_METHODS, AtlasSettings
    from procscope.visualization.atlas.sources import (
        applicable_methods,
        cache_for,
        chosen_latents,
        chosen_units,
    )
    from procscope.workbench.checkpoints import load_network
    from procscope.workbench.devices import choose_device
    from procscope.workbench.parallel import one_thread
    from procscope.workbench.provenance import command_line

    settings = AtlasSettings(
        method or DEFAULT_METHODS,
        seeds=seeds,
        steps=steps,
        examples=examples,
        patch_pixels=patch_pixels,
        diversity=diversity,
        level_starts=level_starts,
        level_rounds=level_rounds,
        batch_pictures=batch,
        seed=seed,
    )
    if sae and directions:
        raise ValueError("expected directions or an autoencoder, given both. Leave one out")
    loaded = load_network(model, str(choose_device(device)))
    encoder = load_network(sae, str(choose_device(device))) if sae else None
    of_model = out / Path(loaded.name).name.removesuffix(".safetensors")
    directory = of_model / (f"{hook}-latents" if encoder else hook)
    with one_thread():
        opened = (
            ActivationCache.open(cache)
            if cache
            else cache_for(loaded, hook, frames, seed, of_model / "caches" / hook, actor=actor, say=print)
        )
        if not method:
            settings = replace(settings, methods=applicable_methods(loaded, opened, hook))
        units = (
            chosen_latents(loaded, hook, encoder, channels)
            if encoder
            else chosen_units(opened, hook, channels, directions)
        )
        atlas = build_atlas(loaded, opened, units, settings, directory, progress=True, say=print)
    page = write_atlas(atlas, directory, command_line())
    write_index(out)
    for entry in atlas.entries.values():
        if entry.problem and entry.method == settings.methods[0]:
            print(f"{entry.unit}: {entry.problem}")
    print(page)
