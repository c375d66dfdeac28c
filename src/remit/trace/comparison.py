"""A ledger compared with checkpoints that were kept elsewhere, and with the tree that it keeps itself.

A root says whether all of the first so many records are those that were signed; it does not say which is not. The
ledger's own tree does: where its leaves lead to a root that was signed they are what was signed, and the first
record that is not its leaf is the one. Where that tree was rewritten as well, the checkpoints kept elsewhere
narrow it down: the record lies behind the last of them that still fits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.facts.record import Ref
from remit.trace.links import LedgerFinding
from remit.trace.note import Checkpoint, CheckSignature, Key, Note, NoteWrong
from remit.trace.tree import HEIGHT, WIDTH, ReadTile, Tree

_HASH_BYTES: Final = 32
TREE: Final = "tree"
"""The name under which what is wrong with tree or checkpoints is told."""
UNSIGNED: Final = "erasure-signed"
"""That of erasures that no checkpoint covers yet: the only finding that an honest ledger has, until one does."""


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint kept elsewhere, by the name under which it is told; `own` where the ledger itself holds it."""

    name: str
    note: Note
    checkpoint: Checkpoint
    own: bool = False


@dataclass(slots=True)
class TreeComparison:
    """The tree of the records that pass by (`feed`), beside `stored`, the ledger's own of `stored_size` leaves."""

    checkpoints: Sequence[KeptCheckpoint]
    stored: ReadTile
    stored_size: int
    size: int = 0
    _tree: Tree = field(default_factory=Tree)
    _leaves: list[bytes] = field(default_factory=list[bytes])
    _stop: int = 0
    _runs: list[tuple[int, Ref]] = field(default_factory=list[tuple[int, Ref]])
    _last: Ref = field(default_factory=lambda: Ref("", 0))
    _roots: dict[int, bytes] = field(default_factory=lambda: {0: Tree().root()})
    _differs: int | None = None
    _torn: tuple[int, int] | None = None
    _before: dict[str, tuple[int, Ref]] = field(default_factory=dict[str, tuple[int, Ref]])
    _erasing: list[Ref] = field(default_factory=list[Ref])

    def __post_init__(self) -> None:
        self._stop = self._next_stop(0)

    def feed_all(self, first: Ref, leaves: Sequence[bytes]) -> None:
        """Take in the leaves of consecutive records of one chain, of which `first` is the first."""
        if first.chain != self._last.chain or first.seq != self._last.seq + 1:
            self._runs.append((self.size, first))
        self._last = Ref(first.chain, first.seq + len(leaves) - 1)
        at = 0
        while at < len(leaves):
            piece = leaves[at : at + self._stop - self.size]
            self._leaves += piece
            self.size += len(piece)
            at += len(piece)
            if self.size == self._stop:
                self._take()

    def restored(self, ref: Ref, origin: str) -> None:
        """The record at `ref`, the last fed, says that a backup was restored of what signed as `origin` until then."""
        self._before[origin] = self.size, ref

    def erased(self, ref: Ref) -> None:
        """The record at `ref`, fed or about to be, says that bodies were erased, and what they said."""
        self._erasing.append(ref)

    def findings(
        self, origin: str, named: Sequence[Key], trusted: Sequence[Key], check: CheckSignature
    ) -> Iterator[LedgerFinding]:
        """What is wrong, once all records passed. `origin` is the ledger's.

        A checkpoint from elsewhere has to be signed by one of the keys in `trusted`, or where there are none, by one
        of those `named` by the ledger's records.
        """
        self._take()
        if self._differs is not None:
            what = "it is not the record that the ledger's own tree has there"
            yield LedgerFinding(self._ref(self._differs), TREE, what)
        if self._torn is not None:
            yield LedgerFinding(None, TREE, f"tile {self._torn[0]}/{self._torn[1]} is not what its leaves come to")
        if self.stored_size > self.size:
            missing = self.stored_size - self.size
            yield LedgerFinding(
                self._end(), TREE, f"it is the last, and the ledger's own tree goes on for {missing} records"
            )
        fits = 0
        fitting: list[KeptCheckpoint] = []
        for one in sorted(self.checkpoints, key=lambda one: one.checkpoint.size):
            keys = (*named, *trusted) if one.own or not trusted else trusted
            wrong = list(self._compare(one, origin, keys, check, fits))
            yield from wrong
            if not wrong:
                fits = one.checkpoint.size
                fitting.append(one)
        if any(not one.own for one in self.checkpoints):
            yield from self._unsigned(fitting, trusted, named, check)

    def _unsigned(
        self,
        fitting: Sequence[KeptCheckpoint],
        trusted: Sequence[Key],
        ledger_keys: Sequence[Key],
        check: CheckSignature,
    ) -> Iterator[LedgerFinding]:
        """Erasures that nobody signed for: what they keep of a body is no more than the word of who wrote the file.

        Keys count that were given, or without any those by which a checkpoint from elsewhere is signed: a key that the
        ledger names may be of the one who wrote the file.
        """
        elsewhere = [one.note for one in fitting if not one.own]
        signers = trusted or [key for key in ledger_keys if any(note.signed_by([key], check) for note in elsewhere)]
        covered = max(
            (one.checkpoint.size for one in fitting if not one.own or one.note.signed_by(signers, check)), default=0
        )
        for ref in self._erasing:
            if self._index(ref) >= covered:
                yield LedgerFinding(
                    ref,
                    UNSIGNED,
                    f"it says what erased bodies said, and no checkpoint of a key trusted here is over it (the last is "
                    f"of {covered} records): whoever can write the file could have added it; if the erasure is yours, "
                    "take a new checkpoint (remit ledger checkpoint) and give it with --against too",
                )

    def _compare(
        self, kept: KeptCheckpoint, origin: str, keys: Sequence[Key], check: CheckSignature, fits: int
    ) -> Iterator[LedgerFinding]:
        checkpoint = kept.checkpoint
        size, ref = self._before.get(checkpoint.origin, (0, None))
        if ref is not None and checkpoint.size > size:
            yield LedgerFinding(
                ref, TREE, f"it restored a backup that was older than {kept.name}: what lay between is not here"
            )
            return
        if checkpoint.origin != origin and ref is None:
            yield LedgerFinding(
                None, TREE, f"{kept.name} is of another ledger, {checkpoint.origin}; this one is {origin or 'none'}"
            )
            return
        try:
            if kept.note.signed_by(keys, check) is None:
                ids = ", ".join(ident.hex() for _, ident, _ in kept.note.signatures)
                yield LedgerFinding(
                    None, TREE, f"{kept.name} is signed by key {ids}, which is not among those known here"
                )
        except NoteWrong as error:
            yield LedgerFinding(None, TREE, f"{kept.name}: {error}")
        if checkpoint.size > self.size:
            missing = checkpoint.size - self.size
            what = (
                f"it is the last of {self.size} records, and {kept.name} has {missing} more: the end was cut off, "
                "or an older copy put in its place"
            )
            yield LedgerFinding(self._end(), TREE, what)
        elif self._roots.get(checkpoint.size) != checkpoint.root:
            yield self._unlike(kept, fits)

    def _unlike(self, kept: KeptCheckpoint, fits: int) -> LedgerFinding:
        size = kept.checkpoint.size
        if not size:
            return LedgerFinding(None, TREE, f"{kept.name} is of no records, and its root is not that of an empty tree")
        if self._differs is not None and self._differs < size and self._witnessed(kept.checkpoint):
            return LedgerFinding(self._ref(self._differs), TREE, f"it is not the record of which {kept.name} is signed")
        if fits == size:
            what = f"{kept.name} has another root than one of as many records that fits: two histories were signed"
            return LedgerFinding(None, TREE, what)
        first, last = self._ref(fits), self._ref(size - 1)
        return LedgerFinding(
            first,
            TREE,
            f"from here to {last} one record or more is not what {kept.name} is signed of; which one cannot be told, "
            "since the ledger's own tree was rewritten too (checkpoints in between would narrow it down)",
        )

    def _witnessed(self, checkpoint: Checkpoint) -> bool:
        """Whether the ledger's own tree leads to the signed root, by its leaves alone."""
        tree = Tree()
        for number in range((checkpoint.size + WIDTH - 1) >> HEIGHT):
            tile = self.stored(0, number)
            leaves = [tile[at : at + _HASH_BYTES] for at in range(0, len(tile), _HASH_BYTES)]
            tree.add(leaves[: checkpoint.size - tree.size])
        return tree.size == checkpoint.size and tree.root() == checkpoint.root

    def _take(self) -> None:
        """Put what was fed since the last stop into the tree, and compare it with the ledger's own."""
        start = self._tree.size
        if self._differs is None:
            self._differs = self._unlike_stored(start)
        for level, number, hashes in self._tree.add(self._leaves):
            if level and self._torn is None and self.stored(level, number) not in {b"", hashes}:
                self._torn = level, number
        self._leaves.clear()
        if any(one.checkpoint.size == self.size for one in self.checkpoints):
            self._roots[self.size] = self._tree.root()
        self._stop = self._next_stop(self.size)

    def _unlike_stored(self, start: int) -> int | None:
        tile = self.stored(0, start >> HEIGHT)
        offset = start & (WIDTH - 1)
        for number, leaf in enumerate(self._leaves):
            at = (offset + number) * _HASH_BYTES
            stored_leaf = tile[at : at + _HASH_BYTES]
            if stored_leaf and stored_leaf != leaf:
                return start + number
        return None

    def _next_stop(self, size: int) -> int:
        sizes = [one.checkpoint.size for one in self.checkpoints if one.checkpoint.size > size]
        return min([(size | (WIDTH - 1)) + 1, *sizes])

    def _end(self) -> Ref | None:
        return self._last if self.size else None

    def _ref(self, index: int) -> Ref:
        """The record that is leaf `index`."""
        start, ref = next(run for run in reversed(self._runs) if run[0] <= index)
        return Ref(ref.chain, ref.seq + index - start)

    def _index(self, ref: Ref) -> int:
        """The leaf that the record at `ref` is."""
        start, first = next(run for run in reversed(self._runs) if run[1].chain == ref.chain and run[1].seq <= ref.seq)
        return start + ref.seq - first.seq
