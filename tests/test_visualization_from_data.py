"""One pass over a cache, and what is chosen from it, against NumPy over the whole and a planted template."""

import numpy as np
import pytest
import torch
from torch import nn

from procscope.activations.cache import ActivationCache, CacheBatch
from procscope.activations.cache_format import ArraySpec, CacheSpec
from procscope.visualization.exciting_frames import (
    exciting_frames,
    exciting_patches,
    quantile_frames,
    read_frames,
)
from procscope.visualization.receptive_fields import receptive_fields
from procscope.visualization.unit_scan import LARGEST_BYTES, scan_units
from procscope.visualization.units import Channels, Directions

SIDE, N_FRAMES, BLOCK = 32, 60, 16
CROSS = np.full((7, 7), -1.0)
CROSS[3], CROSS[:, 3] = 1, 1


class InMemory(ActivationCache):
    """Given frames, activations and levels, read as a cache is."""

    def __init__(self, frames: np.ndarray, maps: np.ndarray, levels: np.ndarray) -> None:
        arrays = {"activations/maps": ArraySpec(maps.shape[1:], "float32")}
        self.spec = CacheSpec(
            len(frames), BLOCK, arrays | {"frames": ArraySpec(frames.shape[1:], "uint8")}, {}
        )
        self.path, self._frames, self._maps, self._levels = "memory", frames, maps, levels
        self.n_read = 0

    def activations(self, hook_point: str) -> np.ndarray:
        return self._maps

    @property
    def frames(self) -> np.ndarray:
        return self._frames

    def batches(self, hook_points, labels=(), batch_size=1024, shuffle=None, with_frames=False):
        for start in range(0, len(self), batch_size):
            index = np.arange(start, min(start + batch_size, len(self)))
            self.n_read += len(index)
            yield CacheBatch(index, {"maps": self._maps[index]}, {"level_seed": self._levels[index]}, None)


class Detector(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 2, 7, bias=False)
        with torch.no_grad():
            cross = torch.tensor(CROSS, dtype=torch.float32).expand(3, 7, 7) / 147
            self.maps.weight.copy_(torch.stack([cross, -cross]))

    def forward(self, frames):
        return self.maps(frames / 255)


@pytest.fixture(scope="module")
def planted() -> tuple[InMemory, Detector, dict[int, tuple[int, int]]]:
    """Dim noise; in every fifth frame a cross, brighter from one to the next; four frames a level."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 60, (N_FRAMES, SIDE, SIDE, 3)).astype(np.uint8)
    corners = {}
    for number, frame in enumerate(range(0, N_FRAMES, 5)):
        row, col = corners[frame] = tuple(rng.integers(0, SIDE - 7, 2).tolist())
        there = frames[frame, row : row + 7, col : col + 7]
        there[CROSS > 0] = 150 + 8 * number
        there[CROSS < 0] = 0
    network = Detector()
    with torch.no_grad():
        maps = network(torch.from_numpy(frames).permute(0, 3, 1, 2).float()).numpy()
    return InMemory(frames, maps, np.arange(N_FRAMES) // 4), network, corners


def test_one_pass_keeps_what_the_whole_has(planted):
    cache, _, _ = planted
    cache.n_read = 0
    units = Directions("maps", np.array([[1.0, 0], [0, 1], [1, -2]]), ["a", "b", "c"])
    scan = scan_units(cache, units)
    assert cache.n_read == N_FRAMES
    whole = np.einsum("uc,fcrk->furk", units.directions, cache._maps)
    np.testing.assert_allclose(scan.mean, whole.mean((2, 3)), atol=1e-6)
    np.testing.assert_allclose(scan.peak, whole.max((2, 3)), atol=1e-6)
    for frame, unit in ((0, 0), (33, 2)):
        assert scan.position(frame, unit) == np.unravel_index(whole[frame, unit].argmax(), (26, 26))
    np.testing.assert_allclose(scan.quantile(0.9), np.quantile(whole.mean((2, 3)), 0.9, axis=0), atol=1e-6)


def test_the_best_frame_of_each_level_comes_once_and_the_best_level_first(planted):
    cache, _, _ = planted
    scan = scan_units(cache, Channels("maps", [0]))
    best = scan.best_of_levels(0, "peak", most=100)
    values = scan.peak[:, 0]
    by_level = values.reshape(-1, 4)
    first = [level * 4 + by_level[level].argmax() for level in range(15)]
    assert best.tolist() == sorted(first, key=lambda frame: -values[frame])
    assert len(scan.best_of_levels(0, "peak", most=3)) == 3


def test_levels_without_a_seed_are_of_their_own(planted):
    cache, _, _ = planted
    alone = InMemory(cache._frames, cache._maps, np.full(N_FRAMES, -1))
    assert len(scan_units(alone, Channels("maps", [0])).best_of_levels(0, "mean", most=100)) == N_FRAMES


def test_the_planted_template_is_what_patches_show(planted):
    cache, network, corners = planted
    scan = scan_units(cache, Channels("maps", [0, 1]))
    fields = receptive_fields(network, "maps", (3, SIDE, SIDE))
    found = exciting_patches(cache, scan, fields, most=6)[0]
    assert found[0].frame == max(corners)  # the brightest
    for example in found[:3]:
        assert (example.box.top, example.box.left) == corners[example.frame]
        assert example.box.size == (7, 7)
        shown = example.picture.mean(axis=2)
        assert np.corrcoef(shown.ravel(), CROSS.ravel())[0, 1] >= 0.95
        inputs = torch.from_numpy(example.picture).permute(2, 0, 1)[None].float()
        assert example.value == pytest.approx(network(inputs)[0, 0, 0, 0].item(), rel=1e-5)


def test_diversity_is_the_published_score(planted):
    cache, _, _ = planted
    scan = scan_units(cache, Channels("maps", [0]))
    for weight in (0.0, 2.0, 50.0):
        found = exciting_frames(cache, scan, most=5, diversity=weight, candidates=12)[0]
        candidates = scan.best_of_levels(0, "mean", 12).tolist()
        flat = cache._frames[candidates].reshape(12, -1).astype(float)
        flat -= flat.mean(axis=0)
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        chosen = [0]
        while len(chosen) < 5:
            scores = {
                i: scan.mean[f, 0] / np.abs(scan.mean[candidates, 0]).max()
                + weight * (1 - np.mean([flat[i] @ flat[j] for j in chosen]))
                for i, f in enumerate(candidates)
                if i not in chosen
            }
            chosen.append(max(scores, key=scores.get))
        assert [example.frame for example in found] == [candidates[i] for i in chosen]
    assert [e.frame for e in exciting_frames(cache, scan, most=5, diversity=0.0)[0]] == scan.best_of_levels(
        0, "mean", 5
    ).tolist()


def test_quantiles_are_frames_of_that_rank(planted):
    cache, _, _ = planted
    scan = scan_units(cache, Channels("maps", [1]))
    order = np.sort(scan.mean[:, 0])
    found = quantile_frames(cache, scan, [0.0, 0.5, 1.0])[0]
    assert [example.value for example in found] == [order[0], order[30], order[-1]]
    np.testing.assert_array_equal(found[2].picture, cache._frames[found[2].frame])


def test_each_block_of_frames_is_read_at_most_once(planted):
    cache, _, _ = planted

    class Counted(np.ndarray):
        reads: list

        def __getitem__(self, key):
            if isinstance(key, slice):
                self.reads.append((key.start, key.stop))
            return super().__getitem__(key)

    counted = cache._frames.view(Counted)
    counted.reads = []
    other = InMemory(counted, cache._maps, cache._levels)
    found = read_frames(other, np.array([3, 50, 3, 1, 49]))
    assert sorted(found) == [1, 3, 49, 50]
    assert [read for read in counted.reads if read[1] - read[0] > 1] == [(0, 16), (48, 60)]


def test_bad_input_says_what_is_expected(planted):
    cache, network, _ = planted
    scan = scan_units(cache, Channels("maps", [0]))
    with pytest.raises(ValueError, match="to have channel 2; it has 2"):
        scan_units(cache, Channels("maps", [2]))
    with pytest.raises(ValueError, match="quantiles from 0 to 1"):
        quantile_frames(cache, scan, [1.5])
    with pytest.raises(ValueError, match="at least one example"):
        exciting_frames(cache, scan, most=0)
    with pytest.raises(ValueError, match="receptive fields of 'maps'"):
        exciting_patches(cache, scan, receptive_fields(network, "maps", (3, 20, 20)))
    spoiled = cache._maps.copy()
    spoiled[7, 0, 0, 0] = np.inf
    with pytest.raises(ValueError, match="expected finite values at 'maps'"):
        scan_units(InMemory(cache._frames, spoiled, cache._levels), Channels("maps", [0]))


def test_more_than_memory_holds_is_refused(planted):
    cache, _, _ = planted
    large = InMemory(cache._frames, cache._maps, cache._levels)
    large.spec = CacheSpec(LARGEST_BYTES // 10, BLOCK, cache.spec.arrays, {})
    with pytest.raises(ValueError, match=r"at most 1 units at a time .* units.part\(range\(1\)\)"):
        scan_units(large, Channels("maps", [0, 1]))
