"""Level files: one level as JSON, with a version, readable by people and by later versions of this program.

When: `level.to_file(path)`, `MazeLevel.from_file(path)`, `procscope level convert`.

A file is an object with `format` ("procscope level"), `version`, `game` and `level`, the fields of the level
as its game's codec writes them (`to_json` of the level). A change of the fields raises `VERSION` and adds a step to
`_UPGRADES`, so that every file ever written stays readable.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from procscope.workbench.atomic import write_bytes_atomically

FORMAT = "procscope level"
VERSION = 1

_UPGRADES: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From a version to the next: what turns the `level` of a file of that version into one of the next."""


class LevelFile(NamedTuple):
    """What a level file says."""

    game: str
    level: dict[str, Any]


def write_level_file(path: str | Path, game: str, level: dict[str, Any]) -> None:
    """Write the fields of a level, which must be JSON values, making the folder if need be."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": FORMAT, "version": VERSION, "game": game, "level": level}
    write_bytes_atomically(path, (json.dumps(content, indent=2) + "\n").encode())


def read_level_file(path: str | Path, game: str | None = None) -> LevelFile:
    """Read a level file, brought up to the present version.

    Raises ValueError if it is not one, of a later version, or not of the given game.
    """
    try:
        content = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"expected a level file (JSON) at {path}; {problem}") from problem
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'expected a level file at {path}: an object with "format": "{FORMAT}"')
    version, level = content.get("version"), content.get("level")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"{path} is a level file of version {version}; this program reads 1 to {VERSION}")
    if not isinstance(level, dict) or not isinstance(content.get("game"), str):
        raise ValueError(f'expected "game" (a name) and "level" (an object) in the level file {path}')
    if game is not None and content["game"] != game:
        raise ValueError(f"expected a level of {game} in {path}; it holds one of {content['game']}")
    return LevelFile(content["game"], upgraded(level, version, str(path)))


def upgraded(level: dict[str, Any], version: int, where: str) -> dict[str, Any]:
    """A level's JSON values of that version in the present one; ValueError, naming `where`, for one not known."""
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"{where} has levels of version {version}; this program reads 1 to {VERSION}")
    for step in range(version, VERSION):
        level = _UPGRADES[step](level)
    return level
