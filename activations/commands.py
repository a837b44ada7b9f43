"""Commands of the activation cache: `cache build`, `cache info`, `cache verify`.

Nothing heavy is imported before a command is called: `procscope --help` imports this file for the docstrings.
"""

from pathlib import Path
from typing import Literal


def build(
    model: str,
    hooks: tuple[str, ...],
    out: Path,
    frames: int = 50_000,
    variant: tuple[str, ...] = (),
    sample: Literal["rollouts", "static", "levels", "pairs"] | None = None,
    actor: str | None = None,
    noise: float = 0.0,
    keep_unrewarded: float = 1.0,
    greedy: bool = False,
    placement: str = "start",
    levels: tuple[Path, ...] = (),
    game: str | None = None,
    mode: str | None = None,
    level_seeds: tuple[int, int] = (10**9, 2 * 10**9),
    seed: int = 0,
    variant_seed: int = 0,
    keep_frames: bool = False,
    dtype: Literal["float16", "float32"] = "float16",
    num_envs: int = 16,
    workers: int = 1,
    backend: Literal["processes", "ray"] = "processes",
    device: str = "cpu",
) -> None:
    """Write a network's activations, with the truth of every frame, to a directory.

    Interrupted at any moment, the same command goes on where it was. The bytes do not depend on the number of
    workers.

    Args:
        model: the network that is read: a model's name or a path to a checkpoint.
        hooks: hook points, such as conv_out fc.
        out: directory of the cache.
        frames: rows of the cache.
        variant: level variants in the order applied, such as cheese-anywhere.
        sample: rollouts are episodes; static is one frame of each random level; levels is one of each given level;
            pairs are transitions, a frame and the next one. By default pairs for a network that takes those, else
            rollouts.
        keep_unrewarded: of pairs: probability that a transition without reward is kept.
        actor: who plays: expert, random, a model's name or path; by default the network that is read.
        noise: probability of a random action instead of the actor's.
        greedy: a network that plays takes its best action instead of drawing one.
        placement: where static sampling puts the agent: start, anywhere, or a rule of the game (maze: decision-square).
        levels: level files, with --sample levels.
        game: the game that is played; by default the model's own, in the look that it was trained on.
        mode: its difficulty mode; by default the one that the model was trained in.
        level_seeds: first and last-plus-one level seed; by default levels that training never sees.
        seed: of the levels drawn and the actions.
        variant_seed: of what variants draw.
        keep_frames: store the observations, too.
        dtype: of the activations.
        num_envs: games that step together in rollouts.
        workers: processes.
        backend: where they run.
        device: of the networks: cpu, cuda, auto.
    """
    from procscope.activations.collect import CacheConfig, build_cache
    from procscope.envs.games import game as game_of
    from procscope.workbench.checkpoints import checkpoint_path, read_checkpoint
    from procscope.workbench.provenance import command_line

    header = read_checkpoint(checkpoint_path(model)).header
    played: str = game or header.game
    is_own = played == header.game
    config = CacheConfig(
        model=model,
        hook_points=hooks,
        n_frames=frames,
        variants=variant,
        sample=sample or ("pairs" if _takes_pairs(header.architecture) else "rollouts"),
        keep_unrewarded=keep_unrewarded,
        actor=actor,
        noise=noise,
        greedy=greedy,
        placement=placement,
        levels=tuple(game_of(played).level_type.from_file(path, allow_unsolvable=True) for path in levels),
        game=played,
        mode=mode or (header.mode if is_own else "easy"),
        engine_options=tuple(header.engine_options.items()) if is_own else (),
        level_seeds=level_seeds,
        seed=seed,
        variant_seed=variant_seed,
        keep_frames=keep_frames,
        dtype=dtype,
        num_envs=num_envs,
        device=device,
    )
    cache = build_cache(config, out, workers=workers, backend=backend, command=command_line(), say=print)
    print(f"{cache.path}: {len(cache)} frames of {', '.join(cache.hook_points)}")


def _takes_pairs(architecture: str) -> bool:
    from procscope.workbench import plugins

    return bool(getattr(plugins.load("procscope.architectures", architecture), "takes_pairs", False))


def info(cache: str, /) -> None:
    """Say what a cache holds and how it was made.

    Args:
        cache: directory or URL.
    """
    import json

    from procscope.activations.cache import ActivationCache

    opened = ActivationCache.open(cache)
    print(f"{opened.path}: {len(opened)} frames in {opened.spec.n_blocks} blocks")
    for path, array in opened.spec.arrays.items():
        shape = " x ".join(map(str, array.shape))
        print(
            f"  {path}: {shape}, {array.dtype}, {array.bytes_per_frame * len(opened) / 1e6:.0f} MB in memory"
        )
    print(f"  labels: {', '.join(opened.label_columns)}")
    if opened.counts:
        print(f"  played: {', '.join(f'{count} {what}' for what, count in opened.counts.items())}")
    print(json.dumps(opened.source, indent=2))
    for built in opened.builds:
        print(f"built {built['started']}: {built['command']}")


def verify(cache: Path, other: Path | None = None, /) -> int:
    """Compare every file of a cache with its hash, and the cache with another one if given.

    Exit status 1 when something is damaged, missing or different.

    Args:
        cache: directory of the cache.
        other: another cache whose contents should be the same.
    """
    from procscope.activations.cache_verify import compare_caches, verify_cache

    verification = verify_cache(cache)
    for problem in verification.problems:
        print(problem)
    differing = [] if other is None else compare_caches(cache, other)
    for difference in differing:
        print(f"differs from {other}: {difference}")
    if verification.problems or differing:
        return 1
    same = "" if other is None else f", the same as {other}"
    print(f"{cache}: {verification.n_blocks} blocks are sound{same}; contents {verification.contents_hash}")
    return 0
