"""Arrays of many byte strings: how the games of a vector are written down, to be gone on with later.

When: `ProcgenVectorEnv.save_games` and `restore_games` use it; what they give fits into one safetensors file.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8


class Packed(NamedTuple):
    """Byte strings one after the other."""

    bytes: UInt8[np.ndarray, " byte"]
    lengths: Int64[np.ndarray, " string"]


def pack(strings: Sequence[bytes]) -> Packed:
    """Put byte strings one after the other."""
    whole = np.frombuffer(bytearray().join(strings), np.uint8)
    return Packed(whole, np.array([len(string) for string in strings], np.int64))


def unpack(packed: Packed) -> list[bytes]:
    """The byte strings again."""
    ends = packed.lengths.cumsum()
    whole = packed.bytes.tobytes()
    return [whole[end - length : end] for end, length in zip(ends, packed.lengths, strict=True)]
