"""What was found of policies, kept in a file: read and written in small pieces, since each holds the interpreter.

Losing it costs time alone, and so does damage: a piece is read only where its seal is right (`app.bundles.seal`).
Whoever can read the key, which is as private as the signing keys beside it, can make a policy pass.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, cast

from remit import __version__
from remit.app.bundles.seal import SEAL_BYTES, FileSeal, damaged
from remit.app.data.private_file import write_beside
from remit.policy.checks import NOTHING, CheckCache
from remit.policy.form import AttributePath, ParsedPolicy, ScopeConstraint

PIECE: Final = 100
"""Policies in one piece."""
KEPT_MAX: Final = 20_000
"""Policies that are remembered: those of the last workspace, then as many of earlier ones."""
_SIZE_BYTES: Final = 4

T = TypeVar("T")
Breath = Callable[[], object]
"""Gives others a turn between two pieces."""


def shape() -> str:
    """Changes whenever what is kept would be read differently, or another validator might say otherwise."""
    kinds = [
        (kind.__name__, [field.name for field in fields(kind)])
        for kind in (CheckCache, ParsedPolicy, ScopeConstraint, AttributePath)
    ]
    parts = ("sealed", __version__, version("cedarpy"), sys.version, kinds)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


class PolicyCache:
    """The memory kept in `folder`, read once. `vouching` seals its pieces."""

    def __init__(self, folder: Path, vouching: FileSeal) -> None:
        self._path = folder / f"policies-{shape()}"
        self._vouching = vouching
        self._memory: CheckCache | None = None

    def memory(self, breath: Breath) -> CheckCache:
        """What is remembered; nothing where the file is missing or damaged."""
        if self._memory is None:
            self._memory = _join(_pieces(self._path, self._vouching, breath))
        return self._memory

    def refresh(self) -> None:
        """Read the file again when next asked: another process wrote it."""
        self._memory = None

    def keep(self, cache: CheckCache, breath: Breath) -> None:
        """Remember `cache`, and of what was known as much as there is room for."""
        earlier = self.memory(breath)
        if _within(cache, earlier):
            return
        self._memory = CheckCache(
            forms=dict(islice({**cache.forms, **earlier.forms}.items(), KEPT_MAX)),
            validated=_some(cache.validated, earlier.validated),
            plain=_some(cache.plain, earlier.plain),
        )
        if not self._vouching.able:
            return
        write_beside(self._path, self._packed(self._memory, breath))
        for other in self._path.parent.glob("policies-*"):
            # What another version remembered.
            if other != self._path:
                other.unlink(missing_ok=True)

    def _packed(self, memory: CheckCache, breath: Breath) -> Iterator[bytes]:
        for piece in _cut(memory):
            data = pickle.dumps((dict(piece.forms), piece.validated, piece.plain))
            yield len(data).to_bytes(_SIZE_BYTES, "big") + self._vouching.seal(self._path.name, data) + data
            breath()


def _within(cache: CheckCache, earlier: CheckCache) -> bool:
    return (
        cache.validated <= earlier.validated
        and cache.plain <= earlier.plain
        and cache.forms.keys() <= earlier.forms.keys()
    )


def _some(first: frozenset[str], then: frozenset[str]) -> frozenset[str]:
    return frozenset(islice((*first, *(then - first)), KEPT_MAX))


def _cut(memory: CheckCache) -> Iterator[CheckCache]:
    for chunk in _chunks(memory.forms.items(), PIECE):
        yield CheckCache(forms=dict(chunk))
    for chunk in _chunks(memory.validated, PIECE * 10):
        yield CheckCache(validated=frozenset(chunk))
    for chunk in _chunks(memory.plain, PIECE * 10):
        yield CheckCache(plain=frozenset(chunk))


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def _pieces(path: Path, vouching: FileSeal, breath: Breath) -> Iterator[CheckCache]:
    """The pieces in the file at `path` that were written there; the others are told in the log and left out."""
    whole = True
    for seal, data in _frames(path):
        piece = _read(data) if vouching.own(path.name, seal, data) else None
        whole = whole and piece is not None
        if piece is not None:
            yield piece
        breath()
    if not whole:
        damaged(path)


def _frames(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Each piece with its seal; one that breaks off is empty."""
    try:
        with path.open("rb") as file:
            bytes_left = os.fstat(file.fileno()).st_size
            while head := file.read(_SIZE_BYTES + SEAL_BYTES):
                size = int.from_bytes(head[:_SIZE_BYTES], "big")
                bytes_left -= len(head)
                # A size that is damaged asks for no more memory than the file has bytes.
                data = file.read(min(size, max(bytes_left, 0)))
                bytes_left -= len(data)
                yield head[_SIZE_BYTES:], data
    except FileNotFoundError:
        return
    except OSError:
        yield b"", b""


def _read(data: bytes) -> CheckCache | None:
    """The piece that `data` is; None where it cannot be read. Its seal was right (`vouching`)."""
    try:
        value = pickle.loads(data)  # noqa: S301
        forms, validated, plain = cast("tuple[dict[str, ParsedPolicy], frozenset[str], frozenset[str]]", value)
        return CheckCache(forms, validated, plain)
    except Exception:  # noqa: BLE001 - whatever it is, nothing is remembered then
        return None


def _join(pieces: Iterable[CheckCache]) -> CheckCache:
    forms: dict[str, ParsedPolicy] = {}
    validated: set[str] = set()
    plain: set[str] = set()
    for piece in pieces:
        forms.update(piece.forms)
        validated |= piece.validated
        plain |= piece.plain
    return CheckCache(forms, frozenset(validated), frozenset(plain)) if forms else NOTHING
