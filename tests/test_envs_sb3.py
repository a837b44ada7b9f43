"""The adapter for Stable-Baselines3: its interface, and that PPO runs on it."""

import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.maze import MazeLevel
from procscope.envs.sb3 import ProcgenVecEnv
from procscope.envs.vector import ProcgenVectorEnv

THREE = MazeLevel.from_ascii("..C\n.##\nM..")
UP, RIGHT, NOTHING = 5, 7, 4


def test_it_gives_what_the_vector_gives():
    options = {"seed": 6, "labels": True, "variants": ["cheese-anywhere"], "num_threads": 1}
    env, plain = ProcgenVecEnv("maze", 4, **options), ProcgenVectorEnv("maze", 4, **options)
    frames, infos = plain.reset()
    np.testing.assert_array_equal(env.reset(), frames)
    assert [info["level_seed"] for info in env.reset_infos] == infos["level_seed"].tolist()
    ended = 0
    for _ in range(40):
        actions = MOVE_TO_ACTION[infos["labels"]["best_move"]]
        frames, rewards, terminated, truncated, infos = plain.step(actions)
        got_frames, got_rewards, done, got_infos = env.step(actions)
        np.testing.assert_array_equal(got_frames, frames)
        np.testing.assert_array_equal(got_rewards, rewards)
        assert got_rewards.dtype == np.float32
        np.testing.assert_array_equal(done, terminated | truncated)
        for index, info in enumerate(got_infos):
            assert info["labels"] == {name: column[index] for name, column in infos["labels"].items()}
            assert ("terminal_observation" in info) == done[index]
            if done[index]:
                np.testing.assert_array_equal(info["terminal_observation"], infos["final_obs"][index])
                final = infos["final_info"]
                assert info["level_seed"] == final["level_seed"][index]
                assert info["terminal_labels"] == {k: column[index] for k, column in final["labels"].items()}
                assert info["TimeLimit.truncated"] is False
        ended += done.sum()
    assert ended > 4
    env.close()
    plain.close()


def test_a_timeout_is_marked_as_truncated():
    env = ProcgenVecEnv("maze", 2, levels=[THREE], num_threads=1)
    env.reset()
    actions = [(NOTHING, NOTHING)] * 496 + [(UP, NOTHING)] * 2 + [(RIGHT, NOTHING)] * 2
    for step_actions in actions:
        _, rewards, done, infos = env.step(np.array(step_actions))
    assert done.tolist() == [True, True]
    assert rewards.tolist() == [10, 0]
    assert [info["TimeLimit.truncated"] for info in infos] == [False, True]
    # The second mouse has not moved, so that its last frame is its first.
    first_frame = ProcgenVectorEnv("maze", 1, levels=[THREE], num_threads=1).reset()[0][0]
    np.testing.assert_array_equal(infos[1]["terminal_observation"], first_frame)
    env.close()


def test_seed_is_taken_at_the_next_reset():
    env = ProcgenVecEnv("maze", 3, seed=1, num_threads=1)
    first = env.reset()
    assert (env.reset() != first).any()
    env.seed(1)
    np.testing.assert_array_equal(env.reset(), first)
    assert (env.reset() != first).any(), "the seed is for one reset only"
    env.close()


def test_attributes_and_methods_are_the_vectors():
    vector = ProcgenVectorEnv("maze", 2, num_threads=1)
    env = ProcgenVecEnv(vector)
    env.reset()
    assert env.get_attr("episode_steps", 1)[0].tolist() == [0, 0]
    assert env.env_method("get_states")[0] == vector.get_states()
    assert env.env_is_wrapped(VecMonitor) == [False, False]
    np.testing.assert_array_equal(np.stack(list(env.get_images())), vector.frames)
    with pytest.raises(ValueError, match="one vector"):
        env.set_attr("spec", None, indices=0)
    with pytest.raises(ValueError, match="given beside one: labels"):
        ProcgenVecEnv(vector, labels=True)
    env.close()


@pytest.mark.slow
def test_ppo_runs_on_it():
    """The interface, not learning: a few thousand steps, with monitor, timeouts and last frames on the way."""
    torch.set_num_threads(1)
    env = VecMonitor(ProcgenVecEnv("maze", 8, variants=["cheese-top-right"], num_threads=1))
    model = PPO("CnnPolicy", env, n_steps=64, batch_size=256, n_epochs=1, seed=0, device="cpu")
    before = [weights.clone() for weights in model.policy.parameters()]
    model.learn(3000)
    assert model.num_timesteps >= 3000
    assert len(model.ep_info_buffer or []) > 0
    assert any((old != new).any() for old, new in zip(before, model.policy.parameters(), strict=True))
    actions, _ = model.predict(env.reset())
    assert actions.shape == (8,)
    env.close()


def test_ppo_steps_on_it_and_bootstraps_at_timeouts():
    """A policy of one layer: 4 mice that cannot move run into the timeout, and PPO reads their last frames."""
    torch.set_num_threads(1)
    shut_in = MazeLevel.from_ascii("C..\n##.\nM#.", allow_unsolvable=True)
    env = ProcgenVecEnv("maze", 4, levels=[shut_in], num_threads=1)
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=256,
        batch_size=512,
        n_epochs=1,
        policy_kwargs={"net_arch": [8]},
        device="cpu",
    )
    seen = []
    predict_values = model.policy.predict_values
    model.policy.predict_values = lambda obs: seen.append(len(obs)) or predict_values(obs)  # pyright: ignore
    model.learn(4 * 512)
    # Once per rollout for the last frames of all 4, and once for each of the 4 timeouts.
    assert seen.count(1) == 4
    assert seen.count(4) == 2
    env.close()
