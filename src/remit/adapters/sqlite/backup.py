"""A ledger copied while it is in use, and put in the place of one that nobody uses.

Laws
* A backup is one moment of the ledger: all of it is read in one snapshot, in small steps. The
  writer never waits for it; its log only grows until the copy is done.
* It is verified, whole, before it bears its name; it replaces nothing; its owner alone reads it.
* What belongs beside it has its name before it: where the backup is there, all of it is.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.reads import open_readonly
from remit.adapters.sqlite.schema import check
from remit.adapters.sqlite.verification import at_rest, verify_file
from remit.trace.report import Report

_PAGES: Final = 512
_BREATH_S: Final = 0.002
"""Between two steps: so that the writer's syncs find the disk free."""
_OF_A_WRITE: Final = frozenset({
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_DIR_FSYNC,
})  # fmt: skip
_ENDS: Final = ("", "-journal", "-wal", "-shm")
"""Of a file, and of what SQLite would take for a part of it."""


def back_up(
    source: Path,
    target: Path,
    progress: Callable[[int], None] | None = None,
    beside: Mapping[Path, Path] = MappingProxyType({}),
) -> Report:
    """Copy the ledger at `source`, in use or not, to `target`, and verify it there; the report.

    `beside`: other SQLite files that belong to it, where they exist, and where they go. `progress` gets records
    verified so far. Raises `LedgerRefused`, and leaves nothing behind then.
    """
    what = f"{source} was not backed up"
    unfinished = target.with_name(f"{target.name}.part")
    _check(what, source, (target, *beside.values()), unfinished)
    try:
        # A folder, for what SQLite writes beside a file too; two backups to one name cannot both make it.
        unfinished.mkdir(mode=0o700)
        try:
            copy = unfinished / target.name
            _new(copy)
            _copy(source, copy)
            report = verify_file(copy, progress)
            if not report.clean:
                why = f"the copy does not verify: {report.findings[0]}"
                raise LedgerRefused(what, why, f"remit ledger verify {source}")
            copied = [place for file, place in beside.items() if copy_beside(file, unfinished / place.name)]
            _place(unfinished, (*copied, target))
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except FileExistsError as error:
        raise _exists_already(what, source, Path(error.filename2 or error.filename)) from error
    except OSError as error:
        raise LedgerRefused(what, error.strerror or str(error), "free space, or name a file elsewhere") from error
    except sqlite3.Error as error:
        if _is_of_a_write(error):
            why = f"{target.parent} takes no more: its disk is full, or fails (SQLite: {error})"
            next = f"free space on the disk of {target.parent}, or name a file elsewhere"
            raise LedgerRefused(what, why, next) from error
        raise LedgerRefused(what, f"SQLite: {error}", f"remit ledger verify {source}") from error
    return report


def copy_beside(source: Path, target: Path) -> bool:
    """Copy the SQLite file at `source`, in use or not, to `target`, which is not there; False where there is none.

    Raises `LedgerRefused`; `OSError` where `target` cannot be written.
    """
    if not source.is_file():
        return False
    _new(target)
    try:
        reading, writing = sqlite3.connect(source, timeout=10), sqlite3.connect(target, isolation_level=None)
        try:
            reading.backup(writing, pages=_PAGES, progress=_breathe)
            writing.execute("PRAGMA journal_mode = DELETE")
        finally:
            reading.close()
            writing.close()
    except sqlite3.Error as error:
        next = f"free space; where {source} is damaged, move it away: receivers then hear some of it again"
        raise LedgerRefused(f"{source} was not copied", f"SQLite: {error}", next) from error
    return True


def exchange(path: Path, restored: Path, aside: Path) -> None:
    """Put `restored` in the place of the ledger at `path`, which nobody uses, and keep that one at `aside`.

    At no time is there no ledger at `path`, where there was one.
    """
    if path.exists():
        _come_to_rest(path)
        if not (aside.exists() and aside.samefile(path)):
            # A restore that was killed here has given it that name already.
            os.link(path, aside)
        for end in ("-wal", "-shm"):
            # Left of a file that cannot be read: it must not be taken for the restored one's.
            log = path.with_name(path.name + end)
            if log.exists():
                log.rename(aside.with_name(aside.name + end))
    restored.replace(path)
    _settle(path.parent)


def _check(what: str, source: Path, targets: Iterable[Path], unfinished: Path) -> None:
    """Refuse, before anything is written, what could not be finished."""
    folder = unfinished.parent
    if not source.is_file():
        raise LedgerRefused(what, f"there is no ledger in {source.parent}", "remit ledger backup FILE --data DIR")
    if not folder.is_dir():
        raise LedgerRefused(what, f"there is no folder {folder}", f"mkdir -m 700 {folder}")
    for target in targets:
        for end in _ENDS:
            name = target.with_name(target.name + end)
            if name.exists() or name.is_symlink():
                raise _exists_already(what, source, name)
    if unfinished.exists() or unfinished.is_symlink():
        why = f"{unfinished} is there: another backup to that name runs, or one was cut off"
        raise LedgerRefused(what, why, f"rm -r {unfinished}, once no other runs")


def _is_of_a_write(error: sqlite3.Error) -> bool:
    """Whether it was the copy that failed: the ledger is only read."""
    return getattr(error, "sqlite_errorcode", 0) in _OF_A_WRITE


def _exists_already(what: str, source: Path, name: Path) -> LedgerRefused:
    next = f"remit ledger backup ANOTHER-FILE --data {source.parent}: nothing is overwritten"
    return LedgerRefused(what, f"{name} is there already", next)


def _place(folder: Path, places: Iterable[Path]) -> None:
    """Give what is finished in `folder` its names, all of them or none; who finds the last one finds all."""
    placed: list[Path] = []
    try:
        for place in places:
            # Unlike a rename, a link never replaces what appeared meanwhile.
            os.link(folder / place.name, place)
            placed.append(place)
            _settle(place.parent)
    except BaseException:
        for place in placed:
            place.unlink()
        raise


def _new(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _copy(source: Path, target: Path) -> None:
    reading = open_readonly(source, immutable=at_rest(source))
    try:
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            reading.execute("BEGIN")
            # The snapshot is taken here; what is written from now on is not in it.
            check(reading, source)
            reading.backup(writing, pages=_PAGES, progress=_breathe)
            reading.execute("COMMIT")
            writing.execute("PRAGMA journal_mode = DELETE")
        finally:
            writing.close()
    finally:
        reading.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _breathe(_status: int, _remaining: int, _total: int) -> None:
    time.sleep(_BREATH_S)


def _come_to_rest(path: Path) -> None:
    try:
        conn = sqlite3.connect(path, isolation_level=None)
        try:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            conn.close()
    except sqlite3.Error:
        # It is kept as it lies.
        return


def _settle(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
