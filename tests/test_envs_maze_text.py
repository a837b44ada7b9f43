"""Levels as text and as files: both ways without loss, errors that name the place, the commands that convert."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import maze_levels

from procscope.envs.commands import level_convert, level_show
from procscope.envs.level_files import read_level_file
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.value import WORLD_CELLS

DATA = Path(__file__).parent / "data"

SEED_7_NOTES = "mode: easy   level_seed: 7   background: 4 at 0.07630829   theme: textured"


def same_with_seed(first: MazeLevel, second: MazeLevel) -> bool:
    return first == second and first.level_seed == second.level_seed


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([15, 25, 31]).flatmap(lambda world: maze_levels(world=world)))
def test_ascii_and_back_without_loss(level):
    assert same_with_seed(MazeLevel.from_ascii(str(level)), level)
    drawing = str(level).split("\n\n")[0]
    bare = MazeLevel.from_ascii(drawing, mode=level.mode)
    assert (bare.walls == level.walls).all()
    assert (bare.mouse, bare.cheese, bare.level_seed) == (level.mouse, level.cheese, None)


def test_a_drawing_as_it_is_printed():
    level = MazeLevel.from_ascii("\n   ..C\n   .#.\n   M#.\n", background=2, background_offset=0.25)
    assert str(level).splitlines() == [
        "..C",
        ".#.",
        "M#.",
        "",
        "# wall   . free   M mouse   C cheese   X mouse on the cheese",
        "mode: easy   level_seed: none   background: 2 at 0.25   theme: textured",
    ]
    assert level.walls[0].tolist() == [False, True, False], "the last line is the row y = 0"
    assert level.cheese == (2, 2)
    both = level.with_mouse(2, 2)
    assert str(both).startswith("..X\n.#.\n.#.\n")
    assert MazeLevel.from_ascii(str(both)) == both
    assert SEED_7_NOTES in str(MazeLevel.from_seed(7))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        ("\n \n", "the text is empty"),
        ("...\n.#?\nM..", r"line 2, column 3: '\?' is no part of a maze. Legend: # wall"),
        ("\n\n  ...\n  .#.\n  M.m", r"line 5, column 5: 'm' is no part"),
        ("M..\n.#.\nM..", r"line 3, column 1: a second mouse; the first is in line 1, column 1"),
        ("X.M\n.#.\n...", r"line 1, column 3: a second mouse"),
        ("C.M\n.#.\n..C", r"line 3, column 3: a second cheese; the first is in line 1, column 1"),
        ("...\n.#\nM..", r"line 2, column 3: the line has 2 cells and the first has 3"),
        ("...\n.#..\nM..", r"line 2, column 4: the line has 4 cells and the first has 3"),
        (
            "....\n.#..\nM...\n....",
            r"line 4, column 4: the drawing ends after 4 lines of 4 cells; a maze is square",
        ),
        ("...\n.#.", r"line 2, column 3: the drawing ends after 2 lines of 3 cells"),
        ("\n".join(["." * 17] * 17), "must be odd, from 3 to 15 in mode 'easy'; given: 17"),
        ("...\n.#.\nM..\n\nmode easy", r"line 5, column 1: 'mode easy' is not understood"),
        ("...\n.#.\nM..\n\nmode: easy   colour: red", r"line 5, column 14: 'colour: red' is not understood"),
        ("...\n.#.\nM..\n\nlevel_seed: x", "line 5, column 1: 'level_seed: x'"),
        ("...\n.#.\nM..\n\nmode: huge", "mode must be one of easy, hard, memory; given: 'huge'"),
        ("C#.\n###\nM..", "must have a way to the cheese"),
        ("#..\n.#.\n#.C", r"mouse must be on a free cell of the 3x3 maze; \(0, 0\) is a wall"),
    ],
)
def test_a_bad_drawing_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError, match=message):
        MazeLevel.from_ascii(text)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="#.MCX \n?:3", max_size=60))
def test_any_text_is_a_level_or_a_value_error(text):
    try:
        level = MazeLevel.from_ascii(text)
    except ValueError:
        return
    assert MazeLevel.from_ascii(str(level)) == level


@settings(max_examples=25, deadline=None)
@given(level=maze_levels())
def test_file_and_back_without_loss(level, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "folder" / "level.json"
    level.to_file(path)
    assert same_with_seed(MazeLevel.from_file(path), level)


def test_a_file_written_by_version_1_is_still_read():
    """The file was written when the format was made: this test may never need another file."""
    level = MazeLevel.from_file(DATA / "maze_level_version_1.json")
    assert level == MazeLevel.from_seed(7, "hard").with_cheese(2, 4).with_mouse(0, 2).with_theme("monochrome")
    assert level.level_seed == 7
    assert read_level_file(DATA / "maze_level_version_1.json").game == "maze"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c | {"version": 2}, "level file of version 2; this program reads 1 to 1"),
        (lambda c: c | {"version": "1"}, "version 1; this program reads"),
        (lambda c: c | {"format": "something"}, "expected a level file"),
        (lambda c: c | {"game": "heist"}, "expected a level of maze in .*; it holds one of heist"),
        (lambda c: c | {"level": []}, '"level"'),
        (lambda c: c | {"level": c["level"] | {"walls": [".#", "#"]}}, "rows of # and . of equal length"),
        (lambda c: c | {"level": c["level"] | {"walls": 3}}, "expected walls to be list; given: 3"),
        (
            lambda c: c | {"level": c["level"] | {"mouse": [0.5, 0]}},
            r"mouse to be a cell \[x, y\] in whole numbers",
        ),
        (
            lambda c: c | {"level": c["level"] | {"colour": "red"}},
            "expected the fields walls, .*; given: .*colour",
        ),
        (lambda c: c | {"level": {k: v for k, v in c["level"].items() if k != "cheese"}}, "cheese"),
        (lambda c: c | {"level": c["level"] | {"cheese": [1, 1]}}, "cheese must be on a free cell"),
        (
            lambda c: c | {"level": c["level"] | {"background": "blue"}},
            "expected background to be .*; given: 'blue'",
        ),
        (lambda c: [c], "expected a level file"),
    ],
)
def test_a_bad_file_is_refused(change, message, tmp_path):
    content = json.loads((DATA / "maze_level_version_1.json").read_text())
    path = tmp_path / "level.json"
    path.write_text(json.dumps(change(content)))
    with pytest.raises(ValueError, match=message):
        MazeLevel.from_file(path)
    path.write_text("{")
    with pytest.raises(ValueError, match="expected a level file"):
        MazeLevel.from_file(path)


def test_an_unsolvable_level_must_be_asked_for(tmp_path):
    level = MazeLevel.from_ascii("C#.\n###\nM..", allow_unsolvable=True)
    level.to_file(tmp_path / "shut.json")
    with pytest.raises(ValueError, match="allow_unsolvable=True"):
        MazeLevel.from_file(tmp_path / "shut.json")
    assert MazeLevel.from_file(tmp_path / "shut.json", allow_unsolvable=True) == level


@pytest.mark.parametrize("mode", list(WORLD_CELLS))
def test_convert_through_every_format(mode, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    level = MazeLevel.from_seed(11, mode).with_theme("monochrome")
    level.to_file("level.json")
    chain = ["level.json", "a.txt", "b.state", "c.json", "d.state", "e.txt", "f.json"]
    for source, target in pairwise(chain):
        level_convert(Path(source), Path(target))
    assert Path("f.json").read_bytes() == Path("level.json").read_bytes()
    level_convert(Path("d.state"), Path("folder/level.png"))
    assert Path("folder/level.png").read_bytes() == level._repr_png_()
    assert "wrote folder/level.png" in capsys.readouterr().out


def test_convert_refuses(tmp_path):
    (tmp_path / "bad.txt").write_text("..\n.?")
    for source, target, message in [
        ("bad.txt", "x.json", r"bad.txt: line 2, column 2"),
        ("bad.doc", "x.json", "read from a .json, .txt or .state file"),
        (DATA / "maze_level_version_1.json", "x.doc", "written to a .json, .txt, .state or .png file"),
    ]:
        with pytest.raises(ValueError, match=message):
            level_convert(tmp_path / source, tmp_path / target)
    with pytest.raises(FileNotFoundError):
        level_convert(tmp_path / "none.json", tmp_path / "x.txt")


def test_show_prints_the_level_and_draws_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    level_show(seed=7)
    assert capsys.readouterr().out == f"{MazeLevel.from_seed(7)}\n\npicture: maze-easy-7.png\n"
    assert Path("maze-easy-7.png").read_bytes() == MazeLevel.from_seed(7)._repr_png_()
    Path("mine.txt").write_text("..C\n.#.\nM#.")
    level_show(ascii=Path("mine.txt"), out=Path("mine/picture.png"))
    assert capsys.readouterr().out.startswith("..C\n.#.\nM#.\n\n# wall")
    level_show(seed=7, mode="hard", variant=("mouse-anywhere", "cheese-top-right:1"), variant_seed=3)
    assert "level_seed: 7" in capsys.readouterr().out
    for options, message in [
        ({}, "give one of --seed, --file, --ascii and --grid; given: 0"),
        ({"seed": 1, "file": Path("mine.txt")}, "given: 2"),
        ({"seed": 1, "out": Path("x.jpg")}, "--out must be a .png file"),
        ({"seed": 1, "variant": ("cheese-topright",)}, "Did you mean cheese-top-right"),
    ]:
        with pytest.raises(ValueError, match=message):
            level_show(**options)
