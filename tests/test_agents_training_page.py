"""What docs/training.md shows is what works: its examples run, at a small size, and its commands parse."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from procscope.agents.imitation.trainer import RoundResult
from procscope.workbench.checkpoints import read_checkpoint
from procscope.workbench.cli import main
from procscope.zoo import names, path
from procscope.zoo.cards import train_commands

PAGE = (Path(__file__).parent.parent / "docs" / "training.md").read_text(encoding="utf-8")


def examples() -> dict[str, str]:
    """The page's Python, by the heading above."""
    return {
        heading: "\n".join(re.findall(r"```python\n(.*?)```", body, flags=re.DOTALL))
        for heading, body in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE)
    }


def test_stable_baselines3_trains_in_ten_lines(tmp_path):
    code = examples()["Stable-Baselines3 by itself"]
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    small = code
    for shown, tiny in (
        ("num_envs=64", "num_envs=2"),
        ("n_steps=256, batch_size=2048", "n_steps=8, batch_size=8"),
        ("1_000_000", "16"),
        ("training/plain-ppo", f"{tmp_path}/plain-ppo"),
        ("verbose=1", "verbose=0"),
    ):
        assert shown in small
        small = small.replace(shown, tiny)
    names: dict = {}
    exec(small, names)
    assert names["model"].num_timesteps == 16
    assert (tmp_path / "plain-ppo.zip").exists()


@pytest.mark.parametrize(
    "command",
    [
        shlex.split(line.replace("\\\n", " "))
        for block in re.findall(r"```\n(procscope train .*?)```", PAGE, flags=re.DOTALL)
        for line in block.replace("\\\n", " ").strip().splitlines()
    ],
    ids=lambda words: " ".join(words[2:]),
)
def test_the_pages_commands_are_options_that_exist(command, monkeypatch, tmp_path):
    """Each is given as it stands; only the training itself is left out."""
    from procscope.agents.dqn import training as dqn
    from procscope.agents.imitation import training as imitation
    from procscope.agents.ppo import training as ppo

    asked = []

    def note(config, out, *further):
        asked.append((config, out))
        return out

    monkeypatch.setattr(imitation, "train_imitation", note)
    monkeypatch.setattr(ppo, "train_ppo", note)
    monkeypatch.setattr(dqn, "train_dqn", note)
    assert command[0] == "procscope"
    assert main(command[1:]) == 0
    ((_, out),) = asked
    assert out == Path(command[command.index("--out") + 1])


POLICIES = [
    name
    for name in names()
    if read_checkpoint(path(name)).header.architecture not in ("reward-network", "sae")
]


def test_the_page_has_the_commands_of_every_shipped_policy():
    for name in POLICIES:
        section = re.search(rf"^### {name}\n\n```\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE)
        assert section, name
        assert section[1].splitlines() == train_commands(name, read_checkpoint(path(name)).header.training)


def test_the_columns_of_the_curves_that_the_page_explains_are_there():
    from procscope.agents.dqn.trainer import Round as DQNRound
    from procscope.agents.ppo.trainer import Round as PPORound

    columns = {"imitation": RoundResult._fields, "PPO": PPORound._fields, "DQN": DQNRound._fields}
    rows = re.findall(r"^\| (`.*?) \| (imitation|PPO|DQN) \|", PAGE, flags=re.MULTILINE)
    assert {method for _, method in rows} == set(columns)
    for explained, method in rows:
        assert set(re.findall(r"`(\w+)`", explained)) <= set(columns[method])
    for name in POLICIES:
        with path(name).with_suffix(".curve.csv").open() as file:
            assert tuple(next(csv.reader(file))) == columns["imitation"]
