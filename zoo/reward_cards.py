"""A reward network's card: what it is, what it learned from, how well it predicts. All numbers are measured.

`reward_shipping.py` calls it with what it measured; nothing here measures anything.
"""

from typing import Any

from procscope.rewardnets.data_card import data_card, scores_text
from procscope.rewardnets.scores import RewardScores
from procscope.rewardnets.transitions import Transitions
from procscope.workbench.checkpoint_header import CheckpointHeader
from procscope.zoo.curves import chosen_lines


def reward_card_text(
    name: str, header: CheckpointHeader, data: Transitions, scores: RewardScores, summary: str, curve: str
) -> str:
    """The card as Markdown."""
    training = header.training
    options = ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in header.options.items()
    )
    learned = (
        f"{training['frames']:,} transitions in {training['epochs']} epochs, in {training['seconds'] / 60:.0f} minutes "
        "on one core of a busy machine"
    )
    commands = "\n".join([build_command(data), train_command(name, header)])
    about_data = data_card(data).replace("# Transitions of", "## Trained on transitions of")
    return f"""# {name}

{summary}

| | |
|---|---|
| network | {header.architecture}, {options} |
| environment | Procgen {header.game}, mode {header.mode} |
| method | {training["method"]} |
| learned from | {learned} |
| seed | {training["config"]["seed"]} |
| weights | float16, read as float32 |

## How well it predicts

{scores_text(scores)}

{about_data}

## Training

```
{commands}
```

The same commands on the same kind of machine give the same network. `{name}.curve.csv` has a line for each epoch.

| epoch | training loss | validation loss | guessing the mean |
|---|---|---|---|
{chr(10).join(_curve_rows(curve))}

## Limits

It predicts the reward of transitions like those it was trained on: one game, one mode, the levels and places that its
actor comes to. What it makes of others, `procscope run reward-scenes` asks.
"""


def build_command(data: Transitions) -> str:
    """The command that makes its transitions again."""
    source = data.cache.source
    sampling, environment = source["sampling"], source["environment"]
    builds: list[dict[str, Any]] = data.cache.builds
    actor = _actor_of(builds[-1]["command"])
    words = [
        f"procscope transitions build --game {environment['game']} --out {transitions_place(environment['game'])}",
        f"--transitions {len(data)}",
        f"--noise {source['actor']['noise']:g}",
        f"--greedy {bool(source['actor'].get('greedy'))}",
        f"--keep-unrewarded {sampling['keep_unrewarded']:g} --num-envs {sampling['num_envs']} --seed {source['seed']}",
    ]
    if actor:
        words.insert(1, f"--actor {actor}")
    if environment["mode"] != "easy":
        words.append(f"--mode {environment['mode']}")
    return " ".join(words)


def train_command(name: str, header: CheckpointHeader) -> str:
    """The command that trains it again."""
    config, options = header.training["config"], header.options
    words = [
        f"procscope train reward --game {header.game} --transitions {transitions_place(header.game)}",
        f"--out training/{name}",
        f"--width {options['width']:g} --shrink {options['shrink']}",
        f"--epochs {config['epochs']} --batch-size {config['batch_size']} --learning-rate {config['learning_rate']:g}",
        f"--seed {config['seed']}",
    ]
    if config["patience"] is not None:
        words.append(f"--patience {config['patience']}")
    if options["inputs"] != "both":
        words.append(f"--inputs {options['inputs']}")
    if not options["per_action"]:
        words.append("--no-per-action")
    return " ".join(words)


def transitions_place(game: str) -> str:
    """Where the transitions of a game lie, which its networks share."""
    return f"training/{game}-transitions"


def _actor_of(command: str) -> str:
    """Who was named on the command line; empty where the recipe's actor played."""
    words = command.split()
    return words[words.index("--actor") + 1] if "--actor" in words else ""


def _curve_rows(curve: str) -> list[str]:
    return [
        f"| {int(line['epoch']) + 1} | {float(line['loss']):.3f} | {float(line['validation_loss']):.3f} | "
        f"{float(line['floor']):.3f} |"
        for line in chosen_lines(curve, 15)
    ]
