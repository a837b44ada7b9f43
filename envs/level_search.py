"""Search over levels: edits of real levels that make a score as large as they can. One search for any score.

When: to ask for a level instead of a picture. Gradient ascent on pixels finds pictures that no game ever shows; what
this finds, the engine drew.

    starts = MazeLevel.from_seeds(range(10**9, 10**9 + 16))
    excites = on_frames(lambda frames: network_unit(frames))            # any function of uint8 [level 64 64 3]
    found = search_levels(starts, excites, game("maze").random_edits, seed=0, rounds=60)
    found.best[0], found.scores[0], found.changes[0]

    score    levels -> numbers: `on_frames(f)` for a function of first frames, or your own function of level values
    edits    name -> (level, rng) -> level, as in `game(name).random_edits`; variants and your own functions too. An
             edit that does not fit a level raises ValueError, and is then drawn anew; edits that keep levels valid
             and solvable, as the games' own do, keep the search among such levels
    allowed  levels -> truth values, asked before the score: "the true reward stays zero", "the size stays 9"

How: every starting level founds a line of its own, so that there are as many results as starts, each a few edits from a
level of its own. In every round a line draws `children` levels, each by one edit of one of its `kept` best (one more
edit with probability 1/2, and so on up to `MOST_EDITS`, since one without the other may be of no use), and keeps the
best of old and new. A level is never scored twice in a line. The draws of a line depend on `seed`, its place and the
round alone, so that more rounds go on where fewer ended.

What is searched need not be levels: anything that hashes and compares by value, with edits and a score of its own, as
moments of play (a level and the actions that lead to it).

Cost: children x lines edits and drawings a round, about 0.5 ms each in the maze and 1 ms in CoinRun, and the score's
own.

Axes: `line` the starting levels in order; `round` 0 is before the first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from jaxtyping import Float64, UInt8
from tqdm import tqdm

from procscope.envs.engine import scratch_engine

Candidate = TypeVar("Candidate")
RandomEdit = Callable[[Candidate, np.random.Generator], Candidate]
"""(candidate, rng) -> another one; draws from `rng` alone. ValueError where it cannot be made."""
Score = Callable[[Sequence[Candidate]], Any]
"""Candidates -> one finite number each (array, tensor or list); larger is better."""
Allowed = Callable[[Sequence[Candidate]], Any]
"""Candidates -> whether each may be kept."""

MOST_EDITS = 4
"""Edits from a parent to its child."""
_TRIES = 20
"""Draws of an edit that fits, before a child is given up."""


@dataclass(frozen=True)
class EditUse:
    """How often one kind of edit was drawn, and what became of it."""

    drawn: int = 0
    unfit: int = 0
    """Raised ValueError, or gave the level back as it was."""


@dataclass(frozen=True, eq=False)
class LevelSearch(Generic[Candidate]):
    """What a search found."""

    best: list[Candidate]
    """The best of each line."""
    scores: Float64[np.ndarray, " line"]
    """Theirs."""
    history: Float64[np.ndarray, "line round"]
    """Score of each line's best so far; column 0 is the starting levels'."""
    changes: list[tuple[str, ...]]
    """Names of the edits that lead from each start to its best, in order."""
    n_scored: int
    """Levels whose score was asked for, starts included."""
    n_not_allowed: int
    """Levels that were drawn and not allowed."""
    use: dict[str, EditUse]
    """By kind of edit."""


def on_frames(score: Callable[[UInt8[np.ndarray, "level 64 64 3"]], Any]) -> Score[Any]:
    """A score of levels from a function of their first frames, which the engine draws in one batch."""

    def of_levels(levels: Sequence[Any]) -> Any:
        worlds = {(level.game, level.mode) for level in levels}
        if len(worlds) != 1:
            raise ValueError(f"expected levels of one game and mode to draw; given: {sorted(worlds)}")
        return score(scratch_engine(*worlds.pop()).render([level.to_state() for level in levels]))

    return of_levels


def search_levels(
    levels: Sequence[Candidate],
    score: Score[Candidate],
    edits: Mapping[str, RandomEdit[Candidate]],
    *,
    seed: int,
    rounds: int = 50,
    children: int = 8,
    kept: int = 2,
    allowed: Allowed[Candidate] | None = None,
    progress: str = "",
) -> LevelSearch[Candidate]:
    """Make the score large, one line of edits from each of the levels.

    Args:
        rounds: of children; children: drawn a line and round; kept: best levels that a line goes on from.
        progress: a name for the progress bar; none without it.

    Raises ValueError: no levels or edits, counts below 1, a starting level that is not allowed, an edit that leaves no
        new level in any line, and scores that are not one finite number each.
    """
    starts = list(levels)
    if not starts or not edits:
        raise ValueError(
            f"expected at least one level and one edit; given: {len(starts)} levels, {len(edits)} edits"
        )
    if min(rounds, children, kept) < 1:
        raise ValueError(
            f"expected rounds, children and kept of at least 1; given: {rounds}, {children}, {kept}"
        )
    draw = _Draw(edits)
    permitted = _permitted(starts, allowed)
    if not all(permitted):
        raise ValueError(
            f"expected starting levels that are allowed themselves; number {permitted.index(False)} of {len(starts)} "
            "is not. Leave it out, or begin from its edit that is"
        )
    lines = [
        _Line([_Kept(value, start, ())], {start})
        for start, value in zip(starts, _scored(starts, score), strict=True)
    ]
    history, n_scored, n_not_allowed = [[line.kept[0].score for line in lines]], len(starts), 0
    for number in tqdm(range(rounds), desc=progress, disable=None if progress else True):
        drawn = [
            (line, child, changes)
            for place, line in enumerate(lines)
            for child, changes in draw.children(line, np.random.default_rng([seed, place, number]), children)
        ]
        may = _permitted([child for _, child, _ in drawn], allowed)
        new = [one for one, good in zip(drawn, may, strict=True) if good]
        n_not_allowed += len(drawn) - len(new)
        n_scored += len(new)
        for (line, child, changes), value in zip(
            new, _scored([child for _, child, _ in new], score), strict=True
        ):
            line.kept.append(_Kept(value, child, changes))
        for line in lines:
            line.kept.sort(key=lambda one: -one.score)  # stable: of equals the older stays
            del line.kept[kept:]
        history.append([line.kept[0].score for line in lines])
    draw.require_something_new()
    return LevelSearch(
        [line.kept[0].candidate for line in lines],
        np.array(history[-1]),
        np.array(history).T.copy(),
        [line.kept[0].changes for line in lines],
        n_scored,
        n_not_allowed,
        draw.use,
    )


@dataclass(frozen=True)
class _Kept(Generic[Candidate]):
    score: float
    candidate: Candidate
    changes: tuple[str, ...]


@dataclass
class _Line(Generic[Candidate]):
    kept: list[_Kept[Candidate]]
    """Best first."""
    seen: set[Candidate]


@dataclass
class _Draw(Generic[Candidate]):
    """Draws children, and counts what became of each edit."""

    edits: Mapping[str, RandomEdit[Candidate]]
    use: dict[str, EditUse] = field(default_factory=dict)
    problem: str = "every edit gave its level back as it was"

    def __post_init__(self) -> None:
        self.use = dict.fromkeys(self.edits, EditUse())

    def children(
        self, line: _Line[Candidate], rng: np.random.Generator, count: int
    ) -> list[tuple[Candidate, tuple[str, ...]]]:
        """Up to so many new candidates of a line; fewer where edits that fit are rare."""
        found = []
        for _ in range(count):
            parent = line.kept[rng.integers(len(line.kept))]
            child, changes = parent.candidate, parent.changes
            n_edits = min(int(rng.geometric(0.5)), MOST_EDITS)
            for _ in range(n_edits):
                child, name = self._edited(child, rng)
                changes += (name,) if name else ()
            if child not in line.seen:
                line.seen.add(child)
                found.append((child, changes))
        return found

    def _edited(self, candidate: Candidate, rng: np.random.Generator) -> tuple[Candidate, str]:
        """The candidate after one edit that fits, and its name; unchanged, and no name, if none was found."""
        names = list(self.edits)
        for _ in range(_TRIES):
            name = names[rng.integers(len(names))]
            before = self.use[name]
            try:
                edited = self.edits[name](candidate, rng)
            except ValueError as problem:
                self.problem = f"{name}: {problem}"
                edited = candidate
            fits = edited != candidate
            self.use[name] = EditUse(before.drawn + 1, before.unfit + (not fits))
            if fits:
                return edited, name
        return candidate, ""

    def require_something_new(self) -> None:
        if all(use.drawn == use.unfit for use in self.use.values()):
            raise ValueError(
                f"expected edits that fit the levels; none of {', '.join(self.edits)} ever did. The last one said: "
                f"{self.problem}"
            )


def _permitted(candidates: Sequence[Any], allowed: Allowed[Any] | None) -> list[bool]:
    if allowed is None or not candidates:
        return [True] * len(candidates)
    answers = np.asarray(allowed(candidates))
    if answers.shape != (len(candidates),) or answers.dtype != bool:
        raise ValueError(
            f"expected `allowed` to give one truth value for each of {len(candidates)} levels; given: {answers.dtype} "
            f"of shape {answers.shape}"
        )
    return answers.tolist()


def _scored(candidates: Sequence[Any], score: Score[Any]) -> list[float]:
    if not candidates:
        return []
    values = np.asarray(score(candidates), dtype=np.float64)
    if values.shape != (len(candidates),):
        raise ValueError(
            f"expected the score to give one number for each of {len(candidates)} levels; given: shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError(
            f"expected finite scores; given {values[~np.isfinite(values)][0]} for level "
            f"{int(np.flatnonzero(~np.isfinite(values))[0])} of {len(values)}"
        )
    return values.tolist()
