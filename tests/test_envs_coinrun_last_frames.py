"""The true last frames of CoinRun against the engine, by construction: coin, saw, enemy, lava, timeout.

The witness plays the same actions in a level in which what ended the episode is not there, or is elsewhere, and goes
on; then what was missing is put back by hand with the other state parser, and drawn.
"""

import numpy as np
import pytest

from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import IS_LAVA
from procscope.envs.coinrun.sections import Enemy, Flat, Lava, Saw
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.state import EngineState
from procscope.envs.state.write import write_batch
from procscope.envs.vector import ProcgenVectorEnv

RIGHT, JUMP = 7, 8


def last_of(
    level: CoinRunLevel, actions: list[int], *, labels: bool = False
) -> tuple[np.ndarray, list[int], float, bool, bool]:
    """The last frame, the actions played until then, the reward, and how the episode ended."""
    env = ProcgenVectorEnv("coinrun", 1, mode=level.mode, levels=[level], num_threads=1, labels=labels)
    env.reset()
    for number, action in enumerate(actions):
        _, rewards, terminated, truncated, infos = env.step(np.array([action]))
        if terminated[0] or truncated[0]:
            env.close()
            return infos["final_obs"][0], actions[: number + 1], rewards[0], terminated[0], truncated[0]
    raise AssertionError("the episode did not end")


def play(level: CoinRunLevel, actions: list[int]) -> bytes:
    """The engine's state after the actions, none of which may end the episode."""
    engine = Engine(EngineOptions("coinrun", level.mode, num_threads=1))
    engine.set_states(write_batch([level.to_state()], timeout=10_000))
    for action in actions:
        engine.act(np.array([action]))
        assert not engine.first[0]
    state = engine.get_states()[0]
    engine.close()
    return state


def drawn(state: EngineState) -> np.ndarray:
    engine = Engine(EngineOptions("coinrun", num_threads=1))
    picture = engine.render([state.serialise()])[0]
    engine.close()
    return picture


@pytest.mark.parametrize("labels", [False, True])
@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_the_coin_is_still_there(mode: str, labels: bool) -> None:
    level = CoinRunLevel.from_sections([Flat(18)], mode=mode, wall_theme=3)
    frame, actions, reward, terminated, _ = last_of(level, [RIGHT] * 100, labels=labels)
    assert (reward, terminated) == (10, True)
    assert len(actions) > 32
    witness = EngineState.parse(play(level.without_coin(), actions))
    np.testing.assert_array_equal(frame, drawn(witness.with_grid(level.cells)))
    # The same without putting anything back: a coin that is out of sight, and the frames differ where the coin is.
    far = drawn(EngineState.parse(play(level.with_coin(3, 60), actions)))
    rows, cols = np.nonzero((frame != far).any(axis=-1))
    assert len(rows) > 0
    assert np.ptp(rows) <= 64 / 13
    assert np.ptp(cols) <= 64 / 13


@pytest.mark.parametrize("kind", ["saw", "enemy"])
def test_saws_and_enemies_are_touched(kind: str) -> None:
    level = CoinRunLevel.from_sections([Saw() if kind == "saw" else Enemy(3), Flat(4)], mode="hard")
    frame, actions, reward, terminated, truncated = last_of(level, [RIGHT] * 200)
    assert (reward, terminated, truncated) == (0, True, False)
    # The witness's hazard is the same one, higher up: it moves and turns alike, and is put back at its height.
    entities = level.entities.copy()
    hazard = {"saw": 2, "enemy": 5}[kind]
    entities["y"][entities["type"] == hazard] += 20
    cells = level.cells.copy()
    cells[24] = np.where(level.cells[4] == 19, 19, cells[24])
    up = level.with_cells(cells).with_entities(entities)
    state = EngineState.parse(play(up, actions))
    back = state.entities.copy()
    back["y"][np.isin(back["type"], (hazard, 59))] -= 20
    np.testing.assert_array_equal(frame, drawn(state.with_entities(back).with_grid(level.cells)))
    assert (frame != drawn(state.with_grid(level.cells))).any()


def test_lava_is_touched() -> None:
    level = CoinRunLevel.from_sections([Lava(4)], mode="hard")
    frame, actions, reward, terminated, _ = last_of(level, [RIGHT] * 200)
    assert (reward, terminated) == (0, True)
    cells = np.where(IS_LAVA[level.cells], 100, level.cells)
    witness = EngineState.parse(play(level.with_cells(cells), actions))
    np.testing.assert_array_equal(frame, drawn(witness.with_grid(level.cells)))


def test_the_timeout_shows_the_next_frame() -> None:
    level = CoinRunLevel.from_seed(4, "hard").without_coin().without_hazards()
    actions = np.random.default_rng(0).choice([1, 4, 5, 7, 8], 1000).tolist()
    frame, played, reward, terminated, truncated = last_of(level, actions)
    assert (len(played), reward, terminated, truncated) == (1000, 0, False, True)
    np.testing.assert_array_equal(frame, drawn(EngineState.parse(play(level, actions))))


def test_last_frames_of_random_play_differ_by_one_step_from_the_frame_before() -> None:
    """All ways to end, in the engine's own levels: the state before, played on with the danger disarmed by hand."""
    env = ProcgenVectorEnv("coinrun", 16, mode="hard", num_threads=1, labels=True)
    engine = Engine(EngineOptions("coinrun", "hard", num_threads=1))
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(120):
        states = env.get_states()
        actions = np.where(rng.random(16) < 0.6, rng.integers(6, 9, 16), rng.integers(0, 9, 16))
        _, _, terminated, _, infos = env.step(actions)
        for index in np.flatnonzero(terminated):
            before = EngineState.parse(states[index])
            entities = before.entities.copy()
            entities["collision_margin"][np.isin(entities["type"], (2, 5))] = -10
            harmless = np.where(np.isin(before.grid, (1, 17, 18)), 100, before.grid)
            engine.set_states([before.with_entities(entities).with_grid(harmless).serialise()])
            engine.act(actions[index : index + 1])
            assert not engine.first[0]
            after = EngineState.parse(engine.get_states()[0])
            np.testing.assert_array_equal(infos["final_obs"][index], drawn(after.with_grid(before.grid)))
            agent = after.entities[after.agent_index]
            assert infos["final_info"]["labels"]["agent_exact_x"][index] == agent["x"]
            assert infos["final_info"]["labels"]["agent_exact_y"][index] == agent["y"]
            ended += 1
    assert ended > 8
    engine.close()
    env.close()
