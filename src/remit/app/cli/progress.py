"""Telling how far the service is while a command waits for it, or how far a command is."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

from remit.app.bundles.pace import THOUSANDS, progress
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure
from remit.app.terminal.output import say

EVERY_S: Final = 1.0


@contextmanager
def showing_checks(service: ServiceClient) -> Generator[None]:
    """Until the block ends, say each second on stderr how many policies are checked, where there are thousands."""
    ended = threading.Event()
    watching = threading.Thread(target=_watch, args=(service, ended), daemon=True)
    watching.start()
    try:
        yield
    finally:
        ended.set()


@contextmanager
def tallied(count: Callable[[], int], what: str) -> Generator[None]:
    """Until the block ends, say each second on stderr how many of `what` there are by now, where that went on."""
    ended = threading.Event()
    threading.Thread(target=_tally, args=(count, what, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _tally(count: Callable[[], int], what: str, ended: threading.Event) -> None:
    last = 0
    while not ended.wait(EVERY_S):
        now = count()
        if now > last:
            last = now
            say(f"{now} {what} …")


def _watch(service: ServiceClient, ended: threading.Event) -> None:
    last = 0
    while not ended.wait(EVERY_S):
        try:
            answer: dict[str, Any] = service.get("/bundles/progress")
        except CommandFailure:
            # Whoever waits is told what is wrong; this is a courtesy.
            return
        if answer["making"] and answer["total"] >= THOUSANDS and answer["done"] > last:
            last = answer["done"]
            say(progress(last, answer["total"]))
