"""Keep large freed buffers instead of giving them back to the system.

By default glibc maps every buffer over 32 MB anew and unmaps it when it is freed, so each forward pass of a
convolutional network pays for clearing the same pages again: a third of the training time of IMPALA on a CPU.
"""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process reuse freed memory for the next allocation; harmless where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
