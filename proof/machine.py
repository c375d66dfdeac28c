"""What a figure depends on: the commit, the processor, and what a raw fdatasync costs in that minute."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DATA: Final = ROOT / "build" / "data"
"""Where measurements keep their files: raw figures are taken on the same file system."""
APPEND_BYTES: Final = 4096
APPENDS: Final = 200


def commit() -> str:
    """Return the commit of the tree, with `+` when it holds changes; `unknown` without git."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    head = subprocess.run([git, "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    if head.returncode != 0:
        return "unknown"
    changes = subprocess.run([git, "status", "--porcelain"], cwd=ROOT, capture_output=True, text=True, check=False)
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")


def processor() -> str:
    """Return the model of the processor and the number of cores this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return f"{model}, {cores()} cores"


def cores() -> int:
    """Return the number of cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1


def raw_fdatasync_us(folder: Path = DATA) -> list[float]:
    """Append 4 KiB to a growing file and sync it, 200 times; return each duration in microseconds, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    sync = getattr(os, "fdatasync", os.fsync)
    block = os.urandom(APPEND_BYTES)
    durations: list[float] = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix="raw-", buffering=0) as file:
        for _ in range(APPENDS):
            started = time.perf_counter_ns()
            file.write(block)
            sync(file.fileno())
            durations.append((time.perf_counter_ns() - started) / 1_000)
    return sorted(durations)


def raw_fdatasync_p50_us(folder: Path = DATA) -> float:
    """Return the median of `raw_fdatasync_us`, the unit in which goals for durable work are given."""
    return round(statistics.median(raw_fdatasync_us(folder)), 1)
