"""The path ahead: states against the level's own shortest path, probes that choose, the decoder on a policy."""

import numpy as np
import pytest
import torch

from procscope.envs.engine import TEST_SEEDS
from procscope.envs.maze import MazeLevel
from procscope.envs.starting_states import starting_states
from procscope.imagination.adversarial import AdversarialConfig
from procscope.imagination.path_frames import path_frames
from procscope.imagination.path_probes import candidates, chance_knowing_next, choose_cell, on_cells
from procscope.imagination.policy_decoder import decoded_cells, policy_decoder

STEPS = 3
FIRST = TEST_SEEDS.start + 77_000


@pytest.fixture(scope="module")
def paths():
    return path_frames(60, STEPS, first_seed=FIRST)


def test_states_are_the_cells_of_the_shortest_path(paths) -> None:
    seeds = list(range(FIRST, FIRST + 40))
    variants = ["cheese-anywhere", "mouse-anywhere"]
    expected = []
    for state in starting_states("maze", seeds, variants=variants):
        level = MazeLevel.from_state(state)
        path = level.shortest_path()
        if len(path) > STEPS:
            expected.append([(x + level.margin, y + level.margin) for x, y in path[: STEPS + 1]])
    found = [
        [tuple(np.argwhere(state[::-1] == 1)[0][::-1].tolist()) for state in states]
        for states in paths.states[: len(expected)]
    ]
    assert found == expected
    assert (paths.states.sum(axis=(2, 3)) == 1).all()
    for time in range(STEPS + 1):
        assert (paths.steps_away[paths.states[:, time] == 1] == time).all()


def test_a_map_that_marks_the_path_is_read_and_one_of_noise_is_not(paths) -> None:
    fitted, measured = paths.part(slice(0, 40)), paths.part(slice(40, 60))
    marked = torch.from_numpy(paths.states[:, 1:].sum(axis=1, keepdims=True)).float()
    found = choose_cell(marked[:40], fitted, marked[40:], measured, 2)
    assert found.right.all()
    assert 0 < found.chance < 1
    noise = torch.rand(60, 2, 15, 15, generator=torch.Generator().manual_seed(0))
    blind = choose_cell(noise[:40], fitted, noise[40:], measured, 2)
    assert blind.right.mean() < 0.95
    assert len(blind.right) == len(found.right)
    assert blind.chance == found.chance


def test_candidates_are_all_cells_so_many_steps_away(paths) -> None:
    features, right, frame = candidates(torch.zeros(60, 1, 15, 15), paths, 2)
    for index in frame.unique().tolist():
        of_frame = frame == index
        assert int(of_frame.sum()) == int((paths.steps_away[index] == 2).sum()) >= 2
        assert int(right[of_frame].sum()) == 1
    assert features.shape[1] == 10
    nowhere = paths._replace(steps_away=np.zeros_like(paths.steps_away))
    with pytest.raises(ValueError, match="no frame has two cells 2 steps away"):
        candidates(torch.zeros(60, 1, 15, 15), nowhere, 2)


def test_who_knows_the_next_cell_chooses_among_those_beyond_it(paths) -> None:
    assert chance_knowing_next(paths, 1) == 1
    expected = []
    for states, away, free in zip(paths.states, paths.steps_away, paths.free, strict=True):
        if (away == 2).sum() > 1:
            wide = np.pad(free & (states[0] == 0), 1)
            row, column = np.argwhere(states[1])[0] + 1
            beside = ((row, column + 1), (row + 1, column), (row, column - 1), (row - 1, column))
            expected.append(1 / sum(wide[cell] for cell in beside))
    assert chance_knowing_next(paths, 2) == pytest.approx(np.mean(expected))


def test_maps_and_frames_lie_on_the_cells_that_they_show() -> None:
    maps = np.zeros((2, 1, 5, 5), dtype=np.float32)
    maps[:, 0, 1, 3] = 1
    spread = on_cells(maps, 15)[0, 0]
    assert divmod(int(spread.argmax()), 15) == (4, 10)
    frame = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    frame[:, 0:5, 59:64] = 255
    spread = on_cells(frame, 15)
    assert spread.shape == (2, 3, 15, 15)
    assert divmod(int(spread[0, 0].argmax()), 15) == (0, 14)


def test_the_decoder_learns_the_taught_layers_of_a_policy(paths) -> None:
    mouse, following = (torch.from_numpy(paths.states[:, time]).float() for time in (0, 1))
    layers = [torch.stack([cell, torch.zeros_like(cell)], 1) for cell in (mouse, following, following)]
    decoder = policy_decoder(
        layers, paths, following, AdversarialConfig(updates=200, batch=8, learning_rate=0.01)
    )
    shown = decoded_cells(decoder, layers, paths)
    assert (shown.first == paths.states[:, 0]).all(axis=(1, 2)).mean() > 0.9
    assert (shown.last == paths.states[:, 1]).all(axis=(1, 2)).mean() > 0.9
    assert shown.between.shape == (60, 1, 15, 15)
    assert (shown.between.sum(axis=(2, 3)) == 1).all()
    assert not (shown.between[:, 0] & (1 - paths.free.astype(np.uint8))).any()


def test_layers_that_cannot_be_decoded_are_refused(paths) -> None:
    maps = [torch.zeros(60, width, 15, 15) for width in (2, 2, 3)]
    following = torch.zeros(60, 15, 15)
    with pytest.raises(ValueError, match=r"three layers of one width.*3 layers of widths \[2, 3\]"):
        policy_decoder(maps, paths, following, AdversarialConfig(updates=1))
    with pytest.raises(ValueError, match="2 layers"):
        policy_decoder(maps[:2], paths, following, AdversarialConfig(updates=1))
    with pytest.raises(ValueError, match="at least 1 frame and 2 steps; given: 5 and 1"):
        path_frames(5, 1, first_seed=FIRST)
