"""Boards of bits: the Game of Life on 64 boards at a time, one bit of a 64-bit word for each.

When: `Life` makes its sequences with it; use it directly for long runs of many boards, on a CPU or a GPU.

    words = pack(boards)                      # 4,096 boards of 16x16: 0.28 ms on one core
    stepped = Stepper(words, "torus")
    words = stepped(words)                    # 0.2 ms: some 90 times a NumPy version with `np.roll`
    boards = unpack(words, n)                 # 0.3 ms

Neighbours lie in other words, so that no bit is ever shifted: the eight of a cell are added up for 64 boards at once,
with full adders made of the processor's own and, or and exclusive or, 19 of them for each step and word. A cell lives
on if that sum is 3, or if it is 2 and it was alive.

Source: the rule is Conway's (Gardner 1970, Scientific American 223(4):120). Axes: `board`; `row col` cells; `word`
groups of 64 boards, of which board i is bit i % 64 of word i // 64.
"""

from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from procscope.imagination.borders import check_border

WORD_BITS = 64

Words = Int64[Tensor, "row col word"]


def pack(boards: UInt8[Tensor, "board row col"]) -> Words:
    """Boards of 0 and 1 as words; the bits of boards that are missing in the last word are 0."""
    n, rows, columns = boards.shape
    padded = -(-n // WORD_BITS) * WORD_BITS
    if padded > n:
        boards = torch.cat([boards, boards.new_zeros(padded - n, rows, columns)])
    places = torch.arange(8, dtype=torch.uint8, device=boards.device)[:, None]
    octets = (boards.reshape(padded // 8, 8, rows * columns) << places).sum(1, dtype=torch.uint8)
    return octets.t().reshape(-1).view(torch.int64).view(rows, columns, padded // WORD_BITS)


def unpack(words: Words, n: int) -> UInt8[Tensor, "board row col"]:
    """The first `n` boards."""
    rows, columns, groups = words.shape
    octets = words.reshape(rows * columns, groups).view(torch.uint8).t().contiguous()
    places = torch.arange(8, dtype=torch.uint8, device=words.device)[:, None]
    return ((octets[:, None] >> places) & 1).view(groups * WORD_BITS, rows, columns)[:n]


class Stepper:
    """Steps boards of one shape; keeps the memory that a step needs, which would take as long to get as the step.

    On a CPU the operations are NumPy's, on the tensors' own memory: they are the same, and are called in a tenth of
    the time.

    Raises ValueError: an unknown border.
    """

    def __init__(self, like: Words, border: str) -> None:
        check_border(border)
        self._border, self._shape = border, like.shape
        self._on_cpu = like.device.type == "cpu"
        rows, columns, groups = like.shape
        memory = (
            # Sums over the two outer of three cells in a row, which the row itself needs, and over all three, which
            # its neighbours need.
            like.new_zeros(2, rows, columns, groups),
            like.new_zeros(2, rows + 2, columns, groups),
            like.new_empty(2, rows, columns, groups),
        )
        arrays: list[Any] = [part.numpy() if self._on_cpu else part for part in memory]
        self._pairs, self._around, self._scratch = arrays

    def __call__(self, words: Words) -> Words:
        """The boards one step on. Raises ValueError: boards of another shape than the first."""
        if words.shape != self._shape:
            raise ValueError(f"expected words of shape {tuple(self._shape)}; given: {tuple(words.shape)}")
        after = torch.empty_like(words)
        if self._on_cpu:
            self._step(np, words.numpy(), after.numpy())
        else:
            self._step(torch, words, after)
        return after

    def _step(self, ops: Any, words: Any, after: Any) -> None:
        """Names: of a sum in binary, `ones` and `twos` are its two lowest digits."""
        xor, both, either = ops.bitwise_xor, ops.bitwise_and, ops.bitwise_or
        around, (pair_ones, pair_twos), (ones, carry) = self._around, self._pairs, self._scratch
        other = after  # less memory, of which all must lie in the processor's cache
        # All rows as one, which is four times as fast as row by row; its ends are not neighbours, and made good next.
        flat, groups = words.reshape(-1), words.shape[2]
        xor(flat[: -2 * groups], flat[2 * groups :], out=pair_ones.reshape(-1)[groups:-groups])
        both(flat[: -2 * groups], flat[2 * groups :], out=pair_twos.reshape(-1)[groups:-groups])
        for column in (0, -1):
            inner, outer = words[:, 1 if column == 0 else -2], words[:, -1 if column == 0 else 0]
            if self._border == "torus":
                xor(inner, outer, out=pair_ones[:, column])
                both(inner, outer, out=pair_twos[:, column])
            else:
                pair_ones[:, column], pair_twos[:, column] = inner, 0
        xor(pair_ones, words, out=around[0, 1:-1])
        both(pair_ones, words, out=around[1, 1:-1])
        either(pair_twos, around[1, 1:-1], out=around[1, 1:-1])
        if self._border == "torus":
            around[:, 0], around[:, -1] = around[:, -2], around[:, 1]
        (above_ones, above_twos), (below_ones, below_twos) = around[:, :-2], around[:, 2:]

        xor(above_ones, below_ones, out=ones)
        both(above_ones, below_ones, out=carry)
        both(ones, pair_ones, out=other)
        either(carry, other, out=carry)
        xor(ones, pair_ones, out=ones)
        either(ones, words, out=ones)
        # Four numbers of twos are left, in two pairs; the sum is 2 or 3 where just one of the four is set: one pair
        # is not empty, the other is, and a pair has exactly one.
        xor(pair_twos, carry, out=other)
        either(pair_twos, carry, out=carry)
        xor(above_twos, below_twos, out=pair_ones)
        either(above_twos, below_twos, out=pair_twos)
        either(other, pair_ones, out=other)
        xor(carry, pair_twos, out=carry)
        both(other, carry, out=other)
        both(other, ones, out=after)


def step(words: Words, border: str) -> Words:
    """The boards one step on; for many steps of boards of one shape, make a `Stepper` once."""
    return Stepper(words, border)(words)


def random_words(
    rows: int, columns: int, groups: int, density: float, generator: torch.Generator, digits: int = 16
) -> Words:
    """Words whose bits are 1 with probability `density`, rounded to a multiple of 2^-`digits`.

    The binary digits of the density are gone through from the last to the first: a fair bit is joined to what there is,
    by "or" for a 1 and by "and" for a 0, which halves the distance to that digit.
    """
    numerator = round(density * 2**digits)
    shape = (rows, columns, groups)
    if numerator == 2**digits:
        return torch.full(shape, -1, dtype=torch.int64, device=generator.device)
    words = torch.zeros(shape, dtype=torch.int64, device=generator.device)
    last_one = (numerator & -numerator).bit_length() - 1 if numerator else digits
    for place in range(last_one, digits):
        fair = torch.randint(
            -(2**63), 2**63 - 1, shape, generator=generator, device=generator.device, dtype=torch.int64
        )  # the largest word is never drawn, one of 2^64
        words = words | fair if numerator >> place & 1 else words & fair
    return words
