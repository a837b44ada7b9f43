"""A cursor over the bytes of one state, which reads the engine's encoding and names the field that is wrong.

When: only inside `value.py`; kept apart so that the layout can be read there without the details of the encoding.
Encoding: little-endian without padding; a text is an int32 length and its bytes, a list an int32 count and its items.
Errors: every method raises ValueError naming the field, its byte offset, what was expected there and what was found.
"""

from dataclasses import fields
from functools import cache
from struct import Struct
from typing import NoReturn, TypeVar

import numpy as np
from jaxtyping import Int32

from procscope.envs.state.layout import (
    ENTITY_DTYPE,
    KINDS,
    TAILS,
    EntityRecords,
    HeistTail,
    RandomGenerator,
    Tail,
)

Part = TypeVar("Part")

_INT = Struct("<i")


@cache
def part_struct(part: type) -> Struct:
    """The packing of a part whose fields are all scalars."""
    return Struct("<" + "".join(KINDS[field.type][1] for field in fields(part)))


class StateReader:
    """Reads one field after another from `raw`; `position` is the byte offset of the next."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.position = 0

    def fail(self, field: str, at: int, expected: object, found: object) -> NoReturn:
        """Raise the ValueError for a field at byte `at`."""
        raise ValueError(
            f"malformed state: {field} at byte {at}: expected {expected}; found {found}. "
            "Give the bytes as the engine gave them, or edit them through EngineState"
        )

    def _take(self, field: str, size: int) -> int:
        at = self.position
        left = len(self.raw) - at
        if left < size:
            self.fail(field, at, f"{size} bytes", f"{left}, where the state of {len(self.raw)} bytes ends")
        self.position = at + size
        return at

    def integer(self, field: str) -> int:
        """An int32."""
        return _INT.unpack_from(self.raw, self._take(field, 4))[0]

    def length(self, field: str, item_bytes: int) -> int:
        """A count of items of `item_bytes` each, all of which must still fit in the state."""
        at = self.position
        count = self.integer(field)
        most = (len(self.raw) - self.position) // item_bytes
        if not 0 <= count <= most:
            self.fail(field, at, f"a number of items from 0 to {most}, which still fit in the state", count)
        return count

    def text(self, field: str) -> bytes:
        """A text, as bytes."""
        size = self.length(f"{field}'s length", 1)
        at = self._take(field, size)
        return self.raw[at : at + size]

    def part(self, part: type[Part]) -> Part:
        """A part whose fields are all scalars."""
        struct = part_struct(part)
        left = len(self.raw) - self.position
        if left < struct.size:
            name = fields(part)[left // 4].name  # pyright: ignore[reportArgumentType]
            self.position += left // 4 * 4
            self._take(f"{part.__name__}.{name}", 4)
        return part(*struct.unpack_from(self.raw, self._take(part.__name__, struct.size)))

    def generator(self, field: str) -> RandomGenerator:
        """A random generator; its text is taken as it stands."""
        return RandomGenerator(self.integer(f"{field}.is_seeded"), self.text(f"{field}.text"))

    def integers(self, field: str) -> tuple[int, ...]:
        """A list of int32."""
        count = self.length(f"{field}'s count", 4)
        return Struct(f"<{count}i").unpack_from(self.raw, self._take(field, 4 * count))

    def tail(self, game: str) -> Tail:
        """The fields of a game of its own."""
        kind = TAILS[game]
        if kind is HeistTail:
            keys, dim = self.integer("tail.num_keys"), self.integer("tail.world_dim")
            return HeistTail(keys, dim, self.integers("tail.has_keys"))
        return self.part(kind)

    def entities(self, field: str) -> EntityRecords:
        """A list of entities, as a fresh array."""
        count = self.length(f"{field}'s count", ENTITY_DTYPE.itemsize)
        at = self._take(field, count * ENTITY_DTYPE.itemsize)
        return np.frombuffer(self.raw, ENTITY_DTYPE, count, at).copy()

    def grid(self, field: str) -> Int32[np.ndarray, "y x"]:
        """The cells, as a fresh array: width, height, then a list whose count must be their product."""
        sizes = []
        for name in ("width", "height"):
            at = self.position
            sizes.append(self.integer(f"{field}'s {name}"))
            if sizes[-1] < 1:
                self.fail(f"{field}'s {name}", at, "at least 1 cell", sizes[-1])
        width, height = sizes
        at = self.position
        count = self.length(f"{field}'s count", 4)
        if count != width * height:
            self.fail(f"{field}'s count", at, f"{width} x {height} = {width * height} cells", count)
        return (
            np.frombuffer(self.raw, "<i4", count, self._take(field, 4 * count)).reshape(height, width).copy()
        )
