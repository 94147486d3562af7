"""What this machine has, asked without loading torch."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_GIGABYTE = 1_000_000_000
_TIMEOUT_SECONDS = 5.0


def gpu_memory_bytes() -> int:
    """Memory of the largest NVIDIA GPU; 0 without one.

    Runs nvidia-smi, which can take a second or two: not for an event loop.
    """
    command = shutil.which("nvidia-smi")
    # Windows looks in the current folder first, which may be a checked-out repository's
    if command is None or not Path(command).is_absolute():
        return 0
    query = [command, "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        result = subprocess.run(
            query,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    mebibytes = [int(line) for line in result.stdout.split() if line.isdigit()]
    return max(mebibytes, default=0) * 2**20


def default_model(gpu_bytes: int) -> str:
    """The registry's model that suits a machine whose largest GPU has so much memory."""
    if gpu_bytes >= 18 * _GIGABYTE:
        return "deepseek-coder-6.7b-base"
    if gpu_bytes >= 6 * _GIGABYTE:
        return "deepseek-coder-1.3b-base"
    return "qwen2.5-coder-0.5b"
