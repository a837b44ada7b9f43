"""docs/reward-networks.md: its examples run, its commands have options that exist."""

import re
import shlex
from pathlib import Path

import pytest

from procscope.workbench.cli import main

PAGE = (Path(__file__).parents[1] / "docs/reward-networks.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"```\n(procscope .*?)```", PAGE, flags=re.DOTALL)
    for line in block.strip().splitlines()
]


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=["network", "training"])
def test_the_examples_run(example, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    shown = re.findall(r"print\(.*?\)\s+# (.*)", example)
    assert all(line in capsys.readouterr().out for line in shown)


@pytest.mark.parametrize(
    "command", [line for line in COMMANDS if re.match(r"procscope (transitions|train)", line)]
)
def test_the_commands_are_options_that_exist(command, monkeypatch):
    """Each is given as it stands; only the work itself is left out."""
    from procscope.rewardnets import data_card, scores, training, transitions
    from procscope.workbench import checkpoints

    asked = []
    monkeypatch.setattr(
        transitions, "build_transitions", lambda *given, **options: asked.append(options) or given[1]
    )
    monkeypatch.setattr(
        transitions.Transitions,
        "open",
        lambda path: type("Data", (), {"game": command.split("--game ")[1].split()[0]}),
    )
    monkeypatch.setattr(training, "data_hash", lambda data: "")
    monkeypatch.setattr(training, "train_reward", lambda config, *_: asked.append(config) or Path("network"))
    monkeypatch.setattr(scores, "score", lambda *_: None)
    monkeypatch.setattr(checkpoints, "load_network", lambda *_: type("Loaded", (), {"network": None}))
    for name in ("data_card", "scores_text"):
        monkeypatch.setattr(data_card, name, lambda _: "")
    assert main(shlex.split(command)[1:]) == 0
    assert asked
