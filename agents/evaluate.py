"""How well a policy plays: success with intervals, steps to the goal, and where failures end.

Each episode is one level of a stated range of seeds, played from the level's start. The same seeds and variants
give the same levels, and the same seed the same action noise, for every policy: two evaluations can be compared
level by level.

Cost: 1,000 levels of maze easy with IMPALA (16, 32, 32), sampled actions: about a minute where nearly all
succeed, four where a third runs to the 500th step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int64

from procscope.agents.episodes import Episodes, play_episodes, policy
from procscope.agents.experts.advice import GOAL_REWARD
from procscope.agents.outcomes import OUTCOMES, GameOutcomes
from procscope.envs.engine import ALL_SEEDS, TEST_SEEDS, Engine, EngineOptions
from procscope.envs.games import game as game_of
from procscope.envs.labels import label_states
from procscope.envs.level_supply import Variants
from procscope.envs.starting_states import starting_states
from procscope.envs.state.batch import StateBatch, read_batch
from procscope.workbench.checkpoints import LoadedModel, weights_hash
from procscope.workbench.members import Members
from procscope.workbench.statistics import Interval, wilson

BLOCK = 200
"""Episodes that are kept together, where they are kept."""


class GroupSuccess(NamedTuple):
    """Success on the levels of one group."""

    name: str
    """The group's values of the property, such as `5` or `10-19`."""
    least: int
    """The least of them."""
    success: Interval


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found."""

    success: Interval
    """Share of episodes that reached the goal, with its Wilson interval."""
    mean_return: float
    """Sum of an episode's rewards: 10 for the goal, which is all that these games pay."""
    by: dict[str, tuple[GroupSuccess, ...]]
    """Success by what levels of the game are told apart by, such as the maze's size (see `outcomes.py`)."""
    mean_steps: float | None
    """Steps of the episodes that reached the goal; None where none did."""
    mean_detour: float | None
    """Steps of those beyond the shortest path, as a share of it; None in games that do not move by whole cells."""
    failed: dict[str, Bool[np.ndarray, "episode"]]
    """The episodes that did not reach the goal, by where they ended (see `outcomes.py`)."""
    episodes: Episodes
    groups: dict[str, Int64[np.ndarray, "episode"]]
    """By property, the least value of the group that each episode's level is in."""

    @property
    def ends(self) -> dict[str, int]:
        """How many episodes failed where, by name."""
        return {name: int(flags.sum()) for name, flags in self.failed.items()}


def evaluate(
    network: torch.nn.Module,
    *,
    game: str = "maze",
    mode: str = "easy",
    variants: Variants = (),
    episodes: int = 1000,
    level_seeds: range = TEST_SEEDS,
    seed: int = 0,
    greedy: bool = False,
    max_steps: int = 500,
    engine_options: Mapping[str, Any] | None = None,
    progress: str | None = None,
    members: Members | None = None,
) -> Evaluation:
    """Play the first `episodes` levels of a range of seeds, once each.

    Args:
        variants: names of level variants, or functions, in the order applied.
        seed: of the variants' draws and of the action noise.
        greedy: the most probable action instead of a sampled one.
        engine_options: further fields of `EngineOptions`, as the network was trained with.
        progress: label of a progress bar; None for none.
        members: where every `BLOCK` episodes are kept, so that a stopped evaluation goes on; they know the network by
            its weights.

    Raises ValueError for a game without goal labels, or more episodes than seeds.
    """
    if not 1 <= episodes <= len(level_seeds):
        raise ValueError(f"episodes must be from 1 to the {len(level_seeds)} level seeds; given: {episodes}")
    outcomes = OUTCOMES[game_of(game).name]
    engine = None
    if engine_options:
        engine = Engine(EngineOptions(game, mode, num_envs=64, level_seeds=ALL_SEEDS, **engine_options))
    states = starting_states(
        game, level_seeds[:episodes], mode=mode, variants=variants, variant_seed=seed, engine=engine
    )
    if engine is not None:
        engine.close()
    labels = label_states(states)
    if members is None:
        played = play_episodes(
            policy(network), states, seed=seed, greedy=greedy, max_steps=max_steps, progress=progress
        )
    else:
        asked = {
            "weights": weights_hash(network.state_dict()),
            "game": game,
            "mode": mode,
            "variants": _names(variants),
            "first_level_seed": level_seeds.start,
            "seed": seed,
            "greedy": greedy,
            "max_steps": max_steps,
            "engine_options": dict(engine_options or {}),
        }
        played = _played_in_blocks(network, states, asked, members, progress)
    return _summary(outcomes, played, labels, read_batch(states))


def _played_in_blocks(
    network: torch.nn.Module,
    states: Sequence[bytes],
    asked: Mapping[str, Any],
    members: Members,
    progress: str | None,
) -> Episodes:
    """The same episodes, some at a time, each block kept as soon as it is played."""

    def play(block: Mapping[str, Any]) -> dict[str, list[Any]]:
        first, last = block["episodes"]
        played = play_episodes(
            policy(network),
            states[first:last],
            seed=block["seed"],
            greedy=block["greedy"],
            max_steps=block["max_steps"],
            first_episode=first,
            progress=None if progress is None else f"{progress}, {first} to {last - 1}",
        )
        return {name: values.tolist() for name, values in played._asdict().items()}

    ends = [*range(0, len(states), BLOCK), len(states)]
    blocks = [
        members.get_or_compute({**asked, "episodes": [first, last], "version": 1}, play)
        for first, last in pairwise(ends)
    ]
    return Episodes(
        **{name: np.array([value for block in blocks for value in block[name]]) for name in Episodes._fields}
    )


def _names(variants: Variants) -> list[str]:
    given = [variants] if isinstance(variants, str) or not isinstance(variants, Sequence) else variants
    names = [variant for variant in given if isinstance(variant, str)]
    if len(names) < len(given):
        raise ValueError(
            "expected variants by name where episodes are kept, since a function cannot be known again; given "
            f"{[variant for variant in given if not isinstance(variant, str)]}"
        )
    return names


def evaluate_model(model: LoadedModel, **options: Any) -> Evaluation:
    """Evaluate a checkpoint in the game, mode and look that it was trained in; `options` are those of `evaluate`."""
    header = model.header
    return evaluate(
        model.network, game=header.game, mode=header.mode, engine_options=header.engine_options, **options
    )


def _summary(
    outcomes: GameOutcomes, played: Episodes, labels: dict[str, np.ndarray], first: StateBatch
) -> Evaluation:
    won = played.success
    groups = {of_level.name: of_level.groups(labels) for of_level in outcomes.properties}
    shortest = labels["distance_to_goal_cells"]
    walked = won & (shortest > 0)
    has_detour = first.game == "maze" and walked.any()
    left, failed = ~won, {}
    for name, flags in outcomes.ends(played, labels, first).items():
        failed[name] = flags & left
        left = left & ~flags
    return Evaluation(
        success=wilson(int(won.sum()), len(won)),
        mean_return=GOAL_REWARD * float(won.mean()),
        by={
            of_level.name: tuple(
                GroupSuccess(of_level.group_name(least), least, _share(won[groups[of_level.name] == least]))
                for least in np.unique(groups[of_level.name]).tolist()
            )
            for of_level in outcomes.properties
        },
        mean_steps=float(played.steps[won].mean()) if won.any() else None,
        mean_detour=float((played.steps[walked] / shortest[walked]).mean() - 1) if has_detour else None,
        failed=failed | {"elsewhere": left},
        episodes=played,
        groups=groups,
    )


def _share(won: Bool[np.ndarray, "episode"]) -> Interval:
    return wilson(int(won.sum()), len(won))
