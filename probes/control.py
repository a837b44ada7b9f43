"""Control tasks: how much of a probe's success is the probe's own, and not the layer's.

A probe with many weights can learn by heart. So it is also given a task that the layer cannot hold: every *type* of
frame gets an answer drawn at random, once for all, from the target's own answers. What the probe scores there it
owes to telling the types apart. *Selectivity* is the score on the target less the score on the control task.

    types = types_of([agent_row, agent_col])              # the agent's place: it recurs in other levels
    control = control_task(target, types, rng)
    difference of the two scores, paired level by level (`scores.py`)

Types must recur across levels (or there is nothing to learn by heart, and the control says nothing): the default is the
agent's place in the picture. In the source, types are words.

Source: Hewitt and Liang 2019, Designing and Interpreting Probes with Control Tasks (arXiv:1909.03368), section 2.

Axes: `frame`.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, Shaped

from procscope.activations.cache import ActivationCache, column_values
from procscope.probes.levels import Levels
from procscope.probes.targets import Target
from procscope.workbench.plugins import suggest

DEFAULT_TYPES = ("agent_row", "agent_col")


def control_task(target: Target, types: Int[np.ndarray, " frame"], rng: np.random.Generator) -> Target:
    """The same answers, dealt to types at random.

    Raises ValueError: one type only, whose answer would be constant, or answers that came out all the same.
    """
    n_types = int(types.max()) + 1
    if n_types < 2:
        raise ValueError("expected at least two types of frames for a control task, given one")
    for _ in range(20):
        values = target.values[rng.integers(len(target.values), size=n_types)][types]
        if (values != values[0]).any():
            return Target(f"control of {target.name}", values, target.classes)
    raise ValueError(
        f"expected answers of a control task that vary; those of {n_types} types were all alike, since "
        f"{target.name!r} is "
        "nearly constant. Tell more types apart (--control-by)"
    )


def types_of(columns: Sequence[Shaped[np.ndarray, " frame"]]) -> Int[np.ndarray, " frame"]:
    """A number for each combination of values that occurs."""
    found = np.zeros(len(columns[0]), np.int64)
    for column in columns:
        place = np.unique(column, return_inverse=True)[1].reshape(-1)
        found = np.unique(found * (int(place.max()) + 1) + place, return_inverse=True)[1].reshape(-1)
    return found


def cached_types(
    cache: ActivationCache, names: Sequence[str], rows: Int[np.ndarray, " frame"]
) -> Int[np.ndarray, " frame"] | None:
    """Types by labels of a cache; by default the agent's place, None where the cache has no such labels.

    Raises ValueError: a label that the cache has not.
    """
    known = cache.label_columns
    if not names:
        names = [name for name in DEFAULT_TYPES if name in known]
        if len(names) < len(DEFAULT_TYPES):
            return None
    for name in names:
        if name not in known:
            raise ValueError(
                f"expected labels of this cache to tell types apart, got {name!r}. {suggest(name, known)}"
            )
    table = cache.labels(list(names))
    return types_of([column_values(table[name])[rows] for name in names])


def recurring_share(types: Int[np.ndarray, " frame"], levels: Levels) -> float:
    """Share of the frames whose type occurs in another level, too: the control task's power."""
    pairs = np.unique(np.stack([types, levels.of_frame]), axis=1)
    in_levels = np.bincount(pairs[0], minlength=int(types.max()) + 1)
    return float((in_levels[types] > 1).mean())
