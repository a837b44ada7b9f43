"""Ship a trained network: store it in float16, measure how it plays, and write its card.

When: once, at the end of a training. `procscope zoo add NAME --run DIR --variants …` calls it; everything on the
card is measured by it. Cost: two evaluations (sampled and greedy) of 1,000 levels for each distribution; what has been
played is kept in the run's directory (`evaluations/`), so that the same command goes on where it was stopped.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from procscope.agents.evaluate import evaluate_model
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoints import checkpoint_path, load_network, read_checkpoint, save_checkpoint
from procscope.workbench.film import FOLDER, film
from procscope.workbench.members import members
from procscope.workbench.over_training import chosen
from procscope.zoo.cards import Trial, card_text
from procscope.zoo.video import gif_bytes, record_play

NETWORK_OF_A_RUN = "network.safetensors"


def ship(
    name: str,
    run: Path,
    folder: Path,
    distributions: Sequence[tuple[str, ...]],
    *,
    summary: str,
    episodes: int = 1000,
    stills: int = 0,
) -> Path:
    """Write `folder/NAME.safetensors`, `NAME.md`, `NAME.gif` and `NAME.curve.csv` from a finished training run.

    Args:
        run: directory of `procscope train imitation`; of its last stage, if it was started from a shipped network or
            from that of another run, whose own directory must still be there.
        distributions: level variants to evaluate on, the one trained on first.
        summary: a paragraph for the top of the card: what the network is for.
        stills: so many checkpoints of the run's film, from its first network on, go to `folder/NAME.film/`.

    Returns the checkpoint's path. Raises FileNotFoundError if the run, or one it was started from, has no network.
    """
    trained = read_checkpoint(run / NETWORK_OF_A_RUN)
    header = replace(trained.header, training=_with_earlier_stages(trained.header.training))
    target = folder / f"{name}.safetensors"
    save_checkpoint(target, trained.tensors, header, dtype=torch.float16)
    model = load_network(target)
    trials = [
        Trial(
            variant,
            greedy,
            evaluate_model(
                model,
                variants=variant,
                episodes=episodes,
                greedy=greedy,
                members=members(run / "evaluations"),
                progress=f"{' '.join(variant) or 'unedited'} {'greedy' if greedy else 'sampled'}",
            ),
        )
        for variant in distributions
        for greedy in (False, True)
    ]
    metrics = {_metric_name(trial): list(trial.evaluation.success) for trial in trials}
    header = replace(header, metrics=metrics)
    save_checkpoint(target, trained.tensors, header, dtype=torch.float16)
    play = record_play(
        model.network,
        game=header.game,
        mode=header.mode,
        variants=header.variant,
        engine_options=header.engine_options,
    )
    write_bytes_atomically(target.with_suffix(".gif"), gif_bytes(play))
    curve = _joined_curve(header.training, run / "curve.csv")
    write_bytes_atomically(target.with_suffix(".curve.csv"), curve.encode())
    for still in chosen(film(run)[:-1], stills) if stills else []:
        kept = read_checkpoint(still.path)
        place = target.with_suffix(f".{FOLDER}") / still.path.name
        save_checkpoint(place, kept.tensors, kept.header, dtype=torch.float16)
    write_bytes_atomically(
        target.with_suffix(".md"), card_text(name, header, trials, summary, curve).encode()
    )
    return target


def _with_earlier_stages(training: dict[str, Any]) -> dict[str, Any]:
    start = training["config"].get("start_from")
    if start is None or "started_from" in training:
        return training
    earlier = read_checkpoint(checkpoint_path(start)).header.training
    return training | {"started_from": _with_earlier_stages(earlier)}


def _joined_curve(training: dict[str, Any], curve: Path) -> str:
    """The learning curves of all stages, one after the other, with frames counted through."""
    title, *rows = curve.read_text().splitlines()
    start = training["config"].get("start_from")
    if start is None:
        return "\n".join([title, *rows]) + "\n"
    network = checkpoint_path(start)
    if network.name == NETWORK_OF_A_RUN:
        earlier = _joined_curve(training["started_from"], network.parent / "curve.csv").splitlines()
    else:  # a shipped network, whose curve is joined already
        earlier = network.with_suffix(".curve.csv").read_text().splitlines()
    at = title.split(",").index("frames")
    before = int(earlier[-1].split(",")[at])
    cells = [row.split(",") for row in rows]
    later = [",".join([*row[:at], str(int(row[at]) + before), *row[at + 1 :]]) for row in cells]
    return "\n".join([*earlier, *later]) + "\n"


def _metric_name(trial: Trial) -> str:
    return f"success/{' '.join(trial.variant) or 'unedited'}/{'greedy' if trial.greedy else 'sampled'}"


def losses_agree(training: dict[str, Any], measured: Sequence[float]) -> tuple[bool, float]:
    """Whether measured first losses are those that a header's training recorded, and the largest difference."""
    recorded = training["first_losses"][: len(measured)]
    largest = max(abs(a - b) for a, b in zip(recorded, measured, strict=True))
    return largest == 0, largest
