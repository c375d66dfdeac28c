"""Debian's Chromium, started for one test module, with a fresh profile and nothing that speaks by itself."""

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import BrowserContext, ViewportSize, sync_playwright

PROGRAM: Final = "chromium"
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PHONE: Final = ViewportSize(width=390, height=844)
DESK: Final = ViewportSize(width=1280, height=900)


@contextlib.contextmanager
def browser() -> Generator[BrowserContext]:
    """A browser with a profile of its own; skips the test where there is no Chromium."""
    program = shutil.which(PROGRAM)
    if program is None:
        pytest.skip("needs chromium: apt-get install chromium")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            Path(profile), executable_path=program, headless=True, args=list(FLAGS)
        )
        try:
            yield context
        finally:
            context.close()
