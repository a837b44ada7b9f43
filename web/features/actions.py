"""What a network's outputs do, so that effects on them can be drawn on a compass.

When to use: `overview.py` does. Outputs are told by their number: 15 are Procgen's raw actions, 9 Ms. Pac-Man's (in
the order of the Arcade Learning Environment), 5 the moves of the toy games. Of any other number nothing is known, and
they stand in a list.

Axes: `action`.
"""

from typing import NamedTuple

from procscope.envs.actions import ACTION_NAMES, MOVE_STEPS, N_ACTIONS, Move

_STEPS = {"left": (-1, 0), "right": (1, 0), "down": (0, -1), "up": (0, 1)}
_STILL = ("nothing", "no-op")
_MS_PACMAN = "no-op up right left down right-up left-up right-down left-down".split()


class Action(NamedTuple):
    """One output."""

    name: str
    step: tuple[int, int] | None
    """Where it goes, x to the right and y up; (0, 0) stays, None is something else, such as a key."""


def actions_of(n_actions: int) -> tuple[Action, ...]:
    """The outputs of a network that has so many."""
    if n_actions == N_ACTIONS:
        return tuple(map(_named, ACTION_NAMES))
    if n_actions == len(_MS_PACMAN):
        return tuple(map(_named, _MS_PACMAN))
    if n_actions == len(Move):
        return tuple(
            Action(move.name.lower(), (int(step[0]), int(step[1])))
            for move, step in zip(Move, MOVE_STEPS, strict=True)
        )
    return tuple(Action(f"action {number}", None) for number in range(n_actions))


def _named(name: str) -> Action:
    if name in _STILL:
        return Action(name, (0, 0))
    steps = [_STEPS[part] for part in name.split("-") if part in _STEPS]
    return Action(name, (sum(x for x, _ in steps), sum(y for _, y in steps)) if steps else None)
