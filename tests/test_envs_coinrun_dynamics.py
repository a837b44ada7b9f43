"""The model of CoinRun's motion, number by number against the engine."""

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.dynamics import Agents, World, stepped, supported
from procscope.envs.coinrun.entities import enemy, joined, saw
from procscope.envs.engine import Engine, EngineOptions, levels_from_seeds
from procscope.envs.labels import label_states
from procscope.envs.starting_states import starting_states

ACTIONS = [7, 7, 7, 8, 8, 8, 5, 4, 1, 2, 0, 3, 6, 11]


@pytest.mark.parametrize("variants", [(), ("agent-anywhere",)])
def test_every_number_is_the_engines(variants):
    n, rng = 48, np.random.default_rng(1)
    states = starting_states("coinrun", range(n), variants=variants)
    engine = Engine(EngineOptions("coinrun", num_envs=n, num_threads=1))
    engine.set_states(states)
    world, agents = World.of(states), Agents.of(states)
    actions, alive, ended = np.full(n, 7), np.ones(n, bool), {"won": 0, "died": 0}
    for _ in range(90):
        actions = np.where(rng.random(n) < 0.2, rng.choice(ACTIONS, n), actions)
        expected, ends = stepped(world, agents, actions)
        engine.act(actions)
        over = ends.won | ends.died
        assert (over == engine.first)[alive].all()
        assert (ends.won == (engine.ended_complete > 0))[alive & engine.first].all()
        ended["won"] += int((alive & ends.won).sum())
        ended["died"] += int((alive & ends.died).sum())
        alive &= ~engine.first
        states = engine.get_states()
        found = Agents.of(states)
        for column, other in zip(found, expected, strict=True):
            assert np.array_equal(column[alive], other[alive])
        on_ground = label_states(states)["on_ground"]
        assert np.array_equal(supported(world, found)[alive], on_ground[alive])
        agents = found
    engine.close()
    assert min(ended.values()) > 0


def test_agents_of_many_levels_move_in_one_call():
    states = levels_from_seeds("coinrun", range(3))
    world, agents = World.of(states), Agents.of(states)
    again = agents.take(np.array([2, 0, 2]))
    actions = np.array([8, 7, 8])
    together, _ = stepped(world, again, actions)
    for index, level in enumerate([2, 0, 2]):
        alone, _ = stepped(
            World.of(states[level : level + 1]), Agents.of(states[level : level + 1]), actions[[index]]
        )
        assert alone.x[0] == together.x[index]
        assert alone.y[0] == together.y[index]


def test_saws_and_the_whole_beat_of_an_enemy_are_deadly():
    level = CoinRunLevel.from_seed(0)
    x, y = level.agent_cell
    flat = level.without_hazards()
    for hazard in (saw(x + 0.5, y + 0.5), enemy(x + 0.5, y + 0.5)):
        state = flat.with_entities(joined([flat.entities, hazard]), allow_unsolvable=True).to_state()
        _, ends = stepped(World.of([state]), Agents.of([state]), np.array([4]))
        assert ends.died[0]


@pytest.mark.parametrize(("game", "mode"), [("coinrun", "hard"), ("maze", "easy")])
def test_what_moves_otherwise_is_refused(game, mode):
    with pytest.raises(ValueError, match="expected states of coinrun in mode easy"):
        World.of(levels_from_seeds(game, [1], mode))
