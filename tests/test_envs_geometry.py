"""The map from cells to pixels and feature maps: against the engine's own pictures, against itself, by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from procscope.envs.engine import scratch_engine
from procscope.envs.maze import MazeLevel
from procscope.envs.maze.geometry import IMPALA_CENTER, MazeGeometry
from procscope.envs.maze.value import WORLD_CELLS
from procscope.envs.pictures import level_pictures


@pytest.mark.parametrize(("mode", "pixels"), [("easy", 64), ("hard", 64), ("memory", 64), ("easy", 512)])
def test_what_the_engine_changes_when_a_cell_changes(mode, pixels):
    """Turning one cell into wall changes the picture within that cell's pixels, up to rounding, and nowhere else."""
    draw = scratch_engine("maze", mode).render if pixels == 64 else level_pictures
    checked = 0
    for level in MazeLevel.from_seeds(range(100, 104), mode):
        level = level.with_mouse(*level.free_cells()[len(level.free_cells()) // 2])
        geometry = MazeGeometry.of_level(level)
        cells = [cell for cell in level.free_cells() if cell not in (level.mouse, level.cheese)][::5]
        walled = [level.with_wall(*cell, allow_unsolvable=True) for cell in cells]
        before, *after = draw([changed.to_state() for changed in (level, *walled)]).astype(int)
        for cell, picture in zip(cells, after, strict=True):
            changed = (picture != before).any(axis=-1)
            top, left, bottom, right = np.clip(geometry.cell_edges(np.array(cell), pixels), 0, pixels)
            if min(bottom - top, right - left) < 1:
                assert not changed.any(), "out of view"
                continue
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            found = np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1])
            rounding = 1 + (pixels == 512)  # large pictures are drawn with a rim round each cell
            assert np.abs(found - [top, left, bottom, right]).max() <= rounding, cell
            row, column = geometry.cell_to_position(np.array(cell), pixels)
            # Large textures may agree in single pixels.
            if pixels == 64 and 0 <= row < 64 and 0 <= column < 64:
                assert changed[row, column]
            checked += 1
    assert checked > 15


def test_by_hand():
    """Size 5 in a world of 15: margin 5, a cell is 64 / 15 = 4.27 pixels, 8 / 15 = 0.53 positions of an 8 x 8 map."""
    geometry = MazeGeometry.of_frames(5, 15)
    assert geometry.maze_to_world(np.array([[0, 0], [4, 4]])).tolist() == [[5, 5], [9, 9]]
    assert geometry.world_to_maze(np.array([0, 14])).tolist() == [-5, 9]
    corner = geometry.cell_edges(np.array([0, 0]), 60)
    np.testing.assert_allclose(corner, [36, 20, 40, 24], err_msg="4 pixels a cell; row 5 of 15 from below")
    np.testing.assert_allclose(geometry.cell_centers(np.array([0, 4]), 60), [22, 22])
    assert geometry.cell_to_position(np.array([[0, 0], [4, 4], [0, 4]]), 8).tolist() == [
        [5, 2],
        [2, 5],
        [2, 2],
    ]
    assert geometry.position_to_cell(np.array([[7, 0], [0, 7], [4, 4]]), 8).tolist() == [
        [-5, -5],
        [9, 9],
        [3, 1],
    ]
    memory = MazeGeometry.of_level(MazeLevel.from_seed(0, "memory").with_mouse(0, 0))
    assert memory.span == 8
    np.testing.assert_allclose(
        memory.cell_centers(np.array([0, 0]), 64), [32, 32], err_msg="the mouse is in the middle"
    )
    np.testing.assert_allclose(memory.cell_centers(np.array([1, 2]), 64), [16, 40])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_there_and_back(data):
    world = data.draw(st.sampled_from(list(WORLD_CELLS.values())))
    size = data.draw(st.sampled_from(range(3, world + 1, 2)))
    geometry = MazeGeometry.of_frames(size, world)
    positions = data.draw(st.sampled_from([64, 100, 512]))
    center = data.draw(st.sampled_from([0.5, IMPALA_CENTER, 1.0]))
    cells = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    back = geometry.position_to_cell(geometry.cell_to_position(cells, positions, center), positions, center)
    assert (back == cells).all(), "every cell has a position of its own that looks at it"
    coarse = data.draw(st.sampled_from([2, 4, 8]))
    everywhere = geometry.cells_of_map(coarse)
    rows, columns = np.indices((coarse, coarse))
    again = geometry.cell_to_position(everywhere, coarse)
    assert (again == np.stack([rows, columns], axis=-1)).all(), (
        "every position looks at a cell that it is nearest to"
    )
    assert (geometry.world_to_maze(geometry.maze_to_world(cells)) == cells).all()


def test_a_batch_of_frames_is_the_single_frames():
    sizes, cells = np.array([3, 7, 15]), np.array([[0, 2], [6, 1], [3, 14]])
    batch = MazeGeometry.of_frames(sizes, 15)
    for index, (size, cell) in enumerate(zip(sizes, cells, strict=True)):
        single = MazeGeometry.of_frames(int(size), 15)
        for method in ("cell_centers", "cell_edges", "cell_to_position"):
            assert (getattr(batch, method)(cells, 8)[index] == getattr(single, method)(cell, 8)).all()
        assert (batch.maze_to_world(cells)[index] == single.maze_to_world(cell)).all()
        assert (batch.position_to_cell(cells, 8)[index] == single.position_to_cell(cell, 8)).all()
        several = np.stack([cells, cells + 1], axis=1)  # two cells per frame
        assert (batch.cell_centers(several, 8)[index, 0] == single.cell_centers(cell, 8)).all()
    memory = MazeGeometry.of_frames(sizes, 31, centered_on=cells)
    np.testing.assert_allclose(memory.cell_centers(cells, 8), np.full((3, 2), 4.0))


def test_overlaps_carry_mass():
    size, world = 9, 15
    geometry = MazeGeometry.of_frames(size, world)
    overlaps = geometry.overlaps(size, 8)
    assert overlaps.shape == (8, 8, size, size)
    area = (8 / world) ** 2
    np.testing.assert_allclose(
        overlaps.sum(axis=(0, 1)), area, err_msg="each cell is spread over the map in full"
    )
    full = MazeGeometry.of_frames(15, 15).overlaps(15, 8)
    np.testing.assert_allclose(
        full.sum(axis=(2, 3)), 1, err_msg="a maze that fills the world fills each position"
    )
    fine = np.zeros((8 * 15, 8 * 15))  # a brute count: 15 x 15 samples in each position, 8 x 8 in each cell
    cells = geometry.cells_of_map(8 * 15)
    fine[(cells == [2, 5]).all(axis=-1)] = 1
    sampled = fine.reshape(8, 15, 8, 15).mean(axis=(1, 3))
    np.testing.assert_allclose(overlaps[:, :, 5, 2], sampled, atol=1e-12)


def test_the_center_of_impalas_maps():
    """Where the 8 x 8 map of three 3x3 pools at stride 2 looks: the gradient's centre on the picture."""
    picture = torch.zeros(1, 1, 64, 64, requires_grad=True)
    maps = picture
    for _ in range(3):
        maps = torch.nn.functional.avg_pool2d(maps, 3, stride=2, padding=1)
    maps[0, 0, 4, 3].backward()
    assert picture.grad is not None
    weights = picture.grad[0, 0].numpy()
    row, column = (np.average(np.arange(64) + 0.5, weights=weights.sum(axis=axis)) for axis in (1, 0))
    center = (row / 8 - 4, column / 8 - 3)
    np.testing.assert_allclose(center, [IMPALA_CENTER] * 2, atol=1e-6)
    geometry = MazeGeometry.of_frames(15, 15)
    cell = geometry.position_to_cell(np.array([4, 3]), 8, IMPALA_CENTER)
    top, left, bottom, right = geometry.cell_edges(cell, 64)
    assert top <= row <= bottom
    assert left <= column <= right


def test_refuses():
    with pytest.raises(ValueError, match=r"must be odd and at most the world's 15; given: \[ 3 17\]"):
        MazeGeometry.of_frames(np.array([3, 17]), 15)
    with pytest.raises(ValueError, match="expected the geometry of one maze"):
        MazeGeometry.of_frames(np.array([3, 5]), 15).cells_of_map(8)
