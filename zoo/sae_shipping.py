"""Ship a trained sparse autoencoder: store it in float16, measure it, and write its card.

When: once, at the end of a training. `procscope zoo add NAME --run DIR --cache DIR` calls it; everything on the card is
measured by it, of the stored weights. Cost: that of `saes/measure.py`, most of it for the levels played.
"""

from pathlib import Path

import torch

from procscope.activations.cache import ActivationCache
from procscope.interventions.named_arms import UNTOUCHED
from procscope.saes.measure import measure_sae
from procscope.saes.metrics import dead_latents
from procscope.saes.result import SaeResult
from procscope.saes.sae import load_sae
from procscope.saes.spliced import MEAN, SPLICED
from procscope.saes.training import SAE_FILE
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, read_checkpoint, save_checkpoint
from procscope.zoo.sae_cards import build_command, sae_card_text

FIRST_LEVEL_SEED = 1_600_000_000
"""Of the levels played; the caches of experiments draw theirs from all test seeds, so a few may be in both."""


def ship_sae(name: str, run: Path, cache: Path, folder: Path, *, summary: str, episodes: int = 1000) -> Path:
    """Write `folder/NAME.safetensors`, `NAME.md` and `NAME.curve.csv` from a finished training of an autoencoder.

    Args:
        run: directory of `procscope sae train`.
        cache: that it is measured on, with frames; of the network that it was trained on.
        summary: a paragraph for the top of the card: what it is for.
        episodes: unseen levels played with the reconstruction spliced in.

    Returns the file's path. Raises FileNotFoundError if the run has no autoencoder; ValueError for a cache of another
    network, without the hook point or without frames, and for a training that does not name an installed network.
    """
    trained = read_checkpoint(run / SAE_FILE)
    opened = ActivationCache.open(str(cache))
    if "frames" not in opened.spec.arrays:
        raise ValueError(
            f"expected a cache with frames, into which the reconstruction is spliced; {cache} has none. Build one with "
            "--keep-frames"
        )
    model = load_network(trained.header.training["model"])
    build_command(opened, model.name)
    target = folder / f"{name}.safetensors"
    save_checkpoint(target, trained.tensors, trained.header, dtype=torch.float16)
    result = measure_sae(
        load_sae(target)._replace(name=name),
        opened,
        model,
        level_seeds=range(FIRST_LEVEL_SEED, FIRST_LEVEL_SEED + episodes),
        progress=True,
    )
    header = CheckpointHeader(**{**vars(trained.header), "metrics": metrics(result)})
    save_checkpoint(target, trained.tensors, header, dtype=torch.float16)
    curve = (run / "curve.csv").read_text()
    write_bytes_atomically(target.with_suffix(".curve.csv"), curve.encode())
    card = sae_card_text(name, header, opened, result, summary, curve)
    write_bytes_atomically(target.with_suffix(".md"), card.encode())
    return target


def metrics(result: SaeResult) -> dict[str, float | int]:
    """What an autoencoder's header says of it."""
    survey = result.latents.survey
    found: dict[str, float | int] = {
        "fvu": result.reconstruction.fvu,
        "l0": result.reconstruction.l0,
        "dead_share": dead_latents(survey.firings, survey.n_samples).share,
        "survey_samples": survey.n_samples,
    }
    if (frames := result.on_frames) is not None:
        found |= {"action_kl": frames.kl[SPLICED].value, "action_kl_mean_ablated": frames.kl[MEAN].value}
    if (play := result.in_play) is not None:
        found |= {
            "success": play.success(UNTOUCHED).value,
            "success_spliced": play.success(SPLICED).value,
            "success_mean_ablated": play.success(MEAN).value,
            "levels": play.n_levels,
        }
    return found
