"""Train a sparse autoencoder on a cache, in a directory that a stopped training goes on from.

    trainer.safetensors    where it stands: weights, optimiser, dead latents, place in the stream of samples
    sae.safetensors        the autoencoder reached so far, normalisation included (`load_sae`)
    curve.csv              a line every 50 steps: fvu, l0, dead latents; the same numbers for TensorBoard beside it

    train_sae(SaeConfig(width=2048, k=32), "caches/maze", "fc", Path("sae/fc"))

Everything is committed every few minutes; what was learned since is learned again after a kill, on a CPU with the same
bits. The weights depend on the config, the cache's contents and the hook point.

Cost: `benchmarks/saes.py` and `benchmarks/sae_samples.py`.
"""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.agents.run_state import read_state, write_curve, write_state
from procscope.saes.config import SaeConfig
from procscope.saes.sae import ARCHITECTURE
from procscope.saes.trainer import Trainer
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import save_checkpoint
from procscope.workbench.devices import choose_device
from procscope.workbench.members import member_key
from procscope.workbench.memory import keep_freed_memory

SAE_FILE = "sae.safetensors"


def train_sae(
    config: SaeConfig,
    cache: ActivationCache | str | Path,
    hook_point: str,
    directory: Path,
    *,
    model: str = "",
    device: str = "cpu",
    max_steps: int | None = None,
    commit_minutes: float = 5.0,
    progress: bool = True,
) -> Path:
    """Train, or go on training, in `directory`; returns the path of `sae.safetensors`.

    Args:
        cache: an open cache or its path.
        model: name of the network that the cache was made with, for the record; by default the cache's own word.
        max_steps: stop after the round of 50 steps in which so many are done in all, before the learning rate has
            fallen.
        commit_minutes: between commits; a training that ends commits anyway.

    Raises ValueError: a hook point that the cache has not, activations that never change or are not finite, a batch
    larger than the cache, `directory` with a training of another config, cache or hook point; a trained autoencoder
    all of whose latents are dead (its directory stays, to look at the curve).
    """
    keep_freed_memory()
    opened = cache if isinstance(cache, ActivationCache) else ActivationCache.open(cache)
    opened.activations(hook_point)
    torch.set_num_threads(config.threads)
    state = read_state(directory, config)
    identity = {
        "hook_point": hook_point,
        "model_hash": _model_of(opened).get("weights_hash", ""),
        "cache_key": member_key(opened.spec.as_attributes()),
    }
    if state is not None and (found := {key: state.facts[key] for key in identity}) != identity:
        raise ValueError(
            f"{directory} holds a training on other activations: {found}; asked for {identity}. Give this one a "
            "directory of its own"
        )
    trainer = Trainer(config, opened, hook_point, choose_device(device))
    if state is not None:
        trainer.restore(state)
    directory.mkdir(parents=True, exist_ok=True)
    named = model or str(_model_of(opened).get("name", ""))
    last = config.steps if max_steps is None else min(max_steps, config.steps)
    committed = time.monotonic()
    with tqdm(
        total=config.steps * config.batch_size,
        initial=trainer.step * config.batch_size,
        unit="sample",
        unit_scale=True,
        disable=None if progress else True,
    ) as bar:
        while trainer.step < last:
            before = trainer.step
            found = trainer.play_round()
            bar.set_postfix(fvu=f"{found.fvu:.3f}", l0=f"{found.l0:.1f}", dead=found.dead, refresh=False)
            bar.update((trainer.step - before) * config.batch_size)
            if time.monotonic() - committed > commit_minutes * 60:
                _commit(trainer, directory, identity, named)
                committed = time.monotonic()
    _commit(trainer, directory, identity, named)
    refuse_all_dead(trainer)
    return directory / SAE_FILE


def refuse_all_dead(trainer: Trainer) -> None:
    """Raises ValueError: no latent was active in the last `dead_after` samples, or at all in a shorter training."""
    window = min(trainer.config.dead_after, trainer.step * trainer.config.batch_size)
    if window and bool((trainer.silent >= window).all()):
        raise ValueError(
            f"all {trainer.config.width} latents are dead: none was active in the last {window:,} samples. Take a "
            "lower l1_weight or l0_weight, or a lower learning_rate"
        )


def _commit(trainer: Trainer, directory: Path, identity: dict[str, Any], model: str) -> None:
    state = trainer.state()
    write_state(directory, trainer.config, state._replace(facts=state.facts | identity))
    save_checkpoint(directory / SAE_FILE, trainer.sae(), _header(trainer, identity, model))
    write_curve(directory, trainer.curve, trainer.started)


def _header(trainer: Trainer, identity: dict[str, Any], model: str) -> CheckpointHeader:
    source = trainer.cache.source
    environment = source.get("environment", {})
    last = trainer.curve[-1]
    return CheckpointHeader(
        architecture=ARCHITECTURE,
        options=trainer.sae().options,
        training={
            "method": "sae",
            **identity,
            "model": model,
            "config": asdict(trainer.config),
            "samples": trainer.step * trainer.config.batch_size,
            "passes": trainer.step * trainer.config.batch_size / trainer.samples.samples_per_pass,
            "cache": {"n_frames": len(trainer.cache), "environment": environment},
        },
        metrics={"training_fvu": last.fvu, "training_l0": last.l0, "training_dead": last.dead},
    )


def _model_of(cache: ActivationCache) -> dict[str, Any]:
    return cache.source.get("model", {})
