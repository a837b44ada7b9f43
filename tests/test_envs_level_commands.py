"""The level commands as a clumsy user meets them: exit status 2 and a message that says what is wrong."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.games import GAMES, game
from procscope.envs.level_packs import write_pack
from procscope.workbench.cli import main

HEAD = {"format": "procscope level pack", "version": 1, "game": "maze", "count": 1, "level_version": 1}


def _zip(path: str, head: str, lines: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack.json", head)
        archive.writestr("levels.jsonl", lines)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good files of every game and kind, and a lot of bad ones."""
    folder = tmp_path_factory.mktemp("clumsy")
    here = Path.cwd()
    os.chdir(folder)
    try:
        for name in GAMES:
            level = game(name).level_type.from_seed(7)
            level.to_file(f"{name}.json")
            Path(f"{name}.state").write_bytes(level.to_state())
            Path(f"{name}.txt").write_text(str(level))
        state = Path("maze.state").read_bytes()
        write_pack("good.zip", game("maze").level_type.from_seeds(range(2)))
        damaged = bytearray(Path("good.zip").read_bytes())
        for place in range(60, 110):
            damaged[place] ^= 255
        whole = Path("good.zip").read_bytes()
        Path("folder.json").mkdir()
        Path("folder.png").mkdir()
        Path("folder").mkdir()
        for name, content in {
            "empty.json": b"",
            "binary.json": bytes(range(256)),
            "deep.json": b"[" * 100_000,
            "number.json": b"3",
            "game.json": b'{"format": "procscope level", "version": 1, "game": "bigfish", "level": {}}',
            "version.json": b'{"format": "procscope level", "version": true, "game": "maze", "level": {}}',
            "fields.json": b'{"format": "procscope level", "version": 1, "game": "maze", "level": {}}',
            "empty.state": b"",
            "noise.state": bytes(range(256)) * 20,
            "cut.state": state[:9000],
            "long.state": state + b"\0" * 10,
            "bigfish.state": Engine(EngineOptions("bigfish")).get_states()[0],
            "empty.txt": b"",
            "latin.txt": b"M..\n.#\xe9",
            "emoji.txt": "🐭..\n...\n..🧀".encode(),
            "nul.txt": b"\0\0\0",
            "seed.txt": b"..C\n.#.\nM..\n\nlevel_seed: 99999999999999999999\n",
            "nan.txt": b"..C\n.#.\nM..\n\nbackground: 3 at nan\n",
            "large.txt": (b"." * 300 + b"\n") * 300,
            "text.zip": b"hello",
            "damaged.zip": bytes(damaged),
            "half.zip": whole[: len(whole) // 2],
        }.items():
            Path(name).write_bytes(content)
        _zip("list.zip", "[]", "")
        _zip("deep.zip", json.dumps(HEAD), "[" * 100_000 + "\n")
        _zip("none.zip", json.dumps(HEAD | {"count": 0}), "")
        _zip("count.zip", json.dumps(HEAD | {"count": True}), "{}\n")
    finally:
        os.chdir(here)
    return folder


WRONG = {
    "level show": "give one of --seed, --file",
    "level show --seed 1 --file maze.json": "give one of",
    "level show --seed -1": "a level seed must be a whole number",
    "level show --seed 99999999999999": "a level seed must be a whole number",
    "level show --seed abc": "seed",
    "level show --game bigfish --seed 1": "maze",
    "level show --game coinrun --mode memory --seed 1": "mode must be one of easy, hard",
    "level show --file none.json": "No such file",
    "level show --file folder": "read from a .json, .txt or .state file",
    "level show --file folder.json": "Is a directory",
    "level show --file empty.json": "expected a level file (JSON) at empty.json",
    "level show --file binary.json": "expected a level file (JSON) at binary.json",
    "level show --file deep.json": "expected a level file (JSON) at deep.json",
    "level show --file number.json": "expected a level file at number.json",
    "level show --file game.json": "levels and labels exist for the games",
    "level show --file version.json": "version True; this program reads 1 to 1",
    "level show --file fields.json": "fields.json: expected the fields walls",
    "level show --file empty.state": "empty.state: expected a whole state",
    "level show --file noise.state": "noise.state: expected a whole state",
    "level show --file cut.state": "cut.state: expected a whole state",
    "level show --file long.state": "long.state: expected a whole state",
    "level show --file bigfish.state": "levels and labels exist for the games",
    "level show --file empty.txt": "the text is empty",
    "level show --file latin.txt": "latin.txt: expected text in UTF-8",
    "level show --file emoji.txt": "line 1, column 1: '🐭' is no part of a maze",
    "level show --file nul.txt": "is no part of a maze",
    "level show --file seed.txt": "level_seed must be a whole number",
    "level show --file nan.txt": "background_offset must be from 0 to 1",
    "level show --file large.txt": "a maze is square, of odd size",
    "level show --ascii heist.txt": "read as a level of maze; --game names another",
    "level show --game coinrun --ascii large.txt": "the world has 64x64 cells",
    "level show --seed 1 --variant cheese": "unknown variant 'cheese'",
    "level show --seed 1 --variant keys:2": "is for the game heist, not for maze",
    "level show --seed 1 --variant cheese-top-right:0": "a whole number from 1 to 31",
    "level show --seed 1 --variant cheese-anywhere --variant-seed -1": "--variant-seed must be 0 or more",
    "level show --seed 1 --out x.jpg": "--out must be a .png file",
    "level show --seed 1 --out maze.json/x.png": "maze.json is a file",
    "level show --seed 1 --out folder.png": "folder.png is a folder",
    "level show --grid text.zip": "expected a level pack",
    "level show --grid maze.json": "expected a level pack",
    "level show --grid damaged.zip": "damaged.zip",
    "level show --grid half.zip": "expected a level pack",
    "level show --grid folder.json": "Is a directory",
    "level show --grid list.zip": "expected a level pack at list.zip",
    "level show --grid deep.zip": "level 1 of the pack deep.zip",
    "level show --grid none.zip": "at least one level to draw",
    "level show --grid count.zip": "expected game, count and level_version",
    "level show --grid good.zip --columns 0": "expected at least one column",
    "level convert maze.json": "PATH",
    "level convert maze.json x.doc": "written to a .json, .txt, .state or .png file",
    "level convert maze.json maze.json/x.txt": "maze.json is a file; name one in a folder",
    "level convert maze.json folder.json": "folder.json is a folder; name a file in it",
    "level convert maze.txt x.json --game heist": "is no part of a Heist level",
    "level random --n 0": "--n must be at least 1",
    "level random --n 99999999999": "--n must be at least 1 and at most 2500 with .png",
    "level random --n 2000000 --out x.zip": "at most 1000000 with .zip",
    "level random --n 2 --out x.jpg": "--out must be a .png file (a contact sheet) or a .zip",
    "level random --n 2 --seed -1": "--seed must be 0 or more",
    "level random --n 2 --variant-seed -1": "--variant-seed must be 0 or more",
    "level random --n 2 --columns -1": "at least one column",
    "level random --n 2 --game coinrun --mode memory": "coinrun has the modes easy, hard",
    "level edit --script empty.txt --out x.json": "give either --file or --seed",
    "level edit --script none --seed 1 --out x.json": "No such file",
    "level edit --script latin.txt --seed 1 --out x.json": "latin.txt: expected text in UTF-8",
    "level edit --script empty.txt --seed 1 --out x.doc": "written to a .json, .txt, .state or .png file",
    "level pack --files --out x.zip": "at least one; given: 0",
    "level pack --files maze.json heist.json --out x.zip": "levels of one game",
    "level pack --files maze.json --out x.json": "a pack is a .zip file",
    "level pack --files noise.state --out x.zip": "noise.state: expected a whole state",
    "level pack --files maze.json --out maze.json/x.zip": "maze.json is a file",
    "level unpack --pack good.zip --out maze.json": "maze.json is a file",
    "level unpack --pack damaged.zip --out unpacked": "damaged.zip",
    "level unpack --pack good.zip --out unpacked --format doc": "doc",
}


@pytest.mark.parametrize("command", WRONG)
def test_a_wrong_command_says_what_is_wrong(command: str, folder: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(folder)
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert WRONG[command] in said
    assert "Traceback" not in said


EDITS = [
    ("maze", "with_cheese x=1.5 y=0", "cheese must be a cell (x, y) in whole numbers"),
    ("maze", "with_mouse x=99999999999999999999999 y=0", "is outside"),
    ("maze", "with_background background=1e400", "background must be a whole number from 0 to 8, or None"),
    ("maze", "rotated quarter_turns=1.5", "quarter_turns must be a whole number"),
    ("maze", "without_cheese x=1", "expected arguments as name=value"),
    ("heist", "with_key colour=1,2 x=1 y=1", "colour must be one of"),
    ("heist", "with_moved start=1 end=2", "start must be a cell"),
    ("heist", "with_key_held colour=blue keep_others=maybe", "keep_others must be true or false"),
    ("heist", "with_agent x=2 y=8 velocity=1", "agent_velocity must be from"),
    ("heist", "with_background background=2 offset=nan", "background_offset must be from 0 to 1"),
    ("heist", "with_gem x=1 y=1; import os", "expected arguments as name=value"),
    ("coinrun", "with_agent x=2 y=1 vx=nan", "vx from -4 to 4; got nan"),
    ("coinrun", "with_agent_at x=none y=1", "a number that fits the field x"),
    ("coinrun", "with_obstacle kind=cow x=1 y=1", "an obstacle must be one of saw, enemy, crate"),
    ("coinrun", "without_obstacles kinds=saw,cow", "obstacles are saw, enemy, crate and lava; given: cow"),
    ("coinrun", "with_themes walls=1.5", "walls must be a whole number from 0 to 5"),
    ("coinrun", "__init__", "has no edit '__init__'"),
]


RUN_EDITS = """
import contextlib, io, json, pathlib, sys
from procscope.workbench.cli import main
said = []
for name, line, _ in json.load(sys.stdin):
    pathlib.Path("script").write_text(f"# a comment\\n{line}\\n")
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        status = main(f"level edit --game {name} --seed 3 --script script --out x.json".split())
    said.append((status, errors.getvalue()))
print(json.dumps(said))
"""
"""In a process without the tests' type checks, which would be faster to complain."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """Exit status and message of each of `EDITS`."""
    ran = subprocess.run(
        [sys.executable, "-c", RUN_EDITS],
        input=json.dumps(EDITS),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
        cwd=tmp_path_factory.mktemp("edits"),
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize("number", range(len(EDITS)))
def test_a_wrong_script_says_which_line(number: int, answers: list[tuple[int, str]]) -> None:
    _, line, message = EDITS[number]
    status, said = answers[number]
    assert status == 2
    assert f"script: line 2 ({line!r})" in said
    assert message in said


def test_an_edit_may_take_several_values(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("script").write_text("\ufeffwithout_obstacles kinds=saw,crate\r\n")  # as some editors of Windows do
    assert main("level edit --game coinrun --seed 3 --script script --out x.json".split()) == 0
    level_type = CoinRunLevel
    expected = level_type.from_seed(3).without_obstacles("saw", "crate")
    assert level_type.from_file("x.json") == expected


def test_no_value_whatever_brings_anything_but_a_value_error() -> None:
    """In an interpreter without the tests' type checks: see `hostile_values.py`."""
    program = Path(__file__).parent / "hostile_values.py"
    found = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=600)
    assert found.returncode == 0, found.stderr[-2000:]
    assert not found.stdout, found.stdout
