"""Commands of the levels: `level show` and `level convert`."""

from pathlib import Path
from typing import Any, Literal


def level_show(
    game: Literal["maze"] = "maze",
    seed: int | None = None,
    mode: Literal["easy", "hard", "memory"] = "easy",
    file: Path | None = None,
    ascii: Path | None = None,
    variant: tuple[str, ...] = (),
    variant_seed: int = 0,
    allow_unsolvable: bool = False,
    out: Path | None = None,
) -> None:
    """Show a level: as ASCII in the terminal, and as a picture in a file.

    Args:
        game: the game.
        seed: seed of the engine's level to show.
        mode: difficulty mode of the engine, with --seed.
        file: show the level in this file instead: .json, .txt or .state.
        ascii: show the level drawn in this text file instead, whatever it is called.
        variant: variants to apply, in order, such as `cheese-top-right`.
        variant_seed: seed of the variants' random choices; with the level's own seed it fixes them.
        allow_unsolvable: take a level whose goal cannot be reached.
        out: the picture's file, .png; by default named for the level, in this directory.
    """
    given = [source for source in (seed, file, ascii) if source is not None]
    if len(given) != 1:
        raise ValueError(f"give one of --seed, --file and --ascii; given: {len(given)} of them")
    if out is not None and out.suffix != ".png":
        raise ValueError(
            f"--out must be a .png file; given: {out}. `procscope level convert` writes other formats"
        )
    from procscope.envs.maze import MazeLevel
    from procscope.envs.pictures import write_png

    if seed is not None:
        level, name = MazeLevel.from_seed(seed, mode), f"{game}-{mode}-{seed}"
    elif file is not None:
        level, name = _read_level(file, allow_unsolvable), file.stem
    else:
        assert ascii is not None
        level, name = _from_ascii(ascii, allow_unsolvable), ascii.stem
    if variant:
        level = _varied(level, variant, variant_seed)
    out = out or Path(f"{name}.png")
    write_png(out, level.to_state())
    print(f"{level}\n\npicture: {out}")


def level_convert(source: Path, target: Path, /, allow_unsolvable: bool = False) -> None:
    """Convert a level between .json, .txt (ASCII) and .state (the engine's bytes), or draw it as .png.

    Args:
        source: file to read: .json, .txt or .state.
        target: file to write: .json, .txt, .state or .png.
        allow_unsolvable: take a level whose goal cannot be reached.
    """
    level = _read_level(source, allow_unsolvable)
    _write_level(level, target)
    print(f"wrote {target}")


def _read_level(path: Path, allow_unsolvable: bool) -> Any:
    from procscope.envs.maze import MazeLevel

    if path.suffix == ".json":
        return MazeLevel.from_file(path, allow_unsolvable=allow_unsolvable)
    if path.suffix == ".txt":
        return _from_ascii(path, allow_unsolvable)
    if path.suffix == ".state":
        level = MazeLevel.from_state(path.read_bytes())
        if not allow_unsolvable:
            level.require_solvable()
        return level
    raise ValueError(f"a level is read from a .json, .txt or .state file; given: {path}")


def _from_ascii(path: Path, allow_unsolvable: bool) -> Any:
    from procscope.envs.maze import MazeLevel

    try:
        return MazeLevel.from_ascii(path.read_text(encoding="utf-8"), allow_unsolvable=allow_unsolvable)
    except ValueError as problem:
        raise ValueError(f"{path}: {problem}") from problem


def _write_level(level: Any, path: Path) -> None:
    from procscope.envs.pictures import write_png
    from procscope.workbench.atomic import write_bytes_atomically

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


def _varied(level: Any, variants: tuple[str, ...], variant_seed: int) -> Any:
    import numpy as np

    from procscope.envs.variants import resolve_variants

    rng = np.random.default_rng((variant_seed, level.level_seed or 0))
    for variant in resolve_variants(variants, level.game):
        level = variant(level, rng)
    return level
