"""The vector environment against the bare engine: what it gives is what the engine plays, and what Procgen hides."""

from collections import defaultdict
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from procscope.envs.actions import MOVE_TO_ACTION, Move
from procscope.envs.engine import Engine, EngineOptions
from procscope.envs.last_frames import STEPS_BETWEEN_COPIES
from procscope.envs.maze import MazeLevel
from procscope.envs.state.write import write_batch
from procscope.envs.vector import ProcgenVectorEnv

UP, NOTHING = 5, 4


@pytest.fixture
def make():
    """Makes vectors, and frees them after the test."""
    made = []

    def new(num_envs=2, game="maze", **options):
        made.append(ProcgenVectorEnv(game, num_envs, num_threads=1, **options))
        return made[-1]

    yield new
    for env in made:
        env.close()


def engine_like(env: ProcgenVectorEnv, num_envs: int = 1) -> Engine:
    options = env.options
    return Engine(EngineOptions(options.game, options.mode, num_envs, options.level_seeds, options.seed, 1))


def play(engine: Engine, state: bytes, actions: list[int]) -> np.ndarray:
    """The frame after playing the actions from the state; none of them may end the episode."""
    engine.set_states([state])
    for action in actions:
        engine.act(np.array([action]))
        assert not engine.first[0]
    return engine.frames[0].copy()


def actions_along(path: tuple[tuple[int, int], ...]) -> list[int]:
    move_of = {(-1, 0): Move.LEFT, (0, -1): Move.DOWN, (0, 1): Move.UP, (1, 0): Move.RIGHT}
    return [int(MOVE_TO_ACTION[move_of[b[0] - a[0], b[1] - a[1]]]) for a, b in pairwise(path)]


def half_expert_actions(env: ProcgenVectorEnv, rng: np.random.Generator) -> np.ndarray:
    """Random actions half of the time, the way to the cheese the other half: episodes of all lengths."""
    actions = rng.integers(0, 9, env.num_envs)
    for index, state in enumerate(env.get_states()):
        if rng.random() < 0.5:
            actions[index] = (actions_along(MazeLevel.from_state(state).shortest_path()) or [NOTHING])[0]
    return actions


@pytest.mark.parametrize(
    ("steps", "options"), [(505, {}), (50, {"labels": True}), (50, {"final_obs": False, "copy": False})]
)
def test_plain_play_is_the_engines_own(make, steps, options):
    env = make(4, seed=11, level_seeds=range(50), **options)
    engine = engine_like(env, 4)
    frames, infos = env.reset()
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(steps):
        np.testing.assert_array_equal(frames, engine.frames)
        np.testing.assert_array_equal(infos["level_seed"], engine.level_seeds)
        actions = rng.integers(0, 15, 4)
        frames, rewards, terminated, truncated, infos = env.step(actions)
        engine.act(actions)
        np.testing.assert_array_equal(rewards, engine.rewards)
        np.testing.assert_array_equal(terminated | truncated, engine.first)
        np.testing.assert_array_equal(terminated, engine.first & (engine.ended_complete != 0))
        if engine.first.any():
            np.testing.assert_array_equal(infos["_final_info"], engine.first)
            ended_seeds = infos["final_info"]["level_seed"][engine.first]
            np.testing.assert_array_equal(ended_seeds, engine.ended_level_seeds[engine.first])
        ended += engine.first.sum()
    assert ended >= 4 or steps < 500
    engine.close()


@pytest.mark.parametrize("labels", [False, True])
def test_final_obs_is_what_the_engine_draws_without_the_cheese(make, labels):
    """Each episode is played again from its start in another engine, in a level that never had a cheese."""
    env = make(6, variants=["cheese-anywhere", "mouse-anywhere"], labels=labels, seed=3)
    frames, infos = env.reset()
    witness = engine_like(env)
    starts, played, seeds = env.get_states(), defaultdict(list), infos["level_seed"]
    rng = np.random.default_rng(1)
    lengths = []
    for _ in range(100):
        actions = half_expert_actions(env, rng)
        before = frames
        frames, _, terminated, truncated, infos = env.step(actions)
        states = env.get_states()
        assert not truncated.any()
        for index in range(6):
            played[index].append(actions[index])
            if not terminated[index]:
                continue
            level = MazeLevel.from_state(starts[index])
            endless = write_batch([level.without_cheese().to_state(starts[index])], timeout=10_000)[0]
            last = infos["final_obs"][index]
            np.testing.assert_array_equal(last, play(witness, endless, played[index]))
            assert (last != before[index]).any()
            assert (last != frames[index]).any()
            assert infos["final_info"]["level_seed"][index] == seeds[index]
            lengths.append(len(played[index]))
            starts[index], played[index] = states[index], []
        seeds = infos["level_seed"]
    assert min(lengths) <= STEPS_BETWEEN_COPIES < max(lengths), "both short and long replays must be seen"
    witness.close()


def test_final_obs_differs_from_another_cheeses_only_where_that_cheese_is(make):
    """The cheese elsewhere, off the way: the engine itself then draws the mouse on the very cell, and goes on."""
    level = MazeLevel.generate(9, np.random.default_rng(2)).with_background(None)
    goal, elsewhere = level.free_cells()[-1], level.dead_ends()[1]
    path = level.with_cheese(*goal).shortest_path()
    assert elsewhere not in path
    moves = actions_along(path)
    env = make(1, levels=[level.with_cheese(*goal)])
    env.reset()
    for action in moves:
        _, rewards, terminated, _, infos = env.step(np.array([action]))
    assert terminated[0]
    assert rewards[0] == 10
    other = level.with_cheese(*elsewhere)
    drawn = play(engine_like(env), other.to_state(), moves)
    rows, cols = np.nonzero((drawn != infos["final_obs"][0]).any(axis=-1))
    unit = 64 / 15
    x, y = elsewhere[0] + level.margin, elsewhere[1] + level.margin
    assert len(rows) > 0
    assert x * unit - 1 <= cols.min() <= cols.max() <= (x + 1) * unit + 1
    assert 64 - (y + 1) * unit - 1 <= rows.min() <= rows.max() <= 64 - y * unit + 1


@pytest.mark.parametrize("labels", [False, True])
def test_final_obs_at_the_timeout(make, labels):
    env = make(3, variants="no-cheese", labels=labels)
    env.reset()
    starts = env.get_states()
    actions = np.random.default_rng(5).integers(0, 15, (500, 3))
    for step, step_actions in enumerate(actions):
        assert (env.episode_steps == step).all()
        _, rewards, terminated, truncated, infos = env.step(step_actions)
        assert (truncated == (step == 499)).all()
        assert not terminated.any()
        assert not rewards.any()
    witness = engine_like(env)
    for index, start in enumerate(starts):
        endless = write_batch([start], timeout=10_000)[0]
        np.testing.assert_array_equal(
            infos["final_obs"][index], play(witness, endless, actions[:, index].tolist())
        )
    witness.close()


def test_cheese_at_the_last_possible_step_is_termination(make):
    level = MazeLevel.from_ascii("..C\n.##\nM..")
    env = make(1, levels=[level])
    env.reset()
    for action in [NOTHING] * 496 + [UP, UP, 7, 7]:
        _, rewards, terminated, truncated, infos = env.step(np.array([action]))
    assert (rewards[0], terminated[0], truncated[0]) == (10, True, False)
    endless = write_batch([level.without_cheese().to_state()], timeout=10_000)[0]
    np.testing.assert_array_equal(infos["final_obs"][0], play(engine_like(env), endless, [UP, UP, 7, 7]))


def test_infos_are_like_those_of_gymnasiums_sync_vector_env(make):
    sync = SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * 3, autoreset_mode=AutoresetMode.SAME_STEP)
    sync.reset(seed=0)
    sync.action_space.seed(0)
    theirs: dict = {}
    while "final_obs" not in theirs:
        theirs = sync.step(sync.action_space.sample())[-1]
    level = MazeLevel.from_ascii("..C\n.##\nM..")
    env = make(3, levels=[level, level.with_mouse(0, 1), level])
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    frames, _ = env.reset()
    assert frames in env.observation_space
    assert env.action_space.sample() in env.action_space
    infos: dict = {}
    for action in [UP, 7, 7]:
        frames, _, terminated, _, infos = env.step(np.full(3, action))
    assert terminated.tolist() == [False, True, False]
    assert set(theirs) <= set(infos)
    for ended in (theirs["_final_obs"], infos["_final_obs"]):
        assert ended.dtype == bool
        assert 0 < ended.sum() < 3
    for some in (theirs, infos):
        assert some["final_obs"].dtype == object
        assert [last is not None for last in some["final_obs"]] == some["_final_obs"].tolist()
        assert isinstance(some["final_info"], dict)
    assert infos["final_obs"][1] in env.single_observation_space
    assert infos["final_info"]["level_index"][1] == 1
    assert infos["final_info"]["_level_index"].tolist() == [False, True, False]
    assert infos["level_index"].tolist() == [0, 0, 2]


def test_reset_with_a_seed_is_a_new_vector_with_that_seed(make):
    options = {"variants": ["cheese-top-right"], "labels": True}
    first, second = make(3, seed=8, **options), make(3, seed=1, **options)
    second.reset()
    for _ in range(7):
        second.step(np.full(3, UP))
    (frames, infos), (same_frames, same_infos) = first.reset(), second.reset(seed=8)
    rng = np.random.default_rng(0)
    for _ in range(20):
        np.testing.assert_array_equal(frames, same_frames)
        for name, column in infos["labels"].items():
            np.testing.assert_array_equal(column, same_infos["labels"][name])
        actions = rng.integers(0, 15, 3)
        frames, *_, infos = first.step(actions)
        same_frames, *_, same_infos = second.step(actions)


def test_a_reset_goes_on_to_the_engines_next_levels(make):
    env = make(3, seed=4, variants=["cheese-anywhere"])
    engine = engine_like(env, 3)
    _, infos = env.reset()
    for _ in range(3):
        np.testing.assert_array_equal(infos["level_seed"], engine.level_seeds)
        engine.reset_all()
        _, infos = env.reset()


def test_a_reset_mask_resets_those_games_only(make):
    env = make(3, seed=4, labels=True)
    engine = engine_like(env, 3)
    env.reset()
    frames, *_, infos = env.step(np.full(3, UP))
    engine.reset_all()
    mask = np.array([False, True, False])
    masked, masked_infos = env.reset(options={"reset_mask": mask})
    np.testing.assert_array_equal(masked[~mask], frames[~mask])
    np.testing.assert_array_equal(masked[mask], engine.frames[mask])
    np.testing.assert_array_equal(masked_infos["level_seed"][mask], engine.level_seeds[mask])
    np.testing.assert_array_equal(masked_infos["level_seed"][~mask], infos["level_seed"][~mask])
    np.testing.assert_array_equal(env.episode_steps, [1, 0, 1])
    np.testing.assert_array_equal(masked_infos["labels"]["level_seed"], masked_infos["level_seed"])


def test_a_variants_draw_depends_on_the_level_seed_alone(make):
    """The same few levels come in another order in the second vector, and get the same cheeses."""
    seen: list[dict[int, set]] = []
    for seed in (0, 1):
        env = make(8, seed=seed, level_seeds=range(5), variants=["cheese-anywhere", "mouse-anywhere"])
        levels = defaultdict(set)
        for _ in range(4):
            _, infos = env.reset()
            for state, level_seed in zip(env.get_states(), infos["level_seed"].tolist(), strict=True):
                levels[level_seed].add(MazeLevel.from_state(state))
        seen.append(levels)
    assert seen[0] == seen[1]
    assert set(seen[0]) == set(range(5))
    assert all(len(levels) == 1 for levels in seen[0].values())
    other = make(8, level_seeds=range(5), variants=["cheese-anywhere", "mouse-anywhere"], variant_seed=1)
    _, infos = other.reset()
    redrawn = dict(
        zip(infos["level_seed"].tolist(), map(MazeLevel.from_state, other.get_states()), strict=True)
    )
    assert any(level not in seen[0][level_seed] for level_seed, level in redrawn.items())


def test_variants_are_applied_in_order_with_one_generator(make):
    calls = []

    def first(level, rng):
        calls.append(("first", level.level_seed, rng.integers(1000)))
        return level.with_mouse(*level.free_cells()[-1])

    def second(level, rng):
        assert level.mouse == level.free_cells()[-1]
        calls.append(("second", level.level_seed, rng.integers(1000)))
        return level.without_cheese()

    env = make(2, level_seeds=range(30, 40), variants=[first, second], variant_seed=9)
    frames, infos = env.reset()
    expected = []
    for level_seed in infos["level_seed"].tolist():
        rng = np.random.default_rng((9, level_seed))
        expected += [(name, level_seed, rng.integers(1000)) for name in ("first", "second")]
    assert calls == expected
    levels = [MazeLevel.from_seed(s) for s in infos["level_seed"].tolist()]
    wanted = [level.with_mouse(*level.free_cells()[-1]).without_cheese() for level in levels]
    assert [MazeLevel.from_state(state) for state in env.get_states()] == wanted
    np.testing.assert_array_equal(frames, engine_like(env, 2).render([level.to_state() for level in wanted]))


def test_a_look_that_a_variant_sets_does_not_reach_the_next_level(make):
    taken = []

    def plain(level, rng):
        taken.append(level)
        return level.with_background(None).with_theme("monochrome")

    env = make(2, variants=[plain])
    for _ in range(3):
        env.reset()
    assert taken == MazeLevel.from_seeds([level.level_seed for level in taken])


def test_given_levels_are_played_in_turn(make):
    short = MazeLevel.from_ascii("..C\n.##\nM..")
    levels = [
        short,
        short.with_mouse(0, 1),
        MazeLevel.from_seed(5),
        short.with_cheese(2, 0),
        MazeLevel.from_seed(6),
    ]
    env = make(2, levels=levels)
    frames, infos = env.reset()
    assert infos["level_index"].tolist() == [0, 1]
    assert infos["level_seed"].tolist() == [-1, -1]
    for actions, expected in [((UP, UP), [0, 1]), ((UP, 7), [0, 1]), ((7, 7), [0, 2]), ((7, 4), [3, 2])]:
        frames, *_, infos = env.step(np.array(actions))
        assert infos["level_index"].tolist() == expected
    assert infos["level_seed"].tolist() == [-1, 5]
    np.testing.assert_array_equal(frames[0], engine_like(env).render([levels[3].to_state()])[0])
    assert env.reset()[1]["level_index"].tolist() == [4, 0]
    assert env.reset(seed=0)[1]["level_index"].tolist() == [0, 1]


def test_level_seeds_come_from_the_range(make):
    env = make(16, level_seeds=range(10**9, 10**9 + 20), final_obs=False)
    for _ in range(3):
        _, infos = env.reset()
        assert ((infos["level_seed"] >= 10**9) & (infos["level_seed"] < 10**9 + 20)).all()


@pytest.mark.parametrize("copy", [True, False])
def test_copy_makes_frames_the_callers_own(make, copy):
    env = make(2, copy=copy)
    frames, _ = env.reset()
    before = frames.copy()
    env.step(np.array([UP, 7]))
    env.step(np.array([7, UP]))
    assert np.array_equal(frames, before) == copy


def test_other_games_play_without_what_they_lack(make):
    env = make(8, game="coinrun", final_obs=False)
    env.reset()
    rng = np.random.default_rng(0)
    terminations = 0
    for _ in range(150):
        _, _, terminated, truncated, _ = env.step(rng.integers(0, 15, 8))
        terminations += terminated.sum()
        assert not truncated.any()
    assert terminations > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"game": "bigfish"}, "levels and labels exist for the games"),
        ({"game": "bigfish", "final_obs": False, "labels": True}, "levels and labels exist for the games"),
        ({"game": "bigfish", "final_obs": False, "variants": ["no-cheese"]}, "levels and labels exist for"),
        ({"variants": ["cheese-top-rigth"]}, "cheese-top-right"),
        ({"levels": []}, "at least one; given: no levels"),
        ({"levels": ["M.C"]}, "MazeLevel values"),
        ({"mode": "extreme"}, "easy, hard, memory"),
        ({"variant_seed": -1}, "variant_seed must be 0 or more"),
    ],
)
def test_options_that_cannot_be_are_refused(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(2, **options)


def test_a_level_of_another_mode_is_refused(make):
    with pytest.raises(ValueError, match="with_mode"):
        make(1, levels=[MazeLevel.from_seed(0, "hard")]).reset()


def test_a_variant_that_gives_no_level_is_refused(make):
    def forgets_to_return(level, rng):
        level.without_cheese()

    with pytest.raises(ValueError, match=r"must return a MazeLevel; forgets.to.return returned None"):
        make(1, variants=[forgets_to_return]).reset()


@pytest.mark.parametrize("actions", [[15, 0], [-1, 0], [0], [0.0, 1.0]])
def test_actions_that_cannot_be_are_refused_and_change_nothing(make, actions):
    env = make(2)
    frames, _ = env.reset()
    with pytest.raises(ValueError, match="actions"):
        env.step(np.array(actions))
    np.testing.assert_array_equal(env.frames, frames)


def test_calls_out_of_order_are_refused(make):
    env = make(2)
    with pytest.raises(ValueError, match="call reset"):
        env.step(np.zeros(2, int))
    mask = np.array([True, False])
    with pytest.raises(ValueError, match="leave out reset_mask"):
        env.reset(options={"reset_mask": mask})
    env.reset()
    for wrong in (np.array([1, 0]), np.array([True]), np.array([False, False])):
        with pytest.raises(ValueError, match="reset_mask must be"):
            env.reset(options={"reset_mask": wrong})
