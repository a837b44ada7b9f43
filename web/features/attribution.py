"""Where in the frame a latent of a layer without a map gets its value from.

When to use: `site.py` does, for hook points such as `fc`. Each position of the last map before the hook point gets

    sum over channels of  a[channel, row, col] x d latent / d a[channel, row, col]

with the latent before its activation function, so that one cut by a top-k has it, too. Between the map and the hook
point the networks here are linear but for ReLUs: then these numbers and the biases add up to the latent's value
exactly. What lies before the map is not asked: a position of a late map sees much of the frame.

Source: gradient x input (Shrikumar et al. 2016, arXiv:1605.01713), at a hidden layer.
Cost: a forward pass for each frame shown, and of the layers after the map one, forward and back, for each pair.

Axes: `pair` as in `shown_frames.py`, `shown` some of its rows; `row col` of the map.
"""

import numpy as np
import torch
from jaxtyping import Float32, Int64, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from procscope.activations.capture import evaluation_mode
from procscope.activations.forward import to_input
from procscope.activations.hooks import HookedNetwork, HookPoint
from procscope.activations.memory import is_recurrent
from procscope.saes.labels import looks_at
from procscope.saes.sae import Sae
from procscope.web.features.heat import HeatMaps, quantised
from procscope.web.features.inputs import SiteInputs
from procscope.web.features.shown_frames import ShownFrames, blocks_of

_FRAMES_AT_ONCE = 64


def attribution_maps(inputs: SiteInputs, shown: ShownFrames, *, progress: bool = False) -> HeatMaps:
    """The heat maps of a hook point without a map.

    Raises ValueError: there is no network, or it cannot be asked: a recurrent one, one without hook points of its own,
    or without a map before this one.
    """
    network, hook_point = _askable(inputs.network), inputs.latents.hook_point
    frames = inputs.cache.frames
    map_point = map_before(network, np.asarray(frames[:1]), hook_point)
    order, bounds = shown.by_row()
    values: np.ndarray | None = None
    n_parts = sum(
        -(-(part.stop - part.start) // _FRAMES_AT_ONCE) for part in blocks_of(inputs.cache, shown.rows)
    )
    with tqdm(total=n_parts, desc="heat maps", unit="batch", disable=None if progress else True) as bar:
        for block in blocks_of(inputs.cache, shown.rows):
            pictures = np.asarray(frames.oindex[shown.rows[block]])
            for at in range(block.start, block.stop, _FRAMES_AT_ONCE):
                stop = min(at + _FRAMES_AT_ONCE, block.stop)
                pairs = order[bounds[at] : bounds[stop]]
                found = attribute_latents(
                    network,
                    pictures[at - block.start : stop - block.start],
                    (map_point, hook_point),
                    inputs.trained.sae,
                    shown.pair_row[pairs] - at,
                    shown.pair_latent[pairs],
                )
                if values is None:
                    values = np.empty((len(order), *found.shape[1:]), np.float32)
                values[pairs] = found
                bar.update()
    assert values is not None
    scale = np.zeros(inputs.latents.n_latents, np.float32)
    np.maximum.at(scale, shown.pair_latent, np.abs(values).max(axis=(1, 2)))
    center = looks_at(inputs.cache, values.shape[1:])
    return HeatMaps("attribution", map_point, quantised(values, scale[shown.pair_latent]), scale, center)


def attribute_latents(
    network: HookedNetwork,
    frames: UInt8[np.ndarray, "shown height width channel"],
    points: tuple[str, str],
    sae: Sae,
    row_of_pair: Int64[np.ndarray, " pair"],
    latent_of_pair: Int64[np.ndarray, " pair"],
) -> Float32[np.ndarray, "pair row col"]:
    """What each position of a map adds to latents of a later hook point.

    Args:
        points: the map, and the hook point that the autoencoder reads.
    """
    device = next(network.parameters()).device
    rows = torch.from_numpy(row_of_pair).to(device)
    latent = torch.from_numpy(latent_of_pair)[:, None].to(device)
    kept: dict[str, Tensor] = {}

    def widen(activation: Tensor, /, *, hook: HookPoint) -> Tensor:
        kept["map"] = activation.detach()[rows].requires_grad_()
        return kept["map"]

    def read(activation: Tensor, /, *, hook: HookPoint) -> None:
        kept["read"] = activation

    with (
        torch.enable_grad(),
        evaluation_mode(network),
        network.hooks([(points[0], widen), (points[1], read)]),
    ):
        network(to_input(frames, device))
        said = sae.pre_activations(kept["read"]).gather(1, latent).sum()
        (gradient,) = torch.autograd.grad(said, kept["map"])
    return (gradient * kept["map"].detach()).sum(dim=1).float().cpu().numpy()


@torch.inference_mode()
def map_before(
    network: HookedNetwork, frame: UInt8[np.ndarray, "1 height width channel"], hook_point: str
) -> str:
    """The last hook point with maps that is passed before another one. Raises ValueError: there is none."""
    passed: list[tuple[str, int]] = []

    def note(activation: Tensor, /, *, hook: HookPoint) -> None:
        passed.append((hook.name or "", activation.ndim))

    device = next(network.parameters()).device
    with evaluation_mode(network), network.hooks([(lambda name: True, note)]):
        network(to_input(frame, device))
    names = [name for name, _ in passed]
    if hook_point not in names:
        raise ValueError(f"the network never comes to {hook_point!r}")
    before = [name for name, n_axes in passed[: names.index(hook_point)] if n_axes == 4]
    if not before:
        raise ValueError(f"the network has no map before {hook_point!r}")
    return before[-1]


def _askable(network: nn.Module | None) -> HookedNetwork:
    if network is None:
        raise ValueError("the network is not known")
    if not isinstance(network, HookedNetwork) or not network.hook_points():
        raise ValueError(f"{type(network).__name__} names no hook points")
    if is_recurrent(network):
        raise ValueError("a recurrent network's latents rest on earlier frames, too")
    return network
