"""Which frames of a cache the pages of latents show, each once, and their pictures.

When to use: `site.py` does. A latent shows its top frames and those of each quantile; a frame that is both, or that
several latents show, is read and encoded once.

    shown = shown_frames(survey)
    shown.rows                       # of the cache, in order
    shown.of(7)                      # pairs of latent 7: the same order as its pictures
    shown.top[7], shown.quantiles[7] # places among the latent's own pictures, -1 for none

Cost: one read of the cache's frames. They go to a file, so that memory is that of a block.

Axes: `latent`, `row` different frames, `pair` a latent and a frame that it shows, by latent and then as first named;
`rank`, `quantile`, `example` as in `procscope.saes.survey`.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.saes.survey import LatentSurvey


@dataclass(frozen=True, eq=False)
class ShownFrames:
    """Frames by row of the cache, and who shows them."""

    rows: Int64[np.ndarray, " row"]
    pair_latent: Int64[np.ndarray, " pair"]
    pair_row: Int64[np.ndarray, " pair"]
    """Place among `rows`."""
    pair_value: Float32[np.ndarray, " pair"]
    """The latent's activation in the frame, as the survey found it."""
    starts: Int64[np.ndarray, " bound"]
    """First pair of each latent, and the number of pairs."""
    top: Int64[np.ndarray, "latent rank"]
    """Places among the latent's own pairs; -1 for none."""
    quantiles: Int64[np.ndarray, "latent quantile example"]

    def of(self, latent: int) -> slice:
        """The pairs of a latent."""
        return slice(int(self.starts[latent]), int(self.starts[latent + 1]))

    def by_row(self) -> tuple[Int64[np.ndarray, " pair"], Int64[np.ndarray, " bound"]]:
        """All pairs in the order of their rows, and where each row's begin."""
        order = np.argsort(self.pair_row, kind="stable")
        return order, np.searchsorted(self.pair_row[order], np.arange(len(self.rows) + 1))


def shown_frames(survey: LatentSurvey) -> ShownFrames:
    """What a survey named."""
    n_latents, n_top = survey.top_frames.shape
    named = np.concatenate([survey.top_frames, survey.quantile_frames.reshape(n_latents, -1)], axis=1)
    values = np.concatenate([survey.top_values, survey.quantile_values.reshape(n_latents, -1)], axis=1)
    latent, slot = np.nonzero(named >= 0)
    code = latent * survey.n_frames + named[latent, slot]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    by_first = np.argsort(
        first, kind="stable"
    )  # a latent's codes are together, so this is by latent and then by slot
    pair_of_code = np.empty_like(by_first)
    pair_of_code[by_first] = np.arange(len(by_first))
    kept = first[by_first]
    pair_latent, frames = latent[kept], named[latent, slot][kept]
    rows, pair_row = np.unique(frames, return_inverse=True)
    starts = np.searchsorted(pair_latent, np.arange(n_latents + 1))
    places = np.full(named.shape, -1, np.int64)
    places[latent, slot] = pair_of_code[inverse.reshape(-1)] - starts[latent]
    return ShownFrames(
        rows,
        pair_latent,
        pair_row.reshape(-1),
        values[latent, slot][kept],
        starts,
        places[:, :n_top],
        places[:, n_top:].reshape(survey.quantile_frames.shape),
    )


def read_frames(
    cache: ActivationCache, rows: Int64[np.ndarray, " row"], file: Path, *, progress: bool = False
) -> UInt8[np.ndarray, "row height width rgb"]:
    """Their pictures, in a file of that name; several frames of one observation lie side by side."""
    shape = as_rgb(np.asarray(cache.frames[:1])).shape[1:]
    pictures = np.lib.format.open_memmap(file, "w+", np.uint8, (len(rows), *shape))
    parts = blocks_of(cache, rows)
    for places in tqdm(parts, desc="frames", unit="block", disable=None if progress else True):
        pictures[places] = as_rgb(np.asarray(cache.frames.oindex[rows[places]]))
    return pictures


def blocks_of(cache: ActivationCache, rows: Int64[np.ndarray, " row"]) -> list[slice]:
    """The rows of each block of the cache that has some, as slices of sorted `rows`."""
    block = rows // cache.spec.block_frames
    bounds = np.flatnonzero(np.diff(block, prepend=-1, append=block[-1] + 1)).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def as_rgb(
    frames: UInt8[np.ndarray, "frame height width channel"],
) -> UInt8[np.ndarray, "frame height panels_width 3"]:
    """RGB pictures: of six channels the two frames side by side; if no multiple of three, each channel in grey."""
    n, height, width, channels = frames.shape
    depth = 3 if channels % 3 == 0 else 1
    panels = frames.reshape(n, height, width, channels // depth, depth).swapaxes(2, 3)
    return np.broadcast_to(panels.reshape(n, height, -1, depth), (n, height, width * (channels // depth), 3))
