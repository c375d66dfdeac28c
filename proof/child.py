"""A process that ends with who started it: whatever happened, it is killed, and not waited for without end."""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, AnyStr

from proof.service import WITHIN_S


@contextmanager
def child(process: subprocess.Popen[AnyStr]) -> Generator[subprocess.Popen[AnyStr]]:
    """`process`, which is killed where it runs at the end.

    `with Popen(…)` alone waits for it, for ever where a test failed that was to end it.
    """
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """Kill `process` where it runs, close its pipes and wait; `AssertionError` says which one does not end even so."""
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            # What was not written yet goes to nobody.
            with suppress(OSError):
                pipe.close()
    try:
        process.wait(WITHIN_S)
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"{process.args} was killed and did not end within {WITHIN_S} s") from late
