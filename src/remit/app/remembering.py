"""What was found of policies, kept in a file: read and written in small pieces, since each holds the interpreter.

Losing it costs time alone. Whoever can write there can make a policy pass: the folder is the service's own, as private
as the signing keys beside it.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar, cast

from remit import __version__
from remit.app.privately import write_beside
from remit.policy.checking import NOTHING, Memory
from remit.policy.form import Access, Constraint, Form

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
    kinds = [(kind.__name__, [field.name for field in fields(kind)]) for kind in (Memory, Form, Constraint, Access)]
    told = (__version__, version("cedarpy"), sys.version, kinds)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


class Remembering:
    """The memory kept in `folder`, read once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"policies-{shape()}"
        self._memory: Memory | None = None

    def memory(self, breath: Breath) -> Memory:
        """What is remembered; nothing where the file is missing or damaged."""
        if self._memory is None:
            self._memory = _joined(_pieces(self._path, breath))
        return self._memory

    def refresh(self) -> None:
        """Read the file again when next asked: another process wrote it."""
        self._memory = None

    def keep(self, found: Memory, breath: Breath) -> None:
        """Remember `found`, and of what was known as much as there is room for."""
        known = self.memory(breath)
        if _within(found, known):
            return
        self._memory = Memory(
            forms=dict(islice({**found.forms, **known.forms}.items(), KEPT_MAX)),
            validated=_some(found.validated, known.validated),
            plain=_some(found.plain, known.plain),
        )
        write_beside(self._path, _packed(self._memory, breath))
        for other in self._path.parent.glob("policies-*"):
            # What another version remembered.
            if other != self._path:
                other.unlink(missing_ok=True)


def _within(found: Memory, known: Memory) -> bool:
    return (
        found.validated <= known.validated and found.plain <= known.plain and found.forms.keys() <= known.forms.keys()
    )


def _some(first: frozenset[str], then: frozenset[str]) -> frozenset[str]:
    return frozenset(islice((*first, *(then - first)), KEPT_MAX))


def _packed(memory: Memory, breath: Breath) -> Iterator[bytes]:
    for one in _chunks(memory.forms.items(), PIECE):
        yield _framed(Memory(forms=dict(one)))
        breath()
    for one in _chunks(memory.validated, PIECE * 10):
        yield _framed(Memory(validated=frozenset(one)))
        breath()
    for one in _chunks(memory.plain, PIECE * 10):
        yield _framed(Memory(plain=frozenset(one)))
        breath()


def _framed(piece: Memory) -> bytes:
    data = pickle.dumps((dict(piece.forms), piece.validated, piece.plain))
    return len(data).to_bytes(_SIZE_BYTES, "big") + data


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := list(islice(left, size)):
        yield chunk


def _pieces(path: Path, breath: Breath) -> Iterator[Memory]:
    """The pieces in the file at `path`, up to the first that cannot be read."""
    try:
        with path.open("rb") as file:
            while size := file.read(_SIZE_BYTES):
                found: object = pickle.loads(file.read(int.from_bytes(size, "big")))  # noqa: S301
                yield Memory(*cast("tuple[dict[str, Form], frozenset[str], frozenset[str]]", found))
                breath()
    except (OSError, ValueError, EOFError, AttributeError, ImportError, TypeError, pickle.UnpicklingError):
        return


def _joined(pieces: Iterable[Memory]) -> Memory:
    forms: dict[str, Form] = {}
    validated: set[str] = set()
    plain: set[str] = set()
    for piece in pieces:
        forms.update(piece.forms)
        validated |= piece.validated
        plain |= piece.plain
    return Memory(forms, frozenset(validated), frozenset(plain)) if forms else NOTHING
