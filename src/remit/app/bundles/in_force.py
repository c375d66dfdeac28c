"""What is in force, kept in the data folder, so that `remit up --resume` brings it back and no edit besides.

Laws
* It is written before the record that says so, and put in its place after it, before anybody is answered: what was
  acknowledged is what is resumed, and a change that was cut off is not.
* It is of one workspace folder: whoever starts the service with another one says what is to run.
* What cannot be read, or another version wrote, is not believed: the start takes the folder, and tells.
"""

import pickle
from pathlib import Path
from typing import NamedTuple

from remit.adapters.private import sync_folder, write_private
from remit.app.bundles.seal import SEAL_BYTES, FileSeal, damaged
from remit.app.bundles.serialization import packed, shape
from remit.control.resources import WorkspaceSource


class KeptSource(NamedTuple):
    """What was in force: a workspace as it was read.

    `fingerprint` is that of the folder which it is all of; None where parts of the folder waited.
    """

    source: WorkspaceSource
    fingerprint: str | None


class Resuming:
    """Keeps in `folder` what is in force of `workspace`, sealed by `vouching`; without a key nothing is kept."""

    def __init__(self, folder: Path, vouching: FileSeal, workspace: Path) -> None:
        self._workspace = str(workspace.resolve())
        self._path = folder / f"running-{shape()}"
        self._next = self._path.with_name(f"{self._path.name}.next")
        self._vouching = vouching

    def found(self) -> KeptSource | None:
        """What was in force; None where that is not known, or was another folder's."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            content = b""
        seal, data = content[:SEAL_BYTES], content[SEAL_BYTES:]
        if not self._vouching.own(self._path.name, seal, data):
            damaged(self._path)
            return None
        # Its seal was right (`vouching`).
        where, resumed = pickle.loads(data)  # noqa: S301
        return resumed if where == self._workspace and isinstance(resumed, KeptSource) else None

    def ready(self, resumed: KeptSource) -> None:
        """Write what is about to be in force. Raises `OSError`."""
        if self._vouching.able:
            data = packed((self._workspace, resumed))
            write_private(self._next, self._vouching.seal(self._path.name, data) + data)
        else:
            self._path.unlink(missing_ok=True)

    def settle(self) -> None:
        """It is in force now. Raises `OSError`."""
        if self._next.exists():
            self._next.replace(self._path)
            sync_folder(self._path.parent)
