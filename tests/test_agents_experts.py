"""The expert's advice against the levels' own shortest paths, and its play in the vector environment."""

from itertools import pairwise

import numpy as np
import pytest

from procscope.activations.actors import resolve_actor
from procscope.agents.experts.shortest_path import ShortestPathExpert, expert_values
from procscope.envs.engine import levels_from_seeds
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.envs.vector import ProcgenVectorEnv

VARIANTS = ("cheese-anywhere", "mouse-anywhere")


def test_its_advice_is_the_first_step_of_the_shortest_path():
    states = starting_states("maze", range(40), variants=VARIANTS)
    advice = ShortestPathExpert(discount=0.9).advise(states)
    raw = {(-1, 0): 1, (0, -1): 3, (0, 1): 5, (1, 0): 7}
    for state, action, steps, value in zip(states, *advice, strict=True):
        path = MazeLevel.from_state(state).shortest_path()
        a, b = next(iter(pairwise(path)))
        assert action == raw[b[0] - a[0], b[1] - a[1]]
        assert steps == len(path) - 1
        assert value == pytest.approx(10 * 0.9 ** (len(path) - 2), rel=1e-6)
    assert set(advice.actions) == {1, 3, 5, 7}


def test_values_are_what_following_the_path_returns():
    """By hand: the reward of 10 arrives in the last step and is discounted once for every step before it."""
    np.testing.assert_allclose(expert_values(np.array([1, 2, 3]), 0.5), [10, 5, 2.5])
    np.testing.assert_allclose(expert_values(np.array([1, 200]), 1.0), [10, 10])


def test_without_a_way_it_stays_and_expects_nothing():
    walled = MazeLevel.from_ascii("..#\n.##\nM#C", allow_unsolvable=True)
    without = MazeLevel.from_seed(3).without_cheese()
    advice = ShortestPathExpert().advise([walled.to_state(), without.to_state()])
    assert [column.tolist() for column in advice] == [[4, 4], [-1, -1], [0, 0]]


def test_in_the_vector_environment_it_arrives_in_the_steps_that_the_labels_announce():
    env = ProcgenVectorEnv("maze", 8, variants=VARIANTS, labels=True, final_obs=False, num_threads=1, seed=2)
    expert, _ = resolve_actor("expert")
    assert isinstance(expert, ShortestPathExpert)
    frames, infos = env.reset()
    left = infos["labels"]["distance_to_goal_cells"].copy()
    ended = 0
    for _ in range(60):
        actions = expert.act(frames, infos["labels"], np.random.default_rng(0))
        frames, rewards, terminated, truncated, infos = env.step(actions)
        left -= 1
        np.testing.assert_array_equal(terminated, left == 0)
        np.testing.assert_array_equal(rewards, np.where(terminated, 10, 0))
        assert not truncated.any()
        left = np.where(terminated, infos["labels"]["distance_to_goal_cells"], left)
        ended += terminated.sum()
    assert ended >= 8
    env.close()


@pytest.mark.parametrize("discount", [0.0, -0.5, 1.01])
def test_discounts_that_are_none_are_refused(discount):
    with pytest.raises(ValueError, match=r"discount must be in \(0, 1\]; given"):
        ShortestPathExpert(discount)


def test_other_games_are_refused():
    with pytest.raises(ValueError, match="labels exist for the games"):
        ShortestPathExpert().advise(levels_from_seeds("bigfish", [1]))
