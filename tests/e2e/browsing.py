"""Debian's Chromium, started for one test module, with a fresh profile and nothing that speaks by itself."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, ViewportSize, sync_playwright

from tests.limits import ALARM

PROGRAM: Final = "chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE: Final = ViewportSize(width=390, height=844)
DESK: Final = ViewportSize(width=1280, height=900)


@contextlib.contextmanager
def browser() -> Generator[BrowserContext]:
    """A browser with a profile of its own, killed where a test runs out of time; skips where there is no Chromium."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            Path(profile), executable_path=program, headless=True, args=list(FLAGS)
        )
        with ALARM.kills(partial(kill, profile)):
            try:
                yield context
            finally:
                context.close()


def kill(profile: str) -> bool:
    """Kill Chromium's processes with `profile`, so that whoever waits for them is told; whether there were any."""
    killed = False
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if profile.encode() in file.read_bytes():
                os.kill(int(file.parent.name), signal.SIGKILL)
                killed = True
    return killed
