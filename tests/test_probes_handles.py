"""Readings of squares, places, plans, tables, skills and handles: against numbers by hand and what must follow."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from untrained_impala import noise_frames, untrained_impala

from procscope.activations.capture import capture
from procscope.envs.actions import Move
from procscope.envs.heist import HeistLevel
from procscope.envs.maze import MazeLevel
from procscope.interventions.apply import applied
from procscope.interventions.steer import Steer
from procscope.probes.claims import cells_at, cells_elsewhere, first_moves, middles_of, nearest_cells
from procscope.probes.direction import concept_of, linear_probe
from procscope.probes.features import ArrayFeatures
from procscope.probes.handles import covariance_of, eraser, natural_step, on_map, random_step, same_length
from procscope.probes.least_squares import least_squares, within_training
from procscope.probes.levels import Levels
from procscope.probes.lookup import lookup_score
from procscope.probes.moments import gather
from procscope.probes.plans import moves_of_way, planned_moves
from procscope.probes.positions import averaged_center, locate, position_codes
from procscope.probes.reading import Reading
from procscope.probes.ridge import fit_ridge
from procscope.probes.scores import Score, class_score, number_score
from procscope.probes.skill import Skill
from procscope.probes.targets import Target

SHAPE = (3, 8, 8)
MAPS = np.random.default_rng(0).normal(size=(60, *SHAPE)).astype(np.float32)
FOLD = np.arange(60) % 3
LEVELS = Levels(np.arange(60), 60)


def test_squares_are_means_and_are_put_back_where_they_were_read():
    reading = Reading.of("4x2")
    read = reading.apply(MAPS).reshape(60, 3, 4, 2)
    assert np.allclose(read[7, 2, 1, 1], MAPS[7, 2, 2:4, 4:8].mean(), atol=1e-6)
    assert (str(reading), reading.shape(SHAPE), reading.positions_each(SHAPE)) == ("4x2", (3, 4, 2), 8)
    change = np.random.default_rng(1).normal(size=24)
    moved = reading.apply(MAPS + reading.spread(change, SHAPE).astype(np.float32))
    assert np.allclose(moved - read.reshape(60, -1), change, atol=1e-5)


@pytest.mark.parametrize("text", ["pooled", "flat", "2,3", "each-position", "1x1"])
def test_what_is_spread_moves_every_reading_by_as_much(text):
    reading = Reading.of(text)
    change = np.arange(1.0, 1 + np.prod(reading.shape(SHAPE)))
    before, after = (
        reading.apply(MAPS),
        reading.apply(MAPS + reading.spread(change, SHAPE).astype(np.float32)),
    )
    assert np.allclose(after - before, change, atol=1e-4)


@pytest.mark.parametrize("text", ["0x4", "4x", "x", "-1,2", "4x4x4", "squares"])
def test_readings_that_make_no_sense(text):
    with pytest.raises(ValueError, match="expected flat, pooled, each-position, squares such as 4x4"):
        Reading.of(text)


def test_squares_that_do_not_fit():
    with pytest.raises(ValueError, match="8 x 8 map can be divided; given 3x3"):
        Reading.of("3x3").shape(SHAPE)
    with pytest.raises(ValueError, match="expected 48 numbers, as 4x4 reads"):
        Reading.of("4x4").spread(np.zeros(3), SHAPE)


def test_classes_by_least_squares_are_scikit_learns_on_levels_left_out():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 5)).astype(np.float32)
    classes = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    number = x @ rng.normal(size=5)
    targets = [Target("class", classes, ("a", "b", "c")), Target("number", number.astype(float))]
    found = least_squares(ArrayFeatures(x), targets, LEVELS, FOLD, alphas=(0.0,))
    right = 0
    for part in range(3):
        out = part == FOLD
        model = LinearRegression().fit(x[~out], np.eye(3)[classes[~out]])
        right += int((model.predict(x[out]).argmax(axis=1) == classes[out]).sum())
    assert found.scores["class"].value("accuracy") == pytest.approx(right / 60)
    assert found.scores["number"].value("r2") > 0.95  # but for what lies beyond the training answers
    with pytest.raises(ValueError, match="targets of different names"):
        least_squares(ArrayFeatures(x), [targets[0], targets[0]], LEVELS, FOLD)


def test_predicted_numbers_stay_within_what_was_seen():
    truth, given = np.array([0.0, 1.0, 0.2]), np.array([10.0, -10.0, 0.5])
    assert within_training(given, truth, np.arange(3)).tolist() == [1.0, 0.0, 0.5]
    x = np.random.default_rng(7).normal(size=(60, 2)).astype(np.float32)
    x[:, 1] = 0
    x[[5, 7], 1] = [1e-3, 1e4]  # a unit that hardly fires, and then in two folds
    number = Target("number", x[:, 0].astype(float))
    assert least_squares(ArrayFeatures(x), [number], LEVELS, FOLD, (1e-3,)).scores["number"].value("r2") > 0.8


def test_a_table_knows_what_its_types_say_and_nothing_else():
    types = np.arange(60) % 2
    told, dealt = (
        Target("told", types.copy(), ("a", "b")),
        Target("dealt", np.arange(60) // 3 % 2, ("a", "b")),
    )
    assert lookup_score(types, told, LEVELS, FOLD).value("accuracy") == 1
    assert lookup_score(np.zeros(60, int), dealt, LEVELS, FOLD).value("accuracy") <= 0.5
    number = Target("number", types * 2.0)
    assert lookup_score(types, number, LEVELS, FOLD).value("r2") > 0.99
    with pytest.raises(ValueError, match="each of 60 answers; given 3 and 3"):
        lookup_score(types[:3], told, LEVELS, FOLD[:3])


def test_the_position_that_is_marked_is_found():
    rng = np.random.default_rng(3)
    codes = rng.integers(16, size=60)
    x = rng.normal(size=(60, 16, 2)).astype(np.float32)
    x[np.arange(60), codes, 0] += 30
    features = ArrayFeatures(x.reshape(-1, 2), samples_per_frame=16)
    found = locate(features, {"thing": codes, "dealt": codes[rng.permutation(60)]}, (4, 4), LEVELS, FOLD)
    assert found.scores["thing"].value("accuracy") == 1
    assert found.scores["dealt"].value("accuracy") < 0.3
    assert "balanced_accuracy" not in found.scores["thing"].quantities()
    with pytest.raises(ValueError, match="a position from 0 to 15 of 'thing'"):
        locate(features, {"thing": np.full(60, -1)}, (4, 4), LEVELS, FOLD)


def test_positions_look_at_pixels():
    row, col = np.array([0.0, 63.0, 20.0, -3.0]), np.array([0.0, 63.0, 40.0, 3.0])
    assert position_codes(row, col, (8, 8)).tolist() == [0, 63, 2 * 8 + 5, -1]
    # 16 positions centred at 1/4 of theirs are 8 whose first is between the first two: (0.25 + 1.25) / 2 of 16.
    assert averaged_center(0.25, 2) == pytest.approx((0.25 + 1.25) / 2 / 2)


def test_skill_is_one_scale():
    truth = np.array([0, 0, 0, 1, 1, 2])
    levels = Levels(np.arange(6), 6)
    logs = np.log(np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 0, 1, 1, 1, 0]])
    guess = np.log(np.tile([0.5, 0.3, 0.2], (6, 1)))
    score = class_score(truth, logs, guess, levels)
    assert Skill((score,)).value() == pytest.approx(1 - 2 / 3)  # two mistakes where guessing makes three
    number = number_score(truth.astype(float), np.full(6, truth.mean()), np.full(6, 0.7), levels)
    both = Skill((score, number))
    assert both.value() == pytest.approx((1 / 3 + 0) / 2)
    assert both.over(both, np.random.default_rng(0), 200).value == 0
    assert both.where(truth < 2).value() != both.value()
    again = Score.from_json(score.to_json())
    assert np.allclose(again.sums, score.sums, rtol=1e-6)
    assert (again.n_classes, again.n_samples) == (3, 6)
    with pytest.raises(ValueError, match="on the same levels; given 6 and 3"):
        both.over(both.where(truth < 1), np.random.default_rng(0))


def test_plans_are_the_moves_of_the_shortest_way():
    maze = MazeLevel.from_ascii("#####\n#..C#\n#.###\n#M..#\n#####")
    assert planned_moves([maze], 5)[0].tolist() == [Move.UP, Move.UP, Move.RIGHT, Move.RIGHT, Move.STAY]
    rng = np.random.default_rng(4)
    levels = [HeistLevel.generate(9, 2, rng) for _ in range(3)]
    for level, moves in zip(levels, planned_moves(levels, 200), strict=True):
        assert (moves != Move.STAY).sum() == level.plan().steps
    with pytest.raises(ValueError, match="way of neighbouring cells"):
        moves_of_way([(0, 0), (2, 0)], 1)
    with pytest.raises(ValueError, match="at least one level"):
        planned_moves([], 1)


def test_claims_lead_to_the_nearest_cell_that_can_be_reached():
    free = np.zeros((1, 5, 5), bool)
    free[0, 1, 1:4] = free[0, 1:4, 1] = True  # a way right and one up from (1, 1)
    free[0, 3, 3] = True  # out of reach
    agent = np.array([[1, 1]])
    pixels = middles_of(np.array([[3, 3]]), 5)
    assert (cells_at(pixels, 5) == [[3, 3]]).all()
    cells = nearest_cells(free, agent, pixels)
    assert tuple(cells[0]) in {(3, 1), (1, 3)}
    assert first_moves(free, agent, np.array([[3, 1]])) == [Move.RIGHT]
    assert first_moves(free, agent, np.array([[-1, -1]])) == [Move.STAY]
    elsewhere = cells_elsewhere(free, agent, np.array([Move.RIGHT]), np.random.default_rng(0))
    assert elsewhere[0, 0] == 1
    assert elsewhere[0, 1] > 1


@pytest.fixture(scope="module")
def fitted():
    """Probes of squares of maps in which the class and the number are written."""
    read = Reading.of("2x2").apply(MAPS)
    number = read[:, 0].astype(np.float64) - read[:, 3]
    fit = fit_ridge(ArrayFeatures(read).batches(), number[:, None], FOLD, (1e-6,))
    return read, number, fit


def test_a_step_is_one_standard_deviation_along_the_direction(fitted):
    read, _, fit = fitted
    spread = covariance_of(fit.moments.total())
    direction = np.random.default_rng(5).normal(size=12)
    step = natural_step(direction, spread)
    unit = direction / np.linalg.norm(direction)
    assert np.allclose(step / np.linalg.norm(step), unit)
    assert np.linalg.norm(step) == pytest.approx((read.astype(float) @ unit).std())
    control = random_step(step, np.random.default_rng(6))
    assert np.linalg.norm(control) == pytest.approx(np.linalg.norm(step))
    assert np.linalg.norm(same_length(np.ones(12), step)) == pytest.approx(np.linalg.norm(step))
    with pytest.raises(ValueError, match="direction along which activations vary"):
        natural_step(np.zeros(12), spread)
    with pytest.raises(ValueError, match="given zeros"):
        same_length(np.zeros(12), step)


def test_erasing_squares_leaves_nothing_to_read(fitted):
    _, number, fit = fitted
    erase = eraser("map", Reading.of("2x2"), concept_of(fit.moments.total(), [0]), SHAPE)
    changed = erase.replaced(torch.from_numpy(MAPS), None).numpy()
    after = Reading.of("2x2").apply(changed).astype(np.float64)
    assert np.abs(np.cov(after.T, number)[-1, :-1]).max() < 1e-6
    apart = (changed - MAPS).reshape(60, 3, 2, 4, 2, 4)
    assert np.allclose(apart, apart[:, :, :, :1, :, :1], atol=1e-6)  # all positions of a square alike


def test_probes_of_squares_steer_and_erase_on_a_network(fitted):
    network = untrained_impala()
    frames = noise_frames()
    maps = capture(network, frames, ["block2.res2"], dtype="float32").activations["block2.res2"]
    reading = Reading.of("4x4")
    read = reading.apply(maps)
    fit = fit_ridge(ArrayFeatures(read).batches(), np.arange(5.0)[:, None], np.array([0, 1, 0, 1, 0]), (1.0,))
    probe = linear_probe(
        fit, 0, target="n", hook_point="block2.res2", read=reading, shape=reading.shape(maps.shape[1:])
    )
    with pytest.raises(ValueError, match=r"of_map=\(16, 16\)"):
        probe.steer()
    for one, expected in (
        (probe.steer(by=2.0, of_map=(16, 16)), probe.predict(read) + 2),
        (probe.erase(of_map=(16, 16)), np.full(5, probe.predict(probe.mean[None])[0])),
        (
            Steer("block2.res2", vector=on_map(reading, probe.pattern, maps.shape[1:])),
            probe.predict(read) + 1,
        ),
    ):
        with applied(network, one):
            after = capture(network, frames, ["block2.res2"], dtype="float32").activations["block2.res2"]
        assert np.allclose(probe.predict(reading.apply(after)), expected, atol=1e-3)
    assert np.allclose(
        probe.contributions(maps).sum(axis=(1, 2)),
        probe.predict(read) - probe.predict(probe.mean[None]),
        atol=1e-4,
    )


def test_moments_of_erasers_are_those_that_probes_were_fitted_with(fitted):
    read, number, fit = fitted
    sums = gather(ArrayFeatures(read).batches(), number[:, None], FOLD, 3).total()
    assert np.allclose(concept_of(sums, [0]).covariance, covariance_of(fit.moments.total()))
