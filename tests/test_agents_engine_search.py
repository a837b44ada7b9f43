"""The search in the engine: its plans, played by the engine, do what they say; what cannot be searched is refused."""

import numpy as np
import pytest

from procscope.agents.experts.engine_search import MACROS, CoinProgress, EngineSearch, RewardProgress
from procscope.envs.actions import N_ACTIONS
from procscope.envs.engine import TEST_SEEDS, Engine, EngineOptions, levels_from_seeds
from procscope.envs.state.batch import read_batch

SEEDS = range(TEST_SEEDS.start, TEST_SEEDS.start + 4)


@pytest.fixture(scope="module")
def search():
    search = EngineSearch("coinrun", games=64)
    yield search
    search.close()


@pytest.fixture(scope="module")
def starts():
    return levels_from_seeds("coinrun", SEEDS)


@pytest.fixture(scope="module")
def plans(search, starts):
    return search.plan(starts)


def played(state: bytes, actions: np.ndarray) -> tuple[int, bool]:
    """Steps until the engine ends the episode (0: it does not), and whether the goal was reached."""
    engine = Engine(EngineOptions("coinrun", num_threads=1))
    engine.set_states([state])
    try:
        for step, action in enumerate(actions, start=1):
            engine.act(np.array([action]))
            if engine.first[0]:
                return step, bool(engine.ended_complete[0])
        return 0, False
    finally:
        engine.close()


def test_a_plan_played_in_the_engine_reaches_the_coin_with_its_last_action(starts, plans):
    for state, plan in zip(starts, plans, strict=True):
        assert plan.solved
        assert played(state, plan.actions) == (len(plan.actions), True)


def test_a_plan_from_the_middle_of_another(search, starts, plans):
    engine = Engine(EngineOptions("coinrun", num_threads=1))
    engine.set_states(starts[:1])
    for action in plans[0].actions[:9]:
        engine.act(np.array([action]))
    (state,) = engine.get_states()
    engine.close()
    (plan,) = search.plan([state])
    assert plan.solved
    assert played(state, plan.actions) == (len(plan.actions), True)


def test_advice_is_the_plans_first_action_and_what_it_is_worth(search, starts, plans):
    advice = search.advise(starts)
    assert advice.actions.tolist() == [plan.actions[0] for plan in plans]
    assert advice.steps_to_goal.tolist() == [len(plan.actions) for plan in plans]
    np.testing.assert_allclose(
        advice.values, [10 * 0.99 ** (len(plan.actions) - 1) for plan in plans], rtol=1e-6
    )


def test_plans_do_not_depend_on_what_else_is_searched(starts, plans):
    for games in (5, 200):
        other = EngineSearch("coinrun", games=games)
        (plan,) = other.plan(starts[1:2])
        other.close()
        assert np.array_equal(plan.actions, plans[1].actions)


def test_a_short_horizon_leads_where_most_progress_is_made(search, starts, plans):
    (plan,) = search.plan(starts[:1], horizon_steps=8)
    assert not plan.solved
    assert len(plan.actions) == 12, "two macro-actions of 6 steps cover 8"
    engine = Engine(EngineOptions("coinrun", num_threads=1))
    engine.set_states(starts[:1])
    before = read_batch(engine.get_states()).agent_xy[0, 0]
    for action in plan.actions:
        engine.act(np.array([action]))
    after = read_batch(engine.get_states()).agent_xy[0, 0]
    engine.close()
    assert after > before + 1
    assert search.plan([]) == []


def test_an_unsolvable_level_says_so(search, starts):
    batch = read_batch(starts[:1])
    closed = batch.grids.copy()
    closed[:, :, 3] = 15  # a wall to the sky
    from procscope.envs.state.write import write_batch

    advice = EngineSearch("coinrun", games=64, max_steps=30).advise(write_batch(batch, cells=closed))
    assert advice.steps_to_goal.tolist() == [-1]
    assert advice.values.tolist() == [0]


def test_any_game_can_be_searched_for_reward():
    (start,) = levels_from_seeds("bigfish", [3])
    moves = tuple((action,) * 4 for action in range(9))
    search = EngineSearch("bigfish", macros=moves, games=72, max_steps=60)
    (plan,) = search.plan([start])
    search.close()
    engine = Engine(EngineOptions("bigfish", num_threads=1))
    engine.set_states([start])
    total = 0.0
    for action in plan.actions:
        engine.act(np.array([action]))
        total += float(engine.rewards[0])
    engine.close()
    assert total > 0, "it finds smaller fish to eat"


def test_progress_is_sideways_with_a_little_for_height(starts):
    batch = read_batch(starts[:1])
    goals = CoinProgress().goals(starts[:1])
    scores, places = CoinProgress().measure(
        starts[:1], goals, np.zeros(1), np.zeros((1, 64, 64, 3), np.uint8)
    )
    x, y = batch.agent_xy[0]
    assert scores[0] == pytest.approx(0.05 * y - abs(goals[0][0] - x), abs=1e-5)
    assert places == [(int(2 * x), int(2 * y), 0)]
    same, _ = RewardProgress().measure(
        starts[:1], [None], np.array([2.5]), np.zeros((1, 64, 64, 3), np.uint8)
    )
    assert same.tolist() == [2.5]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"macros": [(1, 2), (3,)]}, "one length, from 1; given lengths: .1, 2."),
        ({"macros": [(1, N_ACTIONS)]}, "raw actions 0..14"),
        ({"beam": 0}, "beam, games and max_steps from 1"),
        ({"discount": 0.0}, "a discount in"),
        ({"mode": "memory"}, "coinrun has the modes easy, hard"),
    ],
)
def test_what_cannot_be_searched_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EngineSearch(**({"game": "coinrun"} | options))


def test_a_level_without_coin_is_refused(search, starts):
    from procscope.envs.state.write import write_batch

    batch = read_batch(starts[:1])
    cells = batch.grids.copy()
    cells[cells == 1] = 100
    with pytest.raises(ValueError, match="levels with a coin to search for; state 0 has none"):
        search.plan(write_batch(batch, cells=cells))


def test_the_macro_actions_are_eight_of_six_steps():
    assert {len(macro) for macro in MACROS} == {6}
    assert len(set(MACROS)) == 8
