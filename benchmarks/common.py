"""What the benchmarks say alike."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Iterable
from pathlib import Path


def print_setting() -> None:
    """Print what is run, on which machine, and when."""
    print(f"command: {' '.join(sys.argv)}")
    print(f"machine: {_processor()}, {os.cpu_count()} cores")
    print(f"date:    {time.strftime('%Y-%m-%d')}")


def spread(values: Iterable[float], *percentiles: int) -> str:
    """Median, percentiles and worst of times in milliseconds, and how many they are."""
    ordered = sorted(values)
    if not ordered:
        return "none"
    count, worst = len(ordered), ordered[-1]
    shown = [f"median {statistics.median(ordered):.1f}"]
    shown += [f"p{each} {ordered[min(count - 1, each * count // 100)]:.1f}" for each in percentiles]
    return f"{', '.join(shown)}, worst {worst:.1f} ms of {count}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
