"""What the service remembers of bundles between starts, in its data folder.

Four things: what is in force (`resuming`), the last workspace as it was read (so that a start that
takes the folder, with nothing changed, parses no YAML), what was found of each policy (so that a
start with nothing changed reads and validates none), and the policies of every bundle that ran (so that `remit
why` can show the lines that decided, after they have changed). Losing the others costs time or
detail, never correctness; none is evidence, and what somebody edited is not shown.
"""

import contextlib
import os
import pickle
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from remit.api.services import PolicyText
from remit.app.bundles.in_force import Resuming
from remit.app.bundles.kept_bundle import FORM, described_of, file_of, kept_of, pins_of
from remit.app.bundles.policy_cache import Breath, PolicyCache
from remit.app.bundles.seal import FILE as KEY
from remit.app.bundles.seal import SEAL_BYTES, FileSeal, damaged
from remit.app.bundles.serialization import packed, shape
from remit.app.data.private_file import write_beside
from remit.control.diff import BundleDescription
from remit.control.resources import ResourceKind, WorkspaceSource
from remit.facts.canonical import Json
from remit.policy.compile import Bundle, CheckCache


def silent() -> None:
    """Nobody waits for a turn."""


HISTORY: Final = "history"
_FINGERPRINT_CHARS: Final = 64


class Bundles:
    """The folder `root` of a data folder, created with mode 0700; what is kept there is sealed by a key beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._vouching = FileSeal(root.parent / "keys")
        self._remembering = PolicyCache(root, self._vouching)

    def discard(self) -> None:
        """Remove all that is kept, its key, and the folders around it where nothing else is in them."""
        shutil.rmtree(self.root, ignore_errors=True)
        data = self.root.parent
        (data / "keys" / KEY).unlink(missing_ok=True)
        for folder in (data / "keys", data):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def resuming(self, workspace: Path) -> Resuming:
        """What was in force of the folder `workspace`, and what is going to be."""
        return Resuming(self.root, self._vouching, workspace)

    def source(self, fingerprint: str) -> WorkspaceSource | None:
        """The workspace with that fingerprint as it was read, if it was the last one."""
        path = self.root / f"source-{shape()}"
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError:
            content = b""
        seal, data = content[:SEAL_BYTES], content[SEAL_BYTES:]
        is_own = self._vouching.own(path.name, seal, data)
        if is_own and data[:_FINGERPRINT_CHARS] != fingerprint.encode("ascii"):
            return None
        source = _source(data) if is_own else None
        if source is None:
            damaged(path)
        return source

    def keep_source(self, fingerprint: str, source: WorkspaceSource) -> None:
        """Keep a workspace that was read without problems."""
        if self._vouching.able:
            path, data = self.root / f"source-{shape()}", fingerprint.encode("ascii") + packed(source)
            write_beside(path, (self._vouching.seal(path.name, data), data))

    def memory(self, breath: Breath = silent) -> CheckCache:
        """What earlier compilations found; nothing when the file is missing or damaged."""
        return self._remembering.memory(breath)

    def remember(self, cache: CheckCache, breath: Breath = silent) -> None:
        """Keep what a compilation found."""
        self._remembering.keep(cache, breath)

    def refresh(self) -> None:
        """Another process has remembered something."""
        self._remembering.refresh()

    def keep(self, bundle: Bundle) -> None:
        """Keep what `bundle` was."""
        name = file_of("bundle", bundle.digest)
        stored = self._read(name)
        if not self._vouching.able or (stored is not None and stored["form"] == FORM):
            # It is in use again: what prunes beside this service looks at when that was.
            for name_used in () if stored is None else (name, *pins_of(stored)):
                with contextlib.suppress(OSError):
                    os.utime(self.root / name_used)
            return
        content = kept_of(bundle)
        for pin, definition in content.definitions.items():
            if self._read(file_of("pin", pin)) is None:
                self._write(file_of("pin", pin), definition)
        self._write(name, content.bundle)

    def policy(self, digest: str, ident: str) -> PolicyText | None:
        """The text of `ident` in the bundle `digest`, if that bundle ran here."""
        stored = self._read(file_of("bundle", digest))
        try:
            text = stored["policies"][ident]
            return PolicyText(text["path"], text["line"], text["text"])
        except (KeyError, TypeError):
            return None

    def resource(self, digest: str, kind: ResourceKind, name: str) -> Mapping[str, Json] | None:
        """How the bundle `digest` declared the resource `name` of `kind`, if that bundle ran here."""
        stored = self._read(file_of("bundle", digest))
        try:
            return next(
                (
                    spec
                    for kind_stored, name_stored, spec in stored["resources"]
                    if (kind_stored, name_stored) == (kind.value, name)
                ),
                None,
            )
        except (KeyError, TypeError, ValueError):
            return None

    def described(self, digest: str) -> BundleDescription | None:
        """The bundle `digest` as it is compared, if it ran here and what is kept of it can be read."""
        try:
            return described_of(self._read(file_of("bundle", digest)), lambda pin: self._read(file_of("pin", pin)))
        except (KeyError, TypeError, ValueError):
            return None

    def digests(self) -> Sequence[str]:
        """The digests of all bundles that are kept."""
        return [f"sha256:{path.stem.removeprefix('bundle-')}" for path in sorted(self.root.glob("bundle-*.kept"))]

    def latest(self) -> str | None:
        """The digest of the bundle that was in use last; None where none is kept."""
        paths = list(self.root.glob("bundle-*.kept"))
        last = max(paths, key=lambda path: path.stat().st_mtime, default=None)
        return None if last is None else f"sha256:{last.stem.removeprefix('bundle-')}"

    def names(self, digest: str, kind: ResourceKind) -> Collection[str] | None:
        """The names of `kind` in the bundle `digest`; None where what is kept of it cannot be read."""
        stored = self._read(file_of("bundle", digest))
        try:
            return [name for kind_stored, name, _ in stored["resources"] if kind_stored == kind.value]
        except (KeyError, TypeError, ValueError):
            return None

    def idle(self, live: Collection[str], since_s: float) -> Sequence[Path]:
        """The files of bundles that are not `live` and were not kept since then, and of definitions of these alone.

        `since_s` is in seconds since the epoch. Definitions stay where a bundle that stays cannot be read.
        """
        bundles = {self.root / file_of("bundle", digest): digest for digest in self.digests()}
        idle = [path for path, digest in bundles.items() if digest not in live and _older(path, since_s)]
        return [*idle, *(path for path in self._pins_without(idle) if _older(path, since_s))]

    def left(self, live: Collection[str], after_s: float) -> Sequence[Path]:
        """The files of bundles that are not `live` and were kept after then, and of definitions of these alone."""
        bundles = {self.root / file_of("bundle", digest): digest for digest in self.digests()}
        leftover = [path for path, digest in bundles.items() if digest not in live and not _older(path, after_s)]
        return [*leftover, *(path for path in self._pins_without(leftover) if not _older(path, after_s))]

    def sweep(self) -> None:
        """Remove what other processes began to write here and were killed over, and what other versions read."""
        with contextlib.suppress(OSError):
            for path in (*self.root.glob(".*.kept.*"), *self.root.glob(".source-*"), *self.root.glob(".policies-*")):
                path.unlink(missing_ok=True)
            for path in (*self.root.glob("source-*"), *self.root.glob("running-*")):
                if path.name not in {f"source-{shape()}", f"running-{shape()}"}:
                    path.unlink(missing_ok=True)

    def _pins_without(self, bundles: Sequence[Path]) -> Sequence[Path]:
        """The files of definitions that no bundle has but `bundles`; none where another cannot be read."""
        staying = [self._read(path.name) for path in set(self.root.glob("bundle-*.kept")) - set(bundles)]
        if not all(stored is not None and stored["form"] == FORM for stored in staying):
            return ()
        used = {name for stored in staying for name in pins_of(stored)}
        return [path for path in sorted(self.root.glob("pin-*.kept")) if path.name not in used]

    def note(self, ref: str) -> None:
        """Note down which record says that a bundle came into force; where that fails, nothing is noted any more."""
        try:
            descriptor = os.open(self.root / HISTORY, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "a", encoding="ascii") as file:
                file.write(f"{ref}\n")
        except OSError:
            # A note with a gap would be believed; without one, the ledger is asked.
            with contextlib.suppress(OSError):
                (self.root / HISTORY).unlink(missing_ok=True)

    def noted(self) -> Sequence[str] | None:
        """Those records, oldest first; None where nothing was noted down."""
        try:
            return (self.root / HISTORY).read_text("ascii").split()
        except (OSError, UnicodeDecodeError):
            return None

    def note_all(self, refs: Iterable[str]) -> None:
        """Note down `refs` instead of what was."""
        write_beside(self.root / HISTORY, (f"{ref}\n".encode("ascii") for ref in refs))

    def _write(self, name: str, content: Json) -> None:
        data = orjson.dumps(content)
        write_beside(self.root / name, (self._vouching.seal(name, data), data))

    def _read(self, name: str) -> Any:
        """What was written to the file `name`; None where there is none, or what is there is something else."""
        try:
            content = (self.root / name).read_bytes()
        except OSError:
            return None
        if not self._vouching.own(name, content[:SEAL_BYTES], content[SEAL_BYTES:]):
            damaged(self.root / name)
            return None
        return orjson.loads(content[SEAL_BYTES:])


def _older(path: Path, since_s: float) -> bool:
    try:
        return path.stat().st_mtime < since_s
    except OSError:
        return False


def _source(data: bytes) -> WorkspaceSource | None:
    """The workspace that `data` is. Its seal was right (`vouching`)."""
    try:
        value: object = pickle.loads(data[_FINGERPRINT_CHARS:])  # noqa: S301
    except Exception:  # noqa: BLE001 - whatever it is, the workspace is read anew
        return None
    return value if isinstance(value, WorkspaceSource) else None
