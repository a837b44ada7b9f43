"""Blocks of a cache that stay in memory, for those who read it many times, up to so many bytes.

When to use: by `cache.kept.most_bytes = …`, where a network is trained on a cache for many epochs: blocks are read
again at 300 MB/s; those in memory are there.
"""

from collections.abc import Callable, Hashable

import numpy as np

Rows = dict[str, np.ndarray]


class KeptBlocks:
    """Blocks by what was read of them; the first ones that fit are kept, others are read anew each time."""

    def __init__(self) -> None:
        self.most_bytes = 0
        self._blocks: dict[Hashable, Rows] = {}
        self._bytes = 0

    def get(self, key: Hashable, read: Callable[[], Rows]) -> Rows:
        """The block, read unless it is kept. It is not to be written to."""
        if key in self._blocks:
            return self._blocks[key]
        rows = read()
        size = sum(array.nbytes for array in rows.values())
        if self._bytes + size <= self.most_bytes:
            self._blocks[key], self._bytes = rows, self._bytes + size
        return rows
