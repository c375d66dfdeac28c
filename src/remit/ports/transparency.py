"""What lets strangers check the ledger: its tree, the keys that sign for it, and what is proved of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from remit.facts.record import Ref
from remit.trace.note import Checkpoint, Key, Note
from remit.trace.proof import Proof
from remit.trace.tree import Tree


class NotErasable(Exception):
    """A body that stays: the text says which, and why. Nothing was erased."""


class Unprovable(Exception):
    """Nothing is signed or proved: the text says why, and which record it is about."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A record as it stands in the tree; `salt` and `body` are None once erased."""

    index: int
    record: bytes
    salt: bytes | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Continuation:
    """That the tree of `note` goes on from its first `old` leaves: a consistency proof (RFC 6962, section 2.1.2)."""

    old: int
    path: tuple[bytes, ...]
    note: Note


@dataclass(frozen=True, slots=True)
class SigningProgress:
    """How far signing is: `records` under the last checkpoint, which had every durable one `age_s` ago.

    Before the first of a run, `records` is 0 and `age_s` counts from the start. `why` is what stands in the way.
    """

    records: int
    age_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, by which `records`; `cleared` says that the bytes are gone from the log too."""

    records: tuple[Ref, ...]
    erased: tuple[Ref, ...]
    cleared: bool


class Bodies(Protocol):
    """The bodies as they lie on disk. Blocks: ask it in a thread."""

    def erase(self, refs: Iterable[Ref]) -> bool:
        """Remove salt and bytes of these, durably; whether no trace of them is left in a log."""
        ...

    def unlike(self, refs: Iterable[Ref]) -> Ref | None:
        """The first of these whose body is not what its record commits to; None where each is."""
        ...

    def finish(self) -> int:
        """Remove what is erased on record and still there; how many that were."""
        ...


class Erasing(Protocol):
    """Erasing bodies of a running ledger, on record."""

    async def erase(self, refs: Sequence[Ref], why: str, by: str) -> Erasure:
        """Erase the bodies of `refs`, of an intent that of its outcome too. `KeyError`, `NotErasable`."""
        ...


class TreeStore(Protocol):
    """The tree over the ledger's records. Blocks: ask it in a thread."""

    def follow(self, *, save: bool) -> Tree:
        """Take in what was committed since; the tree as it is then. Raises `Unprovable`."""
        ...

    def save(self, note: Note) -> None:
        """Keep `note` as the last that was signed."""
        ...

    def read(self, level: int, number: int) -> bytes:
        """The hashes of a tile (`trace.tree.ReadTile`)."""
        ...

    def leaf(self, ref: Ref) -> Leaf | None:
        """The record at `ref`; None where the ledger has none."""
        ...


class Notary(Protocol):
    """The keys that sign checkpoints of one log. They rotate: the newest comes first."""

    @property
    def keys(self) -> Sequence[Key]:
        """Those that sign."""
        ...

    def sign(self, checkpoint: Checkpoint) -> Note:
        """`checkpoint`, signed by each of them."""
        ...

    def unannounced_keys(self) -> Sequence[Key]:
        """Those that the ledger does not name yet."""
        ...

    def note_announced(self, key: Key) -> None:
        """The ledger names `key` now, durably."""
        ...

    def rotate(self) -> Key:
        """Make a new key; the one before signs beside it for a while."""
        ...


class Transparency(Protocol):
    """What can be proved of a running ledger. All raise `Unprovable`."""

    async def checkpoint(self) -> Note:
        """The latest, over everything that was durable a moment ago."""
        ...

    async def prove(self, ref: Ref, *, reveal: bool) -> Proof:
        """That the record at `ref` is in the ledger; with `reveal`, what its body says. `KeyError` for none."""
        ...

    async def since(self, old: int) -> Continuation:
        """That the ledger goes on from its first `old` records."""
        ...

    async def rotate(self, by: str) -> Key:
        """Sign with a new key from now on, on record."""
        ...
