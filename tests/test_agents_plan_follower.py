"""The follower of plans: it plans once, arrives as planned, and plans again when something else happened."""

import numpy as np
import pytest

from procscope.activations.actors import Seen
from procscope.agents.experts.engine_search import EngineSearch
from procscope.agents.experts.plan_follower import PlanFollower
from procscope.envs.engine import TEST_SEEDS, Engine, EngineOptions, levels_from_seeds

LEFT, RNG = 1, np.random.default_rng(0)
LEVELS = range(TEST_SEEDS.start, TEST_SEEDS.start + 2)


@pytest.fixture(scope="module")
def search():
    search = EngineSearch("coinrun", games=64)
    yield search
    search.close()


@pytest.fixture
def counted(search, monkeypatch):
    """How many states were planned from, call by call."""
    calls: list[int] = []
    plan = search.plan
    monkeypatch.setattr(search, "plan", lambda states: calls.append(len(states)) or plan(states))
    return calls


def played(search: EngineSearch, overruled_at: int | None) -> list[int]:
    """Steps in which a follower won each of two levels side by side, until one is; 0 for the other.

    It is overruled in one step of the first level.
    """
    engine = Engine(EngineOptions("coinrun", num_envs=len(LEVELS), num_threads=1))
    engine.set_states(levels_from_seeds("coinrun", LEVELS))
    follower, won_at = PlanFollower(search), [0] * len(LEVELS)
    for step in range(1, 151):
        actions = follower.act(Seen(engine.frames, {}, engine.get_states()), RNG)
        if step == overruled_at:
            actions[0] = LEFT
        engine.act(actions)
        for game in np.flatnonzero(engine.first & (engine.ended_complete > 0)):
            won_at[game] = won_at[game] or step
        if engine.first.any():
            break
    engine.close()
    return won_at


def test_it_plans_once_and_arrives_as_planned(search, counted):
    lengths = [len(plan.actions) for plan in search.plan(levels_from_seeds("coinrun", LEVELS))]
    counted.clear()
    won_at = played(search, overruled_at=None)
    assert counted == [2]
    assert max(won_at) == min(lengths)
    assert won_at[int(np.argmin(lengths))] == min(lengths)


def test_it_plans_again_where_something_else_happened(search, counted):
    won_at = played(search, overruled_at=5)
    assert counted == [2, 1]
    assert max(won_at) > 0
