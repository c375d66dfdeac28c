"""One process of the service: what it opened dies with it, at any of its effects.

Laws
* Every effect passes `at` (or `reach`, where nothing can be awaited): there the process may end. From then on nothing
  it does happens: its disk refuses, its servers and its clients never hear of it again.
* What the next process finds is what had been written: of a commit under way, any of the disk's sectors.
* Nothing is random but by the seed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from tests.sim.loop import Loop

LEDGER: Final = "ledger.sqlite3"
OUTBOX: Final = "outbox.db"
SECTOR_BYTES: Final = 512
_COMMITS: Final = ("INSERT INTO batch", "INSERT INTO full", "COMMIT")


@dataclass(slots=True)
class Fate:
    """What is to befall one process: at which of its effects it ends, which of its commits fail and how."""

    ends_at: int = 0
    torn: bool = False
    fails_at: int = 0
    fails_done: bool = False
    slow: float = 0.1
    """How often the disk is slow."""


@dataclass(slots=True)
class Life:
    """One process, in `folder`; `following` is where the next one finds what is left."""

    loop: Loop
    random: Random
    folder: Path
    following: Path
    fate: Fate
    tell: Callable[[str], None]
    on_failing: Callable[[], None]
    """Called before a commit that will be said to have failed."""
    reached: int = 0
    commits: int = 0
    alive: bool = True
    hired: list[Hired] = field(default_factory=list["Hired"])
    opened: list[Callable[[], None]] = field(default_factory=list["Callable[[], None]"])
    """What its system closes when it is gone."""
    failing: bool = False
    death: asyncio.Future[str] = field(init=False)

    def __post_init__(self) -> None:
        self.death = self.loop.create_future()

    @property
    def path(self) -> Path:
        return self.folder / LEDGER

    async def at(self, what: str) -> None:
        """An effect is about to be; it never is where the process ends here."""
        if not self.reach(what):
            await self.loop.create_future()

    def reach(self, what: str) -> bool:
        """The same where nothing can be awaited: whether the process goes on."""
        if not self.alive:
            return False
        self.reached += 1
        if self.reached == self.fate.ends_at:
            self.die(what)
        return self.alive

    def die(self, what: str) -> None:
        """The process ends here and now; what it had written stays."""
        if not self.alive:
            return
        self.keep(self.files())
        self._end(what)

    def keep(self, files: dict[str, bytes]) -> None:
        """Leave `files` to the next process."""
        self.following.mkdir(exist_ok=True)
        for name, data in files.items():
            (self.following / name).write_bytes(data)

    def execute(self, carry_out: Callable[[], sqlite3.Cursor]) -> sqlite3.Cursor:
        """A commit, or what becomes of it."""
        self.commits += 1
        if not self.alive:
            raise _error("the process is gone")
        took_s = self.random.uniform(0.0002, 0.001)
        if self.random.random() < self.fate.slow:
            took_s += self.random.uniform(0.005, 0.1)
        self.wait(took_s)
        if not self.alive:
            raise _error("the process is gone")
        self.reached += 1
        if self.reached == self.fate.ends_at and self.fate.torn:
            self._tear(carry_out)
        self.reached -= 1
        if not self.reach("before a commit"):
            raise _error("the process is gone")
        if self.commits == self.fate.fails_at:
            self._fail(carry_out)
        cursor = carry_out()
        if not self.reach("after a commit"):
            raise _error("the process is gone")
        return cursor

    def files(self) -> dict[str, bytes]:
        """What the operating system holds now of the ledger and of the outbox."""
        paths = [self.folder / name for name in (LEDGER, f"{LEDGER}-wal", OUTBOX, f"{OUTBOX}-wal")]
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def wait(self, seconds: float) -> None:
        """The disk takes so long: the loop stands still, unless it is somebody beside it who waits."""
        for one in self.hired:
            if one.is_at_work():
                one.pause(seconds)
                return
        self.loop.spend(seconds)

    def _end(self, what: str) -> None:
        self.alive = False
        self.tell(f"the process ends: {what}")
        if not self.death.done():
            self.death.set_result(what)

    def _tear(self, carry_out: Callable[[], sqlite3.Cursor]) -> NoReturn:
        """The power fails in the midst of a commit: of what it writes, some sectors reach the disk."""
        before = self.files()
        carry_out()
        after = self.files()
        share = self.random.choice((0.0, 0.5, 0.95, 1.0))
        self.keep({name: self._mixed(before.get(name, b""), data, share) for name, data in after.items()})
        self._end(f"in the midst of a commit, {share:.0%} of its sectors written")
        raise _error("the process is gone")

    def _mixed(self, before: bytes, after: bytes, share: float) -> bytes:
        data = bytearray(after)
        for start in range(0, len(data), SECTOR_BYTES):
            end = start + SECTOR_BYTES
            old = before[start:end].ljust(len(after[start:end]), b"\0")
            if after[start:end] != old and self.random.random() >= share:
                data[start:end] = old
        return bytes(data)

    def _fail(self, carry_out: Callable[[], sqlite3.Cursor]) -> NoReturn:
        self.failing = True
        self.on_failing()
        if self.fate.fails_done:
            carry_out()
        self.tell(f"the disk fails, {'done all the same' if self.fate.fails_done else 'nothing written'}")
        raise _error("disk I/O error")


def _error(text: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR
    error.sqlite_errorname = "SQLITE_IOERR"
    return error


def disk_of(life: Life) -> type[sqlite3.Connection]:
    """A writing connection whose commits are `life`'s."""

    class Disk(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            if not sql.startswith(_COMMITS):
                return super().execute(sql, *arguments)
            return life.execute(lambda: super(Disk, self).execute(sql, *arguments))

    return Disk


class Hired:
    """Who works beside the loop, on a thread of his own, though never while the loop runs: they take turns.

    He begins when the seed says so, and goes away for as long as the disk takes.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._serve: Callable[[], None] = lambda: None
        self._asked = False
        self._busy = False
        self._hurries = False
        self._ends = False
        self._mine = threading.Semaphore(0)
        self._loops = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._work, daemon=True)
        life.hired.append(self)

    def start(self, serve: Callable[[], None]) -> None:
        self._serve = serve
        self._thread.start()

    def wake(self) -> None:
        if not self._asked:
            self._asked = True
            self._life.loop.call_later(self._life.random.uniform(0.00005, 0.02), self._begin)

    def end(self) -> None:
        return

    def join(self) -> None:
        """What is left is done while the loop waits for it."""
        self._hurries = True
        if self._life.alive and self._thread.is_alive():
            self._turn()
        self.dismiss()

    def dismiss(self) -> None:
        """He goes, with whatever he was at: of a process that is gone he writes nothing more."""
        self._ends = self._hurries = True
        if self._thread.is_alive():
            self._mine.release()
            self._thread.join()

    def is_at_work(self) -> bool:
        return threading.current_thread() is self._thread

    def pause(self, seconds: float) -> None:
        """Called by him: let the loop run for so long."""
        if self._hurries:
            self._life.loop.spend(seconds)
            return
        self._life.loop.call_later(seconds, self._turn)
        self._loops.release()
        self._mine.acquire()

    def _begin(self) -> None:
        self._asked = False
        if self._busy:
            self.wake()
        elif self._life.alive:
            self._turn()

    def _turn(self) -> None:
        """Called by the loop: let him work until he pauses or has done."""
        if not self._ends:
            self._mine.release()
            self._loops.acquire()

    def _work(self) -> None:
        self._mine.acquire()
        while not self._ends:
            self._busy = True
            self._serve()
            self._busy = False
            self._loops.release()
            if not self._ends:
                self._mine.acquire()
