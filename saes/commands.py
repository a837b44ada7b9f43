"""Commands of sparse autoencoders: `sae train`, `sae sweep`, `sae export` and `sae import`.

Nothing heavy is imported before a command is called: `procscope --help` imports this file for the docstrings.
"""

from pathlib import Path
from typing import Literal


def train(
    cache: str,
    hook: str,
    out: Path,
    kind: Literal["top-k", "batch-top-k", "jump-relu", "l1"] = "top-k",
    width: int = 2048,
    k: int = 32,
    l1_weight: float = 5.0,
    l0_weight: float = 1.0,
    samples: int = 2_000_000,
    batch_size: int = 2048,
    learning_rate: float = 1e-3,
    warm_up: float = 0.02,
    decay: float = 0.2,
    aux_weight: float = 0.03125,
    dead_after: int = 100_000,
    positions_per_frame: int = 0,
    by_norm: bool = False,
    pool_mb: int = 256,
    seed: int = 0,
    threads: int = 1,
    model: str = "",
    device: str = "cpu",
    max_steps: int | None = None,
    commit_minutes: float = 5.0,
    sae_lens: bool = True,
) -> None:
    """Train a sparse autoencoder on the activations of a cache.

    Writes sae.safetensors, curve.csv and, for sae-lens, sae_lens/ to the directory --out. Stopped at any moment, the
    same command goes on where it was. Measure it with `procscope analyze sae --cache ... --sae OUT/sae.safetensors`.

    Args:
        cache: directory or URL of the cache.
        hook: hook point: a vector, or a map whose positions are the samples.
        out: directory of the training.
        kind: the k largest latents of each sample, or of a batch on average; all above learned thresholds; a penalty.
        width: latents.
        k: active latents a sample; not used by l1.
        l1_weight: penalty of l1 on the sum of latents.
        l0_weight: how strongly jump-relu is drawn to k active latents.
        samples: samples to learn from in all, over several passes if the cache has fewer.
        batch_size: samples an optimiser step.
        learning_rate: Adam's highest.
        warm_up: share of the steps over which it rises.
        decay: share of the steps, the last ones, over which it falls to 0.
        aux_weight: of the loss by which dead latents of the top-k kinds learn.
        dead_after: samples after which a silent latent counts as dead in training.
        positions_per_frame: of a map: positions drawn of each frame and pass; 0 for all.
        by_norm: draw them in proportion to the norm of what lies there beside the mean.
        pool_mb: activations in memory at once.
        seed: of the first weights and of the order of samples.
        threads: of torch on the CPU; another number rounds differently and so gives other weights.
        model: name of the network, for the record; by default the installed one with the cache's hash.
        device: where it is trained: cpu, cuda, auto.
        max_steps: stop after about so many optimiser steps, before the learning rate has fallen.
        commit_minutes: between commits.
        sae_lens: also write sae_lens/, which `sae_lens.SAE.load_from_disk` reads.
    """
    from procscope.activations.cache import ActivationCache
    from procscope.saes.config import SaeConfig
    from procscope.saes.lens_format import save_sae_lens
    from procscope.saes.sae import load_sae
    from procscope.saes.training import train_sae

    config = SaeConfig(
        kind=kind,
        width=width,
        k=k,
        l1_weight=l1_weight,
        l0_weight=l0_weight,
        samples=samples,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warm_up=warm_up,
        decay=decay,
        aux_weight=aux_weight,
        dead_after=dead_after,
        positions_per_frame=positions_per_frame,
        by_norm=by_norm,
        pool_mb=pool_mb,
        seed=seed,
        threads=threads,
    )
    opened = ActivationCache.open(cache)
    path = train_sae(
        config,
        opened,
        hook,
        out,
        model=model or _name_of(opened),
        device=device,
        max_steps=max_steps,
        commit_minutes=commit_minutes,
    )
    trained = load_sae(path)
    if sae_lens:
        save_sae_lens(trained.sae, out / "sae_lens", {"model_name": trained.model, "hook_name": hook})
    found = trained.header.metrics
    print(
        f"{path}: training fvu {found['training_fvu']:.4f}, l0 {found['training_l0']:.1f}, {found['training_dead']} of "
        f"{width} latents silent for {dead_after:,} samples"
    )


def sweep(
    cache: str,
    hook: str,
    out: Path,
    kind: Literal["top-k", "batch-top-k", "jump-relu", "l1"] = "top-k",
    widths: tuple[int, ...] = (512, 1024, 2048),
    ks: tuple[int, ...] = (8, 16, 32, 64),
    seeds: tuple[int, ...] = (0, 1),
    samples: int = 2_000_000,
    batch_size: int = 2048,
    learning_rate: float = 1e-3,
    positions_per_frame: int = 0,
    levels: int = 0,
    test_cache: str = "",
    workers: int = 1,
    backend: Literal["processes", "ray"] = "processes",
) -> None:
    """Train one autoencoder for each width, k and seed, measure them, and draw their frontiers.

    Every member is kept as soon as it is there: the same command goes on where it was stopped, and a larger one reuses
    what a smaller one has done. Writes members/, sweep.csv and the figures frontier.png and stability.png to --out.

    Args:
        cache: directory or URL of the cache, which every worker can read.
        hook: hook point.
        out: directory of the sweep.
        kind: of all members.
        widths: latents.
        ks: active latents a sample; a k larger than a width is left out there.
        seeds: of first weights and orders; two and more give the stability of latents.
        samples: each member learns from.
        batch_size: samples an optimiser step.
        learning_rate: Adam's highest.
        positions_per_frame: of a map: positions drawn of each frame and pass; 0 for all.
        levels: unseen levels played with the reconstruction spliced in; 0 for none.
        test_cache: measured on this cache instead, of the same network on other levels.
        workers: members trained at a time.
        backend: processes of this machine, or a Ray cluster.
    """
    from procscope.saes.sweep import SweepPlan, run_sweep
    from procscope.saes.sweep_report import write_sweep

    plan = SweepPlan(
        cache,
        hook,
        kind=kind,
        widths=widths,
        ks=ks,
        seeds=seeds,
        samples=samples,
        batch_size=batch_size,
        learning_rate=learning_rate,
        positions_per_frame=positions_per_frame,
        levels=levels,
        test_cache=test_cache,
    )
    rows = run_sweep(plan, out, workers=workers, backend=backend)
    print(write_sweep(rows, out))


def export_sae(sae: str, out: Path, /) -> None:
    """Write an autoencoder as sae-lens does, with its normalisation folded into the weights.

    Args:
        sae: a name or the path of its file.
        out: directory for cfg.json and sae_weights.safetensors.
    """
    from procscope.saes.lens_format import save_sae_lens
    from procscope.saes.sae import load_sae

    trained = load_sae(sae)
    save_sae_lens(trained.sae, out, {"model_name": trained.model, "hook_name": trained.hook_point})
    print(f"{out}: sae_lens.SAE.load_from_disk reads it")


def import_sae(directory: Path, out: Path, hook: str, model: str, /) -> None:
    """Make a file of ours from what sae-lens wrote.

    Args:
        directory: with cfg.json and sae_weights.safetensors.
        out: name of the file, ending in .safetensors.
        hook: hook point whose activations it takes.
        model: name or path of the network that these are of.
    """
    from procscope.saes.lens_format import load_sae_lens
    from procscope.saes.sae import ARCHITECTURE
    from procscope.workbench.checkpoint_header import CheckpointHeader
    from procscope.workbench.checkpoints import load_network, save_checkpoint

    sae = load_sae_lens(directory)
    network = load_network(model)
    facts = {
        "method": "sae-lens",
        "hook_point": hook,
        "model": network.name,
        "model_hash": network.weights_hash,
    }
    save_checkpoint(out, sae, CheckpointHeader(ARCHITECTURE, options=sae.options, training=facts))
    print(f"{out}: {sae.n_latents} latents of {sae.n_inputs} inputs")


def _name_of(cache: object) -> str:
    """The installed model that a cache is of; "" where there is none."""
    from procscope.interventions.zero_channels import model_of_cache

    try:
        return model_of_cache(cache).name  # type: ignore[arg-type]
    except (ValueError, FileNotFoundError):
        return ""
