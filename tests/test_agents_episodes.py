"""Episodes: played as one game after the other would be, with noise that belongs to the episode."""

import numpy as np
import pytest
import torch
from fixed_policy import FixedPolicy, ShortestWay

from procscope.activations.acting import greedy_actions, policy_logits, sample_actions
from procscope.activations.forward import to_input
from procscope.agents.episodes import Episodes, play_episodes, policy
from procscope.envs.engine import ALL_SEEDS, Engine, EngineOptions
from procscope.envs.labels import label_states
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states

STEPS = 40
LEFT, UP, RIGHT = 1, 5, 7
uniform = policy(FixedPolicy())


def leaning(frames: np.ndarray) -> np.ndarray:
    """Up and right more often than not, and more so on bright frames: random play that depends on what is seen."""
    logits = np.zeros((len(frames), 15), np.float32)
    logits[:, [UP, RIGHT]] = frames.mean(axis=(1, 2, 3))[:, None] / 50
    return logits


@pytest.fixture(scope="module")
def states():
    return starting_states("maze", range(10**9, 10**9 + 12), variants="cheese-anywhere")


def one_by_one(states: list[bytes], seed: int) -> list[tuple[bool, int]]:
    """Success and steps of each episode, played alone, with its row of the noise."""
    engine = Engine(EngineOptions("maze", level_seeds=ALL_SEEDS, num_threads=1))
    rng = np.random.default_rng(seed)
    found = []
    for state in states:
        noise = rng.gumbel(size=(STEPS, 15)).astype(np.float32)
        engine.set_states([state])
        success, steps = False, 0
        while (steps < STEPS and not engine.first[0]) or steps == 0:
            engine.act((leaning(engine.frames) + noise[steps]).argmax(axis=1))
            steps += 1
            success = bool(engine.first[0] and engine.ended_complete[0])
            if engine.first[0]:
                break
        found.append((success, steps))
    engine.close()
    return found


def outcome(episodes: Episodes) -> list[tuple[bool, int]]:
    return list(zip(episodes.success.tolist(), episodes.steps.tolist(), strict=True))


def same(a: Episodes, b: Episodes) -> bool:
    return all(np.array_equal(*columns) for columns in zip(a, b, strict=True))


@pytest.mark.parametrize("games", [1, 5, 64])
def test_episodes_are_those_of_one_game_after_the_other(states, games):
    played = play_episodes(leaning, states, seed=3, max_steps=STEPS, games=games)
    assert outcome(played) == one_by_one(states, 3)
    assert 2 <= played.success.sum() <= 10, "some reach the cheese and some don't"


def test_the_noise_belongs_to_the_episode(states):
    """Not to the games beside it: neither their number, nor which levels they are, nor how long they last."""
    played = play_episodes(leaning, states, seed=3, max_steps=STEPS, games=4)
    first = play_episodes(leaning, states[:5], seed=3, max_steps=STEPS, games=2)
    assert same(first, Episodes(*(column[:5] for column in played)))
    others = [*states[6:8], states[2], *states[9:]]
    mixed = play_episodes(leaning, others, seed=3, max_steps=STEPS, games=3)
    assert outcome(mixed)[2] == outcome(played)[2]
    assert (mixed.last_cell[2] == played.last_cell[2]).all()
    assert not same(played, play_episodes(leaning, states, seed=4, max_steps=STEPS, games=4))


def test_greedy_play_has_no_noise(states):
    one, other = (play_episodes(leaning, states[:4], seed=s, greedy=True, max_steps=STEPS) for s in (0, 1))
    assert same(one, other)


@pytest.mark.parametrize("greedy", [False, True])
def test_the_expert_always_arrives_in_as_many_steps_as_the_way_is_long(states, greedy):
    played = play_episodes(ShortestWay(states), states, greedy=greedy, games=5)
    assert played.success.all()
    np.testing.assert_array_equal(played.steps, label_states(states)["distance_to_goal_cells"])
    assert (played.last_cell == -1).all()
    assert not played.stuck.any()


def test_a_policy_against_the_wall_is_stuck_until_time_runs_out():
    """Time may be the caller's or the engine's own 500 steps: the last cell is told in both cases."""
    level = MazeLevel.from_ascii("..C\n.#.\nM#.")
    for max_steps, steps in ((1, 1), (40, 40), (500, 500), (600, 500)):
        played = play_episodes(
            policy(FixedPolicy(LEFT)), [level.to_state()], max_steps=max_steps, greedy=True
        )
        assert outcome(played) == [(False, steps)]
        assert played.last_cell.tolist() == [[6, 6]], "the maze of 3 cells lies at (6, 6) of the 15x15 world"
        assert played.stuck.tolist() == [True]


def test_the_goal_in_the_very_last_step_counts():
    level = MazeLevel.from_ascii("..C\n.#.\nM#.").with_mouse(0, 2)
    for max_steps, success in ((1, False), (2, True)):
        played = play_episodes(
            policy(FixedPolicy(RIGHT)), [level.to_state()], max_steps=max_steps, greedy=True
        )
        assert outcome(played) == [(success, max_steps)]


def test_one_that_walks_on_is_not_stuck():
    corridor = np.ones((15, 15), dtype=bool)
    corridor[:, 0] = corridor[14] = False
    level = MazeLevel(corridor, cheese=(14, 14), mouse=(0, 0))
    for max_steps, cells in ((3, 3), (4, 4), (5, 5), (12, 12)):
        played = play_episodes(policy(FixedPolicy(UP)), [level.to_state()], max_steps=max_steps, greedy=True)
        assert played.last_cell.tolist() == [[0, max_steps]]
        assert played.stuck.tolist() == [cells <= 4]


def test_states_of_other_modes_play_in_theirs():
    states = starting_states("maze", [5], mode="hard")
    played = play_episodes(ShortestWay(states), states)
    assert outcome(played) == [(True, int(label_states(states)["distance_to_goal_cells"][0]))]


def test_no_states_and_bad_numbers():
    assert len(play_episodes(uniform, []).success) == 0
    for numbers in ({"max_steps": 0}, {"games": 0}):
        with pytest.raises(ValueError, match="max_steps and games must be at least 1"):
            play_episodes(uniform, [], **numbers)


def test_actions_are_drawn_with_the_softmaxs_probabilities():
    """A chi-squared test of 20,000 draws: a threshold that chance passes once in a million seeds."""
    weights = np.arange(1.0, 16)
    logits = np.log(np.tile(weights, (20_000, 1))).astype(np.float32)
    counts = np.bincount(sample_actions(logits, np.random.default_rng(0)), minlength=15)
    expected = weights / weights.sum() * 20_000
    assert ((counts - expected) ** 2 / expected).sum() < 60
    assert (greedy_actions(logits) == 14).all()
    again = sample_actions(logits, np.random.default_rng(0))
    assert (np.bincount(again, minlength=15) == counts).all()


class Means(FixedPolicy):
    """Logit k is k times the mean of the frame's red."""

    def forward(self, frames):
        output = super().forward(frames)
        self.seen = (self.training, frames.shape, frames.is_contiguous(memory_format=torch.channels_last))
        return output._replace(logits=frames[:, 0].float().mean(dim=(1, 2))[:, None] * torch.arange(15.0))


def test_a_networks_logits_come_in_the_frames_order_whatever_the_batch():
    frames = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 3), dtype=np.uint8)
    network = Means().train()
    expected = frames[..., 0].mean(axis=(1, 2))[:, None] * np.arange(15)
    for batch_size in (2, 7, 256):
        np.testing.assert_allclose(policy_logits(network, frames, batch_size), expected, rtol=1e-5)
    assert network.seen == (False, (7, 3, 64, 64), True)
    np.testing.assert_array_equal(to_input(frames).numpy(), frames.transpose(0, 3, 1, 2))
