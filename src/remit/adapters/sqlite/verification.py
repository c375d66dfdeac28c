"""`remit ledger verify`: the whole file, read beside a running service or without any.

Records come in short transactions, so that the service's log can start over meanwhile. Each is
verified (`trace.verify`) and folded (`refold`); what the file holds beside its records has to be
what they fold to, and its pages have to go together (`pages`).
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final

from remit.adapters.notary import verify_signature
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.frames import frame_of
from remit.adapters.sqlite.mark import loss_of
from remit.adapters.sqlite.pages import unsound_pages
from remit.adapters.sqlite.reads import SEGMENT, open_readonly
from remit.adapters.sqlite.refold import UNFOLDABLE, Refold
from remit.adapters.sqlite.schema import VERSION, check, foreign
from remit.adapters.sqlite.segment import Segment, SegmentTorn, Stored, unpack
from remit.adapters.sqlite.strays import strays
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.tiles import origin_of, read_tile, stored_note, stored_size
from remit.facts.record import Record, Ref
from remit.trace.bodies import AdminBody, Event
from remit.trace.chain import parts
from remit.trace.comparison import TREE, KeptCheckpoint, TreeComparison
from remit.trace.encoding import decode_body
from remit.trace.glance import Glance
from remit.trace.links import LedgerFinding, LedgerRow
from remit.trace.note import Checkpoint, Key, Note, NoteWrong
from remit.trace.report import Report
from remit.trace.tree import leaf_hash
from remit.trace.verify import Seen, Verifier

_SEGMENTS_MAX: Final = 1_000
_BYTES_MAX: Final = 8 * 1024 * 1024
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1
UNREADABLE: Final = (sqlite3.DatabaseError, UnicodeDecodeError, OverflowError, TypeError)
"""What a file raises whose bytes are no longer SQLite's: in its errors too, which quote the file."""


def verify_file(
    path: Path,
    progress: Callable[[int], None] | None = None,
    against: Sequence[KeptCheckpoint] = (),
    trusted: Sequence[Key] = (),
    *,
    marked: bool = False,
) -> Report:
    """The report on the ledger at `path`, which may be in use; `progress` gets records so far.

    `against` are checkpoints kept elsewhere, signed by one of `trusted` or,
    without any, by a key that the ledger names. `marked`: it is the one that the mark beside it is of.
    Opens it read-only. What SQLite itself cannot read, or finds unsound, is a finding, and so is each row of a state
    table that is not what the records fold to; no report is clean whose state was not compared.
    Raises `LedgerRefused` for a file that is not there, is no ledger, or has another schema than
    this version's.
    """
    if not path.is_file():
        raise LedgerRefused(
            f"{path} was not verified", "there is no such file", "remit ledger verify --data FOLDER, or FILE"
        )
    reading = _Reading(progress, trusted)
    try:
        open_current(path).close()
        refold = Refold(path, immutable=at_rest(path))
        try:
            reading.compare_with(refold.conn, against)
            reading.read(refold)
        finally:
            refold.conn.close()
    except SegmentTorn as error:
        reading.stop(LedgerFinding(None, "chain-links", str(error)))
    except UNREADABLE as error:
        reading.stop(LedgerFinding(None, "chain-links", f"SQLite cannot read it: {error}"))
    for finding in (*unsound_pages(path, immutable=at_rest(path)), *(cut_off(path) if marked else ())):
        reading.verifier.note(finding)
    if progress is not None:
        progress(reading.seen)
    return replace(reading.verifier.report(), uncompared=reading.uncompared)


def cut_off(path: Path) -> Iterator[LedgerFinding]:
    """What the mark beside the ledger at `path` names and is not there any more."""
    why = loss_of(path, immutable=at_rest(path))
    if why is not None:
        yield LedgerFinding(None, "chain-links", why)


class _Reading:
    """One way through a file: each record verified, and folded as long as that can be done."""

    def __init__(self, progress: Callable[[int], None] | None, trusted: Sequence[Key]) -> None:
        self.verifier = Verifier()
        self.keys: list[Key] = []
        """Those that records name."""
        self._trusted = trusted
        self._origin = ""
        self._tree: TreeComparison | None = None
        self._leaves: list[bytes] = []
        """Of records up to `_last`, all of one batch, that the tree does not have yet."""
        self._last = Ref("", 0)
        self.seen = 0
        self.uncompared: str | None = None
        self._progress = progress

    def compare_with(self, conn: sqlite3.Connection, against: Sequence[KeptCheckpoint]) -> None:
        """Compare what will be read with `against`, with the ledger's own tree and the last that it signed."""
        self._origin = origin_of(conn)
        self._tree = comparison_with(conn, against, self.verifier.note)

    def read(self, refold: Refold) -> None:
        """All records, then the state, compared in the very snapshot that has no record more."""
        conn = refold.conn
        last = -1
        while True:
            conn.execute("BEGIN")
            chains = conn.execute("SELECT no, name FROM held.chain")
            names: dict[int, str] = {number: name for number, name in chains if _is_chain(name)}
            page = page_after(conn, last)
            if not page:
                self._compare(refold)
                self._compare_tree()
                for finding in strays(conn):
                    self.verifier.note(finding)
                conn.execute("COMMIT")
                return
            # The writer's log can start over while this page is looked at.
            conn.execute("COMMIT")
            conn.execute("BEGIN")
            self._take(refold, page, names)
            conn.execute("COMMIT")
            last = page[-1][0]

    def stop(self, finding: LedgerFinding) -> None:
        """Nothing more is read."""
        self.verifier.note(finding)
        self.uncompared = self.uncompared or "the file could not be read to its end"

    def _take(self, refold: Refold, page: Sequence[Segment], names: Mapping[int, str]) -> None:
        for segment in page:
            for stored in unpack(*segment):
                row = _row(stored, names)
                self._last = row.ref
                self._leaves.append(leaf_hash(row.record))
                frame = frame_of(refold.conn, stored.id, "held") if stored.body is None else None
                parsed = self.verifier.feed(row, frame)
                if parsed is None:
                    self.uncompared = self.uncompared or "a record or body is gone, or cannot be read"
                else:
                    self._note_key(row.ref, parsed[1])
                    if self.uncompared is None:
                        self._fold(refold, stored, row.ref, *parsed, frame)
                self.seen += 1
                if self._progress is not None and self.seen % 10_000 == 0:
                    self._progress(self.seen)
            self._grow()
        if self.uncompared is None:
            try:
                refold.flush()
            except UNFOLDABLE as error:
                self._unfoldable(None, error)

    def _grow(self) -> None:
        """Give the tree the leaves that it does not have."""
        if self._tree is not None and self._leaves:
            chain, seq = self._last
            self._tree.feed_all(Ref(chain, seq + 1 - len(self._leaves)), self._leaves)
        self._leaves = []

    def _note_key(self, ref: Ref, body: Seen) -> None:
        if isinstance(body, AdminBody) and body.event is Event.CHECKPOINT_KEY:
            with suppress(NoteWrong):
                self.keys.append(Key.parse(str(body.data.get("key"))))
        if isinstance(body, AdminBody) and body.event is Event.LEDGER_RESTORED and self._tree is not None:
            self._grow()
            self._tree.restored(ref, str(body.data.get("log")))
        if isinstance(body, AdminBody) and body.event is Event.LEDGER_ERASED and self._tree is not None:
            self._tree.erased(ref)

    def _compare_tree(self) -> None:
        if self._tree is not None:
            for finding in self._tree.findings(self._origin, self.keys, self._trusted, verify_signature):
                self.verifier.note(finding)

    def _fold(
        self, refold: Refold, stored: Stored, ref: Ref, record: Record, parsed: Seen, frame: bytes | None
    ) -> None:
        try:
            body = decode_body(record.kind, stored.body or frame or b"") if isinstance(parsed, Glance) else parsed
            earlier = refold.feed(ref, record, body)
        except UNFOLDABLE as error:
            self._unfoldable(ref, error)
            return
        if earlier != stored.earlier:
            self.verifier.note(
                LedgerFinding(ref, "state", "it names another record than the one before it in its session")
            )

    def _unfoldable(self, ref: Ref | None, error: Exception) -> None:
        self.verifier.note(LedgerFinding(ref, "state", f"what the records change cannot be folded: {error}"))
        self.uncompared = "not every record can be folded"

    def _compare(self, refold: Refold) -> None:
        if self.uncompared is None:
            for what in refold.differences():
                self.verifier.note(LedgerFinding(None, "state", what))


def comparison_with(
    conn: sqlite3.Connection, against: Sequence[KeptCheckpoint], say: Callable[[LedgerFinding], None]
) -> TreeComparison:
    """A comparison with `against`, with the ledger's own tree and the last that it signed."""
    checkpoints = list(against)
    signed = stored_note(conn)
    if signed is not None:
        try:
            note = Note.parse(signed)
            checkpoints.append(
                KeptCheckpoint("the ledger's own last checkpoint", note, Checkpoint.parse(note.text), own=True)
            )
        except NoteWrong as error:
            say(LedgerFinding(None, TREE, f"the ledger's own last checkpoint: {error}"))
    return TreeComparison(checkpoints, lambda level, number: read_tile(conn, level, number), stored_size(conn))


def copy_ledger(source: Path, target: Path) -> None:
    """A consistent copy of the ledger at `source`, in use or not, in one file at `target`."""
    reading = open_current(source)
    try:
        writing = sqlite3.connect(target, isolation_level=None)
        try:
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")
        finally:
            writing.close()
    finally:
        reading.close()


def rows_of(stored: Iterable[Stored], chains: Mapping[int, str]) -> Iterator[LedgerRow]:
    """`stored` as verification takes it; `chains` gives names by number. Raises `SegmentTorn`."""
    return (_row(item, chains) for item in stored)


def _row(item: Stored, chains: Mapping[int, str]) -> LedgerRow:
    chain = chains.get(item.id >> SEQ_BITS)
    if chain is None:
        raise SegmentTorn(f"record {item.id} belongs to no chain of the file")
    seq = item.id & _SEQ_MASK
    if not seq:
        raise SegmentTorn(f"record {item.id} stands before the first of its chain")
    return LedgerRow(Ref(chain, seq), item.record, item.hash, item.salt, item.body)


@lru_cache
def _is_chain(name: str) -> bool:
    try:
        parts(name)
    except ValueError:
        return False
    return True


def at_rest(path: Path) -> bool:
    """Whether nobody uses the file at `path`: without a log beside it, it is maybe where nothing can be written."""
    return not path.with_name(path.name + "-wal").exists()


def open_current(path: Path) -> sqlite3.Connection:
    """A connection that reads the ledger at `path`, of this version's schema. Raises `LedgerRefused`."""
    conn = open_readonly(path, immutable=at_rest(path))
    try:
        version = check(conn, path)
    except sqlite3.DatabaseError as error:
        conn.close()
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise foreign(path) from error
        raise
    except LedgerRefused:
        conn.close()
        raise
    if version == VERSION:
        return conn
    conn.close()
    if version is None:
        raise foreign(path)
    raise LedgerRefused(f"{path} was not verified", "its schema is an earlier one", "remit up, which migrates it")


def page_after(conn: sqlite3.Connection, last: int) -> list[Segment]:
    """The next segments, up to so many and about so many bytes."""
    page: list[Segment] = []
    size = 0
    cursor = conn.execute(f"{SEGMENT} WHERE segment.first > ? ORDER BY segment.first LIMIT ?", (last, _SEGMENTS_MAX))
    for segment in cursor:
        page.append(segment)
        size += len(segment[2]) + len(segment[3])
        if size > _BYTES_MAX:
            break
    cursor.close()
    return page
