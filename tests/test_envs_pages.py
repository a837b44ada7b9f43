"""What the pages on levels show is what works: their Python runs, and draws their pictures; their commands run."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procscope.envs.games import GAMES, game
from procscope.envs.maze import MazeLevel
from procscope.workbench.cli import main

DOCS = Path(__file__).parent.parent / "docs"
PAGES = ("levels", "heist", "coinrun")

FEWER = [
    ("10**9 + 16", "10**9 + 2"),
    ("10**9 + 10)", "10**9 + 2)"),
    ("10**9 + 6)", "10**9 + 2)"),
    ("10**9 + 4)", "10**9 + 2)"),
    ("10**9 + 50", "10**9 + 12"),
    (", 64,", ", 4,"),
]
"""Sizes on the pages, and those that do for a test."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", page(name), flags=re.DOTALL | re.MULTILINE)
    return [text for of_language, text in fenced if of_language == language]


@pytest.mark.parametrize("name", PAGES)
def test_a_pages_python_runs(name: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict = {"rng": np.random.default_rng(0), "network": lambda before, after: np.zeros(15)}
    for block in blocks(name, "python"):
        for shown, fewer in FEWER:
            block = block.replace(shown, fewer)
        exec(block, names)
    for picture in re.findall(r'write_\w+\("(.*?\.png)"', "".join(blocks(name, "python"))):
        drawn = np.array(Image.open(picture).convert("RGB"))
        kept = np.array(Image.open(next(DOCS.rglob(picture))).convert("RGB"))
        assert drawn.shape[0] <= kept.shape[0]
        if name != "heist":  # the walk of the key has fewer states here
            assert drawn.shape[0] == kept.shape[0]


def test_the_commands_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    script = next(block for block in blocks("levels", "") if block.startswith("# edits.txt"))
    Path("edits.txt").write_text(script)
    commands = [
        line for block in blocks("levels", "") for line in block.splitlines() if line[:10] == "procscope "
    ]
    assert len(commands) == 8
    for command in commands:
        assert main(shlex.split(command.replace("--n 36", "--n 4"))[1:]) == 0, command
    level = MazeLevel.from_file("level.json")
    assert level == MazeLevel.from_seed(7).with_cheese(2, 8).with_background(None).rotated(1)


@pytest.mark.parametrize("name", GAMES)
def test_every_variant_is_on_its_page(name: str) -> None:
    text = page("levels" if name == "maze" else name)
    missing = [variant for variant in game(name).variants if not re.search(rf"`{variant}[`:]", text)]
    assert not missing


def test_what_the_pages_link_to_is_there() -> None:
    for name in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page(name)):
            assert (DOCS / target).exists(), target
