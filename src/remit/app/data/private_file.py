"""Files of the data folder that may be lost but not torn: written beside their place, then put there."""

import os
from collections.abc import Iterable
from pathlib import Path

from remit.adapters.private import naming


def write_beside(path: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to `path`, for its owner alone, all of them or nothing. Raises `OSError`."""
    with naming(path):
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for part in parts:
                file.write(part)
        beside.replace(path)
