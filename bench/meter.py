"""What a process has used so far: CPU time and memory."""

from __future__ import annotations

import sys
import time

import psutil

_CPUCLOCK_SCHED = 2


def cpu_seconds(pid: int) -> float:
    """User and system time of the process so far, all threads, in seconds."""
    if sys.platform == "linux":
        # The kernel's clock of another process, in nanoseconds: psutil counts in ticks of 10 ms,
        # which is a fifth of what `bokeh serve` uses for one session in a window.
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def resident_bytes(pid: int) -> int:
    """Memory of the process that is in RAM."""
    return int(psutil.Process(pid).memory_info().rss)
