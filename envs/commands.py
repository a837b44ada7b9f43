"""Commands of the levels: `level show`, `convert`, `random`, `edit`, `pack` and `unpack`, for every game."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

GameName = Literal["maze", "heist", "coinrun"]
Mode = Literal["easy", "hard", "memory"]

_MAX_PACKED = 1_000_000
"""Levels that `level random` puts into a pack: they are held in memory until it is written."""
_LEVELS_AT_ONCE = 512
"""States are up to 50 kB each; more at once would only take memory."""


def level_show(
    game: GameName = "maze",
    seed: int | None = None,
    mode: Mode = "easy",
    file: Path | None = None,
    ascii: Path | None = None,
    grid: Path | None = None,
    columns: int | None = None,
    variant: tuple[str, ...] = (),
    variant_seed: int = 0,
    allow_unsolvable: bool = False,
    out: Path | None = None,
) -> None:
    """Show a level: as ASCII in the terminal, and as a picture in a file; or a pack of levels as a contact sheet.

    Args:
        game: the game, with --seed and --ascii; files know theirs.
        seed: seed of the engine's level to show.
        mode: difficulty mode of the engine, with --seed.
        file: show the level in this file instead: .json, .txt or .state.
        ascii: show the level drawn in this text file instead, whatever it is called.
        grid: show the levels of this pack (.zip) instead, as a contact sheet.
        columns: pictures in a row, with --grid.
        variant: variants to apply, in order, such as `cheese-top-right`.
        variant_seed: seed of the variants' random choices; with the level's own seed it fixes them.
        allow_unsolvable: take a level whose goal cannot be reached.
        out: the picture's file, .png; by default named for the level, in this directory.
    """
    given = [source for source in (seed, file, ascii, grid) if source is not None]
    if len(given) != 1:
        raise ValueError(f"give one of --seed, --file, --ascii and --grid; given: {len(given)} of them")
    if out is not None and out.suffix != ".png":
        raise ValueError(
            f"--out must be a .png file; given: {out}. `procscope level convert` writes other formats"
        )
    if columns is not None and grid is None:
        raise ValueError("--columns goes with --grid")
    if grid is not None:
        from procscope.envs.level_packs import read_pack

        levels = [_varied(level, variant, variant_seed, place) for place, level in enumerate(read_pack(grid))]
        _write_sheet(levels, out or Path(f"{grid.stem}.png"), columns)
        return
    from procscope.envs.pictures import write_png

    if seed is not None:
        level, name = _level_type(game).from_seed(seed, mode), f"{game}-{mode}-{seed}"
    elif file is not None:
        level, name = _read_level(file, allow_unsolvable, game), file.stem
    else:
        assert ascii is not None
        level, name = _from_ascii(ascii, allow_unsolvable, game), ascii.stem
    level = _varied(level, variant, variant_seed, 0)
    out = out or Path(f"{name}.png")
    _check_place(out)
    write_png(out, level.to_state())
    print(f"{level}\n\npicture: {out}")


def level_convert(
    source: Path, target: Path, /, allow_unsolvable: bool = False, game: GameName = "maze"
) -> None:
    """Convert a level between .json, .txt (ASCII) and .state (the engine's bytes), or draw it as .png.

    Args:
        source: file to read: .json, .txt or .state.
        target: file to write: .json, .txt, .state or .png.
        allow_unsolvable: take a level whose goal cannot be reached.
        game: the game of a .txt file; the others know theirs.
    """
    level = _read_level(source, allow_unsolvable, game)
    _write_level(level, target)
    print(f"wrote {target}")


def level_random(
    game: GameName = "maze",
    mode: Mode = "easy",
    variant: tuple[str, ...] = (),
    n: int = 36,
    seed: int = 0,
    variant_seed: int = 0,
    columns: int | None = None,
    out: Path = Path("sheet.png"),
) -> None:
    """Draw random levels of a game, after variants, as a contact sheet; with a .zip file, keep them as a pack.

    Args:
        game: the game.
        mode: difficulty mode of the engine.
        variant: variants to apply, in order.
        n: how many levels: up to 2500 in a sheet, up to a million in a pack.
        seed: of the draw of level seeds, from those for tests and experiments.
        variant_seed: seed of the variants' random choices; with the level's own seed it fixes them.
        columns: pictures in a row; by default about as many as rows.
        out: the sheet's file, .png, or a pack's, .zip.
    """
    import numpy as np

    from procscope.envs.contact_sheets import MAX_PICTURES
    from procscope.envs.engine import TEST_SEEDS
    from procscope.envs.starting_states import starting_states

    most = {".png": MAX_PICTURES, ".zip": _MAX_PACKED}
    if out.suffix not in most:
        raise ValueError(f"--out must be a .png file (a contact sheet) or a .zip (a pack); given: {out}")
    if not 1 <= n <= most[out.suffix]:
        raise ValueError(
            f"--n must be at least 1 and at most {most[out.suffix]} with {out.suffix}; given: {n}"
        )
    _check_seeds(seed=seed, variant_seed=variant_seed)
    level_type = _level_type(game)
    seeds = np.random.default_rng(seed).integers(TEST_SEEDS.start, TEST_SEEDS.stop, n).tolist()
    levels: list[Any] = []
    for start in range(0, n, _LEVELS_AT_ONCE):
        part = seeds[start : start + _LEVELS_AT_ONCE]
        states = starting_states(game, part, mode=mode, variants=variant, variant_seed=variant_seed)
        levels += [level_type.from_state(state) for state in states]
    if out.suffix == ".zip":
        _write_pack(out, levels)
        print(f"wrote {n} levels to {out}")
    else:
        _write_sheet(levels, out, columns)


def level_edit(
    script: Path,
    out: Path,
    file: Path | None = None,
    game: GameName = "maze",
    seed: int | None = None,
    mode: Mode = "easy",
    allow_unsolvable: bool = False,
) -> None:
    """Edit a level by a script: one edit a line, such as `with_cheese x=2 y=8`.

    The edits are the methods `with_…`, `without_…`, `mirrored` and `rotated` of the game's level type, with their
    arguments as name=value; a wrong line is answered with the list of them.

    Args:
        script: the file with the edits.
        out: file to write: .json, .txt, .state or .png.
        file: the level to edit: .json, .txt or .state.
        game: the game, with --seed or a .txt file.
        seed: edit the engine's level of this seed instead of a file.
        mode: difficulty mode of the engine, with --seed.
        allow_unsolvable: take a level from the file whose goal cannot be reached (edits say so for themselves).
    """
    if (file is None) == (seed is None):
        raise ValueError("give either --file or --seed, the level to edit")
    from procscope.envs.level_scripts import edited

    level = (
        _level_type(game).from_seed(seed, mode) if file is None else _read_level(file, allow_unsolvable, game)
    )
    try:
        level = edited(level, _text_of(script))
    except ValueError as problem:
        raise ValueError(f"{script}: {problem}") from problem
    _write_level(level, out)
    print(f"{level}\n\nwrote {out}")


def level_pack(
    files: tuple[Path, ...], out: Path, game: GameName = "maze", allow_unsolvable: bool = False
) -> None:
    """Put level files of one game into a pack.

    Args:
        files: level files in the order that they are to have: .json, .txt or .state.
        out: the pack's file, .zip.
        game: the game of .txt files; the others know theirs.
        allow_unsolvable: take levels whose goal cannot be reached.
    """
    _write_pack(out, [_read_level(file, allow_unsolvable, game) for file in files])
    print(f"wrote {len(files)} levels to {out}")


def level_unpack(pack: Path, out: Path, format: Literal["json", "txt", "state", "png"] = "json") -> None:
    """Write the levels of a pack as files of their own, numbered from 000.

    Args:
        pack: the pack's file, .zip.
        out: folder to write to.
        format: what the files are: json, txt (ASCII), state (the engine's bytes) or png.
    """
    from procscope.envs.level_packs import read_pack

    levels = read_pack(pack)
    _check_place(out / "000")
    out.mkdir(parents=True, exist_ok=True)
    digits = max(3, len(str(len(levels) - 1)))
    for number, level in enumerate(levels):
        _write_level(level, out / f"{number:0{digits}}.{format}")
    print(f"wrote {len(levels)} files to {out}")


def _level_type(game_name: str) -> Any:
    from procscope.envs.games import game

    return game(game_name).level_type


def _read_level(path: Path, allow_unsolvable: bool, game_name: str) -> Any:
    """The level in a file; `game_name` is that of ASCII, which does not say."""
    if path.suffix == ".json":
        from procscope.envs.level_files import read_level_file

        return _level_type(read_level_file(path).game).from_file(path, allow_unsolvable=allow_unsolvable)
    if path.suffix == ".txt":
        return _from_ascii(path, allow_unsolvable, game_name)
    if path.suffix == ".state":
        from procscope.envs.state.offsets import locate

        state = path.read_bytes()
        try:
            level = _level_type(locate(state).game).from_state(state)
            if not allow_unsolvable:
                level.require_solvable()
        except ValueError as problem:
            raise ValueError(f"{path}: {problem}") from problem
        return level
    raise ValueError(f"a level is read from a .json, .txt or .state file; given: {path}")


def _from_ascii(path: Path, allow_unsolvable: bool, game_name: str) -> Any:
    try:
        return _level_type(game_name).from_ascii(_text_of(path), allow_unsolvable=allow_unsolvable)
    except ValueError as problem:
        raise ValueError(
            f"{path}: {problem}. It was read as a level of {game_name}; --game names another"
        ) from problem


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except UnicodeDecodeError as problem:
        raise ValueError(f"expected text in UTF-8; {problem}") from problem


def _check_seeds(**seeds: int) -> None:
    for name, seed in seeds.items():
        if seed < 0:
            raise ValueError(f"--{name.replace('_', '-')} must be 0 or more; given: {seed}")


def _write_level(level: Any, path: Path) -> None:
    from procscope.envs.pictures import write_png
    from procscope.workbench.atomic import write_bytes_atomically

    _check_place(path)
    if path.suffix in (".txt", ".state"):  # the other writers make the folder
        path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".json":
        level.to_file(path)
    elif path.suffix == ".txt":
        write_bytes_atomically(path, f"{level}\n".encode())
    elif path.suffix == ".state":
        write_bytes_atomically(path, level.to_state())
    elif path.suffix == ".png":
        write_png(path, level.to_state())
    else:
        raise ValueError(f"a level is written to a .json, .txt, .state or .png file; given: {path}")


def _write_pack(path: Path, levels: Sequence[Any]) -> None:
    from procscope.envs.level_packs import write_pack

    _check_place(path)
    write_pack(path, levels)


def _check_place(path: Path) -> None:
    """ValueError where a file of that name cannot be, for something else is there."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name a file in it, as {path / f'name{path.suffix}'}")
    for folder in path.parents:
        if folder.exists():
            if not folder.is_dir():
                raise ValueError(f"{path} cannot be written: {folder} is a file; name one in a folder")
            return


def _write_sheet(levels: Sequence[Any], path: Path, columns: int | None) -> None:
    from procscope.envs.contact_sheets import write_contact_sheet

    _check_place(path)
    write_contact_sheet(path, [level.to_state() for level in levels], columns)
    print(f"contact sheet of {len(levels)} levels: {path}")


def _varied(level: Any, variants: tuple[str, ...], variant_seed: int, place: int) -> Any:
    """The level after the variants; `place` is the level's in a list, for one without a seed."""
    if not variants:
        return level
    _check_seeds(variant_seed=variant_seed)
    import numpy as np

    from procscope.envs.variants import resolve_variants

    rng = np.random.default_rng((variant_seed, place if level.level_seed is None else level.level_seed))
    for variant in resolve_variants(variants, level.game):
        level = variant(level, rng)
    return level
