"""Atari Ms. Pac-Man: raw frames of the emulator, states that can be saved, and what is said without the emulator."""

import sys

import numpy as np
import pytest

from procscope.envs.atari import MsPacmanEnv, MsPacmanVectorEnv


def test_without_the_emulator_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ale_py", None)
    for make in (MsPacmanEnv, lambda: MsPacmanVectorEnv(2)):
        with pytest.raises(ValueError, match=r"pip install 'procscope\[atari\]'"):
            make()


@pytest.fixture
def ale_py():
    return pytest.importorskip("ale_py")


def test_frames_and_points_are_those_of_the_emulator(ale_py):
    env = MsPacmanVectorEnv(2)
    frames, _ = env.reset(seed=4)
    own = ale_py.AtariEnv("ms_pacman") if hasattr(ale_py, "AtariEnv") else ale_py.env.AtariEnv("ms_pacman")
    frame, _ = own.reset(seed=5)
    assert (frames.shape, frames.dtype) == ((2, 210, 160, 3), np.uint8)
    assert env.single_action_space.n == 9
    np.testing.assert_array_equal(frames[1], frame)
    points = 0.0
    for actions in np.random.default_rng(0).integers(0, 9, (100, 2)):
        frames, rewards, _, _, _ = env.step(actions)
        frame, reward, *_ = own.step(actions[1])
        np.testing.assert_array_equal(frames[1], frame)
        assert rewards[1] == reward
        points += reward
    assert points > 0
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, True])
def test_saved_games_go_on_in_another_vector_over_the_ends_of_games(ale_py, processes):
    one, other = MsPacmanVectorEnv(2), MsPacmanVectorEnv(2, processes=processes)
    one.reset(seed=0)
    rng = np.random.default_rng(0)
    for actions in rng.integers(0, 9, (60, 2)):
        frames = one.step(actions)[0]
    np.testing.assert_array_equal(other.restore_games(one.save_games()), frames)
    ended = 0
    for actions in rng.integers(0, 9, (700, 2)):
        a, b = one.step(actions), other.step(actions)
        for mine, theirs in zip(a[:4], b[:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        ended += int((a[2] | a[3]).sum())
    assert ended >= 2
    with pytest.raises(ValueError, match="2 games were saved; this vector has 1"):
        MsPacmanVectorEnv(1).restore_games(one.save_games())
    other.close()


def test_a_vector_needs_a_game():
    with pytest.raises(ValueError, match="num_envs must be at least 1; given: 0"):
        MsPacmanVectorEnv(0)
