"""A network's card: what it is, how it was trained, how it plays, what its limits are. All numbers are measured.

`shipping.py` calls it with what it measured; nothing here measures anything.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from procscope.agents.evaluate import Evaluation
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.workbench.statistics import Interval
from procscope.zoo.curves import chosen_lines

VIDEO_CAPTION = (
    "The first four unseen levels that seed 0 draws, as the network sees them, sampled actions. Border: green, goal\n"
    "reached; red, episode over without; grey, still playing when the video ended."
)


class Trial(NamedTuple):
    """One evaluation of the card."""

    variant: tuple[str, ...]
    greedy: bool
    evaluation: Evaluation


def stages(training: dict[str, Any]) -> list[dict[str, Any]]:
    """What a header says of each stage of a training, the first stage first."""
    earlier = training.get("started_from")
    return [*(stages(earlier) if earlier else []), training]


def first_stage(training: dict[str, Any]) -> dict[str, Any]:
    """What a header says of the stage that began with new weights."""
    return stages(training)[0]


def train_command(stage: dict[str, Any], out: str, start_from: str | None) -> str:
    """The command that does one stage of a training again."""
    config = stage["config"]
    words = ["procscope train imitation", f"--out {out}"]
    if config.get("game", "maze") != "maze":
        words.append(f"--game {config['game']}")
    if config.get("engine_options", {}).get("paint_vel_info"):
        words.append("--paint-velocity")
    if config["variant"]:
        words.append(f"--variant {' '.join(config['variant'])}")
    if config["mode"] != "easy":
        words.append(f"--mode {config['mode']}")
    if config.get("network", "impala") != "impala":
        words.append(f"--network {config['network']}")
    if "widths" in config["network_options"]:
        words.append(f"--widths {' '.join(map(str, config['network_options']['widths']))}")
    if start_from is not None:
        words.append(f"--start-from {start_from}")
    words.append(
        f"--static-rounds {config['static_rounds']:g} --frames {config['frames']} --seed {config['seed']}"
    )
    for name, option, default in (
        ("own_share", "own-share", 0.5),
        ("remembered_share", "remembered-share", 0.25),
        ("peak_learning_rate", "learning-rate", 1e-3),
    ):
        if config.get(name, default) != default:
            words.append(f"--{option} {config[name]:g}")
    if config.get("batch_norm"):
        words.append("--batch-norm")
    if not config.get("ahead"):
        words.append("--no-ahead")
    if config.get("threads", 1) != 1:
        words.append(f"--threads {config['threads']}")
    if stage["frames"] < config["frames"]:
        words.append(f"--max-rounds {stage['frames'] // config['round_frames']}")
    return " ".join(words)


def train_commands(name: str, training: dict[str, Any]) -> list[str]:
    """The commands that train a network again, one for each stage."""
    commands, start_from = [], None
    for number, stage in enumerate(stages(training), start=1):
        out = f"training/{name}" + (f"-stage{number}" if number < len(stages(training)) else "")
        commands.append(train_command(stage, out, start_from))
        start_from = f"{out}/network.safetensors"
    return commands


def _seeds(training: dict[str, Any]) -> str:
    """The seeds of the stages, each named once, in order."""
    return ", then ".join(dict.fromkeys(str(stage["config"]["seed"]) for stage in stages(training)))


def card_text(name: str, header: CheckpointHeader, trials: Sequence[Trial], summary: str, curve: str) -> str:
    """The card as Markdown."""
    discount = header.training["config"]["discount"]
    frames = sum(stage["frames"] for stage in stages(header.training))
    minutes = sum(stage["seconds"] for stage in stages(header.training)) / 60
    commands = "\n".join(train_commands(name, header.training))
    parameters = ", ".join(f"{key} {value}" for key, value in header.options.items())
    first, end = header.level_seeds or (0, 0)
    sampled = [trial for trial in trials if not trial.greedy]
    game = header.game
    looks = "".join(f", {key} {value}" for key, value in header.engine_options.items())
    ends = " / ".join(trials[0].evaluation.ends)
    return f"""# {name}

{summary}

![play]({name}.gif)

{VIDEO_CAPTION}

| | |
|---|---|
| network | {header.architecture}, {parameters} |
| environment | Procgen {game}, mode {header.mode}{looks} |
| trained on | level variant {" ".join(header.variant) or "none"}, level seeds {first} to {end - 1} |
| method | {header.training["method"]} |
| frames | {frames:,}, each seen once, in {minutes:.0f} minutes on one core of a busy machine |
| seed | {_seeds(header.training)} |
| weights | float16, read as float32 |

## Success

Share of {sampled[0].evaluation.success.n:,} levels that training never draws (seeds from 1000000000 on), each once
from its start, in which the goal is reached within 500 steps; Wilson's 95% interval in brackets.

| levels | actions | success | steps | detour | failures end {ends} |
|---|---|---|---|---|---|
{chr(10).join(_row(trial) for trial in trials)}

*Steps* are those of successful episodes. {_ENDS[game]} *Stuck*: moving between at most four cells for the last 32
steps.

{_by_property(sampled, game)}

`{_evaluate_command(name, sampled[0])}` measures the first two lines again.

## Training

```
{commands}
```

The same commands on the same kind of machine give the same losses: `procscope zoo check {name}` trains the first 100
steps again and compares. `{name}.curve.csv` has a line for each round.

| frames | loss | accuracy | accuracy on its own new states |
|---|---|---|---|
{chr(10).join(_curve_rows(curve))}

## Limits

It has seen this one game in this one mode, from imitation: it knows what its expert does, not what reward is.
`value` is the expert's discounted return (discount {discount}), not its own. Its logits put nearly all
probability on the {_RAW_ACTIONS[game]}, since the expert plays no others.
"""


_ENDS = {
    "maze": "*Detour* is how much longer than the shortest path they were. *Corner*: on the maze's top-right cell or "
    "next to it.",
    "coinrun": "*Dead*: by saw, enemy, lava or a fall out of the world. *At the end*: in the last column that is not "
    "all wall, where the coin of an unedited level is, or the one before.",
    "heist": "",
}
"""What a card says of a game's failures."""

_RAW_ACTIONS = {
    "maze": "four of the 15 raw actions that move along an axis (left, down, up, right)",
    "heist": "four of the 15 raw actions that move along an axis (left, down, up, right)",
    "coinrun": "six of the 15 raw actions that its expert's macro-actions consist of",
}


def _by_property(sampled: list[Trial], game: str) -> str:
    """Success by the property of levels: of the maze the largest alone, in other games all groups."""
    name = next(iter(sampled[0].evaluation.by))
    rows = [
        f"| {' '.join(trial.variant) or 'unedited'} | {group.name} | {_percent(group.success)} |"
        for trial in sampled
        for group in trial.evaluation.by[name][-1 if game == "maze" else 0 :]
    ]
    title = "Sampled actions, largest mazes only:" if game == "maze" else f"Sampled actions, by {name}:"
    return "\n".join([title, "", f"| levels | {name} | success |", "|---|---|---|", *rows])


def _evaluate_command(name: str, trial: Trial) -> str:
    variant = f" --variant {' '.join(trial.variant)}" if trial.variant else ""
    return f"procscope evaluate {name}{variant} --episodes {trial.evaluation.success.n}"


def _row(trial: Trial) -> str:
    found = trial.evaluation
    steps = "" if found.mean_steps is None else f"{found.mean_steps:.1f}"
    detour = "" if found.mean_detour is None else f"{100 * found.mean_detour:.0f}%"
    ends = " / ".join(str(count) for count in found.ends.values())
    actions = "greedy" if trial.greedy else "sampled"
    levels = " ".join(trial.variant) or "unedited"
    return f"| {levels} | {actions} | {_percent(found.success)} | {steps} | {detour} | {ends} |"


def _percent(found: Interval) -> str:
    return f"{100 * found.value:.1f}% [{100 * found.low:.1f}, {100 * found.high:.1f}], n = {found.n:,}"


def _curve_rows(curve: str) -> list[str]:
    shown = []
    for line in chosen_lines(curve, 12):
        own = float(line["own_accuracy"])
        shown.append(
            f"| {int(line['frames']):,} | {float(line['loss']):.3f} | {float(line['accuracy']):.3f} | "
            f"{f'{own:.3f}' if own else ''} |"
        )
    return shown
