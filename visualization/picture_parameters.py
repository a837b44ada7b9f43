"""What is optimised in place of a picture's bytes: pixels, its spectrum, or a bounded change of a given frame.

    Pixels((3, 64, 64))                             each pixel for itself
    Fourier((3, 64, 64))                            its discrete Fourier transform, low frequencies weighted up
    Fourier((3, 64, 64), colours=Colours.of(frames))  the same, in colours that do not come together in those frames
    FrameChange(frames, bound=0.1)                  given pictures, each number changed by 0.1 at most

The first two go through a sigmoid, so that every picture lies between 0 and 1, and begin near grey, or near the
environment's mean colour. A spectrum reaches the same pictures as pixels do; gradient ascent in it changes broad
patches as easily as single pixels, which gives pictures less high-frequency noise. Frame pairs are pictures of six
channels.

*Slope*: log-odds reach 20 and more, where a sigmoid has no slope left: a pixel that overshot (at an edge, from the
noise of the start) would stay wrong for ever, as 3% to 8% of a linear unit's did. So the gradient of a pixel on the
wrong side of grey, one that would have to go back, is taken with a slope of 0.1 at least. Its sign stays what it was,
so that where the ascent comes to rest is not changed. Lucid takes the sigmoid's own slope (`least_slope=0`).

Levels, which the engine draws, are searched instead: `exciting_levels.py`.

Source: Lucid's `pixel_image` and `fft_image`, with its standard deviations and weights (Olah et al. 2017); the frame
plus its change is the dissertation's dataset-seeded visualisation (S0, section 5.4), which has no bound.

Axes: `picture`, `channel`, `row`, `col`, `row_frequency` and `col_frequency` of the spectrum.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from procscope.visualization.colours import Colours

START_DEVIATION = 0.01
LOUDEST_DEVIATION = 1.0
"""Of new beginnings where nothing moved."""
LEAST_SLOPE = 0.1
"""Of log-odds on the wrong side; the sigmoid's slope is 0.25 at most."""


class PictureParameters(ABC):
    """How numbers become pictures of one shape."""

    shape: tuple[int, int, int]
    """Channels, rows, columns."""

    @abstractmethod
    def start(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers to begin `count` pictures with, first axis `picture`. Raises ValueError: it has other pictures."""

    @abstractmethod
    def pictures(self, numbers: Tensor) -> Float[Tensor, "picture channel row col"]:
        """The pictures, between 0 and 1."""

    def project(self, numbers: Tensor) -> None:  # noqa: B027 (most have no edge)
        """Bring numbers that left what is allowed back to its edge, in place; called after each step."""

    def louder(self, times: int) -> "PictureParameters":
        """Those that begin with more contrast, doubled so many times up to full; given frames stay as they are."""
        return self

    def part(self, pictures: slice) -> "PictureParameters":
        """The parameters of some of the pictures."""
        return self


@dataclass(frozen=True)
class _LogOdds(PictureParameters):
    """Pictures that are the sigmoid of log-odds."""

    shape: tuple[int, int, int]
    start_deviation: float = START_DEVIATION
    """Standard deviation of the numbers at the start."""
    colours: Colours | None = None
    """Mixes the three colours of each frame after the optimiser; None leaves red, green and blue as they are."""
    least_slope: float = LEAST_SLOPE
    """Of the sigmoid, for pixels that would have to go back across grey."""

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"expected a shape (channels, rows, columns) of 1 up, given {self.shape}")
        if not self.start_deviation > 0:
            raise ValueError(f"expected a start deviation above 0, given {self.start_deviation}")
        if self.colours is not None and self.shape[0] % 3:
            raise ValueError(
                f"expected pictures of 3 channels a frame, to mix their colours; given {self.shape[0]} channels. "
                "Leave `colours` out"
            )

    def louder(self, times: int) -> "_LogOdds":
        loud = min(self.start_deviation * 2**times, LOUDEST_DEVIATION)
        return replace(self, start_deviation=max(self.start_deviation, loud))

    def _shown(self, values: Float[Tensor, "picture channel row col"]) -> Tensor:
        log_odds = values if self.colours is None else self.colours.mixed(values)
        return _Squashed.apply(log_odds, self.least_slope)  # pyright: ignore[reportReturnType]


class _Squashed(torch.autograd.Function):
    """A sigmoid with at least some slope for those log-odds whose descent goes back across 0."""

    @staticmethod
    def forward(ctx, log_odds: Tensor, least: float) -> Tensor:
        shown = log_odds.sigmoid()
        ctx.save_for_backward(log_odds, shown)
        ctx.least = least
        return shown

    @staticmethod
    def backward(ctx, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        log_odds, shown = ctx.saved_tensors
        slope = shown * (1 - shown)
        back = gradient * log_odds > 0
        return gradient * torch.where(back, slope.clamp(min=ctx.least), slope), None


@dataclass(frozen=True)
class Pixels(_LogOdds):
    """Each pixel's log-odds."""

    def start(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture channel row col"]:
        return self.start_deviation * torch.randn(count, *self.shape, generator=generator)

    def pictures(
        self, numbers: Float[Tensor, "picture channel row col"]
    ) -> Float[Tensor, "picture channel row col"]:
        return self._shown(numbers)


@dataclass(frozen=True)
class Fourier(_LogOdds):
    """Real and imaginary parts of the log-odds' spectrum, each divided by its frequency."""

    def start(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "picture channel row_frequency col_frequency 2"]:
        channels, rows, cols = self.shape
        return self.start_deviation * torch.randn(
            count, channels, rows, cols // 2 + 1, 2, generator=generator
        )

    def pictures(
        self, numbers: Float[Tensor, "picture channel row_frequency col_frequency 2"]
    ) -> Float[Tensor, "picture channel row col"]:
        _, rows, cols = self.shape
        frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(cols)[None])
        weight = (rows * cols) ** 0.5 / frequency.clamp(min=1 / max(rows, cols)) / 4
        spectrum = torch.view_as_complex(numbers.contiguous()) * weight.to(numbers.device)
        return self._shown(torch.fft.irfft2(spectrum, s=(rows, cols)))


@dataclass(frozen=True, eq=False)
class FrameChange(PictureParameters):
    """Given pictures plus a change, which after each step is cut to the bound, and the sum to 0..1.

    Raises ValueError: values outside 0..1, or a bound that is not above 0.
    """

    frames: Float[Tensor, "picture channel row col"]
    """Between 0 and 1, one for each picture."""
    bound: float = 1.0
    """Most that any number changes; 1 lets the picture become any other."""

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or not (self.frames.min() >= 0 and self.frames.max() <= 1):
            raise ValueError(
                "expected frames [picture, channel, row, col] of values from 0 to 1; given shape "
                f"{tuple(self.frames.shape)}, values from {self.frames.min():g} to {self.frames.max():g}. Divide by 255"
            )
        if not 0 < self.bound <= 1:
            raise ValueError(f"expected a bound above 0 and at most 1, given {self.bound}")

    @property
    def shape(self) -> tuple[int, int, int]:  # pyright: ignore[reportIncompatibleVariableOverride]
        channels, rows, cols = self.frames.shape[1:]
        return channels, rows, cols

    def start(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture channel row col"]:
        if count != len(self.frames):
            raise ValueError(
                f"expected a frame to begin with for each of {count} pictures, given {len(self.frames)}"
            )
        return torch.zeros_like(self.frames)

    def pictures(
        self, numbers: Float[Tensor, "picture channel row col"]
    ) -> Float[Tensor, "picture channel row col"]:
        return self.frames.to(numbers.device) + numbers

    @torch.no_grad()
    def project(self, numbers: Tensor) -> None:
        frames = self.frames.to(numbers.device)
        numbers.clamp_(-self.bound, self.bound)
        numbers.copy_((frames + numbers).clamp(0, 1) - frames)

    def part(self, pictures: slice) -> "FrameChange":
        return replace(self, frames=self.frames[pictures])
