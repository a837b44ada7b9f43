"""The search over levels, and the random edits of each game."""

from itertools import pairwise

import numpy as np
import pytest

from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.games import GAMES, game
from procscope.envs.level_frames import frames_of_levels
from procscope.envs.level_search import on_frames, search_levels
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.structure import invariant_violations
from procscope.envs.random_edits import moved_link, played_on

MAZE_EDITS = game("maze").random_edits


def way(levels):
    """Steps from mouse to cheese."""
    return [len(level.shortest_path()) - 1 for level in levels]


@pytest.fixture(scope="module")
def small_mazes():
    rng = np.random.default_rng(0)
    return [MazeLevel.generate(3, rng) for _ in range(3)]


@pytest.fixture(scope="module")
def engine_levels():
    return {
        name: game(name).level_type.from_seeds(
            range(10**9, 10**9 + 12), "hard" if name == "coinrun" else "easy"
        )
        for name in GAMES
    }


def test_the_longest_way_of_a_small_maze_is_found(small_mazes):
    """A maze of 3 x 3 cells has four rooms, so no way is longer than three links of two steps: 6."""
    found = search_levels(small_mazes, way, MAZE_EDITS, seed=0, rounds=15)
    assert found.scores.tolist() == [6, 6, 6]
    assert way(found.best) == [6, 6, 6]
    assert found.history[:, 0].tolist() == way(small_mazes)
    assert (np.diff(found.history, axis=1) >= 0).all()
    assert found.history.shape == (3, 16)
    assert all(level.holds_invariants() for level in found.best)
    assert all(set(changes) <= set(MAZE_EDITS) for changes in found.changes)


def test_the_number_of_changes_is_of_the_way_from_the_start():
    """With the one edit that moves the mouse one cell to the right, the best level tells how often it was made."""
    start = MazeLevel.from_array(np.zeros((9, 9), bool), cheese=(0, 8), mouse=(0, 0))

    def right(level, rng):
        x, y = level.mouse
        return level.with_mouse(x + 1, y)

    def column(levels):
        return [level.mouse[0] for level in levels]

    found = search_levels([start], column, {"right": right}, seed=3, rounds=20)
    assert found.best[0].mouse == (8, 0)
    assert found.changes == [("right",) * 8]
    assert found.scores == [8]
    assert found.use["right"].unfit > 0  # at the wall it raises


def test_a_line_depends_on_its_seed_its_place_and_the_round_alone(small_mazes):
    mazes = [MazeLevel.generate(7, np.random.default_rng(number)) for number in range(3)]
    whole = search_levels(mazes, way, MAZE_EDITS, seed=1, rounds=6)
    assert whole.best == search_levels(mazes, way, MAZE_EDITS, seed=1, rounds=6).best
    fewer = search_levels(mazes[:1], way, MAZE_EDITS, seed=1, rounds=3)
    np.testing.assert_array_equal(fewer.history[0], whole.history[0, :4])
    other = search_levels(mazes, way, MAZE_EDITS, seed=2, rounds=6)
    assert other.best != whole.best


def test_no_level_is_scored_twice_in_a_line_and_none_that_is_not_allowed(small_mazes):
    scored, asked = [], []

    def count(levels):
        scored.extend(levels)
        return np.zeros(len(levels))

    def near(levels):
        asked.extend(levels)
        return np.array([length <= 2 for length in way(levels)])

    start = [level for level in small_mazes if way([level])[0] <= 2][:1]
    found = search_levels(start, count, MAZE_EDITS, seed=0, rounds=10, allowed=near)
    assert len(scored) == len(set(scored)) == found.n_scored
    assert max(way(scored)) <= 2 < max(way(asked))
    assert found.n_not_allowed == len(asked) - len(scored)
    assert found.best == start
    assert found.changes == [()]


def test_on_frames_shows_the_score_what_the_agent_sees(engine_levels):
    levels = engine_levels["heist"][:5]
    shown = []
    on_frames(lambda frames: shown.append(frames) or np.zeros(len(frames)))(levels)
    np.testing.assert_array_equal(shown[0], frames_of_levels(levels).frames)
    with pytest.raises(ValueError, match=r"levels of one game and mode to draw; given: .*heist.*maze"):
        on_frames(len)([levels[0], engine_levels["maze"][0]])


@pytest.mark.parametrize("name", GAMES)
def test_random_edits_give_levels_that_play_and_leave_theirs_alone(name, engine_levels):
    for kind, edit in game(name).random_edits.items():
        made = 0
        for number, level in enumerate(engine_levels[name]):
            before = level.to_state()
            try:
                edited = edit(level, np.random.default_rng(number))
            except ValueError:
                continue
            made += edited != level
            assert level.to_state() == before
            assert edited == edit(level, np.random.default_rng(number))
            edited.require_solvable()
            assert type(level).from_state(edited.to_state()) == edited
        needs_another = kind == "lock-opened"  # a key that is held, which no level begins with
        assert needs_another or made >= 4, kind


def test_locks_open_whose_keys_are_held(engine_levels):
    level = next(level for level in engine_levels["heist"] if level.locks)
    held = level.with_key_held(level.locks[0].colour)
    opened = game("heist").random_edits["lock-opened"](held, np.random.default_rng(0))
    assert len(opened.locks) == len(level.locks) - 1


def test_a_moved_wall_leaves_a_maze_that_the_engine_could_have_made(engine_levels):
    rng = np.random.default_rng(0)
    for level in engine_levels["maze"]:
        edited = MAZE_EDITS["wall-moved"](level, rng)
        diff = level.diff(edited)
        assert len(diff.walls_added) == len(diff.walls_removed) == 1
        assert edited.holds_invariants()
    for level in engine_levels["heist"]:
        try:
            edited = game("heist").random_edits["wall-moved"](level, rng)
        except ValueError:  # a lock may come to stand in the only way to its key
            continue
        (left, bottom), (right, top) = edited.bounds()
        assert level.bounds() == edited.bounds()
        assert invariant_violations(edited.walls[bottom : top + 1, left : right + 1]) == ()


def test_played_on_is_what_the_engine_plays(engine_levels):
    level = engine_levels["coinrun"][0]
    edited = played_on(level, np.random.default_rng(5))
    rng = np.random.default_rng(5)
    action, steps = rng.integers(15), rng.integers(1, 9)
    engine = Engine(EngineOptions("coinrun", "hard"))
    engine.set_states([level.to_state()])
    for _ in range(steps):
        engine.act(np.array([action]))
    assert type(level).from_state(engine.get_states()[0]) == edited != level


def test_small_changes_of_the_ground_stay_on_the_ground(engine_levels):
    edit = game("coinrun").random_edits["ground-changed"]
    changed = [edit(level, np.random.default_rng(3)) for level in engine_levels["coinrun"][:1]]
    for level, edited in zip(engine_levels["coinrun"], changed, strict=False):
        moved = np.abs(edited.ground_heights() - level.ground_heights())
        assert set(np.unique(moved)) == {0, 1}
        assert 1 <= moved.sum() <= 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": []}, "at least one level and one edit; given: 0 levels, 4 edits"),
        ({"edits": {}}, "given: 3 levels, 0 edits"),
        ({"rounds": 0}, "rounds, children and kept of at least 1; given: 0, 8, 2"),
        (
            {"score": lambda levels: np.full(len(levels), np.nan)},
            "expected finite scores; given nan for level 0 of 3",
        ),
        ({"score": lambda levels: np.zeros(2)}, r"one number for each of 3 levels; given: shape \(2,\)"),
        ({"allowed": lambda levels: [False] * len(levels)}, "allowed themselves; number 0 of 3 is not"),
        ({"allowed": lambda levels: [1] * len(levels)}, "one truth value for each of 3 levels; given: int64"),
        (
            {"edits": {"none": lambda level, rng: level}},
            "none of none ever did. .*gave its level back as it was",
        ),
    ],
)
def test_what_cannot_be_searched_is_refused(small_mazes, change, message):
    options = {"levels": small_mazes, "score": way, "edits": MAZE_EDITS, "seed": 0, "rounds": 1} | change
    with pytest.raises(ValueError, match=message):
        search_levels(**options)


def test_mazes_without_a_link_to_move_are_refused():
    with pytest.raises(ValueError, match="every link between two rooms of the maze is open already"):
        moved_link(np.zeros((3, 3), bool), (0, 0), set(), np.random.default_rng(0))
    walls = MazeLevel.generate(3, np.random.default_rng(0)).walls
    with pytest.raises(ValueError, match="something is in each"):
        moved_link(walls, (0, 0), {(x, y) for x in range(3) for y in range(3)}, np.random.default_rng(0))


def test_histories_never_fall(small_mazes):
    found = search_levels(small_mazes, lambda ls: [-w for w in way(ls)], MAZE_EDITS, seed=0, rounds=5, kept=1)
    assert all(a <= b for row in found.history for a, b in pairwise(row))
