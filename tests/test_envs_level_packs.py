"""Packs, scripts of edits, contact sheets, and the commands that make them, for every game."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procscope.envs.commands import level_edit, level_pack, level_random, level_show, level_unpack
from procscope.envs.contact_sheets import contact_sheet, write_rows
from procscope.envs.games import GAMES, game
from procscope.envs.heist import HeistLevel
from procscope.envs.level_packs import read_pack, write_pack
from procscope.envs.level_scripts import edit_methods, edited
from procscope.envs.maze import MazeLevel

DATA = Path(__file__).parent / "data"


@pytest.mark.parametrize("name", GAMES)
def test_a_pack_loses_nothing(name, tmp_path):
    levels = game(name).level_type.from_seeds(range(5))
    path = tmp_path / "folder" / "some.zip"
    write_pack(path, levels)
    assert read_pack(path, name) == levels
    assert [level.level_seed for level in read_pack(path)] == list(range(5))
    first = path.read_bytes()
    write_pack(path, levels)
    assert path.read_bytes() == first


def test_a_pack_written_by_version_1_is_read():
    """Kept since it was written: levels of seeds 0 to 3, the first with its blue key held and its gem moved."""
    levels = read_pack(DATA / "heist_pack_version_1.zip")
    first, *others = levels
    assert others == HeistLevel.from_seeds([1, 2, 3])
    assert first.holds("blue")
    assert first == HeistLevel.from_seed(0).with_key_held("blue").with_gem(3, 8)


def damaged(path: Path, **changes) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(parts["pack.json"]) | {k: v for k, v in changes.items() if k != "lines"}
    parts["pack.json"] = json.dumps(head).encode()
    parts["levels.jsonl"] = changes.get("lines", parts["levels.jsonl"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "level pack of version 2; this program reads 1 to 1"),
        ({"format": "x"}, '"format" must be "procscope level pack"'),
        ({"count": 7}, "expected 7 levels in the pack .*; it has 2"),
        ({"count": None}, "expected game, count and level_version"),
        ({"game": "bigfish"}, "levels and labels exist for the games"),
        ({"level_version": 9}, "level 1 of the pack .*levels of version 9"),
        ({"lines": b"{}\n{}\n"}, "level 1 of the pack .*expected the fields"),
        ({"lines": b"3\n{}\n"}, "level 1 of the pack .*expected an object; given: 3"),
        ({"lines": b"{\n{}\n"}, "level 1 of the pack"),
        ({"lines": b"\xff\n"}, "expected a level pack"),
    ],
)
def test_damaged_packs_are_refused(changes, message, tmp_path):
    path = tmp_path / "pack.zip"
    write_pack(path, MazeLevel.from_seeds(range(2)))
    damaged(path, **changes)
    with pytest.raises(ValueError, match=message):
        read_pack(path)


def test_what_is_no_pack_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="expected a level pack"):
        read_pack(tmp_path / "a.zip")
    level = MazeLevel.from_seed(0)
    with pytest.raises(ValueError, match=r"a pack is a \.zip file"):
        write_pack(tmp_path / "a.json", [level])
    with pytest.raises(ValueError, match="levels of one game, at least one; given: 0"):
        write_pack(tmp_path / "b.zip", [])
    with pytest.raises(ValueError, match=r"at least one; given: 2 of .'heist', 'maze'"):
        write_pack(tmp_path / "b.zip", [level, HeistLevel.from_seed(0)])
    write_pack(tmp_path / "b.zip", [level])
    with pytest.raises(ValueError, match="expected a pack of levels of heist"):
        read_pack(tmp_path / "b.zip", "heist")


def test_a_script_of_edits():
    level = HeistLevel.from_seed(3)
    script = """
    # the key in the hand, the gem elsewhere
    with_key_held colour=blue
    with_gem x=6 y=8 offset=0.4,0.5   # off its middle
    with_background background=none
    rotated quarter_turns=2
    """
    expected = level.with_key_held("blue").with_gem(6, 8, (0.4, 0.5)).with_background(None).rotated(2)
    assert edited(level, script) == expected
    assert edited(level, "") == level


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("with_gem x=2", "line 1 .*missing a required argument: 'y'. The edit: with_gem x=… y=…"),
        ("\nwith_gem x=2 y=8 z=1", "line 2 .*given: 'z=1'"),
        ("with_gem x=2 x=3 y=1", "each once; given: 'x=3'"),
        ("with_gem 2 8", "expected arguments as name=value"),
        ("with_gem x= y=8", "given: 'x='"),
        ("to_file path=x", "HeistLevel has no edit 'to_file'. Its edits:\n  mirrored .axis=x.\n"),
        ("__class__", "has no edit '__class__'"),
        ("with_grid walls=1", "has no edit 'with_grid'"),
        ("with_key colour=pink x=1 y=1", "colour must be one of"),
        ("with_gem x=0 y=0", "line 1 .*gem must be on a free cell"),
    ],
)
def test_wrong_scripts_are_refused(script, message):
    with pytest.raises(ValueError, match=message):
        edited(HeistLevel.from_seed(3), script)


@pytest.mark.parametrize("name", GAMES)
def test_every_game_has_edits(name):
    methods = edit_methods(game(name).level_type)
    assert len(methods) >= 8
    assert "with_grid" not in methods


@pytest.mark.parametrize("name", GAMES)
def test_the_commands(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    level_show(game=name, seed=7)
    level = game(name).level_type.from_seed(7)
    assert capsys.readouterr().out.startswith(str(level).splitlines()[0])
    assert np.array(Image.open(f"{name}-easy-7.png")).shape == (512, 512, 3)
    level_random(game=name, n=3, out=Path("sheet.png"))
    level_random(game=name, n=3, out=Path("three.zip"))
    assert np.array(Image.open("sheet.png")).shape == (128 * 2 + 4, 128 * 2 + 4, 3)
    level_unpack(pack=Path("three.zip"), out=Path("files"))
    files = sorted(Path("files").iterdir())
    assert [file.name for file in files] == ["000.json", "001.json", "002.json"]
    level_pack(files=tuple(files), out=Path("again.zip"))
    assert read_pack("again.zip") == read_pack("three.zip")
    level_show(grid=Path("again.zip"), columns=3)
    assert np.array(Image.open("again.png")).shape == (128, 128 * 3 + 8, 3)
    level.to_file("level.json")
    Path("script.txt").write_text("with_background background=2\n")
    level_edit(script=Path("script.txt"), file=Path("level.json"), out=Path("edited.txt"))
    edited_level = game(name).level_type.from_ascii(Path("edited.txt").read_text())
    assert edited_level.background == 2
    level_edit(script=Path("script.txt"), game=name, seed=7, out=Path("edited.state"))
    level_show(file=Path("edited.state"))
    Path("script.txt").write_text("with_background background=999\n")
    with pytest.raises(ValueError, match=r"script.txt: line 1"):
        level_edit(script=Path("script.txt"), file=Path("level.json"), out=Path("x.json"))


def test_commands_refuse():
    with pytest.raises(ValueError, match="--n must be at least 1"):
        level_random(n=0)
    with pytest.raises(ValueError, match="either --file or --seed"):
        level_edit(script=Path("x"), out=Path("y.json"))
    with pytest.raises(ValueError, match="--columns goes with --grid"):
        level_show(seed=1, columns=3)


def test_contact_sheets_refuse():
    state = MazeLevel.from_seed(0).to_state()
    assert contact_sheet([state], side=64).shape == (64, 64, 3)
    with pytest.raises(ValueError, match="at least one level"):
        contact_sheet([])
    with pytest.raises(ValueError, match="one of 256, 128, 64, 32 pixels; given: 100"):
        contact_sheet([state], side=100)
    with pytest.raises(ValueError, match="at least one column"):
        contact_sheet([state], columns=0)


def test_rows_of_pictures(tmp_path):
    rng = np.random.default_rng(0)
    plain = [np.full((64, 64, 3), rng.integers(0, 256, 3), np.uint8) for _ in range(5)]
    write_rows(tmp_path / "new" / "rows.png", {"two": plain[:2], "a longer name": plain[2:]})
    drawn = np.array(Image.open(tmp_path / "new" / "rows.png").convert("RGB"))
    assert drawn.shape[0] == 2 * 66
    left = drawn.shape[1] - 3 * 66
    for number, picture in enumerate(plain):
        row, column = divmod(number, 2) if number < 2 else (1, number - 2)
        x, y = left + 66 * column, 66 * row
        np.testing.assert_array_equal(drawn[y : y + 64, x : x + 64], picture)
    assert (drawn[:64, left + 132 :] == 255).all()
    assert (drawn[:64, : left - 2] < 99).any()
    assert (drawn[66:, : left - 2] < 99).any()
    with pytest.raises(ValueError, match="all of one size; given: none"):
        write_rows(tmp_path / "rows.png", {})
    with pytest.raises(ValueError, match=r"of one size; given: .\(9, 9, 3\), \(64, 64, 3\)"):
        write_rows(tmp_path / "rows.png", {"a": [plain[0], plain[0][:9, :9]]})
    with pytest.raises(ValueError, match=r"to a \.png file"):
        write_rows(tmp_path / "rows.jpg", {"a": plain})
