"""What `policy-probes` finds about one network, as values: the skill of every probe, baseline and control.

Axes: `level` the frames that an answer is asked on, one a level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool

from procscope.experiments.policy_probes_games import GAMES, Asked
from procscope.experiments.policy_probes_study import PIXELS
from procscope.probes.scores import Score
from procscope.probes.skill import Skill

FOLLOWED, IGNORED = "followed", "ignored"
"""Frames in which the way to the goal and the way to the corner part: the move to the goal is taken, or not."""


@dataclass(frozen=True, eq=False)
class ProbedNetwork:
    """One network."""

    model: str
    game: str
    training: str
    hook_points: tuple[str, ...]
    """In the order of the forward pass."""
    found: Mapping[tuple[int, str], Mapping[str, Any]]
    """By draw (0 the trained network) and place: `measure_place`."""
    looked_closer: Mapping[str, Mapping[str, Any]]
    """By place: the same, of a closer look at the trained network."""
    tables: Mapping[str, Mapping[str, Any]]
    """`measure_tables`."""
    choices: Mapping[str, Sequence[int]]
    """`measure_choices`."""

    @property
    def where(self) -> dict[str, str]:
        return {"model": self.model, "training": self.training, "game": self.game}

    @cached_property
    def asked(self) -> tuple[Asked, ...]:
        """What was answered anywhere, in the order in which it is asked."""
        answered = {name for found in self.found.values() for name in found}
        return tuple(one for one in GAMES[self.game].asked if one.name in answered)

    @property
    def untrained(self) -> int:
        """How many untrained networks there are."""
        return max(draw for draw, _ in self.found)

    def skill(self, name: str, place: str, draw: int = 0, what: str = "score") -> Skill | None:
        """Of the probe, or its `control`; None where it was not asked: places, of a vector."""
        kept = self.found[draw, place].get(name, {}).get(what)
        return None if kept is None else Skill(tuple(Score.from_json(one) for one in kept))

    def lookup(self, name: str, known: Sequence[str] = ()) -> Skill | None:
        """Of the table of what some labels predict, by default of the one that predicts most; None without any."""
        skills = {
            labels: Skill(tuple(Score.from_json(one) for one in kept))
            for labels, kept in self.tables.get(name, {}).items()
        }
        if known:
            return skills.get(" ".join(known))
        return max(skills.values(), key=lambda skill: skill.value()) if skills else None

    def closer(self, name: str, place: str, probe: str) -> Skill | None:
        """Of the `logistic` or `mlp` probe; None where it was not made."""
        kept = self.looked_closer.get(place, {}).get(name, {}).get(probe)
        return None if kept is None else Skill(tuple(Score.from_json(one) for one in kept))

    def saved_bits(self, name: str, place: str) -> float | None:
        """Bits a frame that a linear probe saves whoever writes the answers down; None where it was not asked."""
        return self.looked_closer.get(place, {}).get(name, {}).get("saved_bits")

    def baseline(self, name: str, place: str) -> Skill | None:
        """The better one of an untrained network at the same place and the picture."""
        found = [self.skill(name, place, draw) for draw in range(1, self.untrained + 1)]
        there = [one for one in (*found, self.skill(name, PIXELS)) if one is not None]
        return max(there, key=lambda one: one.value()) if there else None

    def best_place(self, name: str) -> str:
        """The hook point with the highest skill. Raises ValueError: it was asked nowhere."""
        skills = {place: self.skill(name, place) for place in self.hook_points}
        there = {place: skill.value() for place, skill in skills.items() if skill is not None}
        return max(there, key=lambda place: there[place])

    def part(self, which: str) -> Bool[np.ndarray, " level"]:
        """Of all frames, those in which the two ways part and the goal's is followed or ignored; mazes alone."""
        move, best, corner = (
            np.array(self.choices[name]) for name in ("move", "best_move", "best_move_to_corner")
        )
        return (best != corner) & ((move == best) == (which == FOLLOWED))
