"""A probe's direction as a handle on behaviour: steps of natural size along it, matched controls, and an eraser.

When to use: to ask whether a network obeys what a probe reads. A step of a direction is one natural standard deviation
of the activations along it, so that directions of different layers and targets are pushed equally hard.

    step = natural_step(probe.pattern, covariance)       # of what is read: squares, channels or units
    same_length(other_direction, step), random_step(step, rng)
    on_map(reading, step, (32, 16, 16))                  # what `Steer` adds
    eraser(hook_point, reading, statistics, (32, 16, 16))

`on_map` and `eraser` act on the whole activation although the probe reads means over squares: all positions of a square
move alike, which moves its mean by as much.

Axes: `dimension` what a probe reads of a sample.
"""

import numpy as np
from jaxtyping import Float, Float32, Float64

from procscope.interventions.concept_erasure import ConceptStatistics, leace_eraser
from procscope.interventions.erase import Erase
from procscope.probes.moments import Centred
from procscope.probes.reading import Reading


def natural_step(
    direction: Float64[np.ndarray, " dimension"], covariance: Float64[np.ndarray, "dimension dimension"]
) -> Float64[np.ndarray, " dimension"]:
    """One standard deviation of the activations along a direction.

    Raises ValueError: a direction of zeros, or one along which nothing varies.
    """
    length = float(np.linalg.norm(direction))
    unit = direction / length if length > 0 else direction
    variance = float(unit @ covariance @ unit)
    if not variance > 0:
        raise ValueError(
            f"expected a direction along which activations vary; given one of length {length:.3g} with variance "
            f"{variance:.3g}. A probe of zeros has none: ask for less ridge, or for another target"
        )
    return unit * np.sqrt(variance)


def same_length(
    direction: Float64[np.ndarray, " dimension"], step: Float64[np.ndarray, " dimension"]
) -> Float64[np.ndarray, " dimension"]:
    """Another direction with the length of a step. Raises ValueError: a direction of zeros."""
    length = float(np.linalg.norm(direction))
    if length == 0:
        raise ValueError("expected a direction to give a length to, given zeros")
    return direction * (float(np.linalg.norm(step)) / length)


def random_step(
    step: Float64[np.ndarray, " dimension"], rng: np.random.Generator
) -> Float64[np.ndarray, " dimension"]:
    """A random direction, each as likely, with the length of a step."""
    return same_length(rng.normal(size=step.shape), step)


def covariance_of(sums: Centred) -> Float64[np.ndarray, "dimension dimension"]:
    """Of the samples that probes were fitted to."""
    return sums.xx / sums.n


def on_map(
    reading: Reading, step: Float[np.ndarray, " dimension"], of_frame: tuple[int, ...]
) -> Float32[np.ndarray, "..."]:
    """A step put back where it was read, as an activation of shape [*of_frame]."""
    return reading.spread(step, of_frame).astype(np.float32)


def eraser(
    hook_point: str, reading: Reading, statistics: ConceptStatistics, of_frame: tuple[int, ...]
) -> Erase:
    """Least-squares concept erasure of what is read: afterwards no linear probe of the same reading finds the concept.

    A reading of each position is erased at every position.

    Raises ValueError: as `leace_eraser`; a reading of one position.
    """
    if reading.kind == "position":
        raise ValueError(f"expected a reading of the whole map, given position {reading}")
    found = leace_eraser(statistics)
    if reading.kind in ("each-position", "flat") or len(of_frame) == 1:
        return Erase(hook_point, read=found.read, into=found.into, center=found.center)
    each = reading.positions_each(of_frame)

    def lifted(columns: np.ndarray) -> np.ndarray:
        return np.stack([reading.spread(one, of_frame).reshape(-1) for one in columns.T], axis=1)

    return Erase(
        hook_point,
        read=lifted(found.read) / each,
        into=lifted(found.into),
        center=reading.spread(found.center, of_frame).reshape(-1),
    )
