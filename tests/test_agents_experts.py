"""The expert's advice against the levels' own shortest paths, and its play in the vector environment."""

from itertools import groupby, pairwise

import numpy as np
import pytest

from procscope.activations.actors import Seen, resolve_actor
from procscope.agents.experts.advice import expert_values
from procscope.agents.experts.grid import GridExpert
from procscope.agents.experts.imperfect import Imperfect
from procscope.envs.engine import levels_from_seeds
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.envs.vector import ProcgenVectorEnv

VARIANTS = ("cheese-anywhere", "mouse-anywhere")


def test_its_advice_is_the_first_step_of_the_shortest_path():
    states = starting_states("maze", range(40), variants=VARIANTS)
    advice = GridExpert(discount=0.9).advise(states)
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
    advice = GridExpert().advise([walled.to_state(), without.to_state()])
    assert [column.tolist() for column in advice] == [[4, 4], [-1, -1], [0, 0]]


def test_in_the_vector_environment_it_arrives_in_the_steps_that_the_labels_announce():
    env = ProcgenVectorEnv("maze", 8, variants=VARIANTS, labels=True, final_obs=False, num_threads=1, seed=2)
    expert, _ = resolve_actor("expert")
    frames, infos = env.reset()
    left = infos["labels"]["distance_to_goal_cells"].copy()
    ended = 0
    for _ in range(60):
        actions = expert.act(Seen(frames, infos["labels"], env.get_states()), np.random.default_rng(0))
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
        GridExpert(discount)


def test_other_games_are_refused():
    with pytest.raises(ValueError, match="planned on a grid; given: bigfish"):
        GridExpert().advise(levels_from_seeds("bigfish", [1]))


def test_in_heist_it_gets_to_the_gem_in_about_the_steps_that_it_says():
    env = ProcgenVectorEnv("heist", 16, labels=True, final_obs=False, num_threads=1, seed=5)
    expert = GridExpert()
    frames, infos = env.reset()
    advised = expert.advise(env.get_states()).steps_to_goal.astype(float)
    steps, taken = np.zeros(16), []
    while len(taken) < 48:
        seen = Seen(frames, infos["labels"], env.get_states())
        frames, rewards, terminated, truncated, infos = env.step(expert.act(seen, np.random.default_rng(0)))
        steps += 1
        assert not truncated.any()
        for game in np.flatnonzero(terminated):
            assert rewards[game] == 10
            taken.append((steps[game], advised[game]))
            steps[game] = 0
            advised[game] = expert.advise([env.get_states()[game]]).steps_to_goal[0]
    env.close()
    real, said = np.array(taken).T
    assert real.mean() == pytest.approx(said.mean(), rel=0.08)
    assert np.corrcoef(real, said)[0, 1] > 0.95


def test_slips_are_held_and_as_frequent_as_asked_for():
    """The actor beneath always plays 9, which is a random action once in 15 draws: the rest of the slips show."""

    class Nine:
        def act(self, seen, rng):
            return np.full(len(seen.frames), 9)

    seen = Seen(np.zeros((500, 1, 1, 3), np.uint8), {}, [b""] * 500)
    rng = np.random.default_rng(0)
    actor = Imperfect(Nine(), slip=0.1, longest_steps=3)
    played = np.stack([actor.act(seen, rng) for _ in range(200)])
    # A slip of mean length 2 begins with chance 0.1 in each free step: renewal theory gives the share of slipping.
    slipping = 0.1 * 2 / (1 - 0.1 + 0.1 * 2)
    assert (played != 9).mean() == pytest.approx(slipping * 14 / 15, rel=0.05)
    assert set(np.unique(played)) == set(range(15))
    lengths = [len(list(run)) for game in played.T for action, run in groupby(game) if action != 9]
    assert max(lengths) >= 3
    assert (Imperfect(Nine(), slip=0.0).act(seen, rng) == 9).all()


@pytest.mark.parametrize(("slip", "longest"), [(-0.1, 3), (1.1, 3), (0.1, 0)])
def test_slips_that_are_none_are_refused(slip, longest):
    with pytest.raises(ValueError, match="expected slip in"):
        Imperfect(GridExpert(), slip, longest)
