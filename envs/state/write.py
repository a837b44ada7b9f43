"""Patch the same fields of many states in one call: `write_batch`, the other half of `state/batch.py`.

When: on hot paths, and wherever the arrays of a `StateBatch` were changed. Only the named fields' bytes change; the
length of a state never does. Written values are checked with `state/rules.py`; bytes that are not written are trusted.
Cost: about 4 us a state for grid, agent and time of maze easy.

Axes: state = a state of the batch; y = cell row, upwards; x = cell column, to the right.
"""

from collections.abc import Sequence

import numpy as np

from procscope.envs.state.batch import StateBatch, read_batch
from procscope.envs.state.layout import ENTITY_DTYPE
from procscope.envs.state.offsets import EPISODE_DTYPE, SCENE_DTYPE, SETTINGS_DTYPE, VIEW_DTYPE, field_offset
from procscope.envs.state.rules import (
    FLAG,
    LIMITS,
    SEEDS_IN_RANGE,
    SPEED,
    TIME_LEFT,
    Limit,
    check_cells,
    check_centres,
    check_limit,
    rules_of,
)

Values = np.ndarray | Sequence | float | int
"""What is written: an array, nested lists, or one number for all states."""

Patch = tuple[list[int], bytes]
"""Where to write in each state, and what: equal shares of the bytes, one after the other."""


def write_batch(
    states: Sequence[bytes] | StateBatch,
    *,
    cells: Values | None = None,
    agent_xy: Values | None = None,
    agent_velocity: Values | None = None,
    cur_time: Values | None = None,
    timeout: Values | None = None,
    seed_range: Values | None = None,
    background_index: Values | None = None,
    use_backgrounds: Values | None = None,
    visibility: Values | None = None,
) -> list[bytes]:
    """The states with the given fields changed, in the order given; the states passed in are left as they are.

    Args:
        states: whole states of one game, or what `read_batch` made of them (which saves finding the fields again).
        cells: [state, y, x] integers in world coordinates; all worlds must then have one size. Or [y, x] for all.
        agent_xy: [state, 2], the agent's centre in world cells (cell centres end in .5); or [2] for all.
        agent_velocity: [state, 2] or [2], cells a step.
        cur_time: [state] or a number, steps since the level began; must stay below timeout for the episode to go on.
        timeout: [state] or a number, the step at which the episode ends by itself.
        seed_range: [state, 2] or [2], the level seeds (low, high) that the next resets draw from, high excluded.
        background_index: [state] or a number.
        use_backgrounds: [state] or a number, 0 or 1. It stays in force after resets.
        visibility: [state] or a number, how many cells a centred view shows.

    Raises:
        ValueError: when a value would end, hang or confuse the engine, or a shape does not fit; no state is written
            then.
    """
    batch = states if isinstance(states, StateBatch) else read_batch(states)
    count = len(batch)
    if count == 0:
        return []
    rules = rules_of(batch.game)
    patches: list[Patch] = []

    def patch(starts: list[int], at: int, values: np.ndarray) -> None:
        patches.append(([start + at for start in starts] if at else starts, values.tobytes()))

    if cells is not None:
        width, height = batch.common_size()
        grids = _integers("cells", cells, (count, height, width))
        check_cells(batch.game, grids)
        patch([o.cells for o in batch.offsets], 0, grids)

    agents = [o.agent for o in batch.offsets]
    if agent_xy is not None:
        centres = _floats("agent_xy", agent_xy, (count, 2))
        check_centres(centres[:, 0], centres[:, 1], batch.sizes[:, 0], batch.sizes[:, 1])
        patch(_with_agents(agents), field_offset(ENTITY_DTYPE, "x"), centres)
    if agent_velocity is not None:
        velocity = _floats("agent_velocity", agent_velocity, (count, 2))
        check_limit("agent_velocity", velocity, SPEED)
        patch(_with_agents(agents), field_offset(ENTITY_DTYPE, "vx"), velocity)

    episodes = [o.episode for o in batch.offsets]
    if cur_time is not None or timeout is not None:
        time = batch.cur_time if cur_time is None else _integers("cur_time", cur_time, (count,))
        limit = batch.timeout if timeout is None else _integers("timeout", timeout, (count,))
        check_limit("timeout", limit, LIMITS["episode"]["timeout"])
        check_limit("cur_time", time, LIMITS["episode"]["cur_time"])
        check_limit("timeout - cur_time", limit - time, TIME_LEFT)
        if cur_time is not None:
            patch(episodes, field_offset(EPISODE_DTYPE, "cur_time"), time)
        if timeout is not None:
            patch(episodes, field_offset(EPISODE_DTYPE, "timeout"), limit)

    settings = [o.settings for o in batch.offsets]
    if seed_range is not None:
        seeds = _integers("seed_range", seed_range, (count, 2))
        check_limit("seed_range's low", seeds[:, 0], LIMITS["settings"]["level_seed_low"])
        check_limit("seed_range's high - low", seeds[:, 1].astype(np.int64) - seeds[:, 0], SEEDS_IN_RANGE)
        patch(settings, field_offset(SETTINGS_DTYPE, "level_seed_low"), seeds)
    if use_backgrounds is not None:
        flags = _integers("use_backgrounds", use_backgrounds, (count,))
        check_limit("use_backgrounds", flags, FLAG)
        patch(settings, field_offset(SETTINGS_DTYPE, "use_backgrounds"), flags)
    if background_index is not None:
        index = _integers("background_index", background_index, (count,))
        check_limit(
            "background_index",
            index,
            Limit(0, rules.backgrounds - 1, f"{batch.game} has {rules.backgrounds}"),
        )
        patch([o.scene for o in batch.offsets], field_offset(SCENE_DTYPE, "background_index"), index)
    if visibility is not None:
        seen = _floats("visibility", visibility, (count,))
        check_limit("visibility", seen, LIMITS["view"]["visibility"])
        patch([o.view for o in batch.offsets], field_offset(VIEW_DTYPE, "visibility"), seen)
    return _patched(batch.states, patches)


def _patched(states: list[bytes], patches: list[Patch]) -> list[bytes]:
    shares = [(starts, data, len(data) // len(states)) for starts, data in patches]
    written = []
    for index, raw in enumerate(states):
        copy = bytearray(raw)
        for starts, data, size in shares:
            start = starts[index]
            copy[start : start + size] = data[index * size : (index + 1) * size]
        written.append(bytes(copy))
    return written


def _with_agents(agents: list[int]) -> list[int]:
    if min(agents) < 0:
        raise ValueError(
            f"expected an entity of type 0, the agent, in every state; state {agents.index(-1)} has none"
        )
    return agents


def _integers(name: str, values: Values, shape: tuple[int, ...]) -> np.ndarray:
    given = np.asarray(values)
    if given.dtype.kind not in "iub":
        raise ValueError(f"expected integers for {name}; got {given.dtype}. Round them yourself")
    if given.dtype != np.int32 and given.size and not (given.min() >= -(2**31) and given.max() < 2**31):
        raise ValueError(f"expected numbers that fit an int32 for {name}; got {given.min()} to {given.max()}")
    return _shaped(name, given, shape, "<i4")


def _floats(name: str, values: Values, shape: tuple[int, ...]) -> np.ndarray:
    given = np.asarray(values)
    if given.dtype.kind not in "fiu":
        raise ValueError(f"expected numbers for {name}; got {given.dtype}")
    return _shaped(name, given, shape, "<f4")


def _shaped(name: str, given: np.ndarray, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if given.shape != shape:
        if given.shape != () and given.shape != shape[1:]:
            raise ValueError(
                f"expected {name} of shape {shape}, or {shape[1:]} for all states alike; got {given.shape}"
            )
        given = np.broadcast_to(given, shape)
    return np.ascontiguousarray(given, dtype=dtype)
