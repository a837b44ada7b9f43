"""Labels of Heist against a slow oracle, one state at a time, from the level editor and the engine's drawing rules."""

import numpy as np
import pytest
from strategies import played_states
from test_envs_heist_level import brute_steps

from procscope.envs.actions import MOVE_TO_ACTION
from procscope.envs.heist import HeistLevel
from procscope.envs.heist.labels import KINDS
from procscope.envs.heist.things import COLOURS
from procscope.envs.labels import COMMON_COLUMNS, label_states
from procscope.envs.state import EngineState
from procscope.envs.vector import ProcgenVectorEnv


def sample_states(mode: str) -> list[bytes]:
    """States of play, of levels with more and fewer things than the engine's, and without a gem or a way."""
    states = list(played_states("heist", mode, 16))
    for level in HeistLevel.from_seeds(range(12), mode):
        rng = np.random.default_rng(level.level_seed)
        cells = list(level.empty_cells())
        rng.shuffle(cells)
        states.append(level.with_another_lock("blue", *cells[0], allow_unsolvable=True).to_state())
        states.append(
            level.with_another_key("red", *cells[1]).with_key_held("blue", keep_others=True).to_state()
        )
        states.append(level.without_gem().to_state())
        states.append(level.with_agent(*cells[2], offset=(0.1, 0.52), allow_unsolvable=True).to_state())
        if level.keys:
            states.append(level.with_agent(*level.keys[0].cell, allow_unsolvable=True).to_state())
    return states


@pytest.mark.parametrize("mode", ["easy", "memory"])
def test_labels_agree_with_the_oracle(mode):
    states = sample_states(mode)
    labels = label_states(states)
    assert set(COMMON_COLUMNS) <= set(labels)
    assert all(column.dtype in (np.int32, np.float32, bool) for column in labels.values())
    for row, state in enumerate(states):
        mine = {name: values[row].item() for name, values in labels.items()}
        level = HeistLevel.from_state(state)
        entities = EngineState.parse(state).entities
        agent = entities[entities["type"] == 0][0]
        centre = np.array([agent["x"], agent["y"]])
        assert (mine["agent_x"], mine["agent_y"]) == level.agent == tuple(np.floor(centre).astype(int))
        assert (mine["agent_exact_x"], mine["agent_exact_y"]) == tuple(centre)
        assert (mine["goal_x"], mine["goal_y"]) == (level.gem or (-1, -1))
        assert mine["distance_to_goal_cells"] == (brute_steps(level) if level.gem else -1)
        assert mine["level_seed"] == level.level_seed
        target = level.next_target()
        if target is None:
            assert (mine["next_target_kind"], mine["next_target_x"], mine["steps_to_target_cells"]) == (
                -1,
                -1,
                -1,
            )
            assert mine["best_move"] == 2
        else:
            assert KINDS[mine["next_target_kind"]] == target.kind
            assert mine["next_target_colour"] == (
                -1 if target.colour is None else COLOURS.index(target.colour)
            )
            assert (mine["next_target_x"], mine["next_target_y"]) == target.cell
            assert mine["steps_to_target_cells"] == target.steps
        for colour in COLOURS:
            assert mine[f"holds_{colour}"] == level.holds(colour)
            for name, there in (("key", level.keys_of(colour)), ("lock", level.locks_of(colour))):
                first = there[0].cell if there else (-1, -1)
                assert (mine[f"{name}_{colour}_x"], mine[f"{name}_{colour}_y"]) == first
        assert mine["n_keys_held"] == sum(level.held)
        assert mine["n_keys_left"] == len(level.keys)
        assert mine["n_locks_left"] == len(level.locks)
        gem = entities[entities["type"] == 9]
        if len(gem):
            apart = np.hypot(gem[0]["x"] - agent["x"], gem[0]["y"] - agent["y"])
            assert mine["goal_distance_euclidean"] == pytest.approx(apart, abs=1e-5)
            # Drawn from the world's, or the view's, upper left corner.
            span = 8.0 if mode == "memory" else 9.0
            left = agent["x"] - 4 if mode == "memory" else 0.0
            top = agent["y"] + 4 if mode == "memory" else 9.0
            col, line = (gem[0]["x"] - left) / span * 64, (top - gem[0]["y"]) / span * 64
            seen = 0 <= col < 64 and 0 <= line < 64
            assert (mine["goal_row"], mine["goal_col"]) == ((int(line), int(col)) if seen else (-1, -1))
            assert mine["goal_visible"] or not seen
        else:
            assert (mine["goal_distance_euclidean"], mine["goal_row"], mine["goal_visible"]) == (
                -1,
                -1,
                False,
            )


def test_labels_of_a_vector_are_those_of_its_states():
    """What is remembered from a level's start and what is worked out anew from each state agree, last frames too."""
    env = ProcgenVectorEnv("heist", 6, labels=True, variants=["agent-anywhere"], seed=5)
    _, infos = env.reset()
    ended = 0
    for _ in range(160):
        expected = label_states(env.get_states())
        assert set(expected) == set(infos["labels"])
        for name, column in expected.items():
            np.testing.assert_array_equal(infos["labels"][name], column, err_msg=name)
        before = infos["labels"]
        _, rewards, terminated, _, infos = env.step(MOVE_TO_ACTION[before["best_move"]])
        if not terminated.any():
            continue
        assert (rewards[terminated] == 10).all()
        final = infos["final_info"]["labels"]
        for index in np.flatnonzero(terminated):
            assert (final["goal_x"][index], final["distance_to_goal_cells"][index]) == (-1, -1)
            assert final["level_seed"][index] == before["level_seed"][index]
            near = abs(final["agent_x"][index] - before["goal_x"][index])
            assert near + abs(final["agent_y"][index] - before["goal_y"][index]) <= 1
        ended += terminated.sum()
    assert ended > 8
    env.close()
