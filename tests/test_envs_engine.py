"""The engine's wrapper: what it gives is Procgen's own, and no argument of Python's can end the process."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from procgen import ProcgenGym3Env

from procscope.envs import engine as engine_module
from procscope.envs.actions import (
    ACTION_TO_MOVE,
    MOVE_STEPS,
    MOVE_TO_ACTION,
    greedy_moves,
    move_probabilities,
)
from procscope.envs.engine import (
    ALL_SEEDS,
    MODES,
    TEST_SEEDS,
    TRAINING_SEEDS,
    VALIDATION_SEEDS,
    Engine,
    EngineOptions,
    levels_from_seeds,
    scratch_engine,
    seed_range_offset,
    template_state,
)
from procscope.envs.maze import MazeLevel
from procscope.envs.state import EngineState
from procscope.envs.state.batch import read_batch


@pytest.fixture
def make():
    """Makes engines, and frees them after the test."""
    made = []

    def new(num_envs=2, game="maze", **options):
        made.append(Engine(EngineOptions(game, num_envs=num_envs, **({"num_threads": 1} | options))))
        return made[-1]

    yield new
    for engine in made:
        engine.close()


def play(engine: Engine, actions: np.ndarray) -> list[np.ndarray]:
    """Everything that the engine gives at every step of `actions` [step, env], one after the other."""
    seen = []
    for row in actions:
        engine.act(row)
        seen += [engine.frames, engine.rewards, engine.first, engine.level_seeds, engine.ended_level_seeds]
        seen = [*seen[:-5], *(array.copy() for array in seen[-5:])]
    return seen


def same(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return len(a) == len(b) and all(np.array_equal(*pair) for pair in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"game": "pacman"}, "game must be one of bigfish, .*; given: 'pacman'"),
        ({"game": "coinrun", "mode": "memory"}, "coinrun has the modes easy, hard; given: 'memory'"),
        ({"game": "maze", "mode": "extreme"}, "maze has the modes easy, hard, memory; given: 'extreme'"),
        ({"game": "maze", "num_envs": 0}, "num_envs must be at least 1"),
        ({"game": "maze", "level_seeds": range(5, 5)}, "level_seeds must be a non-empty range"),
        ({"game": "maze", "level_seeds": range(0, 10, 2)}, "step 1"),
        ({"game": "maze", "level_seeds": range(-1, 10)}, "level_seeds must be"),
        ({"game": "maze", "level_seeds": range(0, 2**31)}, "level_seeds must be"),
        ({"game": "maze", "seed": -1}, "seed must be in"),
        ({"game": "maze", "seed": 2**31}, "seed must be in"),
        ({"game": "maze", "num_threads": -1}, "num_threads must be 0"),
    ],
)
def test_options_that_would_end_the_process_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        EngineOptions(**options)


@pytest.mark.slow
def test_every_mode_of_every_game_starts():
    """In a child, since the engine ends the process on a mode that the game has not."""
    program = (
        "import numpy as np\n"
        "from procscope.envs.engine import MODES, Engine, EngineOptions\n"
        "for game, modes in MODES.items():\n"
        "    for mode in modes:\n"
        "        engine = Engine(EngineOptions(game, mode, num_threads=1))\n"
        "        engine.act(np.array([7]))\n"
        "        engine.close()\n"
        "        print(game, mode)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{game} {mode}" for game in MODES for mode in MODES[game]]


def test_the_ranges_of_level_seeds_do_not_meet():
    ranges = [TRAINING_SEEDS, VALIDATION_SEEDS, TEST_SEEDS]
    assert [(seeds.start, seeds.stop) for seeds in ranges] == [
        (0, 10**8),
        (10**8, 10**9),
        (10**9, 2 * 10**9),
    ]
    assert all(seeds.start >= ALL_SEEDS.start and seeds.stop <= ALL_SEEDS.stop for seeds in ranges)


def test_play_depends_on_the_seed_and_not_on_threads(make):
    actions = np.random.default_rng(0).integers(0, 15, (30, 5))
    one, four, other = make(5, seed=3), make(5, seed=3, num_threads=4), make(5, seed=4)
    played = play(one, actions)
    assert same(played, play(four, actions))
    assert not same(played, play(other, actions))


def test_levels_come_from_the_range(make):
    engine = make(32, level_seeds=range(70, 74))
    assert set(engine.level_seeds) == {70, 71, 72, 73}
    everything = make(32, level_seeds=ALL_SEEDS)
    assert len(set(everything.level_seeds)) == 32
    assert everything.level_seeds.max() > 10**8


@pytest.mark.parametrize("action", [-1, 15, -(2**31), 2**31 - 1])
def test_only_the_15_actions_are_played(make, action):
    engine = make(2)
    (before, frames) = engine.get_states(), engine.frames.copy()
    with pytest.raises(ValueError, match=r"actions must be in 0\.\.14; given: "):
        engine.act(np.array([4, action]))
    assert engine.get_states() == before
    np.testing.assert_array_equal(engine.frames, frames)


def unchecked(method):
    """The method without the type checks that the tests put round it, as users have it."""
    return inspect.unwrap(method)


@pytest.mark.parametrize(
    "actions", [[1.0, 2.0], [np.nan, 1.0], [True, False], [1, 2, 3], [1], [], [[1, 2]]], ids=str
)
def test_only_one_integer_a_game_is_played(make, actions):
    engine = make(2)
    with pytest.raises(ValueError, match="actions must be integers, one for each of the 2 games; given: "):
        unchecked(Engine.act)(engine, np.array(actions))


@pytest.mark.parametrize("index", [-1, 2, 10**6])
def test_indices_beyond_the_games_are_refused(make, index):
    engine = make(2)
    with pytest.raises(ValueError, match=r"indices must be of the games 0\.\.1; given"):
        engine.get_states([0, index])
    with pytest.raises(ValueError, match=r"indices must be of the games 0\.\.1; given"):
        engine.set_states(engine.get_states(), [0, index])


def test_a_state_continues_as_it_would_have(make):
    engine, other = make(3, seed=5, level_seeds=range(6)), make(1, seed=9)
    rng = np.random.default_rng(0)
    play(engine, rng.integers(0, 9, (5, 3)))
    states = engine.get_states()
    actions = rng.integers(0, 9, (40, 3))
    first = play(engine, actions)
    engine.set_states(states)
    assert engine.get_states() == states
    assert same(play(engine, actions), first)
    other.set_states(states[1:2])
    alone = play(other, actions[:, 1:2])
    assert same(alone, [array[1:2] for array in first])


def test_a_state_goes_into_its_game_only(make):
    engine = make(3)
    states, frames = engine.get_states(), engine.frames.copy()
    level = MazeLevel.from_seed(7).to_state()
    engine.set_states([level, states[0]], [2, 1])
    assert engine.get_states([0, 2, 1]) == [states[0], level, states[0]]
    np.testing.assert_array_equal(engine.frames[[0, 1]], frames[[0, 0]])
    assert engine.level_seeds[2] == 7
    with pytest.raises(ValueError, match="one state per game: 2 games, 1 states"):
        engine.set_states([level], [0, 1])


def test_the_end_of_an_episode(make):
    """The goal pays 10 and completes the level; a forced end pays nothing; the next level has begun by then."""
    engine = make(2, level_seeds=range(100, 140))
    level = MazeLevel.from_ascii("MC.\n###\n...")
    assert level.cheese is not None
    assert level.mouse == (0, 2)
    engine.set_states([level.to_state(engine.get_states([0])[0])], [0])
    seeds = engine.level_seeds.copy()
    engine.act(np.array([7, 4]))
    assert engine.rewards.tolist() == [10, 0]
    assert engine.first.tolist() == [True, False]
    assert engine.ended_complete.tolist() == [1, 0]
    assert engine.ended_level_seeds.tolist() == seeds.tolist()
    assert 100 <= engine.level_seeds[0] < 140
    assert engine.level_seeds[1] == seeds[1]
    seeds = engine.level_seeds.copy()
    engine.reset_all()
    assert engine.rewards.tolist() == [0, 0]
    assert engine.first.tolist() == [True, True]
    assert engine.ended_complete.tolist() == [0, 0]
    assert engine.ended_level_seeds.tolist() == seeds.tolist()


def test_time_runs_out_after_500_steps(make):
    engine = make(1)
    engine.set_states([MazeLevel.from_seed(7).without_cheese().to_state(engine.get_states()[0])])
    firsts = []
    for _ in range(500):
        engine.act(np.array([4]))
        firsts.append(bool(engine.first[0]))
    assert firsts == [False] * 499 + [True]
    assert engine.ended_complete[0] == 0


@pytest.mark.parametrize(("game", "mode"), [("maze", "easy"), ("heist", "hard"), ("coinrun", "easy")])
def test_levels_are_those_that_procgen_makes_of_the_seeds(game, mode):
    """Each against an environment of Procgen's own whose only level it is."""
    seeds = [0, 10**9 + 5, ALL_SEEDS.stop - 1, 3]
    states = levels_from_seeds(game, seeds, mode)
    pictures = scratch_engine(game, mode).render(states)
    for seed, state, picture in zip(seeds, states, pictures, strict=True):
        own = ProcgenGym3Env(
            num=1, env_name=game, start_level=seed, num_levels=1, distribution_mode=mode, num_threads=1
        )
        np.testing.assert_array_equal(picture, own.observe()[1]["rgb"][0])
        assert own.get_info()[0]["level_seed"] == seed
        theirs, ours = EngineState.parse(own.callmethod("get_state")[0]), EngineState.parse(state)
        np.testing.assert_array_equal(ours.grid, theirs.grid)
        np.testing.assert_array_equal(ours.entities, theirs.entities)
        own.close()
        low, high = np.frombuffer(state, "<i4", 2, seed_range_offset(game))
        assert (low, high) == (ours.settings.level_seed_low, ours.settings.level_seed_high)
        assert (low, high) == (0, ALL_SEEDS.stop)


def test_a_level_is_a_function_of_its_seed_and_the_look(make):
    """Not of the engine's seed, size or past, nor of the levels beside it."""
    seeds = list(range(50, 60))
    engine = make(3, seed=8, level_seeds=ALL_SEEDS)
    assert engine.levels(seeds) == levels_from_seeds("maze", seeds)
    engine.act(np.array([7, 7, 7]))
    assert engine.levels(seeds[::-1]) == levels_from_seeds("maze", seeds)[::-1]
    assert engine.levels(seeds[4:5]) == levels_from_seeds("maze", seeds)[4:5]
    assert engine.levels([]) == []
    assert (read_batch(engine.levels(seeds)).level_seeds == seeds).all()
    plain = make(2, use_backgrounds=False, level_seeds=range(9))
    (state,) = plain.levels([50])
    parsed = EngineState.parse(state).settings
    assert (parsed.use_backgrounds, parsed.level_seed_low, parsed.level_seed_high) == (0, 0, 9)
    assert (plain.render([state]) != engine.render(engine.levels([50]))).any()


@pytest.mark.parametrize("seed", [-1, ALL_SEEDS.stop])
def test_seeds_that_no_level_has_are_refused(seed):
    with pytest.raises(ValueError, match=f"a level seed must be .*; given: {seed}"):
        levels_from_seeds("maze", [3, seed])


def test_pictures_are_what_is_seen_in_play(make):
    """Also of more states than there are games."""
    engine, scratch = make(5, seed=2), make(2)
    play(engine, np.random.default_rng(1).integers(0, 9, (10, 5)))
    np.testing.assert_array_equal(scratch.render(engine.get_states()), engine.frames)
    assert scratch.render([]).shape == (0, 64, 64, 3)


def test_large_pictures_show_the_same_as_small_ones(make):
    states = levels_from_seeds("maze", [7, 8])
    engine = make(1, large_frames=True)
    large, small = engine.render_large(states), engine.render(states)
    assert large.shape == (2, 512, 512, 3)
    shrunk = large.reshape(2, 64, 8, 64, 8, 3).mean(axis=(2, 4))
    for index in range(2):
        same_level, other = (np.abs(shrunk[index] - small[k]).mean() for k in (index, 1 - index))
        assert same_level < other / 3
    with pytest.raises(ValueError, match="large_frames=True"):
        make(1).render_large(states)


def test_shared_engines_and_templates_are_made_once():
    assert scratch_engine("maze") is scratch_engine("maze")
    assert template_state("maze", "hard") is template_state("maze", "hard")
    parsed = EngineState.parse(template_state("maze", "hard"))
    assert (parsed.settings.level_seed_low, parsed.settings.level_seed_high) == (0, ALL_SEEDS.stop)
    assert parsed.grid.shape == (25, 25)
    assert engine_module.FRAME_SIZE == 64


def test_raw_actions_make_the_moves_that_they_are_said_to_make():
    """From the middle of an open cross, each of the 15 in a game of its own."""
    level = MazeLevel.from_ascii("#####\n#...#\n#.M.#\n#...#\n####C", allow_unsolvable=True)
    engine = scratch_engine("maze")
    engine.set_states([level.to_state()] * 15, range(15))
    actions = np.full(engine.num_envs, 4)
    actions[:15] = range(15)
    engine.act(actions)
    moved = [MazeLevel.from_state(state).mouse for state in engine.get_states(range(15))]
    assert [(x - 2, y - 2) for x, y in moved] == [tuple(MOVE_STEPS[move]) for move in ACTION_TO_MOVE]
    assert ACTION_TO_MOVE[MOVE_TO_ACTION].tolist() == [0, 1, 2, 3, 4]


def test_probabilities_of_moves_are_sums_over_their_actions():
    """By hand: the left actions have weights 1, 2, 3, `up` 10, `right` 0.5, all else nothing."""
    weights = np.zeros(15)
    weights[[0, 1, 2, 5, 7]] = 1, 2, 3, 10, 0.5
    with np.errstate(divide="ignore"):
        logits = np.log(weights) + 700
    np.testing.assert_allclose(move_probabilities(logits), np.array([6, 0, 0, 10, 0.5]) / 16.5, rtol=1e-12)
    weights[[0, 1, 2]] = 4
    assert weights.argmax() == 5, "the best action is up, the best move left"
    logits = np.log(np.maximum(weights, 1e-30))
    assert greedy_moves(np.stack([logits, -logits])).tolist()[0] == 0
    with pytest.raises(ValueError, match=r"last axis 15\), but the shape is \(5,\)"):
        move_probabilities(np.zeros(5))
