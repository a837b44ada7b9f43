"""What a latent does to the choice of an action: the reconstruction spliced in, with the latent and without it.

When to use: to say what a feature encourages and discourages, for tables and pages (S1.feature-effect).

    effects = latent_effects(network, frames_of, "fc", sae, survey.top_frames)
    effects.mean[7]                    # by action: above 0 is encouraged
    effects.sign_consistency()[7]      # share of frames whose effect has the mean's sign, over actions

For a frame and an action: what the network says with the reconstruction, less what it says with the reconstruction
without that latent, less the mean of this over actions (which changes no choice). Of a policy, logits; of a Q network,
action values. A latent's effect is the mean over the frames given for it, such as its top frames, one an episode.

Source: S1.feature-effect, whose author takes the untouched network in place of the reconstruction.
Cost: a pass through the layers after the hook point for each latent and frame.

Axes: `latent`, `example` a frame given for it, `action`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int, UInt8
from torch import Tensor, nn
from tqdm import tqdm

from procscope.activations.capture import capture
from procscope.interventions.patch import Patch
from procscope.interventions.row_forward import RowForward
from procscope.interventions.rows import Rows
from procscope.saes.sae import Sae, maps_of, samples_of

_LATENTS_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class LatentEffects:
    """What each latent does to each action."""

    by_frame: Float32[np.ndarray, "latent example action"]
    """NaN where no frame was given."""

    @property
    def mean(self) -> Float64[np.ndarray, "latent action"]:
        """Over a latent's frames; NaN for one without frames."""
        counts = (~np.isnan(self.by_frame[:, :, :1])).sum(axis=1)
        sums = np.nan_to_num(self.by_frame).astype(np.float64).sum(axis=1)
        with np.errstate(invalid="ignore"):
            return sums / np.where(counts > 0, counts, np.nan)

    def sign_consistency(self) -> Float64[np.ndarray, " latent"]:
        """Share of frames and actions in which the effect has the sign of the mean; NaN without frames."""
        there = ~np.isnan(self.by_frame)
        with np.errstate(invalid="ignore"):
            same = (np.sign(self.by_frame) == np.sign(self.mean)[:, None, :]) & there
            return same.sum(axis=(1, 2)) / np.where(there.any(axis=(1, 2)), there.sum(axis=(1, 2)), np.nan)


FramesOf = Callable[[Int[np.ndarray, " frame"]], UInt8[np.ndarray, "frame row col rgb"]]
"""From rows of a cache to the pictures."""


def latent_effects(
    network: nn.Module,
    frames_of: FramesOf,
    hook_point: str,
    sae: Sae,
    examples: Int[np.ndarray, "latent example"],
    *,
    progress: bool = False,
) -> LatentEffects:
    """The effect of every latent in frames of its own.

    Args:
        network: the one that the autoencoder was trained on.
        frames_of: brings pictures by their rows in increasing order, such as
            `lambda rows: np.asarray(cache.frames.oindex[rows])`.
        examples: rows of frames for each latent, -1 for none.
        progress: show a bar.

    Raises ValueError: a network without logits; a hook point that it has not, or with other inputs than the
    autoencoder's; no examples at all.
    """
    if not (examples >= 0).any():
        raise ValueError("expected at least one frame in which a latent is active; all latents are dead")
    found: np.ndarray | None = None
    starts = range(0, len(examples), _LATENTS_AT_ONCE)
    for start in tqdm(starts, desc="effects", disable=None if progress else True):
        part = examples[start : start + _LATENTS_AT_ONCE]
        latent, place = np.nonzero(part >= 0)
        if not len(latent):
            continue
        rows, frame_of = np.unique(part[latent, place], return_inverse=True)
        outputs = _with_and_without(
            network, frames_of(rows), hook_point, sae, frame_of.reshape(-1), start + latent
        )
        change = outputs[: len(rows)][frame_of.reshape(-1)] - outputs[len(rows) :]
        if found is None:
            found = np.full((*examples.shape, change.shape[1]), np.nan, np.float32)
        found[start + latent, place] = change - change.mean(axis=1, keepdims=True)
    assert found is not None
    return LatentEffects(found)


def effects_of_activations(
    network: nn.Module,
    activation: Float32[np.ndarray, "state input ..."],
    any_frame: UInt8[np.ndarray, "1 row col rgb"],
    hook_point: str,
    sae: Sae,
    state_of: Int[np.ndarray, " pair"],
    latent: Int[np.ndarray, " pair"],
) -> Float32[np.ndarray, "pair action"]:
    """The effects of latents in states of which the activation is known and the picture is not.

    Only for a hook point that everything later depends on by nothing else, such as `fc1` of the Ms. Pac-Man network;
    then the picture that is run does not matter.

    Args:
        any_frame: what is run.
        state_of, latent: the pairs.
    """
    values = _values(torch.from_numpy(activation), sae, state_of, latent)
    read = _outputs(network, any_frame, hook_point, values, np.zeros(len(values), np.int64))
    change = read[: len(activation)][state_of] - read[len(activation) :]
    return change - change.mean(axis=1, keepdims=True)


@torch.inference_mode()
def _values(
    activation: Tensor, sae: Sae, frame_of: Int[np.ndarray, " pair"], latent: Int[np.ndarray, " pair"]
) -> Float32[np.ndarray, "passed input ..."]:
    """The reconstruction of each frame, and then of each pair without its latent."""
    activation = activation.float().to(sae.b_enc.device)
    positions = tuple(activation.shape[2:])
    latents = sae.encode(samples_of(activation))
    whole = maps_of(sae.decode(latents), positions)
    of_pair = maps_of(latents, positions)[torch.from_numpy(frame_of), torch.from_numpy(latent)]
    shape = (-1, sae.n_inputs, *(1 for _ in positions))
    # Decoding is linear: without the latent is less what it adds.
    added = of_pair[:, None] * sae.directions()[torch.from_numpy(latent)].reshape(shape)
    return torch.cat([whole, whole[torch.from_numpy(frame_of)] - added]).cpu().numpy()


def _outputs(
    network: nn.Module,
    frames: UInt8[np.ndarray, "frame row col rgb"],
    hook_point: str,
    values: Float32[np.ndarray, "passed input ..."],
    frame_of_row: Int[np.ndarray, " passed"],
) -> Float32[np.ndarray, "passed action"]:
    """What the network says with values of its hook point's activation."""
    forward = RowForward(network, [(Patch.of(values, hook_point, per_frame=True),)], frames)
    n_rows = len(frame_of_row)
    read = forward.read(frames, frame_of_row, np.zeros(n_rows, np.int64), Rows(np.arange(n_rows)))
    if read.logits is None:
        raise ValueError(
            f"expected a network with logits or action values; {type(network).__name__} gives neither"
        )
    return read.logits


def _with_and_without(
    network: nn.Module,
    frames: UInt8[np.ndarray, "frame row col rgb"],
    hook_point: str,
    sae: Sae,
    frame_of: Int[np.ndarray, " pair"],
    latent: Int[np.ndarray, " pair"],
) -> Float32[np.ndarray, "passed action"]:
    """Outputs with the reconstruction of each frame, and then of each pair without its latent."""
    captured = capture(network, frames, [hook_point], dtype="float32").activations[hook_point]
    values = _values(torch.from_numpy(captured), sae, frame_of, latent)
    return _outputs(network, frames, hook_point, values, np.concatenate([np.arange(len(frames)), frame_of]))
