"""Toy Ms. Pac-Man: its maze and tables against searches of their own, its rules by hand, its interfaces."""

from collections import deque

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from procscope.envs.actions import MOVE_STEPS, Move
from procscope.envs.toy_pacman.board import (
    AFTER,
    AGENT_COLOUR,
    AWAY,
    CALMING_COLOUR,
    CELLS,
    CORNERS,
    DISTANCE,
    FREE,
    GHOST_COLOUR,
    GHOST_HOME,
    N_CELLS,
    N_NEIGHBOURS,
    NEIGHBOUR,
    PELLET_COLOUR,
    POWER_COLOUR,
    SCARED_COLOUR,
    TOWARDS,
    WALL_COLOUR,
    cell_number,
)
from procscope.envs.toy_pacman.rules import Games
from procscope.envs.toy_pacman.vector import ToyPacmanEnv, ToyPacmanVectorEnv


def neighbours(x: int, y: int) -> list[tuple[int, int]]:
    around = [(x + dx, y + dy) for dx, dy in MOVE_STEPS.tolist() if (dx, dy) != (0, 0)]
    return [(u, v) for u, v in around if 0 <= u < 9 and 0 <= v < 9 and FREE[v, u]]


def walked_distances(start: tuple[int, int]) -> dict[tuple[int, int], int]:
    """By a search of its own."""
    found, queue = {start: 0}, deque([start])
    while queue:
        cell = queue.popleft()
        for other in neighbours(*cell):
            if other not in found:
                found[other] = found[cell] + 1
                queue.append(other)
    return found


def test_the_tables_are_those_of_the_maze():
    assert N_CELLS == int(FREE.sum()) == 59
    for number, cell in enumerate(map(tuple, CELLS.tolist())):
        around = neighbours(*cell)
        assert len(around) == N_NEIGHBOURS[number] >= 2, "no cell is a dead end"
        assert sorted(map(tuple, CELLS[NEIGHBOUR[number][: len(around)]].tolist())) == sorted(around)
        distances = walked_distances(cell)
        assert len(distances) == N_CELLS
        assert DISTANCE[number].tolist() == [distances[tuple(to)] for to in CELLS.tolist()]
        for move, (dx, dy) in enumerate(MOVE_STEPS.tolist()):
            to = (cell[0] + dx, cell[1] + dy)
            assert tuple(CELLS[AFTER[number, move]].tolist()) == (to if to in around else cell)
    for a in range(N_CELLS):
        for b in range(N_CELLS):
            if a != b:
                assert DISTANCE[TOWARDS[a, b], b] == DISTANCE[a, b] - 1
            around = NEIGHBOUR[a][: N_NEIGHBOURS[a]]
            assert AWAY[a, b] in around
            assert DISTANCE[AWAY[a, b], b] == DISTANCE[around, b].max()
    with pytest.raises(ValueError, match=r"expected a free cell of the 9x9 maze; given: \(1, 1\)"):
        cell_number(1, 1)


def one_game(agent=(0, 0), ghost=(8, 8), power=(0, 8), seed: int = 0) -> Games:
    games = Games(1, np.random.default_rng(seed))
    games.begin(np.array([0]))
    games.agents[:], games.ghosts[:], games.power[:] = (
        cell_number(*agent),
        cell_number(*ghost),
        cell_number(*power),
    )
    games.pellets[:] = True
    games.pellets[0, [cell_number(*agent), cell_number(*power)]] = False
    return games


def play(games: Games, *moves: Move) -> list[float]:
    return [float(games.move(np.array([move]))[0][0]) for move in moves]


def test_pellets_are_eaten_once_and_walls_stop_the_agent():
    games = one_game()
    assert play(games, Move.RIGHT, Move.LEFT, Move.RIGHT, Move.UP, Move.DOWN) == [10, 0, 0, 0, 0]
    assert CELLS[games.agents[0]].tolist() == [1, 0], "(1, 1) is a wall, and the edge is one"
    assert games.pellets.sum() == 56
    assert play(games, Move.STAY) == [0]


def test_a_power_pellet_makes_the_ghost_worth_eating():
    games = one_game(agent=(0, 7), ghost=(4, 4))
    assert play(games, Move.UP) == [50]
    assert games.power[0] == -1
    assert games.scared_steps[0] == 20
    games.ghosts[:] = cell_number(1, 8)
    assert play(games, Move.RIGHT) == [210], "the pellet on its cell, too"
    assert games.scared_steps[0] == 0
    assert DISTANCE[games.ghosts[0], GHOST_HOME] <= 1, "it is home, and may have left again"
    games = one_game(agent=(0, 7), ghost=(8, 0))
    play(games, Move.UP)
    for left in range(19, -1, -1):
        play(games, Move.STAY)
        assert games.scared_steps[0] == left


def test_the_ghost_catches_the_agent():
    games = one_game(agent=(0, 0), ghost=(1, 0))
    points, caught = games.move(np.array([Move.RIGHT]))
    assert (points.tolist(), caught.tolist()) == ([10], [True]), "the agent walked into it"
    waits = 0
    games = one_game(agent=(0, 0), ghost=(8, 8))
    while not games.move(np.array([Move.STAY])).caught[0]:
        waits += 1
    assert DISTANCE[games.agents[0], games.ghosts[0]] == 0
    assert 15 <= waits < 100


def test_the_ghost_moves_as_often_and_as_straight_as_the_rules_say():
    n = 20_000
    games = Games(n, np.random.default_rng(0))
    games.begin(np.arange(n))
    games.agents[:], games.ghosts[:] = cell_number(0, 8), cell_number(4, 4)
    games.power[:] = cell_number(8, 8)
    before = games.ghosts.copy()
    games.move(np.full(n, Move.STAY))
    moved = games.ghosts != before
    assert moved.mean() == pytest.approx(0.8, abs=0.015)
    # Home has four neighbours: one move in four that are not a chase goes towards the agent by chance.
    assert (games.ghosts == TOWARDS[before, games.agents])[moved].mean() == pytest.approx(0.8125, abs=0.015)
    games.ghosts[:], games.scared_steps[:] = cell_number(4, 4), 10
    games.move(np.full(n, Move.STAY))
    moved = games.ghosts != before
    assert moved.mean() == pytest.approx(0.5, abs=0.015)
    assert (games.ghosts[moved] == AWAY[before, games.agents][moved]).all()


def test_an_empty_maze_fills_again():
    games = one_game(agent=(0, 0))
    games.pellets[:], games.power[:] = False, -1
    games.pellets[0, cell_number(1, 0)] = True
    assert play(games, Move.RIGHT) == [10]
    assert games.pellets.sum() == 57, "all cells but the agent's and the power pellet's"
    assert games.power[0] in CORNERS
    games = Games(4000, np.random.default_rng(0))
    games.begin(np.arange(4000))
    games.agents[:] = CORNERS[1]
    games._fill(np.arange(4000))
    counts = {corner: int((games.power == corner).sum()) for corner in CORNERS.tolist()}
    assert counts.pop(int(CORNERS[1])) == 0, "never under the agent"
    assert min(counts.values()) > 800


def test_pictures_and_labels_show_the_game():
    env = ToyPacmanVectorEnv(1)
    env.reset(seed=0)
    env.games = one_game(agent=(2, 0), ghost=(8, 7), power=(0, 8))

    def pixel(x: int, y: int) -> tuple[int, ...]:
        return tuple(env.games.frames()[0, 8 - y, x].tolist())

    assert pixel(1, 1) == WALL_COLOUR
    assert (pixel(2, 0), pixel(8, 7), pixel(0, 8)) == (AGENT_COLOUR, GHOST_COLOUR, POWER_COLOUR)
    assert pixel(3, 0) == PELLET_COLOUR
    env.games.pellets[0, cell_number(3, 0)] = False
    assert pixel(3, 0) == (0, 0, 0)
    env.games.scared_steps[:] = 6
    assert pixel(8, 7) == SCARED_COLOUR
    env.games.scared_steps[:] = 5
    assert pixel(8, 7) == CALMING_COLOUR
    env.games.ghosts[:] = cell_number(8, 8)
    labels = {name: values[0] for name, values in env._infos()["labels"].items()}
    assert (labels["agent_x"], labels["agent_y"]) == (2, 0)
    assert (labels["ghost_x"], labels["ghost_y"]) == (8, 8)
    assert (labels["power_x"], labels["power_y"]) == (0, 8)
    assert labels["ghost_distance_cells"] == walked_distances((2, 0))[8, 8]
    assert labels["power_distance_cells"] == walked_distances((2, 0))[0, 8]
    assert labels["pellet_distance_cells"] == 1
    assert (labels["ghost_scared"], labels["scared_steps"], labels["pellets_left"]) == (True, 5, 56)
    env.games.pellets[:], env.games.power[:] = False, -1
    labels = {name: int(values[0]) for name, values in env._infos()["labels"].items()}
    assert labels["power_x"] == labels["power_y"] == labels["power_distance_cells"] == -1
    assert labels["pellet_distance_cells"] == -1


def test_the_vector_resets_games_in_the_step_that_ends_them():
    env = ToyPacmanVectorEnv(64, max_steps=30)
    frames, _ = env.reset(seed=0)
    assert env.observation_space.contains(frames)
    lengths, ends = np.zeros(64, int), {"terminated": 0, "truncated": 0}
    for actions in np.random.default_rng(1).integers(0, 5, (80, 64)):
        before = env.games.save()
        frames, _, terminated, truncated, infos = env.step(actions)
        lengths += 1
        assert ((lengths == 30) & ~terminated == truncated).all()
        over = terminated | truncated
        ends["terminated"] += int(terminated.sum())
        ends["truncated"] += int(truncated.sum())
        if over.any():
            np.testing.assert_array_equal(infos["_final_obs"], over)
            for index in np.flatnonzero(over):
                assert infos["final_obs"][index].shape == (9, 9, 3)
                assert not np.array_equal(infos["final_obs"][index], frames[index])
            last = infos["final_info"]["labels"]
            assert (last["ghost_distance_cells"][terminated] == 0).all()
            assert (infos["labels"]["ghost_distance_cells"][over] >= 5).all()
            assert (last["agent_x"] == CELLS[AFTER[before["agents"], actions]][:, 0]).all()
        lengths[over] = 0
    assert min(ends.values()) > 10


def test_the_same_seed_gives_the_same_games_and_saved_ones_go_on():
    env, again, other = (ToyPacmanVectorEnv(8, seed=seed) for seed in (0, 5, 7))
    env.reset(seed=3)
    again.reset(seed=3)
    for step, actions in enumerate(np.random.default_rng(0).integers(0, 5, (300, 8))):
        mine, same = env.step(actions), again.step(actions)
        np.testing.assert_array_equal(mine[0], same[0])
        if step == 100:
            np.testing.assert_array_equal(other.restore_games(env.save_games()), env.games.frames())
        elif step > 100:
            restored = other.step(actions)
            for a, b in zip(mine[:4], restored[:4], strict=True):
                np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="8 games were saved; this vector has 2"):
        ToyPacmanVectorEnv(2).restore_games(env.save_games())


def test_the_single_game_is_a_gymnasium_environment():
    env = ToyPacmanEnv()
    check_env(env, skip_render_check=True)
    frame, info = env.reset(seed=0)
    assert frame.shape == (9, 9, 3)
    assert info["pellets_left"] > 50
    over = False
    while not over:
        frame, _, terminated, truncated, info = env.step(Move.STAY)
        over = terminated or truncated
    assert info["ghost_distance_cells"] == 0, "of the frame in which it was caught"


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="num_envs and max_steps must be at least 1; given: 0, 400"):
        ToyPacmanVectorEnv(0)
    env = ToyPacmanVectorEnv(2)
    with pytest.raises(ValueError, match="games have not begun"):
        env.step(np.array([0, 1]))
    env.reset()
    with pytest.raises(ValueError, match="expected 2 integer actions; given shape"):
        env.step(np.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"actions must be in 0\.\.4; given: 0 \.\. 5"):
        env.step(np.array([0, 5]))
