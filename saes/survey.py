"""What each latent does on the frames of a cache: how often and how strongly it fires, and where.

When to use: for tables and pages of latents, and to count dead ones on a stated survey.

    survey = survey_latents(sae, cache, "fc", seed=0)
    survey.firing_rate[7], survey.top_frames[7], survey.cell_means()[7]

One pass over the whole cache counts; a second one over some blocks, drawn at random (`sampled_frames` in all), makes
histograms and the frames of each quantile. A frame's activation of a latent is its largest over the map's positions.
Top frames are of different episodes, since the frames around the highest one all look like it.

Cost: an encoding of the cache, and one of the blocks drawn. Memory: 64 MB of latents at a time, beside the tables.

Axes: `latent`, `frame` a row of the cache, `rank` the highest first, `bin` equal parts of 0 to the latent's maximum,
`quantile` parts of a latent's activations above 0, the lowest first, `y x` cells of the level, `row col` of a map.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64
from torch import Tensor
from tqdm import tqdm

from procscope.activations.cache import ActivationCache, column_values
from procscope.saes.sae import Sae
from procscope.saes.samples import read_samples

HISTOGRAM_BINS = 32
QUANTILES = (0.0, 0.5, 0.75, 0.9, 0.99, 1.0)
"""Bounds of the quantiles whose frames are kept."""
SAMPLED_FRAMES = 20_000
"""For histograms and quantiles, at most about so many."""
_LATENTS_AT_ONCE = 2**24


@dataclass(frozen=True, eq=False)
class LatentSurvey:
    """One row per latent of everything."""

    n_frames: int
    """Frames looked at, all of the cache: dead latents are dead on these."""
    samples_per_frame: int
    """Positions of the map; 1 for a vector."""
    firings: Int64[np.ndarray, " latent"]
    """Samples in which it is above 0."""
    active_frames: Int64[np.ndarray, " latent"]
    """Frames in which it is above 0 somewhere."""
    maximum: Float32[np.ndarray, " latent"]
    mean_active: Float32[np.ndarray, " latent"]
    """Mean over the samples in which it is above 0; 0 for a dead one."""
    position_means: Float32[np.ndarray, "latent row col"]
    """Mean over frames at each position of the map; [latent, 1, 1] for a vector."""
    top_frames: Int64[np.ndarray, "latent rank"]
    """Frames of the highest activation, at most one of an episode; -1 where there are fewer."""
    top_values: Float32[np.ndarray, "latent rank"]
    sampled_frames: int
    """Frames that the next three are of."""
    histogram: Int64[np.ndarray, "latent bin"]
    """Samples above 0 by activation."""
    quantile_frames: Int64[np.ndarray, "latent quantile example"]
    """Frames drawn at random from each quantile of the frames in which it is above 0; -1 where there are fewer."""
    quantile_values: Float32[np.ndarray, "latent quantile example"]
    cell_sums: Float64[np.ndarray, "latent y x"]
    """Sum of frames' activations by the cell of the level that the agent is in; [latent, 0, 0] without that label."""
    cell_frames: Int64[np.ndarray, "y x"]

    @property
    def n_samples(self) -> int:
        return self.n_frames * self.samples_per_frame

    @property
    def firing_rate(self) -> Float64[np.ndarray, " latent"]:
        """Share of samples in which it is above 0."""
        return self.firings / self.n_samples

    def cell_means(self) -> Float64[np.ndarray, "latent y x"]:
        """Mean activation of the frames with the agent in a cell; NaN for cells that it never was in."""
        with np.errstate(invalid="ignore"):
            return self.cell_sums / np.where(self.cell_frames > 0, self.cell_frames, np.nan)


def survey_latents(
    sae: Sae,
    cache: ActivationCache,
    hook_point: str,
    *,
    seed: int = 0,
    top: int = 25,
    examples: int = 4,
    progress: bool = False,
) -> LatentSurvey:
    """Look at every frame of a cache.

    Args:
        seed: of the blocks and frames drawn for histograms and quantiles.
        top: top frames of each latent.
        examples: frames of each quantile.
        progress: show a bar.

    Raises ValueError: a hook point that the cache has not, with other inputs than the autoencoder takes, or with
    values that are not finite.
    """
    counts = _Counts(sae, cache, hook_point, top)
    n_blocks = cache.spec.n_blocks
    with torch.inference_mode():
        for block in tqdm(range(n_blocks), desc="survey", unit="block", disable=None if progress else True):
            counts.add(block)
        rng = np.random.default_rng((seed, 5))
        most = max(1, -(-SAMPLED_FRAMES // cache.spec.block_frames))
        drawn = np.sort(rng.permutation(n_blocks)[:most])
        histogram = torch.zeros(sae.n_latents, HISTOGRAM_BINS, dtype=torch.int64)
        bounds = torch.from_numpy(counts.maximum).clamp_min(1e-30)
        kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        n_sampled = 0
        for block in drawn.tolist():
            frames = _frame_activations(counts, block, histogram, bounds)
            frame, latent = frames.nonzero(as_tuple=True)
            first = cache.spec.block_slice(block).start
            kept.append((frame.numpy() + first, latent.numpy(), frames[frame, latent].numpy()))
            n_sampled += len(frames)
    quantile_frames, quantile_values = _quantiles(kept, sae.n_latents, examples, rng)
    return counts.finished(n_sampled, histogram.numpy(), quantile_frames, quantile_values)


class _Counts:
    """What one pass over the cache adds up."""

    def __init__(self, sae: Sae, cache: ActivationCache, hook_point: str, top: int) -> None:
        self.sae, self.cache, self.hook_point = sae, cache, hook_point
        shape = cache.activations(hook_point).shape[1:]
        self.positions = tuple(shape[1:]) or (1, 1)
        self.per_frame = int(np.prod(self.positions))
        n = sae.n_latents
        self.firings = torch.zeros(n, dtype=torch.int64)
        self.active_frames = torch.zeros(n, dtype=torch.int64)
        self.sums = torch.zeros(n, self.per_frame, dtype=torch.float64)
        self.top_frames = torch.full((top, n), -1, dtype=torch.int64)
        self.top_values = torch.zeros(top, n)
        self._episodes, self._cells, self.cells = _labels(cache)
        self.cell_sums = torch.zeros(int(np.prod(self.cells)), n, dtype=torch.float64)
        self.cell_frames = torch.zeros(int(np.prod(self.cells)), dtype=torch.int64)

    @property
    def maximum(self) -> Float32[np.ndarray, " latent"]:
        return self.top_values[0].numpy()

    def latents_of(self, block: int) -> Iterator[Float32[Tensor, "frame position latent"]]:
        """The latents of a block's frames, some frames at a time."""
        rows = read_samples(self.cache, self.hook_point, block)
        device = self.sae.b_enc.device
        frames_at_once = max(1, _LATENTS_AT_ONCE // (self.per_frame * self.sae.n_latents))
        for part in rows.split(frames_at_once * self.per_frame):
            latents = self.sae.encode(part.to(device)).cpu()
            yield latents.reshape(-1, self.per_frame, self.sae.n_latents)

    def add(self, block: int) -> None:
        frames = []
        for latents in self.latents_of(block):
            self.firings += (latents > 0).sum(dim=(0, 1))
            self.sums += latents.sum(dim=0).T
            frames.append(latents.amax(dim=1))
        strongest = torch.cat(frames)
        self.active_frames += (strongest > 0).sum(dim=0)
        part = self.cache.spec.block_slice(block)
        self._add_top(strongest, part)
        if len(self._cells):
            cells = torch.from_numpy(self._cells[part])
            inside = cells >= 0
            self.cell_sums.index_add_(0, cells[inside], strongest[inside].double())
            self.cell_frames += torch.bincount(cells[inside], minlength=len(self.cell_frames))

    def _add_top(self, strongest: Float32[Tensor, "frame latent"], part: slice) -> None:
        episodes = self._episodes[part]
        bounds = np.flatnonzero(np.r_[True, episodes[1:] != episodes[:-1]])
        if len(bounds) == len(strongest):
            values = strongest
            frames = torch.arange(part.start, part.stop)[:, None].expand_as(values)
        else:
            of_episode = [
                piece.max(dim=0) for piece in strongest.split(np.diff([*bounds, len(strongest)]).tolist())
            ]
            values = torch.stack([one.values for one in of_episode])
            first = torch.from_numpy(bounds + part.start)[:, None]
            frames = torch.stack([one.indices for one in of_episode]) + first
        values = torch.cat([self.top_values, values])
        frames = torch.cat([self.top_frames, torch.where(values[len(self.top_values) :] > 0, frames, -1)])
        best = values.topk(len(self.top_values), dim=0)
        self.top_values, self.top_frames = best.values, frames.gather(0, best.indices)

    def finished(
        self,
        sampled_frames: int,
        histogram: np.ndarray,
        quantile_frames: np.ndarray,
        quantile_values: np.ndarray,
    ) -> LatentSurvey:
        n_frames = len(self.cache)
        firings = self.firings.numpy()
        sums = self.sums.sum(dim=1).numpy()
        return LatentSurvey(
            n_frames=n_frames,
            samples_per_frame=self.per_frame,
            firings=firings,
            active_frames=self.active_frames.numpy(),
            maximum=self.maximum,
            mean_active=(sums / np.maximum(firings, 1)).astype(np.float32),
            position_means=(self.sums.numpy() / n_frames).astype(np.float32).reshape(-1, *self.positions),
            top_frames=self.top_frames.T.numpy().copy(),
            top_values=self.top_values.T.numpy().copy(),
            sampled_frames=sampled_frames,
            histogram=histogram,
            quantile_frames=quantile_frames,
            quantile_values=quantile_values,
            cell_sums=self.cell_sums.T.numpy().reshape(len(firings), *self.cells),
            cell_frames=self.cell_frames.numpy().reshape(self.cells),
        )


def _labels(cache: ActivationCache) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
    """Episode of each frame, number of the agent's cell (-1 for none), and how many cells there are, (y, x)."""
    known = cache.label_columns
    episodes = np.arange(len(cache))
    if "episode" in known:
        episodes = column_values(cache.labels(["episode"])["episode"])
    if not {"agent_x", "agent_y"} <= set(known):
        return episodes, np.zeros(0, np.int64), (0, 0)
    table = cache.labels(["agent_x", "agent_y"])
    x, y = (column_values(table[name]).astype(np.int64) for name in ("agent_x", "agent_y"))
    shape = (int(y.max()) + 1, int(x.max()) + 1)
    return episodes, np.where((x >= 0) & (y >= 0), y * shape[1] + x, -1), shape


def _frame_activations(
    counts: _Counts, block: int, histogram: Int64[Tensor, "latent bin"], bounds: Float32[Tensor, " latent"]
) -> Float32[Tensor, "frame latent"]:
    """Strongest activations of a block's frames; what is above 0 is counted into the histogram."""
    frames = []
    bins = histogram.shape[1]
    for latents in counts.latents_of(block):
        samples = latents.reshape(-1, latents.shape[2])
        sample, latent = samples.nonzero(as_tuple=True)
        place = (samples[sample, latent] / bounds[latent] * bins).long().clamp_(0, bins - 1)
        histogram += torch.bincount(latent * bins + place, minlength=histogram.numel()).reshape(
            histogram.shape
        )
        frames.append(latents.amax(dim=1))
    return torch.cat(frames)


def _quantiles(
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    n_latents: int,
    examples: int,
    rng: np.random.Generator,
) -> tuple[Int64[np.ndarray, "latent quantile example"], Float32[np.ndarray, "latent quantile example"]]:
    """Frames drawn from each quantile of each latent's activations above 0, without one twice."""
    frame, latent, value = (np.concatenate(parts) for parts in zip(*kept, strict=True))
    order = np.lexsort((value, latent))
    frame, value = frame[order], value[order]
    starts = np.searchsorted(latent[order], np.arange(n_latents + 1))
    frames = np.full((n_latents, len(QUANTILES) - 1, examples), -1, np.int64)
    values = np.zeros(frames.shape, np.float32)
    for one in range(n_latents):
        n = int(starts[one + 1] - starts[one])
        cuts = np.round(np.array(QUANTILES) * n).astype(int)
        for part, (low, high) in enumerate(pairwise(cuts.tolist())):
            some = starts[one] + low + np.sort(rng.permutation(high - low)[:examples])
            frames[one, part, : len(some)], values[one, part, : len(some)] = frame[some], value[some]
    return frames, values
