"""Games that were saved go on in another vector as if nothing had happened: frames, rewards, levels to come."""

import numpy as np
import pytest

from procscope.envs.maze.level import MazeLevel
from procscope.envs.saved_games import pack, unpack
from procscope.envs.vector import ProcgenVectorEnv

N = 6


def actions(steps: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 9, (steps, N))


def assert_same_future(one: ProcgenVectorEnv, other: ProcgenVectorEnv, steps: int) -> int:
    """Play the same actions in both; gives the number of episodes that ended."""
    ended = 0
    for action in actions(steps, seed=1):
        a, b = one.step(action), other.step(action)
        for mine, theirs in zip(a[:4], b[:4], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(a[4]["level_seed"], b[4]["level_seed"])
        assert a[4].keys() == b[4].keys()
        over = a[2] | a[3]
        ended += int(over.sum())
        for index in np.flatnonzero(over):
            if "final_obs" in a[4]:
                np.testing.assert_array_equal(a[4]["final_obs"][index], b[4]["final_obs"][index])
            assert a[4]["final_info"]["level_seed"][index] == b[4]["final_info"]["level_seed"][index]
    return ended


@pytest.mark.parametrize(
    ("game", "options"),
    [
        ("maze", {"variants": ["cheese-anywhere"], "final_obs": False}),
        ("maze", {}),
        ("heist", {"final_obs": False}),
        ("coinrun", {"paint_vel_info": True}),
        ("bigfish", {"final_obs": False}),
    ],
)
def test_saved_games_go_on_in_another_vector(game, options):
    one = ProcgenVectorEnv(game, N, seed=3, **options)
    one.reset()
    for action in actions(150):
        one.step(action)
    other = ProcgenVectorEnv(game, N, seed=99, num_threads=1, **options)
    frames = other.restore_games(one.save_games())
    np.testing.assert_array_equal(frames, one.frames)
    np.testing.assert_array_equal(other.episode_steps, one.episode_steps)
    ended = assert_same_future(one, other, 400 if game == "maze" else 250)
    assert ended > 0, "levels that begin after the restoring are compared, too"


def test_given_levels_are_dealt_on(monkeypatch):
    levels = [MazeLevel.from_seed(seed) for seed in range(9)]
    one, other = (ProcgenVectorEnv("maze", N, levels=levels, final_obs=False) for _ in range(2))
    one.reset()
    one.reset()
    other.restore_games(one.save_games())
    for env in (one, other):
        env.reset()
    indices = [env.step(np.full(N, 4))[4]["level_index"] for env in (one, other)]
    np.testing.assert_array_equal(*indices)
    assert indices[0].tolist() == [(2 * N + index) % 9 for index in range(N)]


def test_what_cannot_be_saved_or_restored_is_refused():
    env = ProcgenVectorEnv("maze", 2, final_obs=False)
    with pytest.raises(ValueError, match="games have not begun"):
        env.save_games()
    env.reset()
    with pytest.raises(ValueError, match="2 games were saved; this vector has 3"):
        ProcgenVectorEnv("maze", 3, final_obs=False).restore_games(env.save_games())
    labelled = ProcgenVectorEnv("maze", 2, labels=True)
    labelled.reset()
    with pytest.raises(ValueError, match="labels are not saved"):
        labelled.save_games()


def test_strings_are_packed_and_unpacked():
    strings = [b"abc", b"", bytes(range(256))]
    packed = pack(strings)
    assert packed.lengths.tolist() == [3, 0, 256]
    assert unpack(packed) == strings
    assert unpack(pack([])) == []
