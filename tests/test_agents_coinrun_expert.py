"""The expert of CoinRun: its values by hand, its play in the engine, and what it remembers."""

import numpy as np
import pytest

from procscope.activations.actors import Seen
from procscope.agents.experts.advice import Expert
from procscope.agents.experts.coinrun_expert import CoinRunExpert
from procscope.agents.experts.coinrun_values import ACTIONS, StateValues, solve
from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.dynamics import Agents, World, stepped
from procscope.envs.coinrun.motion import least_steps
from procscope.envs.engine import TEST_SEEDS, Engine, EngineOptions, levels_from_seeds

SEEDS = range(TEST_SEEDS.start, TEST_SEEDS.start + 8)
NOTHING, RIGHT = 4, 7
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def starts():
    return levels_from_seeds("coinrun", SEEDS)


@pytest.fixture(scope="module")
def expert():
    return CoinRunExpert()


def flat_level(cells_away: int) -> CoinRunLevel:
    """Nothing but ground up to a wall, with the coin so many cells to the right of the agent."""
    level = CoinRunLevel.from_seed(0).without_obstacles("saw", "enemy", "lava", "crate")
    cells = np.full_like(level.cells, 15)
    x, y = level.agent_cell
    cells[y : y + 9, x : x + cells_away + 1] = 100
    cells[y, x + cells_away] = 1
    return level.with_cells(cells)


def test_without_slips_it_runs_over_flat_ground_and_arrives_as_soon_as_can_be():
    away = np.array([3, 8])
    states = [flat_level(cells).to_state() for cells in away]
    agents = Agents.of(states)
    values = solve(World.of(states), agents, slip=0.0)
    least = least_steps(agents.x, agents.y, agents.vx, agents.x.astype(int) + away, np.ones(2))
    np.testing.assert_allclose(values.advise(agents).values, 0.99 ** (least - 1.0), rtol=0.03)
    for step in range(1, 30):
        opinion = values.advise(agents)
        assert (opinion.actions == RIGHT).all()
        assert opinion.known.all()
        agents, ends = stepped(values.world, agents, opinion.actions)
        assert np.array_equal(ends.won, (least == step)[agents.level])
        if not len(agents.x):
            break
        agents = agents.take(~ends.won)
    assert not len(agents.x)


def test_a_slip_costs_value():
    state = levels_from_seeds("coinrun", [3])
    world, agents = World.of(state), Agents.of(state)
    worth = [solve(world, agents, slip=slip).advise(agents).values[0] for slip in (0.0, 0.1, 0.3)]
    assert worth[0] > worth[1] > worth[2] > 0


@pytest.mark.slow
def test_it_wins_nearly_all_levels_of_the_engine(starts, expert):
    engine = Engine(EngineOptions("coinrun", num_envs=len(starts), num_threads=1))
    engine.set_states(starts)
    advice = expert.advise(starts)
    alive, won_at = np.ones(len(starts), bool), np.full(len(starts), -1)
    for step in range(1, 120):
        states = [
            state if going else starts[0] for state, going in zip(engine.get_states(), alive, strict=True)
        ]
        engine.act(expert.act(Seen(engine.frames, {}, states), RNG))
        won_at[alive & engine.first & (engine.ended_complete > 0)] = step
        alive &= ~engine.first
        if not alive.any():
            break
    engine.close()
    assert (won_at > 0).mean() > 0.9
    assert np.array_equal(won_at, advice.steps_to_goal), "it does what it announced"


def test_levels_are_joined_and_split_as_they_were(starts):
    world, agents = World.of(starts[:3]), Agents.of(starts[:3])
    values = solve(world, agents)
    again = StateValues.joined(values.split())
    assert np.array_equal(again.boxes, values.boxes)
    assert np.array_equal(again.world.cells, world.cells)
    turned = StateValues.joined(values.split()[::-1])
    for one, other in zip(
        values.advise(agents), turned.advise(agents._replace(level=2 - agents.level)), strict=True
    ):
        assert np.array_equal(one, other)


def test_values_of_a_level_do_not_depend_on_the_others(starts):
    alone = solve(World.of(starts[1:2]), Agents.of(starts[1:2]))
    (_, among, _) = solve(World.of(starts[:3]), Agents.of(starts[:3])).split()
    assert np.array_equal(alone.boxes, among.boxes)
    assert np.array_equal(alone.values, among.values)


def test_far_from_what_it_knows_it_works_the_level_out_again(starts):
    level = CoinRunLevel.from_state(starts[0])
    cell = level.standing_cells()[-1]
    there = level.with_agent(*cell).to_state()
    expert = CoinRunExpert()
    expert.advise(starts[:1])
    (known,) = expert._levels.values()
    assert len(known.roots.x) == 1
    expert.advise([there])
    assert len(expert._levels) == 1


def test_behind_a_wall_there_is_no_hope(expert):
    level = flat_level(8)
    cells = level.cells.copy()
    cells[:, 4] = 15
    closed = level.with_cells(cells, allow_unsolvable=True).to_state()
    advice = expert.advise([closed])
    assert [column.tolist() for column in advice] == [[NOTHING], [-1], [0]]
    assert [len(column) for column in expert.advise([])] == [0, 0, 0]


def test_the_actions_are_those_that_differ(expert):
    assert isinstance(expert, Expert)
    assert len(set(ACTIONS.tolist())) == 6
    assert ACTIONS[0] == RIGHT


def test_what_it_cannot_know_is_refused(expert):
    with pytest.raises(ValueError, match="mode easy"):
        expert.advise(levels_from_seeds("coinrun", [1], "hard"))
    with pytest.raises(ValueError, match="discount must be in"):
        CoinRunExpert(0.0)
