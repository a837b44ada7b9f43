"""Evaluation: success, steps and where failures end, on mazes whose outcome is known; and its command."""

import json

import numpy as np
import pytest
from fixed_policy import FixedPolicy

from procscope.agents import evaluate as evaluation
from procscope.agents.evaluate import evaluate
from procscope.agents.evaluation_text import as_data, as_text
from procscope.envs.engine import TEST_SEEDS
from procscope.envs.labels import label_states
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.value import WORLD_CELLS
from procscope.envs.starting_states import starting_states
from procscope.workbench.cli import main
from procscope.workbench.members import members
from procscope.workbench.statistics import wilson

LEFT, UP, RIGHT = 1, 5, 7
MAZE = """
    .....
    .###.
    .#...
    .#.##
    M#..C
"""


def play(text: str, action: int, **options):
    """Two episodes of one given maze, with a policy that always takes one action."""
    level = MazeLevel.from_ascii(text)
    return evaluate(FixedPolicy(action), variants=[lambda _, rng: level], episodes=2, greedy=True, **options)


@pytest.mark.parametrize(
    ("text", "action", "ends"),
    [
        (MAZE, LEFT, (0, 2, 0)),
        (MAZE.replace(".....", "..M..").replace("M#..C", ".#..C"), RIGHT, (2, 0, 0)),
        (MAZE.replace(".###.", ".###M").replace("M#..C", ".#..C"), LEFT, (2, 0, 0)),
        (MAZE.replace("M#..C", ".#.MC"), LEFT, (0, 2, 0)),
    ],
    ids=["against the wall", "into the corner", "below the corner", "two below it"],
)
@pytest.mark.parametrize("max_steps", [20, 500])
def test_failures_end_in_the_corner_or_stuck(text, action, ends, max_steps):
    found = play(text, action, max_steps=max_steps)
    assert tuple(found.ends.values()) == ends
    assert found.success == wilson(0, 2)
    assert found.mean_steps is None
    assert found.mean_detour is None
    assert "steps to goal" not in as_text("a", found)


def test_failures_that_end_on_the_move_end_elsewhere():
    corridor = "\n".join(["." * 14 + "C"] + ["." + "#" * 14] * 13 + ["M" + "#" * 14])
    assert play(corridor, UP, max_steps=7).ends == {"in the corner": 0, "stuck": 0, "elsewhere": 2}
    assert play(corridor, UP, max_steps=3).ends == {"in the corner": 0, "stuck": 2, "elsewhere": 0}


def test_left_arrives_where_the_cheese_is_on_the_left():
    found = play("C..\n##.\n..M".replace("C..", "C.M").replace("..M", "..."), LEFT)
    assert found.success == wilson(2, 2)
    assert (found.mean_steps, found.mean_detour) == (2.0, 0.0)
    assert found.ends == {"in the corner": 0, "stuck": 0, "elsewhere": 0}
    assert [(row.name, row.least, row.success.n) for row in found.by["size"]] == [("3", 3, 2)]


def test_the_numbers_are_those_of_the_episodes():
    """Random play on the first test levels: every mean worked out again from the episodes and the levels."""
    found = evaluate(FixedPolicy(), episodes=40, max_steps=150, seed=2)
    states = starting_states("maze", TEST_SEEDS[:40])
    won, steps = found.episodes.success, found.episodes.steps
    assert 3 < won.sum() < 37
    assert found.success == wilson(int(won.sum()), 40)
    sizes = np.array([MazeLevel.from_state(state).size for state in states])
    np.testing.assert_array_equal(found.groups["size"], sizes)
    assert found.mean_return == 10 * won.mean()
    assert {row.least: row.success for row in found.by["size"]} == {
        size: wilson(int(won[sizes == size].sum()), int((sizes == size).sum()))
        for size in set(sizes.tolist())
    }
    shortest = label_states(states)["distance_to_goal_cells"]
    assert found.mean_steps == pytest.approx(np.mean(steps[won]))
    assert found.mean_detour == pytest.approx(np.mean(steps[won] / shortest[won]) - 1)
    assert found.mean_detour > 0.5
    assert sum(found.ends.values()) == 40 - won.sum()
    data = json.loads(json.dumps(as_data(found)))
    assert data["success"]["n"] == 40
    assert data["by_size"].keys() == {str(size) for size in sizes}
    assert data["failures_end"] == found.ends
    text = as_text("random", found)
    assert text.startswith("random\n")
    for number in (f"{100 * won.mean():.1f}%", f"{found.mean_steps:.1f}", f"{100 * found.mean_detour:.0f}%"):
        assert number in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"episodes": 0}, "episodes must be from 1 to the 1000000000 level seeds; given: 0"),
        ({"episodes": 4, "level_seeds": range(3)}, "from 1 to the 3 level seeds; given: 4"),
        ({"mode": "extreme"}, "maze has the modes easy, hard, memory"),
        ({"game": "bigfish"}, "labels exist for the games .*; given: 'bigfish'"),
        ({"variants": ("no-chese",)}, "Did you mean no-cheese"),
        ({"max_steps": 0}, "max_steps and games must be at least 1"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        evaluate(FixedPolicy(), **({"episodes": 2} | options))


def test_an_evaluation_that_was_stopped_goes_on_and_ends_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(evaluation, "BLOCK", 4)
    options = {"episodes": 10, "max_steps": 40, "seed": 2, "variants": ["cheese-anywhere"]}
    whole = evaluate(FixedPolicy(), **options)
    real, played = evaluation.play_episodes, []

    def stopped(*arguments, **more):
        if len(played) == 2:
            raise KeyboardInterrupt
        played.append(more["first_episode"])
        return real(*arguments, **more)

    monkeypatch.setattr(evaluation, "play_episodes", stopped)
    with pytest.raises(KeyboardInterrupt):
        evaluate(FixedPolicy(), **options, members=members(tmp_path))
    monkeypatch.setattr(evaluation, "play_episodes", real)
    found = evaluate(FixedPolicy(), **options, members=members(tmp_path))
    assert played == [0, 4]
    assert len(list(tmp_path.iterdir())) == 3
    for name, values in found.episodes._asdict().items():
        np.testing.assert_array_equal(values, getattr(whole.episodes, name))
        assert values.dtype == getattr(whole.episodes, name).dtype
    assert found.ends == whole.ends
    with pytest.raises(ValueError, match="expected variants by name where episodes are kept"):
        evaluate(FixedPolicy(), variants=[lambda level, rng: level], episodes=2, members=members(tmp_path))


def test_worlds_are_as_wide_as_the_engines():
    for mode in ("easy", "hard", "memory"):
        assert len(MazeLevel.from_seed(1, mode).walls) <= WORLD_CELLS[mode]
        (state,) = starting_states("maze", [1], mode=mode)
        assert label_states([state])["maze_size"][0] == MazeLevel.from_state(state).size


@pytest.fixture
def procscope(capsys):
    """Run a command: (status, output, errors)."""

    def call(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


def test_the_command_prints_and_writes_what_it_measured(procscope, tiny_run, tmp_path):
    model, out = tiny_run / "network.safetensors", tmp_path / "deep" / "found.json"
    options = ("--episodes", 6, "--max-steps", 30, "--variant", "cheese-anywhere", "mouse-anywhere")
    status, output, _ = procscope("evaluate", model, *options, "--out", out)
    assert status == 0
    assert f"{model}, cheese-anywhere mouse-anywhere, sampled actions" in output
    assert "greedy actions" in output
    written = json.loads(out.read_text())
    assert written["variant"] == ["cheese-anywhere", "mouse-anywhere"]
    assert written["first_level_seed"] == 10**9
    for actions in ("sampled", "greedy"):
        assert written[actions]["success"]["n"] == 6
        assert f"{100 * written[actions]['success']['value']:5.1f}%" in output
    status, output, _ = procscope("evaluate", model, *options, "--actions", "greedy")
    assert status == 0
    assert "sampled" not in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["maze-easy-toprigth"], "Did you mean maze-easy-topright"),
        (["nowhere.safetensors"], "nowhere.safetensors"),
        (["MODEL", "--variant", "cheese-topright"], "Did you mean cheese-top-right"),
        (["MODEL", "--episodes", "0"], "episodes must be from 1"),
        (["MODEL", "--max-steps", "0", "--episodes", "2"], "max_steps and games must be at least 1"),
        (["MODEL", "--first-level-seed", "-1", "--episodes", "2"], "a level seed must be"),
        (["MODEL", "--actions", "best"], "best"),
        (["MODEL", "--episodes", "2", "--device", "abacus"], "abacus"),
    ],
)
def test_a_users_mistakes_end_with_2(procscope, tiny_run, arguments, message):
    model = str(tiny_run / "network.safetensors")
    status, _, errors = procscope("evaluate", *(model if word == "MODEL" else word for word in arguments))
    assert status == 2
    assert message in errors
    assert "Traceback" not in errors


def test_coinrun_failures_are_told_apart():
    """Running right for 60 steps: it dies, sticks at a wall or, without a coin, may stand at the end."""
    found = evaluate(FixedPolicy(RIGHT), game="coinrun", variants=["no-coin"], episodes=12, max_steps=60)
    assert found.success == wilson(0, 12)
    assert [(group.name, group.success.n) for group in found.by["distance"]] == [("none", 12)]
    assert list(found.ends) == ["dead", "at the end", "stuck", "elsewhere"]
    assert sum(found.ends.values()) == 12
    died = (found.episodes.last_cell < 0).all(axis=1)
    assert found.ends["dead"] == died.sum()
    assert (found.episodes.steps[died] < 60).all()
    assert found.mean_detour is None
    assert "dead" in as_text("a", found)


def test_an_agent_at_the_end_of_a_level_without_its_coin_ended_there():
    from procscope.envs.coinrun import CoinRunLevel

    level = CoinRunLevel.from_seed(TEST_SEEDS.start)
    (x, y) = level.coins[0]
    there = level.without_coin().with_agent(x, y)
    found = evaluate(
        FixedPolicy(RIGHT), game="coinrun", variants=[lambda _, rng: there], episodes=2, max_steps=40
    )
    assert found.ends == {"dead": 0, "at the end": 2, "stuck": 0, "elsewhere": 0}


def test_velocity_is_painted_for_a_network_that_was_trained_so():
    seen = []

    class Watcher(FixedPolicy):
        def forward(self, frames):
            seen.append(frames[:, :, :6, :6].clone())
            return super().forward(frames)

    for painted in (False, True):
        evaluate(
            Watcher(RIGHT),
            game="coinrun",
            episodes=1,
            max_steps=4,
            engine_options={"paint_vel_info": painted},
        )
    plain, painted = seen[3], seen[7]
    assert plain.shape == painted.shape
    assert (plain != painted).any()
