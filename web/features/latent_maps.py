"""The latents' values in the frames that are shown: their maps, and whether they are still what was measured.

When to use: `site.py` does. The activations of the shown frames are read and encoded once more; at a hook point with a
map each latent's positions are its heat map. The largest of each frame must be the value that the survey named, which
tells a changed cache, or measurements of another autoencoder, before a page is made of them.

Cost: an encoding of the frames shown, of a map nearly that of the survey. Memory: 64 MB of latents at a time, and a
byte a position of each heat map.

Axes: `pair`, `row` as in `shown_frames.py`; `position` of a map.
"""

import numpy as np
import torch
from jaxtyping import Float32
from tqdm import tqdm

from procscope.activations.cache import ActivationCache
from procscope.saes.labels import looks_at
from procscope.saes.sae import samples_of
from procscope.web.features.heat import HeatMaps, quantised
from procscope.web.features.inputs import SiteInputs
from procscope.web.features.shown_frames import ShownFrames, blocks_of

_LATENTS_AT_ONCE = 2**24
TOLERANCE = 0.01
"""Relative; a value that is further off is another value."""
SHARE_OFF = 0.02
"""Of the pairs: a few may lie at the edge of a top-k, and come out otherwise on another machine."""


def latent_maps(inputs: SiteInputs, shown: ShownFrames, *, progress: bool = False) -> HeatMaps | None:
    """The heat maps of a hook point with a map; None at a vector, which is checked alike.

    Raises ValueError: the values are not those that were measured.
    """
    cache, latents = inputs.cache, inputs.latents
    shape = tuple(cache.activations(latents.hook_point).shape[2:])
    order, bounds = shown.by_row()
    found = np.zeros(len(shown.pair_row), np.float32)
    maps = np.zeros((len(found), *shape), np.int8) if shape else None
    maximum = latents.survey.maximum
    blocks = tqdm(
        blocks_of(cache, shown.rows), desc="latents", unit="block", disable=None if progress else True
    )
    for block in blocks:
        for part in _parts(block, inputs.trained.sae.n_latents * int(np.prod(shape))):
            pairs = order[bounds[part.start] : bounds[part.stop]]
            latent = shown.pair_latent[pairs]
            values = _encoded(inputs, shown.rows[part], shown.pair_row[pairs] - part.start, latent)
            found[pairs] = values.max(axis=1)
            if maps is not None:
                maps[pairs] = quantised(values.reshape(-1, *shape), maximum[latent])
    _require_unchanged(found, shown, cache)
    if maps is None:
        return None
    return HeatMaps("activation", latents.hook_point, maps, maximum, looks_at(cache, shape))


def _parts(block: slice, latents_per_frame: int) -> list[slice]:
    step = max(1, _LATENTS_AT_ONCE // latents_per_frame)
    return [slice(at, min(at + step, block.stop)) for at in range(block.start, block.stop, step)]


@torch.inference_mode()
def _encoded(
    inputs: SiteInputs, rows: np.ndarray, row_of_pair: np.ndarray, latent_of_pair: np.ndarray
) -> Float32[np.ndarray, "pair position"]:
    sae = inputs.trained.sae
    array = inputs.cache.activations(inputs.latents.hook_point)
    values = torch.from_numpy(np.asarray(array.oindex[rows])).float()
    latents = sae.encode(samples_of(values).to(sae.b_enc.device)).cpu()
    by_frame = latents.reshape(len(rows), -1, sae.n_latents)
    return by_frame[torch.from_numpy(row_of_pair), :, torch.from_numpy(latent_of_pair)].numpy()


def _require_unchanged(
    found: Float32[np.ndarray, " pair"], shown: ShownFrames, cache: ActivationCache
) -> None:
    off = np.abs(found - shown.pair_value) > TOLERANCE * np.maximum(np.abs(shown.pair_value), 1e-6)
    if off.mean() > SHARE_OFF:
        worst = int(np.flatnonzero(off)[0])
        raise ValueError(
            f"expected the activations that were measured; {off.mean():.0%} of the values found in {cache.path} are "
            f"others, such as latent {shown.pair_latent[worst]} in frame {shown.rows[shown.pair_row[worst]]}: measured "
            f"{shown.pair_value[worst]:.4g}, now {found[worst]:.4g}. The cache or the autoencoder was changed since: "
            "remove the measurements and measure again with --cache"
        )
