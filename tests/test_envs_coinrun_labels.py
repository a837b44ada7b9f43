"""CoinRun's labels against the engine: its next step, its pictures, and plain searches one state at a time."""

from collections import deque

import numpy as np
import pytest

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.coinrun import CoinRunLevel
from procscope.envs.coinrun.cells import COIN
from procscope.envs.coinrun.sections import Flat
from procscope.envs.engine import Engine, EngineOptions, scratch_engine
from procscope.envs.labels import COMMON_COLUMNS, Labeller, label_states
from procscope.envs.lookahead import lookahead
from procscope.envs.maze import MazeLevel
from procscope.envs.state import EngineState
from procscope.envs.vector import ProcgenVectorEnv

N = 24


def played(mode: str, steps: int, seed: int = 0, num_envs: int = N):
    """Consecutive states of games that mostly run to the right: (states, whether a level has just begun)."""
    engine = Engine(EngineOptions("coinrun", mode, num_envs, num_threads=1, seed=seed))
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        yield engine.get_states(), engine.first.copy()
        engine.act(
            np.where(rng.random(num_envs) < 0.6, rng.integers(6, 9, num_envs), rng.integers(0, 9, num_envs))
        )
    engine.close()


def slow_steps(cells: np.ndarray, start: tuple[int, int], goal: tuple[int, int]) -> int:
    """The textbook's search through cells that are neither wall nor lava."""
    steps, queue = {start: 0}, deque([start])
    while queue:
        x, y = queue.popleft()
        if (x, y) == goal:
            return steps[x, y]
        for cell in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            if cell not in steps and cells[cell[1], cell[0]] not in (15, 16, 17, 18):
                steps[cell] = steps[x, y] + 1
                queue.append(cell)
    return -1


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_labels_read_what_the_state_says(mode: str) -> None:
    """Field by field from the other parser, distances by a plain search, hazards by looking at each."""
    for number, (states, _) in enumerate(played(mode, 61)):
        if number % 15:
            continue
        labels = label_states(states)
        assert set(COMMON_COLUMNS) <= set(labels)
        assert {column.dtype.str for column in labels.values()} <= {"<i4", "<f4", "|b1"}
        for row, state in enumerate(map(EngineState.parse, states)):
            mine = {name: column[row].item() for name, column in labels.items()}
            agent = state.entities[state.agent_index]
            assert mine["level_seed"] == state.episode.current_level_seed
            assert (mine["agent_exact_x"], mine["agent_exact_y"]) == (agent["x"], agent["y"])
            assert (mine["agent_speed_x"], mine["agent_speed_y"]) == (agent["vx"], agent["vy"])
            cell = (int(agent["x"]), int(agent["y"]))
            assert (mine["agent_x"], mine["agent_y"]) == cell
            ((goal_y, goal_x),) = np.argwhere(state.grid == COIN).tolist()
            assert (mine["goal_x"], mine["goal_y"]) == (goal_x, goal_y)
            if state.grid[cell[1], cell[0]] not in (15, 16, 17, 18):
                assert mine["distance_to_goal_cells"] == slow_steps(state.grid, cell, (goal_x, goal_y))
                dx, dy = MOVE_STEPS[mine["best_move"]].tolist()
                next_cell = (cell[0] + dx, cell[1] + dy)
                if cell != (goal_x, goal_y):
                    left = slow_steps(state.grid, next_cell, (goal_x, goal_y))
                    assert left == mine["distance_to_goal_cells"] - 1
            away = np.hypot(goal_x + 0.5 - agent["x"], goal_y + 0.5 - agent["y"])
            assert mine["goal_distance_euclidean"] == pytest.approx(away, abs=1e-4)
            names = {2: "saw", 5: "enemy"}
            hazards = [
                (names[int(e["type"])], e["x"], e["y"]) for e in state.entities if int(e["type"]) in names
            ]
            hazards += [("lava", x + 0.5, y + 0.5) for y, x in np.argwhere(np.isin(state.grid, (17, 18)))]
            sign = -1 if agent["is_reflected"] else 1
            ahead = [
                (float(np.hypot(x - agent["x"], y - agent["y"])), kind)
                for kind, x, y in hazards
                if (x - agent["x"]) * sign >= 0
            ]
            distance = min((away for away, _ in ahead), default=-1)
            assert mine["hazard_distance_euclidean"] == pytest.approx(distance, abs=1e-4)
            nearest = {
                ("saw", "enemy", "lava").index(kind) for away, kind in ahead if away < distance + 1e-4
            } or {-1}
            assert mine["hazard_kind"] in nearest


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_labels_of_motion_are_what_the_engine_does(mode: str) -> None:
    """`on_ground` is what the next step finds; `agent_moving` and the speed are the last step's displacement."""
    witness = scratch_engine("coinrun", mode)
    before = None
    seen = np.zeros(4, int)
    for states, first in played(mode, 50, seed=1):
        labels = label_states(states)
        witness.set_states(states, range(N))
        witness.act(np.full(64, 4))
        stays = ~witness.first[:N]
        after = [EngineState.parse(state).tail for state in witness.get_states(range(N))]
        support = np.array([tail.has_support for tail in after], bool)  # type: ignore[union-attr]
        np.testing.assert_array_equal(labels["on_ground"][stays], support[stays])
        place = np.stack([labels["agent_exact_x"], labels["agent_exact_y"]], axis=1)
        speed = np.stack([labels["agent_speed_x"], labels["agent_speed_y"]], axis=1)
        if before is not None:
            moved = (place - before)[~first]
            free = np.abs(moved - speed[~first]).max(axis=1) < 1e-4
            assert free.mean() > 0.5
            # Pressed against a wall it may be let in by a hundredth of a cell, and put back: that counts as moving.
            pressed = np.abs(speed[~first]).max(axis=1) < 0.02
            assert ((np.abs(moved).max(axis=1) > 0) | pressed)[labels["agent_moving"][~first]].all()
            resting = ~labels["agent_moving"][~first]
            # It then moved by what was left to a wall or the ground at most: a part of a step.
            assert np.abs(moved[resting]).max(initial=0) < 0.5
        assert not labels["agent_moving"][first].any()
        seen += [
            support.sum(),
            (~support).sum(),
            labels["agent_moving"].sum(),
            (~labels["agent_moving"]).sum(),
        ]
        before = place
    assert (seen > 20).all()


@pytest.mark.parametrize("visibility", [13.0, 9.0, 20.0])
def test_places_in_the_picture_are_where_the_engine_draws_the_coin(visibility: float) -> None:
    """Rendered with and without the coin: the pixels that differ are about where the label says."""
    engine = scratch_engine("coinrun", "easy")
    rng = np.random.default_rng(0)
    with_coin, without = [], []
    for level in CoinRunLevel.from_seeds(range(24)):
        bare = level.without_obstacles().with_background(None)
        cells = bare.without_coin().standing_cells()
        here = bare.with_agent(*cells[rng.integers(len(cells))])
        x, y = here.agent_xy
        for _ in range(6):
            coin = (int(np.clip(x + rng.uniform(-9, 9), 1, 62)), int(np.clip(y + rng.uniform(-9, 9), 0, 62)))
            if max(abs(coin[0] + 0.5 - x), abs(coin[1] - y)) < 2:
                continue
            placed = here.with_coin(*coin, allow_unsolvable=True)
            for states, version in ((with_coin, placed), (without, placed.with_cell(*coin, "open"))):
                state = EngineState.parse(version.to_state()).with_view(visibility=visibility)
                states.append(state.serialise())
    labels = label_states(with_coin)
    assert (labels["view_cells"] == visibility).all()
    differs = (engine.render(with_coin) != engine.render(without)).any(axis=-1)
    unit = 64 / visibility
    checked = hidden = 0
    for row, pixels in enumerate(differs):
        center = np.array([labels["goal_row_exact"][row], labels["goal_col_exact"][row]])
        inside = (np.abs(center - 32) < 32 - unit / 4).all()
        near_edge = (np.abs(np.abs(center - 32).max() - 32) <= unit / 4 + 1).all()
        if near_edge:
            continue  # a disc that is cut to less than a pixel may not show
        assert pixels.any() == labels["goal_visible"][row]
        hidden += not pixels.any()
        if inside and pixels.any():
            rows, cols = np.nonzero(pixels)
            middle = np.array([rows.mean() + 0.5, cols.mean() + 0.5])
            assert np.abs(middle - center).max() < 1.0
            assert (labels["goal_row"][row], labels["goal_col"][row]) == tuple(np.floor(center))
            checked += 1
    assert checked > 20
    assert hidden > 5 or visibility == 20


def test_the_agent_is_in_the_middle_of_the_picture() -> None:
    level = CoinRunLevel.from_seed(5).with_background(None).without_obstacles()
    engine = scratch_engine("coinrun", "easy")
    drawn, lost = engine.render([level.to_state(), level.with_agent_drawn(False).to_state()])
    rows, cols = np.nonzero((drawn != lost).any(axis=-1))
    labels = label_states([level.to_state()])
    unit = 64 / 13
    assert (labels["agent_row"][0], labels["agent_col"][0]) == (32, 32)
    # The box is 1 x 1.16 cells round the centre, and the sprite stands on its bottom and is two cells high.
    assert abs(rows.max() + 1 - (32 + 0.5787 * unit)) <= 1.5
    assert abs((cols.min() + cols.max() + 1) / 2 - 32) <= 1
    assert labels["view_left"][0] == pytest.approx(1.5 - 6.5)
    assert labels["view_bottom"][0] == pytest.approx(1.5787 - 6.5, abs=1e-4)


def test_least_steps_are_met_on_flat_ground_and_never_beaten() -> None:
    flat = CoinRunLevel.from_sections([Flat(30)])
    engine = Engine(EngineOptions("coinrun", num_threads=1))
    for start, speed in [(1, 0.0), (9, 0.5), (20, -0.3), (25, 0.2)]:
        engine.set_states([flat.with_agent(start, 4, speed).to_state()])
        steps, promised = 0, label_states(engine.get_states())["least_steps_to_goal"][0]
        while True:
            engine.act(np.array([7]))
            steps += 1
            if engine.first[0]:
                break
            now = label_states(engine.get_states())["least_steps_to_goal"][0]
            assert now >= promised - steps
        assert engine.rewards[0] == 10
        assert promised == steps
    level = flat.with_agent(9, 4)
    assert level.least_seconds_to_coin() == pytest.approx(
        label_states([level.to_state()])["least_seconds_to_goal"][0]
    )
    engine.close()


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_no_episode_reaches_its_coin_in_fewer_steps_than_said(mode: str) -> None:
    n = 48
    engine = Engine(EngineOptions("coinrun", mode, n, num_threads=1, seed=3))
    rng = np.random.default_rng(0)
    labeller = Labeller("coinrun", n)
    labeller.begin_levels(np.arange(n), engine.get_states())
    said = labeller.label(engine.get_states())["least_steps_to_goal"]
    history: list[list[int]] = [[int(value)] for value in said]
    reached = 0
    for _ in range(150):
        engine.act(np.where(rng.random(n) < 0.5, 8, rng.integers(6, 9, n)))
        states, began = engine.get_states(), np.flatnonzero(engine.first)
        if len(began):
            labeller.begin_levels(began, [states[index] for index in began])
        labels = labeller.label(states)["least_steps_to_goal"]
        for env in range(n):
            if engine.first[env]:
                if engine.rewards[env]:
                    steps_left = range(len(history[env]), 0, -1)
                    assert all(least <= left for least, left in zip(history[env], steps_left, strict=True))
                    reached += 1
                history[env] = []
            history[env].append(int(labels[env]))
    assert reached > 5
    engine.close()


def test_levels_without_and_with_several_coins() -> None:
    level = CoinRunLevel.from_sections([Flat(20)])
    none, two = level.without_coin(), level.with_coins([(3, 4), (12, 6)]).with_agent(7, 4)
    labels = label_states([none.to_state(), two.to_state(), two.with_agent(10, 4).to_state()])
    assert labels["goal_x"].tolist() == [-1, 3, 12]
    assert labels["distance_to_goal_cells"].tolist() == [-1, 4, 4]
    assert labels["best_move"].tolist() == [Move.STAY, Move.LEFT, Move.RIGHT]
    assert labels["goal_visible"].tolist() == [False, True, True]
    assert np.isnan(labels["goal_row_exact"]).tolist() == [True, False, False]
    assert labels["least_steps_to_goal"][0] == labels["goal_distance_euclidean"][0] == -1


def test_labels_of_a_vector_are_those_of_its_states() -> None:
    env = ProcgenVectorEnv(
        "coinrun", 8, labels=True, mode="hard", variants=["coin-anywhere", "agent-anywhere"], num_threads=1
    )
    _, infos = env.reset(seed=5)
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(60):
        expected = label_states(env.get_states())
        assert set(expected) == set(infos["labels"])
        for name, column in expected.items():
            np.testing.assert_array_equal(infos["labels"][name], column, err_msg=name)
        _, _, terminated, _, infos = env.step(np.where(rng.random(8) < 0.7, 7, rng.integers(0, 9, 8)))
        ended += terminated.sum()
        for index in np.flatnonzero(terminated):
            assert infos["final_info"]["labels"]["goal_x"][index] >= 0
    assert ended > 3
    env.close()


@pytest.mark.parametrize("mode", ["easy", "hard"])
def test_lookahead_is_what_single_steps_give(mode: str) -> None:
    states = next(iter(played(mode, 1, num_envs=4)))[0]
    level = CoinRunLevel.from_sections([Flat(9)]).with_mode(mode).with_agent(13, 4, 0.5)
    states += [level.to_state(), level.with_agent(3, 4).with_obstacle("saw", 4, 4).to_state()]
    found = lookahead(states)
    engine = Engine(EngineOptions("coinrun", mode, num_threads=1))
    for row, state in enumerate(states):
        for action in range(15):
            engine.set_states([state])
            engine.act(np.array([action]))
            assert found.rewards[row, action] == engine.rewards[0]
            assert found.ends[row, action] == engine.first[0]
            assert found.completes[row, action] == (engine.rewards[0] > 0)
    assert found.rewards[4, 7] == 10
    assert found.ends[5, 7]
    assert not found.completes[5, 7]
    engine.close()


def test_lookahead_in_a_maze_finds_the_one_move_to_the_cheese() -> None:
    level = MazeLevel.from_ascii("..C\n.##\nM..").with_mouse(1, 2)
    found = lookahead([level.to_state(), level.with_mouse(0, 0).to_state()])
    assert found.rewards.tolist() == [[0] * 6 + [10] * 3 + [0] * 6, [0] * 15]
    assert not found.ends[1].any()
    assert lookahead([]).rewards.shape == (0, 15)
    with pytest.raises(ValueError, match="one of the games"):
        lookahead([Engine(EngineOptions("bigfish")).get_states()[0]])
