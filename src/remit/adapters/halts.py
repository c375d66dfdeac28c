"""Halts left as files in the data folder, for a service that does not answer: one file each, all of it or nothing."""

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from remit.adapters.private import private_folder, sync_folder, write_private
from remit.facts.canonical import Json
from remit.facts.stop import EVERYTHING, Stop, StopTarget, read_subject, subject
from remit.facts.strictjson import JsonRefused, parse_object

HALTS: Final = "halts"
"""The folder, in the data folder."""
BY: Final = "the data folder's owner"
_BYTES_MAX: Final = 16 * 1024
_UNIQUE_BYTES: Final = 16
_END: Final = ".json"


def leave(data: Path, what: StopTarget, reason: str, at_ms: int) -> Path:
    """Leave a halt of `what` in the data folder `data`; its file. Raises `OSError`, `KeyringUnusable`."""
    private_folder(data / HALTS)
    # By time, and no two alike: one of the same millisecond neither replaces another nor shares its partial file.
    path = data / HALTS / f"{at_ms:013d}-{secrets.token_hex(_UNIQUE_BYTES)}{_END}"
    write_private(path, json.dumps({"what": subject(what), "reason": reason, "at_ms": at_ms}).encode())
    return path


class HaltFolder:
    """What lies there. A file that cannot be read halts everything: somebody meant to halt something."""

    def __init__(self, data: Path) -> None:
        self._folder = data / HALTS

    def read(self) -> Mapping[str, Stop]:
        """Those that lie there, by file name, the oldest first. Raises `OSError`."""
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == _END)
        except FileNotFoundError:
            return {}
        return {path.name: _read(path) for path in paths}

    def take(self, name: str) -> None:
        """Take one away. Raises `OSError`."""
        (self._folder / name).unlink(missing_ok=True)
        sync_folder(self._folder)


def _read(path: Path) -> Stop:
    content: Mapping[str, Json] = {}
    with suppress(JsonRefused), path.open("rb") as file:
        content = parse_object(file.read(_BYTES_MAX + 1), bytes_max=_BYTES_MAX)
    what, reason, at_ms = content.get("what"), content.get("reason"), content.get("at_ms")
    stopped = read_subject(what) if isinstance(what, str) else None
    if stopped is None or not isinstance(reason, str) or not isinstance(at_ms, int):
        return Stop(*EVERYTHING, BY, 0, f"a halt was left in {path.name}, which cannot be read")
    return Stop(*stopped, BY, at_ms, reason)
