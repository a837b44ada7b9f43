"""What is optimised in place of the picture's bytes: pixels, or the picture's spectrum.

    Pixels((3, 64, 64))       each pixel for itself
    Fourier((3, 64, 64))      its discrete Fourier transform, low frequencies weighted up

Both go through a sigmoid, so that every picture lies between 0 and 1, and both begin near grey. A spectrum reaches the
same pictures as pixels do; gradient ascent in it changes broad patches as easily as single pixels, which gives pictures
less high-frequency noise.

Source: Lucid's `pixel_image` and `fft_image`, with its standard deviations and weights (Olah et al. 2017).

Axes: `picture`, `channel`, `row`, `col`, `row_frequency` and `col_frequency` of the spectrum.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

START_DEVIATION = 0.01


@dataclass(frozen=True)
class PictureParameters(ABC):
    """How numbers become pictures of one shape. Raises ValueError: a shape that is no picture's."""

    shape: tuple[int, int, int]
    """Channels, rows, columns."""

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ValueError(f"expected a shape (channels, rows, columns) of 1 up, given {self.shape}")

    @abstractmethod
    def start(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers that give `count` pictures of faint noise around grey, first axis `picture`."""

    @abstractmethod
    def pictures(self, numbers: Tensor) -> Float[Tensor, "picture channel row col"]:
        """The pictures, between 0 and 1."""


@dataclass(frozen=True)
class Pixels(PictureParameters):
    """Each pixel's log-odds."""

    def start(self, count: int, generator: torch.Generator) -> Float[Tensor, "picture channel row col"]:
        return START_DEVIATION * torch.randn(count, *self.shape, generator=generator)

    def pictures(
        self, numbers: Float[Tensor, "picture channel row col"]
    ) -> Float[Tensor, "picture channel row col"]:
        return numbers.sigmoid()


@dataclass(frozen=True)
class Fourier(PictureParameters):
    """Real and imaginary parts of the log-odds' spectrum, each divided by its frequency."""

    def start(
        self, count: int, generator: torch.Generator
    ) -> Float[Tensor, "picture channel row_frequency col_frequency 2"]:
        channels, rows, cols = self.shape
        return START_DEVIATION * torch.randn(count, channels, rows, cols // 2 + 1, 2, generator=generator)

    def pictures(
        self, numbers: Float[Tensor, "picture channel row_frequency col_frequency 2"]
    ) -> Float[Tensor, "picture channel row col"]:
        _, rows, cols = self.shape
        frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(cols)[None])
        weight = (rows * cols) ** 0.5 / frequency.clamp(min=1 / max(rows, cols)) / 4
        spectrum = torch.view_as_complex(numbers.contiguous()) * weight.to(numbers.device)
        return torch.fft.irfft2(spectrum, s=(rows, cols)).sigmoid()
