"""A disk that fails, or loses its power, at the Nth operation: between SQLite and the operating system.

SQLite reaches files through a VFS (sqlite.org/vfs.html). While a `Disk` is in place the default one is a copy of it
whose files count each write, sync and truncation below one folder, and ask the disk what becomes of it. It is put there
through the very library that Python's `sqlite3` uses, so the ledger under test is the real one, unknowing.

A sync is what makes writes last: when the power fails, of what was not synced some sectors are there, by chance.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Generator
    from random import Random

SECTOR_BYTES: Final = 512
_OK: Final = 0
_FULL: Final = 13
_WRITE: Final = 778
_FSYNC: Final = 1034
_TRUNCATE: Final = 1546
_POINTER: Final = ctypes.c_void_p

_open_type = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, _POINTER, ctypes.c_int, _POINTER)
_close_type = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER)
_write_type = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, _POINTER, ctypes.c_int, ctypes.c_int64)
_truncate_type = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int64)
_sync_type = ctypes.CFUNCTYPE(ctypes.c_int, _POINTER, ctypes.c_int)


class _Vfs(ctypes.Structure):
    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("szOsFile", ctypes.c_int),
        ("mxPathname", ctypes.c_int),
        ("pNext", _POINTER),
        ("zName", ctypes.c_char_p),
        ("pAppData", _POINTER),
        ("xOpen", _POINTER),
        ("others", _POINTER * 15),
    )


class _Methods(ctypes.Structure):
    _fields_ = (
        ("iVersion", ctypes.c_int),
        ("xClose", _POINTER),
        ("xRead", _POINTER),
        ("xWrite", _POINTER),
        ("xTruncate", _POINTER),
        ("xSync", _POINTER),
        ("others", _POINTER * 13),
    )


class Ends(Enum):
    """What becomes of the operation that was chosen."""

    FAILS = auto()
    """It is not done, and said to have failed; so is every one after it until the disk is mended."""
    FAILS_ONCE = auto()
    IS_FULL = auto()
    """Writes fail, syncs do not, until there is room."""
    LOSES_POWER = auto()
    """Nothing reaches the disk any more; what was not synced may be lost."""


@dataclass
class Disk:
    """What befalls files below `folder` at operation `at` (from 1; 0: nothing ever)."""

    folder: Path
    random: Random
    at: int = 0
    ends: Ends = Ends.FAILS
    count: int = 0
    struck: bool = False
    synced: dict[Path, bytes] = field(default_factory=dict[Path, bytes])

    def mend(self) -> None:
        """Nothing fails any more."""
        self.at = 0
        self.struck = False

    def left(self) -> dict[Path, bytes]:
        """What is found of each file when the power is back."""
        return {path: self._survives(path) for path in self.synced if path.exists()}

    def does(self, code: int) -> int:
        """What an operation gives that would fail with `code`: whether it is to be done."""
        self.count += 1
        if self.at and self.count == self.at:
            self.struck = True
            return _FULL if self.ends is Ends.IS_FULL and code != _FSYNC else code
        if not self.struck or self.ends is Ends.FAILS_ONCE:
            return _OK
        if self.ends is Ends.IS_FULL:
            return _FULL if code == _WRITE else _OK
        return code

    def opened(self, path: Path) -> None:
        """A file is there."""
        self.synced.setdefault(path, path.read_bytes() if path.exists() else b"")

    def has_synced(self, path: Path) -> None:
        """What was written to `path` lasts."""
        self.synced[path] = path.read_bytes()

    def _survives(self, path: Path) -> bytes:
        now, before = path.read_bytes(), self.synced[path]
        share = self.random.choice((0.0, 0.5, 1.0))
        size = len(now) if self.random.random() < 0.5 else max(len(before), self.random.randrange(len(now) + 1))
        data = bytearray()
        for start in range(0, size, SECTOR_BYTES):
            end = min(start + SECTOR_BYTES, size)
            old, new = (one[start:end].ljust(end - start, b"\0") for one in (before, now))
            data += new if self.random.random() < share else old
        return bytes(data)


class _Shim:
    """The VFS that stands in for the default one, and the files it has opened."""

    def __init__(self, library: Any, disk: Disk) -> None:
        self._library = library
        self.disk = disk
        self._real: int = library.sqlite3_vfs_find(None)
        self._files: dict[int, tuple[Path, _Methods]] = {}
        self._kept: list[Any] = []
        real = _Vfs.from_address(self._real)
        self._real_open = _open_type(real.xOpen)
        self.vfs = _Vfs()
        ctypes.memmove(ctypes.addressof(self.vfs), self._real, ctypes.sizeof(_Vfs))
        self.vfs.zName = b"remit-faulty"
        self.vfs.pNext = None
        self._own = [
            _open_type(self._open),
            _close_type(self._close),
            _write_type(self._write),
            _truncate_type(self._truncate),
            _sync_type(self._sync),
        ]
        self.vfs.xOpen = ctypes.cast(self._own[0], _POINTER)

    def put(self) -> None:
        assert self._library.sqlite3_vfs_register(ctypes.byref(self.vfs), 1) == _OK

    def remove(self) -> None:
        assert self._library.sqlite3_vfs_unregister(ctypes.byref(self.vfs)) == _OK
        assert self._library.sqlite3_vfs_register(_POINTER(self._real), 1) == _OK

    def _open(self, _vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        code = self._real_open(self._real, name, file, flags, out)
        path = Path(ctypes.string_at(name).decode()) if name else Path()
        methods = _POINTER.from_address(file).value
        if code != _OK or methods is None or self.disk.folder not in path.parents:
            return code
        real, ours = _Methods.from_address(methods), _Methods()
        ctypes.memmove(ctypes.addressof(ours), methods, ctypes.sizeof(_Methods))
        for member, own in zip(("xClose", "xWrite", "xTruncate", "xSync"), self._own[1:], strict=True):
            setattr(ours, member, ctypes.cast(own, _POINTER))
        self._kept.append(ours)
        self._files[file] = (path, real)
        self.disk.opened(path)
        _POINTER.from_address(file).value = ctypes.addressof(ours)
        return code

    def _close(self, file: int) -> int:
        _, real = self._files.pop(file)
        return _close_type(real.xClose)(file)

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        code = self.disk.does(_WRITE)
        return code or _write_type(self._files[file][1].xWrite)(file, data, size, offset)

    def _truncate(self, file: int, size: int) -> int:
        code = self.disk.does(_TRUNCATE)
        return code or _truncate_type(self._files[file][1].xTruncate)(file, size)

    def _sync(self, file: int, flags: int) -> int:
        path, real = self._files[file]
        code = self.disk.does(_FSYNC) or _sync_type(real.xSync)(file, flags)
        if code == _OK:
            self.disk.has_synced(path)
        return code


@cache
def library() -> Any:
    """The SQLite that Python's `sqlite3` is bound to; None where it is inside Python and nobody can reach it."""
    import _sqlite3

    for name in (getattr(_sqlite3, "__file__", None), None):
        found = ctypes.CDLL(name)
        if hasattr(found, "sqlite3_vfs_find"):
            found.sqlite3_vfs_find.restype = _POINTER
            found.sqlite3_vfs_find.argtypes = [ctypes.c_char_p]
            return found
    return None


@contextmanager
def faulty(disk: Disk) -> Generator[Disk]:
    """`disk` between SQLite and all files below its folder that are opened meanwhile."""
    assert sys.platform == "linux", "the layout of these structures was seen there"
    shim = _Shim(library(), disk)
    shim.put()
    try:
        yield disk
    finally:
        shim.remove()
