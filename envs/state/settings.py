"""The engine's settings in a state: a state brings its own along, whatever engine it is put into.

When to use: to see the same moment of a game as another agent does, with its velocity painted or without a background.
Cost: a copy of the state, about 5 microseconds.
"""

from collections.abc import Mapping
from struct import Struct

from procscope.envs.state.offsets import SETTINGS_DTYPE, field_offset, locate

LOOKS = ("use_backgrounds", "use_monochrome_assets", "restrict_themes", "center_agent", "paint_vel_info")
"""Options of an engine that change what an agent sees, and nothing else."""

_int = Struct("<i")


def with_settings(state: bytes, settings: Mapping[str, bool]) -> bytes:
    """The same state, shown with other settings, `LOOKS` by name.

    Raises ValueError: a setting that is none of those.
    """
    if unknown := sorted(set(settings) - set(LOOKS)):
        raise ValueError(f"expected settings of {', '.join(LOOKS)}; given {', '.join(unknown)}")
    changed, at = bytearray(state), locate(state)
    for name, value in settings.items():
        _int.pack_into(changed, at.settings + field_offset(SETTINGS_DTYPE, name), int(value))
    return bytes(changed)
