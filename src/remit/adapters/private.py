"""Files that the service's user alone may read: keys, and what is sealed with them."""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class KeyringUnusable(Exception):
    """Keys or sealed files cannot be used as they are; says which file, why, and what mends it."""


def private_folder(folder: Path) -> None:
    """Make `folder` with mode 0700, or see that it is so. Raises `KeyringUnusable`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    must_be_private(folder, 0o700)


def must_be_private(path: Path, mode: int) -> None:
    """See that nobody else may use `path`: ours, no link, at most `mode`. Raises `KeyringUnusable`."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode) or status.st_uid != os.geteuid():
        raise KeyringUnusable(f"{path} must belong to the user that runs Remit and be no link")
    if stat.S_IMODE(status.st_mode) & ~mode:
        raise KeyringUnusable(f"others may read {path}; run: chmod {mode:o} {path}")


def write_private(path: Path, data: bytes) -> None:
    """Write `path` with mode 0600, all of it or nothing, durable when this returns. Raises `OSError`."""
    with naming(path):
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)


@contextmanager
def naming(path: Path) -> Generator[None]:
    """Have an `OSError` that names no file name `path`: what is open already is not named by the system."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Make what was renamed or removed in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
