"""Level packs: many levels of one game in a file, versioned, readable by later versions of this program.

When: to keep the levels of an experiment, or to hand them to someone: `write_pack(path, levels)`, `read_pack(path)`,
`procscope level pack|unpack|show --grid`.

A pack is a zip file with `pack.json`, an object with `format` ("procscope level pack"), `version`, `game`, `count` and
`level_version` (that of `level_files.py`), and a `levels.jsonl` of one level a line, in the JSON values that
`to_json` of the level gives. Its bytes depend on the levels alone, not on the time.
Cost: 0.1 ms a level to write, 0.2 to read; a maze takes about 100 bytes.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from procscope.envs.games import game
from procscope.envs.level_files import VERSION as LEVEL_VERSION
from procscope.envs.level_files import upgraded
from procscope.workbench.atomic import write_bytes_atomically

FORMAT = "procscope level pack"
VERSION = 1
SUFFIX = ".zip"

_HEAD, _LEVELS = "pack.json", "levels.jsonl"
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError),  # of the archive
    *(KeyError, json.JSONDecodeError, UnicodeDecodeError, RecursionError),  # of what is in it
)
"""What reading a damaged, encrypted or foreign archive may raise."""

_MAX_BYTES = 2**30
"""Of a pack when unzipped: a larger one is refused before it fills the memory."""


def write_pack(path: str | Path, levels: Sequence[Any]) -> None:
    """Write levels of one game to a `.zip` file, making its folder if need be; ValueError for none or of several."""
    path = Path(path)
    games = sorted({level.game for level in levels})
    if len(games) != 1:
        raise ValueError(f"a pack holds levels of one game, at least one; given: {len(levels)} of {games}")
    if path.suffix != SUFFIX:
        raise ValueError(f"a pack is a {SUFFIX} file; given: {path}")
    head = {"format": FORMAT, "version": VERSION, "game": games[0], "count": len(levels)}
    head["level_version"] = LEVEL_VERSION
    lines = "".join(json.dumps(level.to_json(), separators=(",", ":")) + "\n" for level in levels)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in ((_HEAD, json.dumps(head, indent=2) + "\n"), (_LEVELS, lines)):
            # A fixed date, so that the same levels give the same bytes.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text, zipfile.ZIP_DEFLATED)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, buffer.getvalue())


def read_pack(path: str | Path, game_name: str | None = None, *, allow_unsolvable: bool = True) -> list[Any]:
    """The levels of a pack, in order.

    Raises ValueError if the file is no pack, of a later version, damaged, or not of the given game; and, naming the
    level's place, for a level that its game refuses. Levels without a way to the goal are taken as they were kept,
    unless `allow_unsolvable` is False.
    """
    head, lines = _read_archive(Path(path))
    of_game = game(head["game"]) if isinstance(head.get("game"), str) else None
    if of_game is None or type(head.get("count")) is not int or type(head.get("level_version")) is not int:
        raise ValueError(
            f"expected game, count and level_version in {_HEAD} of the level pack {path}; got {head}"
        )
    if game_name is not None and game_name != of_game.name:
        raise ValueError(
            f"expected a pack of levels of {game_name} in {path}; it holds some of {of_game.name}"
        )
    if len(lines) != head["count"]:
        raise ValueError(f"expected {head['count']} levels in the pack {path}; it has {len(lines)}")
    levels = []
    for number, line in enumerate(lines, 1):
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ValueError(f"expected an object; given: {line[:80]}")
            values = upgraded(values, head["level_version"], str(path))
            levels.append(of_game.level_type.from_json(values, allow_unsolvable=allow_unsolvable))
        except (TypeError, ValueError, RecursionError) as problem:
            raise ValueError(f"level {number} of the pack {path}: {problem}") from problem
    return levels


def _read_archive(path: Path) -> tuple[dict[str, Any], list[str]]:
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = sum(info.file_size for info in archive.infolist())
            if sizes > _MAX_BYTES:
                raise ValueError(
                    f"expected a level pack of at most {_MAX_BYTES} bytes; {path} unzips to {sizes}"
                )
            head = json.loads(archive.read(_HEAD))
            lines = archive.read(_LEVELS).decode().splitlines()
    except _DAMAGE as problem:
        raise ValueError(
            f"expected a level pack (a zip with {_HEAD} and {_LEVELS}) at {path}; {problem}"
        ) from problem
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise ValueError(f'expected a level pack at {path}: "format" must be "{FORMAT}" in its {_HEAD}')
    version = head.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise ValueError(f"{path} is a level pack of version {version}; this program reads 1 to {VERSION}")
    return head, lines
