"""`policy-probes` and `probe-to-cause`: what is asked, claims and effects by hand, and a tiny run of each."""

import json
from dataclasses import replace

import numpy as np
import pytest
from untrained_impala import saved_impala

from procscope.envs.actions import Move
from procscope.experiments import policy_probes, probe_to_cause
from procscope.experiments.policy_probes_games import GAMES, Drawn, shown
from procscope.experiments.policy_probes_results import FOLLOWED, IGNORED, ProbedNetwork
from procscope.experiments.policy_probes_study import answers_of
from procscope.experiments.probe_to_cause_claims import Claims
from procscope.experiments.probe_to_cause_handles import Handle
from procscope.experiments.probe_to_cause_numbers import Pairs, correlation, correlation_within
from procscope.experiments.probe_to_cause_results import Dot, Place, dots_of
from procscope.experiments.probe_to_cause_setup import CAUSES
from procscope.experiments.probe_to_cause_study import Read, _moves
from procscope.probes.levels import Levels
from procscope.probes.scores import number_score
from procscope.workbench.experiments import run_experiment
from procscope.workbench.runs import RunRecord

FIRST = 1_700_000_000


@pytest.fixture(scope="module")
def frames():
    """Twenty mazes and as many Heist levels, each once."""
    return {game: shown(Drawn(game, "easy", (), FIRST, 20)) for game in ("maze", "heist")}


def test_labels_that_were_added_agree_with_the_games_own(frames):
    for game, seen in frames.items():
        moving = seen.labels["distance_to_goal_cells"] > 0
        assert (seen.labels["plan_1"][moving] == seen.labels["best_move"][moving]).all(), game
    maze, heist = frames["maze"].labels, frames["heist"].labels
    at_goal = maze["goal_x"] == maze["maze_size"] - 1
    assert np.allclose(maze["corner_col"][at_goal], maze["goal_col"][at_goal], atol=1)
    for number, colour in enumerate(("blue", "green", "red")):
        chosen = (heist["next_target_kind"] == 0) & (heist["next_target_colour"] == number)
        assert np.allclose(heist["next_row"][chosen], heist[f"key_{colour}_row"][chosen], atol=1.5)
        assert (heist["keys_left"] >> number & 1 == (heist[f"key_{colour}_x"] >= 0)).all()
    two = (heist["next_target_kind"] == 0) & (heist["n_keys_left"] >= 2)
    assert (np.abs(heist["other_row"] - heist["next_row"]) + np.abs(heist["other_col"] - heist["next_col"]))[
        two
    ].min() > 1


def test_agents_stand_on_cells_that_can_be_walked_on(frames):
    for seen in frames.values():
        world = seen.free.shape[1]
        x = (seen.labels["agent_col"] + 0.5) * world // 64
        y = world - 1 - (seen.labels["agent_row"] + 0.5) * world // 64
        assert seen.free[np.arange(20), y.astype(int), x.astype(int)].all()


def test_what_does_not_vary_is_not_asked(frames):
    asked = [
        one.name for answers in answers_of(Drawn("maze", "easy", (), FIRST, 20)) for one in answers.asked
    ]
    assert set(asked) <= {one.name for one in GAMES["maze"].asked}
    assert "next move" in asked
    assert all(cause.name for causes in CAUSES.values() for cause in causes)


def test_frames_by_whether_the_cheese_is_followed():
    choices = {"move": [0, 1, 3, 4], "best_move": [0, 0, 3, 0], "best_move_to_corner": [1, 1, 3, 4]}
    study = ProbedNetwork("one", "maze", "", (), {(0, "fc"): {}}, {}, {}, choices)
    assert study.part(FOLLOWED).tolist() == [True, False, False, False]
    assert study.part(IGNORED).tolist() == [False, True, False, True]


def dot(effect: float, control: float, follows: float = 1.0) -> Dot:
    """Steered on four frames, of which one does not count; room for half as much."""
    truth = np.array([0.0, 1.0, 2.0, 3.0])
    score = number_score(truth, truth, np.full(4, 1.5), Levels(np.arange(4), 4))
    kinds = {kind: [control, control, None, control] for kind in ("random", "untrained", "shuffled")}
    found = {
        "skill": [score.to_json()],
        "room": 0.5,
        "follows": follows,
        "effects": {"2": {"probe": [effect, effect + 0.1, None, effect - 0.1], **kinds}},
        "erased": {
            "outcome": {
                "untouched": [1.0, 2.0, 3.0, 4.0],
                "probe": [2.5] * 4,
                "shuffled": [1.0, 2.0, 3.0, 4.0],
                "random": [1.0, 2.0, 3.0, 4.0],
            },
            "target": [1.0, 2.0, 3.0, 4.0],
        },
    }
    (made,) = dots_of(Place("one", "maze", "fc", 0), (CAUSES["maze"][-1],), {CAUSES["maze"][-1].name: found})
    return made


def test_effects_are_shares_of_what_would_follow():
    one = dot(0.3, 0.1)
    assert one.effect(2.0).value == pytest.approx(0.6)
    assert one.effect(2.0).n == 3
    assert one.over_controls(2.0).value == pytest.approx(0.4)
    assert one.p_value(2.0) == pytest.approx(0.0742, abs=1e-3)  # t = 0.2 / (0.1 / sqrt 3) of two degrees
    assert one.skill.value() == pytest.approx(1)
    assert one.erased().value == pytest.approx(1)  # the value no longer depends on the distance
    assert one.erased("random").value == pytest.approx(0)


def test_a_thing_on_the_map_is_said_to_lie_at_one_position_and_not_at_another():
    cause = next(one for one in CAUSES["maze"] if one.kind == "here")
    none = np.array([-1, -1])
    claims = Claims(cause, None, np.zeros(2, int), np.zeros(2), np.array([0, -1]), np.array([63, -1]), none)
    moved = claims.moved(np.array([1.0, 10.0]), (2, 16, 16))
    assert moved.shape == (2, 2, 16, 16)
    assert (moved[0, :, 14:, 14:] == [[[1.0]], [[10.0]]]).all()
    assert (moved[0, :, :2, :2] == [[[-1.0]], [[-10.0]]]).all()
    assert np.abs(moved).sum() == 2 * 4 * 11  # one frame, two squares of four positions


def test_rises_are_of_frames_in_which_another_move_is_claimed():
    untouched = Read(np.full((3, 5), 0.2), np.zeros(3))
    after = Read(np.tile([0.6, 0.1, 0.1, 0.1, 0.1], (3, 1)), np.zeros(3))
    step = Handle("0", {"probe": np.ones(2)}, 1.0, 1.0)
    claims = Claims(CAUSES["maze"][0], None, np.array([0, 1, 3]), np.zeros(3), *[np.full(3, -1)] * 3)
    rises = _moves([step], "probe", lambda steps, strength: [after], 2.0, untouched, claims)
    assert np.isnan(rises[0])
    assert rises[1:] == pytest.approx(0.4)


def test_where_nothing_follows_there_is_no_scale():
    with pytest.raises(ValueError, match=r"does not follow 'cheese: steps to it': correlation 0\.10"):
        dot(0.3, 0.1, follows=0.1).effect(2.0)


def test_correlations_of_skill_and_effect():
    rng = np.random.default_rng(0)
    first, second = np.array([1.0, 2.0, 11.0, 12.0]), np.array([2.0, 1.0, 12.0, 11.0])
    pairs = Pairs(tuple(dot(0.3, 0.1) for _ in range(4)), first, second)
    assert correlation(pairs, "all", rng).value == pytest.approx(0.6)
    within = correlation_within(first, second, np.array([0, 0, 1, 1]), rng)
    assert (within.value, within.low, within.high) == pytest.approx((-1, -1, -1))
    with pytest.raises(ValueError, match="groups in which both numbers vary"):
        correlation_within(first, second, np.arange(4), rng)


@pytest.mark.parametrize(
    ("experiment", "changes", "message"),
    [
        (policy_probes, {"games": ("pong",)}, "expected games among maze, heist, coinrun"),
        (policy_probes, {"frames": 10}, "at least 100 frames"),
        (probe_to_cause, {"games": ()}, "given none"),
        (probe_to_cause, {"told": 3.0}, "3 among them, which is told"),
        (probe_to_cause, {"tested": 2}, "20 to steer"),
    ],
)
def test_settings_that_make_no_sense(experiment, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(experiment.EXPERIMENT.scales["small"], **changes)


def test_networks_of_no_game_that_is_asked(tmp_path):
    record = RunRecord.create(tmp_path, "policy-probes", {}, "test")
    with pytest.raises(ValueError, match="at least one policy of heist"):
        policy_probes.networks_of(("maze-easy-topright",), ("heist",), record)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A network that nobody trained."""
    return saved_impala(tmp_path_factory.mktemp("tiny") / "one.safetensors", 0, ("cheese-anywhere",))


@pytest.mark.slow
def test_a_tiny_run_of_policy_probes(tmp_path, tiny):
    config = replace(policy_probes.EXPERIMENT.scales["smoke"], models=(tiny,), frames=120, closer=True)
    record = run_experiment(policy_probes.EXPERIMENT, "smoke", out=tmp_path, config=config)
    places = list((tmp_path / "policy-probes" / "members").iterdir())
    assert (
        len(places) == 3 * len(config.hook_points) + 3
    )  # untrained, closer, the picture, tables, what it does
    ids = {entry.id for entry in record.metrics}
    assert {"probes.policy/skill", "probes.policy/selectivity", "probes.policy/over_baseline"} <= ids
    assert {path.stem for path in (record.directory / "figures").glob("*.png")} == {
        "skills-maze",
        "plans",
        "ignored",
    }
    again = run_experiment(policy_probes.EXPERIMENT, "smoke", out=tmp_path, config=config)
    assert [entry.value for entry in again.metrics] == [entry.value for entry in record.metrics]


@pytest.mark.slow
def test_a_tiny_run_of_probe_to_cause(tmp_path, tiny):
    config = replace(probe_to_cause.EXPERIMENT.scales["smoke"], models=(tiny,), fitted=120, tested=24)
    record = run_experiment(probe_to_cause.EXPERIMENT, "smoke", out=tmp_path, config=config)
    metrics = json.loads((record.directory / "metrics.json").read_text())
    effects = [one for one in metrics if one["id"] == "probes.cause/effect"]
    assert {one["where"]["arm"] for one in effects} >= {"probe", "random", "untrained", "shuffled"}
    assert (record.directory / "figures" / "handles.png").is_file()
    assert Move.STAY == 2
