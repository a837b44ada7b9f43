"""Sizes of the engine's pictures: what an agent sees, and what is drawn for people.

Axes: `row col rgb` from the top left, uint8.
"""

FRAME_SIZE = 64
"""Rows and columns of what agents and networks see."""
LARGE_FRAME_SIZE = 512
"""Rows and columns of the pictures for people."""
