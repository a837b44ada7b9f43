"""Play the same mazes with and without an intervention, and compare episode by episode.

When to use: to ask what a channel causes. Every arm plays the same levels with the same action noise (common
random numbers), so two arms differ by the intervention alone, and a table of pairs with McNemar's test is the
right comparison. An arm is a value, its result a list of truth values: a member of a sweep that is kept on
disk (`procscope.workbench.members`) and computed in any process.

Source: S3.zeroing of the channel-121 study: cheese exactly on the bottom-right cell, levels with a decision
square, sampled actions, 256 steps.
Cost: the forward passes of all steps; 400 mazes of size 9 of which half are solved take about a minute.

Axes: `level` one episode on each.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

import procscope.interventions.ablation  # noqa: F401 (stored ablations are then known)
from procscope.agents.episodes import play_episodes, policy
from procscope.envs.labels import label_states
from procscope.envs.maze.sizes import maze_seeds_of_size
from procscope.envs.starting_states import starting_states
from procscope.interventions.apply import applied
from procscope.interventions.intervention import Intervention
from procscope.workbench.checkpoints import load_network
from procscope.workbench.members import Members, member_key
from procscope.workbench.parallel import parallel_map
from procscope.workbench.statistics import Interval, bootstrap, mcnemar_exact, paired_difference


@dataclass(frozen=True)
class PlayedMazes:
    """Which mazes are played: those of one size, from a level seed on, in which the ways part."""

    size: int
    count: int
    first_seed: int
    variants: tuple[str, ...] = ("cheese-bottom-right:1",)
    """The cheese exactly on the bottom-right cell, as in the study."""
    max_steps: int = 256
    """Steps after which an episode is cut short."""

    def states(self, *, mouse_anywhere: bool = False) -> list[bytes]:
        """First states of the first `count` mazes with a decision square between cheese and corner.

        The mouse is at the start, as played, or on a random free cell of the same mazes.
        """
        states: list[bytes] = []
        first = self.first_seed
        while len(states) < self.count:
            seeds = maze_seeds_of_size(self.size, self.count - len(states), first_seed=first)
            first = seeds[-1] + 1
            mouse = ("mouse-anywhere",) if mouse_anywhere else ()
            made = starting_states("maze", seeds, variants=(*self.variants, *mouse))
            parting = label_states(made)["decision_x"] >= 0
            states += [state for state, parts in zip(made, parting, strict=True) if parts]
        return states


@dataclass(frozen=True)
class PlayedArm:
    """One network under one intervention on given mazes: all that its result depends on."""

    model: str
    """Name or path of the network."""
    weights_hash: str
    mazes: PlayedMazes
    intervention: Mapping[str, Any] | None
    """`Intervention.to_config()`; None for the untouched network."""
    seed: int
    """Of the action noise, the same for all arms that are compared."""
    version: int = 1
    """Of this computation; raised when it changes."""


def play_arm(arm: PlayedArm) -> list[bool]:
    """Whether the cheese was found, level by level.

    Raises ValueError: the network's weights are not those that the arm names.
    """
    loaded = load_network(arm.model)
    if loaded.weights_hash != arm.weights_hash:
        raise ValueError(
            f"{arm.model} has the weights {loaded.weights_hash[:16]}, the arm is about {arm.weights_hash[:16]}. "
            "Make the arm anew from the network as it is now"
        )
    changes = [] if arm.intervention is None else [Intervention.from_config(arm.intervention)]
    with applied(loaded.network, *changes):
        episodes = play_episodes(
            policy(loaded.network), arm.mazes.states(), seed=arm.seed, max_steps=arm.mazes.max_steps
        )
    return episodes.success.tolist()


def play_arms(
    arms: Sequence[PlayedArm], members: Members, workers: int = 1
) -> Callable[[PlayedArm], Bool[np.ndarray, " level"]]:
    """Play the arms that have no result yet, each once, and keep every result as soon as it is there.

    Returns the function from an arm to whether the cheese was found, level by level.
    """
    pending = members.pending(list({member_key(arm): arm for arm in arms}.values()))
    for index, found in parallel_map(play_arm, pending, workers=workers, description="arms played"):
        members.put(pending[index], found)
    return lambda arm: np.array(members.get(arm), dtype=bool)


class PairedOutcomes(NamedTuple):
    """Counts of levels by whether the cheese was found without and with the intervention."""

    both_found: int
    only_modified_found: int
    only_original_found: int
    neither_found: int

    @property
    def n(self) -> int:
        return sum(self)

    @property
    def mcnemar_p(self) -> float:
        """Two-sided exact p-value of the levels on which the two differ."""
        return mcnemar_exact(self.only_modified_found, self.only_original_found)


def paired_outcomes(
    original: Bool[np.ndarray, " level"], modified: Bool[np.ndarray, " level"]
) -> PairedOutcomes:
    """The study's table. Raises ValueError: other numbers of levels."""
    if original.shape != modified.shape:
        raise ValueError(f"expected the same levels twice, given {len(original)} and {len(modified)}")
    return PairedOutcomes(
        int((original & modified).sum()),
        int((~original & modified).sum()),
        int((original & ~modified).sum()),
        int((~original & ~modified).sum()),
    )


def found_difference(original: Bool[np.ndarray, " level"], modified: Bool[np.ndarray, " level"]) -> Interval:
    """How much more often the cheese is found with the intervention than without, on the same levels."""
    return paired_difference(modified, original)


def difference_from_controls(
    modified: Bool[np.ndarray, " level"],
    controls: Sequence[Bool[np.ndarray, " level"]],
    rng: np.random.Generator,
) -> Interval:
    """Share found with the intervention less the mean share with each of several others, on the same levels.

    With one control the interval is that of paired proportions, with several a bootstrap over levels: it says
    how sure the difference is for these control channels, not for all that might have been drawn. Raises
    ValueError: no controls.
    """
    if not controls:
        raise ValueError("expected at least one control arm, given none")
    if len(controls) == 1:
        return paired_difference(modified, controls[0])
    gains: Float[np.ndarray, " level"] = modified.astype(float) - np.mean(controls, axis=0)
    if np.ptp(gains) == 0:  # no level tells the arms apart: a bootstrap would give an interval of no width
        return paired_difference(modified, controls[0])
    return bootstrap(lambda drawn: float(drawn.mean()), gains, rng=rng)
