"""Tracking scores: maps whose mass is known, and slow oracles."""

import numpy as np
import pytest
import torch
from torch import nn

from procscope.envs.heist import HeistLevel
from procscope.envs.heist.pairs import Stages
from procscope.envs.heist.sweeps import open_room
from procscope.envs.maze import MazeLevel
from procscope.probes.entity_scenes import cheese_scene, maze_scenes, read_scene, room_scenes
from procscope.probes.entity_vectors import EntityVectors, entity_vectors
from procscope.probes.next_key import NextKeys, mean_near, read_next_keys
from procscope.probes.tracking import centroids, change, track

RNG = np.random.default_rng(0)
PLACES = np.array([(1, 1), (1, 6), (3, 4), (6, 6), (6, 1), (4, 2)]) + 0.5


def points(places: np.ndarray, size: int = 8) -> np.ndarray:
    """[place, agent, unit, row, col]: a point at the place, its mirror image, nothing, and a point that stays."""
    maps = np.zeros((len(places), 2, 4, size, size), np.float32)
    for i, (row, col) in enumerate(np.floor(places).astype(int)):
        maps[i, :, 0, row, col] = 2
        maps[i, :, 1, size - 1 - row, size - 1 - col] = 3
        maps[i, :, 3, 2, 5] = 1
    return maps


def test_a_point_follows_and_its_mirror_image_flees():
    scores = track(points(PLACES), PLACES)
    np.testing.assert_allclose(scores.equivariance, [1, -1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(scores.pearson, [1, -1, 0, 0], atol=1e-12)
    np.testing.assert_allclose(scores.predictiveness[:2], [1, 1], atol=1e-9)
    assert scores.predictiveness[2:].max() < 0, (
        "a unit that stands still does worse than the mean of all places"
    )
    np.testing.assert_allclose(scores.overlap[[0, 2]], [1 / 9, 0])
    assert scores.equivariance_by_agent.shape == (2, 4)


def test_scores_are_those_of_slow_oracles():
    maps = RNG.normal(size=(6, 3, 2, 8, 8)).astype(np.float32)
    scores = track(maps, PLACES)
    found = centroids(maps)
    spots = np.floor(PLACES).astype(int)
    for unit in range(2):
        error, total = 0.0, ((PLACES - PLACES.mean(axis=0)) ** 2).sum() * 3
        for place in range(6):
            rest = [other for other in range(6) if other != place]
            x = np.concatenate([found[rest, agent, unit] for agent in range(3)])
            y = np.concatenate([PLACES[rest] for _ in range(3)])
            fit = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]
            for agent in range(3):
                error += ((np.append(1, found[place, agent, unit]) @ fit - PLACES[place]) ** 2).sum()
        assert scores.predictiveness[unit] == pytest.approx(1 - error / total)
        shares = []
        for place in range(6):
            for agent in range(3):
                one = maps[place, agent, unit]
                loud = (one - one.min()) / (one.max() - one.min()) > 0.5
                window = np.zeros((8, 8), bool)
                row, col = spots[place]
                window[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2] = True
                shares.append((loud & window).sum() / (loud | window).sum())
        assert scores.overlap[unit] == pytest.approx(np.mean(shares))
    mass = np.maximum(maps[0, 0, 0], 0)
    assert found[0, 0, 0, 0] == pytest.approx(
        (mass.sum(axis=1) * (np.arange(8) + 0.5)).sum() / mass.sum(), rel=1e-5
    )


def test_change_leaves_what_stays_out():
    wall = RNG.random((1, 1, 1, 8, 8), dtype=np.float32) * 50
    maps = points(PLACES)[:, :, :1]
    assert track(change(maps + wall), PLACES).overlap[0] == pytest.approx(1 / 9)
    assert track(change(maps + wall), PLACES).predictiveness[0] > track(maps + wall, PLACES).predictiveness[0]
    np.testing.assert_allclose(change(maps + wall), change(maps), atol=1e-4)


def test_misuse():
    with pytest.raises(ValueError, match="at least four places"):
        track(points(PLACES)[:3], PLACES[:3])


class Blue(nn.Module):
    """A network whose maps are the picture's blue, at 32 x 32, and nothing."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Identity()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, frames):
        blue = nn.functional.avg_pool2d(frames.float() / 255, 2)[:, 2:]
        self.maps(torch.cat([blue, blue * 0], 1))
        return torch.zeros(len(frames), 15)


class Flat(nn.Module):
    """A network that has no maps."""

    def __init__(self):
        super().__init__()
        self.numbers = nn.Identity()
        self.anchor = nn.Parameter(torch.zeros(1))

    def forward(self, frames):
        self.numbers(frames.float().mean((2, 3)))
        return torch.zeros(len(frames), 15)


LEVEL = HeistLevel.generate(9, 3, np.random.default_rng(3))


def test_scenes_are_full_grids_and_pixels_follow_every_thing():
    room = open_room(LEVEL, 9)
    scenes = {scene.thing: scene for scene in room_scenes(room, 2)}
    assert len(scenes) == len(room.occupied())
    scene = scenes["blue key"]
    assert len(scene.states) == 16 * 2
    read = read_scene(Blue(), scene, ["maps"])["maps"]
    assert read.shape == (16, 2, 2, 32, 32)
    scores = track(change(read), scene.spots(32, 0.5))
    assert scores.equivariance[0] > 0.97, "what the key's place changes is the key"
    assert scores.equivariance[1] == 0
    for index in (0, 5):
        level = HeistLevel.from_state(scene.states[2 * index + 1])
        assert level.keys_of("blue")[0].cell == tuple(scene.places[index])
        assert level.agent == tuple(scene.agents[1])
    with pytest.raises(ValueError, match="Choose a hook point before the flattening"):
        read_scene(Flat(), scene, ["numbers"])


def test_scenes_of_mazes():
    found = list(maze_scenes(LEVEL, 6, 2, np.random.default_rng(0)))
    assert len(found) == len(LEVEL.occupied())
    for scene in found:
        taken = set(map(tuple, scene.places.tolist())) | set(map(tuple, scene.agents.tolist()))
        assert len(taken) == 8
        assert not taken & set(LEVEL.occupied())
    maze = MazeLevel.generate(9, np.random.default_rng(0))
    scene = cheese_scene(maze, 6, 2, np.random.default_rng(0))
    level = MazeLevel.from_state(scene.states[3])
    assert level.cheese == tuple(scene.places[1])
    assert level.mouse == tuple(scene.agents[1])


def test_a_unit_must_be_right_at_both_stages():
    at_next = np.array([[[2.0, 2.0], [2.0, 0.0]], [[3.0, 1.0], [1.0, 1.0]]])
    at_later = np.array([[[1.0, 3.0], [1.0, 1.0]], [[1.0, 2.0], [2.0, 3.0]]])
    found = NextKeys(at_next, at_later)
    assert found.signs(slice(0, 2)).tolist() == [1, -1]
    assert found.right(found.signs(slice(0, 2))).tolist() == [[True, True], [False, True]]
    maps = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert mean_near(maps, np.array([[0, 0]]))[0, 0] == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert mean_near(maps, np.array([[2, 2]]))[0, 0] == pytest.approx(maps[0, 0, 1:4, 1:4].mean())


def test_next_keys_are_read_where_they_lie():
    keys = {key.colour: key.cell for key in LEVEL.keys}
    stages = Stages((LEVEL, LEVEL), (keys["blue"], keys["green"]), (keys["green"], keys["blue"]))
    found = read_next_keys(Blue(), [stages], "maps")
    assert found.at_next.shape == (1, 2, 2)
    np.testing.assert_allclose(found.at_next[0, 0], found.at_later[0, 1])
    assert found.at_next[0, 0, 0] != found.at_next[0, 1, 0]


def test_vectors_of_entities():
    levels = [HeistLevel.generate(9, 3, np.random.default_rng(seed)) for seed in range(4)]
    found = entity_vectors(Blue(), levels, "maps", 0.5)
    assert found.vectors.shape == (len(found.things), 2)
    assert (found.vectors[:, 1] == 0).all()
    np.testing.assert_allclose(found.participation, 1, atol=1e-12)
    spread = EntityVectors(("a", "b"), np.array([[1.0, 1.0, 1.0, 1.0], [0.0, 2.0, 0.0, 0.0]]))
    np.testing.assert_allclose(spread.participation, [4, 1])
    assert spread.cosines[0, 1] == pytest.approx(0.5)
