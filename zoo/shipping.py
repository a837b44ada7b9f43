"""Ship a trained network: store it in float16, measure how it plays, and write its card.

When: once, at the end of a training. `procscope zoo add NAME --run DIR --variants …` calls it; everything on the
card is measured by it. Cost: two evaluations (sampled and greedy) of 1,000 levels for each distribution.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from procscope.agents.evaluate import Evaluation, evaluate
from procscope.workbench.atomic import write_bytes_atomically
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.checkpoints import load_network, read_checkpoint, save_checkpoint
from procscope.workbench.statistics import Interval


class Trial(NamedTuple):
    """One evaluation of the card."""

    variant: tuple[str, ...]
    greedy: bool
    evaluation: Evaluation


def ship(
    name: str,
    run: Path,
    folder: Path,
    distributions: Sequence[tuple[str, ...]],
    *,
    summary: str,
    command: str,
    episodes: int = 1000,
) -> Path:
    """Write `folder/NAME.safetensors`, `NAME.md` and `NAME.curve.csv` from a finished training run.

    Args:
        run: directory of `procscope train imitation`.
        distributions: level variants to evaluate on, the one trained on first.
        summary: a paragraph for the top of the card: what the network is for.
        command: the command that trains it again.

    Returns the checkpoint's path. Raises FileNotFoundError if the run has no network.
    """
    trained = read_checkpoint(run / "network.safetensors")
    target = folder / f"{name}.safetensors"
    header = replace(trained.header, training=trained.header.training | {"command": command})
    save_checkpoint(target, trained.tensors, header, dtype=torch.float16)
    model = load_network(target)
    environment = header.environment
    trials = [
        Trial(
            variant,
            greedy,
            evaluate(
                model.network,
                game=environment["game"],
                mode=environment["mode"],
                variants=variant,
                episodes=episodes,
                greedy=greedy,
                progress=f"{' '.join(variant) or 'unedited'} {'greedy' if greedy else 'sampled'}",
            ),
        )
        for variant in distributions
        for greedy in (False, True)
    ]
    metrics = {_metric_name(trial): list(trial.evaluation.success) for trial in trials}
    save_checkpoint(target, trained.tensors, replace(header, metrics=metrics), dtype=torch.float16)
    curve = (run / "curve.csv").read_bytes()
    write_bytes_atomically(target.with_suffix(".curve.csv"), curve)
    text = _card(name, header, trials, summary, curve.decode())
    write_bytes_atomically(target.with_suffix(".md"), text.encode())
    return target


def _metric_name(trial: Trial) -> str:
    return f"success/{' '.join(trial.variant) or 'unedited'}/{'greedy' if trial.greedy else 'sampled'}"


def _card(name: str, header: CheckpointHeader, trials: Sequence[Trial], summary: str, curve: str) -> str:
    training = header.training
    config, minutes = training["config"], training["seconds"] / 60
    parameters = ", ".join(f"{key} {value}" for key, value in header.options.items())
    first, end = header.level_seeds or (0, 0)
    sampled = [trial for trial in trials if not trial.greedy]
    largest = [
        f"| {' '.join(trial.variant) or 'unedited'} | {trial.evaluation.by_size[-1].size} | "
        f"{_percent(trial.evaluation.by_size[-1].success)} |"
        for trial in sampled
    ]
    return f"""# {name}

{summary}

| | |
|---|---|
| network | {header.architecture}, {parameters} |
| environment | Procgen {header.environment["game"]}, mode {header.environment["mode"]} |
| trained on | level variant {" ".join(header.variant) or "none"}, level seeds {first} to {end - 1} |
| method | {training["method"]} |
| frames | {training["frames"]:,}, each seen once, in {minutes:.0f} minutes on {config["threads"]} core |
| seed | {config["seed"]} |
| weights | float16, read as float32 |

## Success

Share of {sampled[0].evaluation.success.n:,} levels that training never draws (seeds from 1000000000 on), each once
from its start cell, in which the goal is reached within the engine's 500 steps; Wilson's 95% interval in brackets.

| levels | actions | success | steps | detour | failures end in the corner / stuck / elsewhere |
|---|---|---|---|---|---|
{chr(10).join(_row(trial) for trial in trials)}

*Steps* are those of successful episodes; *detour* is how much longer than the shortest path they were. *Corner*: on
the maze's top-right cell or next to it. *Stuck*: moving between at most four cells for the last 32 steps.

Sampled actions, largest mazes only:

| levels | size | success |
|---|---|---|
{chr(10).join(largest)}

`procscope evaluate {name} --variant {" ".join(sampled[0].variant)} --episodes {sampled[0].evaluation.success.n}`
measures the first line again.

## Training

```
{training["command"]}
```

The same command on the same kind of machine gives the same losses: `procscope zoo check {name}` compares the first
100. `{name}.curve.csv` has a line for each round.

| frames | loss | accuracy | accuracy on its own new states |
|---|---|---|---|
{chr(10).join(_curve_rows(curve))}

## Limits

It has seen this one game in this one mode, from imitation: it knows what the shortest path does, not what reward is.
`value` is the expert's discounted return (discount {config["discount"]}), not its own. Its logits put nearly all
probability on four of the 15 raw actions (left, down, up, right), since the expert plays no others.
"""


def _row(trial: Trial) -> str:
    found = trial.evaluation
    steps = "" if found.mean_steps is None else f"{found.mean_steps:.1f}"
    detour = "" if found.mean_detour is None else f"{100 * found.mean_detour:.0f}%"
    ends = " / ".join(str(count) for count in found.ends)
    actions = "greedy" if trial.greedy else "sampled"
    levels = " ".join(trial.variant) or "unedited"
    return f"| {levels} | {actions} | {_percent(found.success)} | {steps} | {detour} | {ends} |"


def _percent(found: Interval) -> str:
    return f"{100 * found.value:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}], n = {found.n:,}"


def _curve_rows(curve: str, most: int = 12) -> list[str]:
    lines = [line.split(",") for line in curve.strip().splitlines()]
    column = {title: index for index, title in enumerate(lines[0])}
    rows = lines[1:]
    chosen = sorted({round(index * (len(rows) - 1) / max(1, most - 1)) for index in range(most)})
    shown = []
    for index in chosen:
        row = rows[index]
        own = float(row[column["own_accuracy"]])
        shown.append(
            f"| {int(row[column['frames']]):,} | {float(row[column['loss']]):.3f} | "
            f"{float(row[column['accuracy']]):.3f} | {f'{own:.3f}' if own else ''} |"
        )
    return shown


def losses_agree(training: dict[str, Any], measured: Sequence[float]) -> tuple[bool, float]:
    """Whether measured first losses are those that a header's training recorded, and the largest difference."""
    recorded = training["first_losses"][: len(measured)]
    largest = max(abs(a - b) for a, b in zip(recorded, measured, strict=True))
    return largest == 0, largest
