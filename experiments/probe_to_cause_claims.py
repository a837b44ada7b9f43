"""What a steered probe's reading claims in each frame: where the thing lies, and which move would lead there.

Moved in numbers (`place`), a thing is said to lie farther up, down, left or right, by as many standard deviations of
its row or column as the step has of activations, and so in the nearest cell that the agent can get to: four claims a
frame. Moved on the map (`here`), it is said to lie in a random cell to which another first move leads: its step is
added at that position and taken away where it lies.

Axes: `frame` one a level; `claim`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from procscope.envs.actions import Move
from procscope.experiments.policy_probes_games import Shown
from procscope.experiments.policy_probes_study import POSITIONS, PlaceRead
from procscope.experiments.probe_to_cause_handles import Handle, Handles, values_of
from procscope.experiments.probe_to_cause_setup import Cause
from procscope.probes.claims import cells_at, cells_elsewhere, first_moves, middles_of, nearest_cells
from procscope.probes.positions import position_codes


@dataclass(frozen=True, eq=False)
class Claims:
    """What is claimed in some frames, and what is true of them."""

    cause: Cause
    seen: Shown | None
    """The frames, where claims are made of them; None where a thing is moved on the map."""
    best: Int[np.ndarray, " frame"]
    """The move that is right: the best one, or the one that is asked for."""
    target: Float[np.ndarray, " frame"]
    """The value of what is read, of its first part."""
    here: Int[np.ndarray, " frame"]
    """Position of the map that looks at the thing; -1 where it does not count."""
    there: Int[np.ndarray, " frame"]
    """Position to which it is said to move; -1 where there is none."""
    there_moves: Int[np.ndarray, " frame"]

    def steps_and_moves(
        self, each: Sequence[Handle], kind: str, strength: float
    ) -> tuple[list[np.ndarray], list[Int[np.ndarray, " frame"]]]:
        """The steps of all claims, and the move that each claims in each frame."""
        if self.cause.kind == "here":
            return [each[0].steps[kind]], [self.there_moves]
        steps, moves = [], []
        for part, handle in enumerate(each):
            for sign in (1, -1):
                steps.append(sign * handle.steps[kind])
                moves.append(self._moves_to(part, sign * strength * handle.spread))
        return steps, moves

    def moved(
        self, step: Float[np.ndarray, " channel"], shape: tuple[int, ...]
    ) -> Float32[np.ndarray, "frame channel row col"]:
        """The step at the position where the thing is said to lie, less at the one where it lies, frame by frame."""
        marks = np.zeros((len(self.here), POSITIONS**2), np.float32)
        rows = np.flatnonzero((self.here >= 0) & (self.there >= 0))
        marks[rows, self.there[rows]] += 1
        marks[rows, self.here[rows]] -= 1
        times = shape[1] // POSITIONS
        small = marks.reshape(-1, 1, POSITIONS, POSITIONS).repeat(times, axis=2).repeat(times, axis=3)
        return small * step.astype(np.float32)[:, None, None]

    def _moves_to(self, part: int, by: float) -> Int[np.ndarray, " frame"]:
        """First moves to where the thing lies if its row (part 0) or column is so many pixels larger."""
        assert self.seen is not None
        assert self.seen.free is not None
        agent = _agents(self.seen)
        places = np.stack([values_of(text, self.seen.labels) for text in self.cause.parts], axis=1).astype(
            float
        )
        places[:, part] += by
        cells = nearest_cells(self.seen.free, agent, places)
        return first_moves(self.seen.free, agent, cells)


def claims_of(handles: Handles, read: PlaceRead, seen: Shown, rng: np.random.Generator) -> Claims:
    """What is true of the frames, and where things are said to be moved to."""
    cause, labels = handles.cause, seen.labels
    first = values_of(cause.parts[0], labels)
    n = len(first)
    best = np.full(n, int(Move.STAY))
    if cause.kind in ("move", "place", "here"):
        best = np.asarray(first if cause.kind == "move" else labels["plan_1"]).astype(np.int64)
    nowhere = np.full(n, -1)
    if cause.kind != "here":
        return Claims(cause, seen, best, first.astype(float), nowhere, nowhere, nowhere)
    assert seen.free is not None
    agent, world = _agents(seen), seen.free.shape[1]
    cells = cells_elsewhere(seen.free, agent, best, rng)
    pixels = middles_of(cells, world)
    size = (POSITIONS, POSITIONS)
    there = position_codes(pixels[:, 0], pixels[:, 1], size, read.center)
    here = position_codes(first, values_of(cause.parts[1], labels), size, read.center)
    found = (cells[:, 0] >= 0) & (here != there)
    moves = np.where(found, first_moves(seen.free, agent, cells), int(Move.STAY))
    return Claims(
        cause, seen, best, first.astype(float), np.where(found, here, -1), np.where(found, there, -1), moves
    )


def _agents(seen: Shown) -> Int[np.ndarray, "frame xy"]:
    assert seen.free is not None
    pixels = np.stack([seen.labels["agent_row"], seen.labels["agent_col"]], axis=1) + 0.5
    return cells_at(pixels, seen.free.shape[1])
