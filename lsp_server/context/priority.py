"""Making way for other processes."""

from __future__ import annotations

import contextlib
import os
import sys

_BELOW_NORMAL_PRIORITY_CLASS = 0x4000
_NICENESS = 10


def lower_priority() -> None:
    """Run this process, and those that it starts, after all others."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BELOW_NORMAL_PRIORITY_CLASS)
        return
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
