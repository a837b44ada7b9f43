"""What the analysis `sae` finds."""

from dataclasses import dataclass

from procscope.saes.latents import LatentMeasurements
from procscope.saes.reconstruction import Reconstruction
from procscope.saes.sae import TrainedSae
from procscope.saes.spliced import SplicedFrames, SplicedPlay


@dataclass(frozen=True, eq=False)
class SaeResult:
    """Everything that was measured of one autoencoder; None for what could not be."""

    trained: TrainedSae
    reconstruction: Reconstruction
    latents: LatentMeasurements
    on_frames: SplicedFrames | None
    in_play: SplicedPlay | None
    missing: dict[str, str]
    """From part to reason."""
