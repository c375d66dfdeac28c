"""The one place that configures logs: JSON lines in `DATA/logs`, warnings in words on stderr.

Laws
* A line holds an event's name, which stands in the code, and fields of `FIELDS`: what is not on
  that list is left out, so that no token, header, argument or body can get into a log by mistake.
  Of others' libraries it holds the format of the message without what they put into it, and of an
  error its type and place: its text may be anything.
* Logging never waits and never fails a request: lines queue, one thread writes them, what does
  not fit is dropped and counted. That thread is started once the service answers.
* Where the file cannot be opened or takes no more, stderr goes on and says so once, and `unwritten` for as long.
* A file that was moved or removed is written to no more: the next lines begin one of its name.
"""

import logging
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, TypeAlias

from remit.app.http.front import fault
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say
from remit.facts.text import escaped

FIELDS: Final = (
    *("trace", "span", "parent", "room", "method", "status", "ms", "agent", "server", "ref"),
    *("code", "count", "error", "place", "bundle", "port", "pid", "version"),
)
"""All that a line may hold beside `at`, `level`, `logger` and `event`."""
LEVELS: Final = ("debug", "info", "warning", "error")
FILE: Final = "remit.jsonl"
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
FILES_MAX: Final = 6
LINES_MAX: Final = 10_000
_PERIOD_S: Final = 0.1
_CHARS_MAX: Final = 200
_HARMLESS_CHARS: Final = 32
"""A word so short is no credential of ours, and most values are."""
_SECRET: Final = re.compile(r"(?i)bearer\s+\S+|eyJ[\w-]{8,}(\.[\w-]*)*|remit_admin_\S+|[\w+/=-]{64,}")
"""What looks like a credential. No field should hold one: this is the second line."""

Event: TypeAlias = dict[str, Any]
Render: TypeAlias = Callable[[Any, str, Event], str | bytes]


def event_of(record: logging.LogRecord) -> Event:
    """What is told of `record`: an event and its fields, nothing else."""
    at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    event: Event = {
        "at": at,
        "level": record.levelname.lower(),
        "event": _plain(record.msg if isinstance(record.msg, str) else type(record.msg).__name__),
        "logger": record.name,
    }
    if record.exc_info and record.exc_info[1] is not None:
        event |= fault(record.exc_info[1])
    attributes = record.__dict__
    for name in FIELDS:
        value = attributes.get(name)
        if isinstance(value, str):
            event[name] = _plain(value)
        elif isinstance(value, (int, float)):
            event[name] = value
    return event


def level_of(option: str | None) -> int:
    """The level named `option`, else by `REMIT_LOG_LEVEL`, else info. Raises `CommandFailure`."""
    name = (option or os.environ.get("REMIT_LOG_LEVEL") or "info").lower()
    if name not in LEVELS:
        raise CommandFailure(
            f"there is no log level {name!r}",
            next=f"one of: {', '.join(LEVELS)} (--log-level, REMIT_LOG_LEVEL)",
            exit=Exit.USAGE,
        )
    return int(getattr(logging, name.upper()))


class Logs:
    """The logs of one process, from construction to `close`; `start` begins to write them."""

    def __init__(self, folder: Path, level: int) -> None:
        self._folder = folder
        self._inlet = _Inlet()
        self._outlets: tuple[_Outlet, ...] = ()
        self._file: _File | None = None
        self._filing: _Outlet | None = None
        self._unopened: str | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="remit-logs", daemon=True)
        root = logging.getLogger()
        self._before = root.level
        root.addHandler(self._inlet)
        root.setLevel(level)
        for name in ("uvicorn", "uvicorn.error"):
            # What it would say of requests and their failures, `app.http.front` says itself.
            logging.getLogger(name).setLevel(logging.CRITICAL)
        for name in ("asyncio", "aiohttp"):
            logging.getLogger(name).setLevel(max(level, logging.WARNING))

    @property
    def dropped(self) -> int:
        """How many lines were lost: too many at once, or a file that takes no more."""
        return self._inlet.lost + sum(outlet.lost for outlet in self._outlets)

    @property
    def unwritten(self) -> str | None:
        """Why the file cannot be opened, or took no more when it was last written; None where it takes lines."""
        return self._unopened if self._filing is None else self._filing.why

    def start(self) -> None:
        """Write what has queued and what comes. Imports what it takes, so not at the start of a service.

        Where the file cannot be opened, warnings go to stderr alone, which says so.
        """
        from structlog.dev import ConsoleRenderer
        from structlog.processors import JSONRenderer

        words = ConsoleRenderer(colors=False, timestamp_key="at", pad_event_to=0)
        outlets = [_Outlet(logging.WARNING, words, _say, sys.stderr.flush)]
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = self._file = _File(self._folder / FILE, backupCount=FILES_MAX - 1, encoding="utf-8")
        except OSError as error:
            self._unopened = _why(self._folder, error)
            self._tell(self._unopened)
        else:
            self._filing = _Outlet(logging.DEBUG, JSONRenderer(_dumps), file.line, file.flush, self._tell)
            outlets.insert(0, self._filing)
        self._outlets = tuple(outlets)
        self._thread.start()

    def _tell(self, why: str) -> None:
        say(f"the logs cannot be written: {escaped(why)}; warnings come here alone (next: remit doctor)")

    def close(self) -> None:
        """Write what is left, and configure nothing any more.

        What never started writes nothing: the folder may be another process's.
        """
        root = logging.getLogger()
        root.removeHandler(self._inlet)
        root.setLevel(self._before)
        if self._thread.is_alive():
            self._ending.set()
            self._thread.join()
        if self._file is not None:
            # What a full disk did not take was told of.
            with suppress(OSError):
                self._file.close()

    def _run(self) -> None:
        # Looked at now and then: to be woken for each line would cost more than the line.
        while not self._ending.wait(_PERIOD_S):
            self._write()
        self._write()

    def _write(self) -> None:
        lines = self._inlet.lines
        while lines:
            record = lines.popleft()
            for outlet in self._outlets:
                outlet.take(record)
        for outlet in self._outlets:
            outlet.flush()


class _Inlet(logging.Handler):
    """Takes records as they are; drops those for which there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[logging.LogRecord] = deque()
        self.lost = 0

    def handle(self, record: logging.LogRecord) -> bool:
        if len(self.lines) < LINES_MAX:
            self.lines.append(record)
        else:
            self.lost += 1
        return True


class _Outlet:
    """Where records of `level` and above are written, each as one line; `fails` hears why, each time that begins."""

    def __init__(
        self,
        level: int,
        render: Render,
        write: Callable[[str], None],
        flush: Callable[[], None],
        fails: Callable[[str], None] | None = None,
    ) -> None:
        self._level = level
        self._render = render
        self._write = write
        self._flush = flush
        self._fails = fails
        self.lost = 0
        self._wrote = False
        self.why: str | None = None
        """Why nothing could be written, the last time; None where it could."""

    def take(self, record: logging.LogRecord) -> None:
        """Write `record`; count it as lost where that fails."""
        if record.levelno < self._level:
            return
        try:
            text = self._render(None, record.levelname.lower(), event_of(record))
            self._write(text.decode("utf-8") if isinstance(text, bytes) else text)
            self._wrote = True
        except Exception as error:  # noqa: BLE001 - whatever it was, nobody can be told in a line
            self._lose(error)

    def flush(self) -> None:
        """Pass on what was written."""
        try:
            self._flush()
        except Exception as error:  # noqa: BLE001
            self._lose(error)
        else:
            self.why = None if self._wrote else self.why

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        self._wrote = False
        before, self.why = self.why, str(error) or type(error).__name__
        if before is None and self._fails is not None:
            self._fails(self.why)


class _File(RotatingFileHandler):
    """A file readable by its owner alone, also after it was rotated, by itself or by others."""

    _out: TextIOWrapper
    _chars: int
    _looked = False

    def line(self, text: str) -> None:
        """Write one line, into the next file where this one is full."""
        if not self._looked:
            self._follow()
            self._looked = True
        if self._chars + len(text) >= FILE_BYTES_MAX:
            self.doRollover()
        self._chars += self._out.write(text + "\n")

    def flush(self) -> None:
        """Pass on what was written; where it lies is looked at before the next line."""
        self._looked = False
        super().flush()

    def _follow(self) -> None:
        """Begin a new file where what is open has its name no more. Raises `OSError`."""
        path, ours = Path(self.baseFilename), os.fstat(self._out.fileno())
        try:
            there = path.stat()
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        else:
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        before, self.stream = self._out, self._open()
        with suppress(OSError):  # what a full disk did not take was told of
            before.close()

    def _open(self) -> TextIOWrapper:
        self._out = open(self.baseFilename, "a", encoding="utf-8", opener=_private)  # noqa: SIM115
        self._chars = self._out.tell()
        return self._out


def _why(folder: Path, error: OSError) -> str:
    if folder.is_symlink() and not folder.exists():
        return f"{folder} is a link to {folder.readlink()}, which is not there"
    return f"{error.filename or folder}: {error.strerror or error}"


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _plain(text: str) -> str:
    if len(text) <= _HARMLESS_CHARS and text.isascii() and text.isprintable() and " " not in text:
        return text
    return _SECRET.sub("[redacted]", escaped(text, chars_max=_CHARS_MAX)).replace("\n", "\\n")


def _dumps(event: Event, **_: Any) -> bytes:
    import orjson

    return orjson.dumps(event)
