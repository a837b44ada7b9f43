"""Labels against a worked example, a plain breadth-first search, the level editor, and the engine."""

from collections import deque

import numpy as np
import pytest

from procscope.envs.actions import MOVE_STEPS, MOVE_TO_ACTION, Move
from procscope.envs.engine import Engine, EngineOptions, levels_from_seeds
from procscope.envs.labels import COMMON_COLUMNS, Labeller, label_states
from procscope.envs.maze import MazeLevel
from procscope.envs.vector import ProcgenVectorEnv

FORK = """
..#.C
#.#.#
.....
.###.
M.#..
"""


def steps_to(level: MazeLevel, target: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Steps from each cell that a way leads from: the textbook's search, one cell at a time."""
    steps, queue = {target: 0}, deque([target])
    free = set(level.free_cells())
    while queue:
        x, y = queue.popleft()
        for neighbour in [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)]:
            if neighbour in free and neighbour not in steps:
                steps[neighbour] = steps[x, y] + 1
                queue.append(neighbour)
    return steps


def sample_levels() -> list[MazeLevel]:
    """Levels of every kind: as drawn, mouse anywhere, no cheese, open walls (no trees), cut off, size 3 to 15."""
    rng = np.random.default_rng(0)
    levels = MazeLevel.from_seeds(range(40))
    for size in (3, 5, 7, 9, 15):
        levels.append(MazeLevel.generate(size, rng))
    for level in levels[:20]:
        cells = level.free_cells()
        levels.append(level.with_mouse(*cells[rng.integers(len(cells))]))
    for level in levels[5:10]:
        levels.append(level.without_cheese())
    for level in levels[10:20]:
        walls = level.walls & (rng.random(level.walls.shape) < 0.7)
        levels.append(level.with_grid(walls))
    for level in levels[20:30]:
        if level.mouse != level.corner and level.cheese != level.corner:
            levels.append(level.with_wall(*level.corner, allow_unsolvable=True))
    return levels


def test_a_worked_example():
    level = MazeLevel.from_ascii(FORK)
    mice = [(0, 0), (1, 2), (3, 3), (4, 0), (0, 4)]
    labels = label_states([level.with_mouse(*mouse).to_state() for mouse in mice])
    assert labels["agent_x"].tolist() == [0, 1, 3, 4, 0]
    assert labels["agent_y"].tolist() == [0, 2, 3, 0, 4]
    assert set(labels["goal_x"]) == {4}
    assert set(labels["goal_y"]) == {4}
    assert labels["distance_to_goal_cells"].tolist() == [8, 5, 2, 6, 8]
    moves = [Move.UP, Move.RIGHT, Move.UP, Move.UP, Move.RIGHT]
    assert labels["best_move"].tolist() == moves
    # The cheese is in the corner: one and the same way, so no decision.
    assert labels["distance_to_corner_cells"].tolist() == labels["distance_to_goal_cells"].tolist()
    assert not labels["at_decision_square"].any()

    low = level.with_cheese(4, 0)
    labels = label_states([low.with_mouse(*mouse).to_state() for mouse in [(0, 0), (3, 2), (4, 4)]])
    assert labels["distance_to_goal_cells"].tolist() == [8, 3, 6]
    assert labels["distance_to_corner_cells"].tolist() == [8, 3, 0]
    assert labels["best_move"].tolist() == [Move.UP, Move.RIGHT, Move.LEFT]
    assert labels["best_move_to_corner"].tolist() == [Move.UP, Move.UP, Move.STAY]
    assert set(zip(labels["decision_x"].tolist(), labels["decision_y"].tolist(), strict=True)) == {(3, 2)}
    assert labels["at_decision_square"].tolist() == [False, True, False]
    assert labels["maze_size"].tolist() == [5, 5, 5]
    assert set(COMMON_COLUMNS) <= set(labels)


@pytest.mark.parametrize("mode", ["easy", "hard", "memory"])
def test_labels_agree_with_a_plain_search(mode):
    levels = sample_levels() if mode == "easy" else MazeLevel.from_seeds(range(8), mode)
    labels = label_states([level.to_state() for level in levels])
    for row, level in enumerate(levels):
        mine = {name: values[row].item() for name, values in labels.items()}
        assert (mine["agent_x"], mine["agent_y"]) == level.mouse
        assert (mine["goal_x"], mine["goal_y"]) == (level.cheese or (-1, -1))
        assert mine["maze_size"] == level.size
        assert mine["level_seed"] == (-1 if level.level_seed is None else level.level_seed)
        targets = [
            (level.cheese, "distance_to_goal_cells", "best_move"),
            (level.corner, "distance_to_corner_cells", "best_move_to_corner"),
        ]
        for target, distance_column, move_column in targets:
            blocked = target is None or level.walls[target[1], target[0]]
            steps = {} if blocked else steps_to(level, target)
            assert mine[distance_column] == steps.get(level.mouse, -1)
            dx, dy = MOVE_STEPS[mine[move_column]]
            if steps.get(level.mouse, 0) > 0:
                assert steps[level.mouse[0] + dx, level.mouse[1] + dy] == steps[level.mouse] - 1
            else:
                assert mine[move_column] == Move.STAY


def test_decision_squares_are_the_level_editors():
    """The editor's, walked one level at a time, for a mouse where the engine starts it."""
    levels = [level for level in sample_levels() if not level.walls[0, 0] and not level.walls[-1, -1]]
    labels = label_states([level.to_state() for level in levels])
    found = 0
    for row, level in enumerate(levels):
        at_start = level.with_mouse(0, 0, allow_unsolvable=True)
        square = at_start.decision_square() if level.cheese is not None else None
        mine = (labels["decision_x"][row], labels["decision_y"][row])
        assert mine == (square or (-1, -1))
        assert labels["at_decision_square"][row] == (level.mouse == square)
        found += square is not None
    assert found > 20


def test_following_best_moves_reaches_the_cheese_in_as_many_steps_as_said():
    env = ProcgenVectorEnv("maze", 16, labels=True, variants=["cheese-anywhere"], seed=2)
    _, infos = env.reset()
    distance = infos["labels"]["distance_to_goal_cells"].copy()
    lengths = np.zeros(16, int)
    playing = np.ones(16, bool)
    for step in range(1, distance.max() + 1):
        _, _, terminated, _, infos = env.step(MOVE_TO_ACTION[infos["labels"]["best_move"]])
        lengths[terminated & playing] = step
        playing &= ~terminated
    np.testing.assert_array_equal(lengths, distance)
    env.close()


def test_labels_of_a_vector_are_those_of_its_states():
    """What is remembered from a level's start and what is worked out anew from each state agree, last frames too."""
    env = ProcgenVectorEnv("maze", 6, labels=True, variants=["cheese-top-right", "mouse-anywhere"], seed=5)
    _, infos = env.reset()
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(60):
        expected = label_states(env.get_states())
        assert set(expected) == set(infos["labels"])
        for name, column in expected.items():
            np.testing.assert_array_equal(infos["labels"][name], column, err_msg=name)
        before = infos["labels"]
        actions = np.where(rng.random(6) < 0.6, MOVE_TO_ACTION[before["best_move"]], rng.integers(0, 15, 6))
        _, _, terminated, _, infos = env.step(actions)
        if not terminated.any():
            continue
        final = infos["final_info"]["labels"]
        assert infos["final_info"]["_labels"].tolist() == terminated.tolist()
        for index in np.flatnonzero(terminated):
            # The mouse stands where the cheese was, and there is no cheese any more.
            assert final["agent_x"][index] == before["goal_x"][index]
            assert final["agent_y"][index] == before["goal_y"][index]
            assert (final["goal_x"][index], final["distance_to_goal_cells"][index]) == (-1, -1)
            assert final["level_seed"][index] == before["level_seed"][index]
            assert final["maze_size"][index] == before["maze_size"][index]
        ended += terminated.sum()
    assert ended > 5
    env.close()


def test_labels_read_the_engines_own_mouse():
    """The agent's cell is followed through the engine by hand: one cell a step where no wall is."""
    engine = Engine(EngineOptions("maze", num_threads=1, seed=7))
    level = MazeLevel.from_state(engine.get_states()[0])
    x, y = level.mouse
    for action, (dx, dy) in [
        (7, (1, 0)),
        (5, (0, 1)),
        (1, (-1, 0)),
        (3, (0, -1)),
        (5, (0, 1)),
        (7, (1, 0)),
    ] * 3:
        engine.act(np.array([action]))
        inside = 0 <= x + dx < level.size and 0 <= y + dy < level.size
        if inside and not level.walls[y + dy, x + dx]:
            x, y = x + dx, y + dy
        labels = label_states(engine.get_states())
        assert (labels["agent_x"][0], labels["agent_y"][0]) == (x, y)
    assert (x, y) != level.mouse
    engine.close()


def test_what_cannot_be_labelled_is_refused():
    with pytest.raises(ValueError, match="at least one state"):
        label_states([])
    with pytest.raises(ValueError, match="labels exist for the games"):
        label_states(levels_from_seeds("bigfish", [1]))
    with pytest.raises(ValueError, match="one size"):
        label_states([MazeLevel.from_seed(0).to_state(), MazeLevel.from_seed(0, "hard").to_state()])
    with pytest.raises(ValueError, match="all 2 games at first"):
        Labeller("maze", 2).begin_levels(np.array([1]), [MazeLevel.from_seed(0).to_state()])
