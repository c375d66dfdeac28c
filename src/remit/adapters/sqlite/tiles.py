"""The tree over the ledger's records (`trace.tree`) as it lies in the file, and as it follows the writer.

Laws
* It costs an append nothing: what was committed is read afterwards, in short transactions, by a thread of its own.
  A reader of the write-ahead log sees only what was synced, so no leaf is of a record that could still be lost.
* It is a fold of the records: what is missing of it is made from them, and what is there has to be theirs. Before
  anything more is signed, the end of the tree is compared with the end of the ledger (`TreeWrong`).
* It is written by a connection of its own, in transactions of a few rows that wait for no sync: what a crash takes
  of them is made again. Tiles are full and never change, but for the last of level 0.
"""

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from remit.adapters.sqlite.reads import chain_end, open_readonly, stored_at
from remit.adapters.sqlite.segment import SegmentTorn, leaves
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import Ref
from remit.ports.transparency import Leaf, Unprovable
from remit.trace.note import Checkpoint, Note
from remit.trace.tree import HEIGHT, WIDTH, ProofWrong, Tree, range_hash, tree_from

LEVEL_BITS: Final = 48
_BYTES_EACH: Final = 32
_SEGMENTS_MAX: Final = 500
_BYTES_MAX: Final = 2 * 1024 * 1024
_TILES_MAX: Final = 64
_BREATH_S: Final = 0.002
_LOCKED_S: Final = 2.0
"""How long a turn waits for SQLite's lock: there is another one soon, and an end waits for this one."""
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class TreeWrong(Unprovable):
    """Tree and records of one file differ: nothing more is signed. Says which record."""


def tile_id(level: int, number: int) -> int:
    """The key of a tile in its table."""
    return level << LEVEL_BITS | number


def read_tile(conn: sqlite3.Connection, level: int, number: int) -> bytes:
    """The hashes of a tile as the file holds them; none where it holds none."""
    row = conn.execute("SELECT hashes FROM tile WHERE id = ?", (tile_id(level, number),)).fetchone()
    return b"" if row is None else row[0]


def stored_size(conn: sqlite3.Connection) -> int:
    """How many leaves the file's tree has."""
    row = conn.execute(
        "SELECT id, length(hashes) FROM tile WHERE id < ? ORDER BY id DESC LIMIT 1", (1 << LEVEL_BITS,)
    ).fetchone()
    return 0 if row is None else (row[0] << HEIGHT) + row[1] // _BYTES_EACH


def origin_of(conn: sqlite3.Connection) -> str:
    """The name of the file's log, under which checkpoints are signed; empty for one that has none yet."""
    row = conn.execute("SELECT value FROM meta WHERE name = 'log'").fetchone()
    return "" if row is None else row[0]


def forget_log(path: Path) -> str:
    """Take its name and what it signed from the ledger at `path`, which nobody uses; the name.

    A ledger that goes on from a backup is another log: under the old name it would sign a second history.
    """
    with closing(sqlite3.connect(path)) as conn, conn:
        origin = origin_of(conn)
        conn.execute("DELETE FROM meta WHERE name = 'log'")
        conn.execute("DELETE FROM signed")
    return origin


def stored_note(conn: sqlite3.Connection) -> str | None:
    """The last checkpoint that was signed."""
    row = conn.execute("SELECT note FROM signed ORDER BY size DESC LIMIT 1").fetchone()
    # Where it is torn, what is left is no note: whoever reads it says so.
    return None if row is None else str(row[0])


def id_of(conn: sqlite3.Connection, index: int) -> int | None:
    """The id of the record that is leaf `index`; None where the ledger is shorter."""
    before = 0
    for [number] in conn.execute("SELECT no FROM chain ORDER BY no"):
        count = chain_end(conn, number) & _SEQ_MASK
        if index < before + count:
            return (number << SEQ_BITS) + index - before + 1
        before += count
    return None


def index_of(conn: sqlite3.Connection, ident: int) -> int:
    """Which leaf the record with the id `ident` is."""
    number, seq = ident >> SEQ_BITS, ident & _SEQ_MASK
    earlier = conn.execute("SELECT no FROM chain WHERE no < ?", (number,)).fetchall()
    return sum(chain_end(conn, one) & _SEQ_MASK for [one] in earlier) + seq - 1


class Tiles:
    """`ports.transparency.TreeStore` of the ledger at `path`. Safe in any thread."""

    def __init__(self, path: Path, *, immutable: bool = False) -> None:
        self._path = path
        self._immutable = immutable
        self._lock = threading.RLock()
        self._tree: Tree | None = None
        self._checked = False
        self._last = 0
        self._finished: dict[int, bytes] = {}

    def follow(self, *, save: bool) -> Tree:
        """Take in what was committed since; the tree as it is then. With `save`, what is finished is written.

        Raises `Unprovable`, `sqlite3.Error`.
        """
        with self._lock, closing(self._open()) as conn:
            if self._tree is None:
                self._tree = self._load(conn)
            while self._take(conn, self._tree):
                if save and len(self._finished) >= _TILES_MAX:
                    self._save(self._tree, None)
                    # Beside a service this is a long ledger whose tree was lost: others want to work too.
                    time.sleep(_BREATH_S)
            if not self._checked:
                self._check_signed(conn, self._tree)
                self._checked = True
            return self._tree.copy()

    def save(self, note: Note) -> None:
        """Write what is finished, and the checkpoint `note` as the last. Raises `sqlite3.Error`."""
        with self._lock:
            if self._tree is not None:
                self._save(self._tree, note)

    def read(self, level: int, number: int) -> bytes:
        """`trace.tree.ReadTile` over what was followed so far."""
        with self._lock:
            tree = self._tree
            if tree is not None and number == tree.size >> HEIGHT * (level + 1):
                return tree.edge(level)
            tile = self._finished.get(tile_id(level, number))
            if tile is not None:
                return tile
            with closing(self._open()) as conn:
                return read_tile(conn, level, number)

    def leaf(self, ref: Ref) -> Leaf | None:
        """The record at `ref`, as it lies in the file."""
        with closing(self._open()) as conn:
            row = conn.execute("SELECT no FROM chain WHERE name = ?", (ref.chain,)).fetchone()
            stored = None if row is None else stored_at(conn, row[0] << SEQ_BITS | ref.seq)
            if stored is None:
                return None
            return Leaf(index_of(conn, stored.id), stored.record, stored.salt, stored.body)

    def _open(self) -> sqlite3.Connection:
        return open_readonly(self._path, immutable=self._immutable)

    def _load(self, conn: sqlite3.Connection) -> Tree:
        """The file's tree, its end compared with the ledger's; an empty one where tiles are missing."""
        size = stored_size(conn)
        try:
            tree = tree_from(size, lambda level, number: read_tile(conn, level, number))
        except ProofWrong:
            return Tree()
        if size:
            self._last = _end_of(conn, size)
        return tree

    def _take(self, conn: sqlite3.Connection, tree: Tree) -> bool:
        """Read one page of segments; whether it was full: beside a steady writer there is always something more."""
        page: list[tuple[int, int, bytes]] = []
        size = 0
        cursor = conn.execute(
            "SELECT first, count, records FROM segment WHERE first > ? ORDER BY first LIMIT ?",
            (self._last, _SEGMENTS_MAX),
        )
        for segment in cursor:
            page.append(segment)
            size += len(segment[2])
            if size > _BYTES_MAX:
                break
        cursor.close()
        full = len(page) == _SEGMENTS_MAX or size > _BYTES_MAX
        for first, count, records in page:
            for level, number, hashes in tree.add(_leaves(first, count, records)):
                self._finished[tile_id(level, number)] = hashes
            self._last = first + count - 1
        return full

    def _save(self, tree: Tree, note: Note | None) -> None:
        rows = dict(self._finished)
        if tree.size % WIDTH:
            rows[tile_id(0, tree.size >> HEIGHT)] = tree.edge()
        with closing(sqlite3.connect(self._path, isolation_level=None, timeout=_LOCKED_S)) as conn:
            conn.execute("PRAGMA synchronous = NORMAL")
            conn.execute("PRAGMA wal_autocheckpoint = 0")
            conn.execute("BEGIN IMMEDIATE")
            conn.executemany("REPLACE INTO tile VALUES (?, ?)", rows.items())
            if note is not None:
                conn.execute("DELETE FROM signed")
                conn.execute("INSERT INTO signed VALUES (?, ?)", (Checkpoint.parse(note.text).size, str(note)))
            conn.execute("COMMIT")
        self._finished.clear()

    def _check_signed(self, conn: sqlite3.Connection, tree: Tree) -> None:
        """What was signed has to be what the tree begins with: a log signs no two histories."""
        note = stored_note(conn)
        if note is None:
            return
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        if checkpoint.size > tree.size:
            raise TreeWrong(
                f"a checkpoint of {checkpoint.size} records was signed, and the ledger has {tree.size}: its end is gone"
            )
        if checkpoint.size and range_hash(0, checkpoint.size, self.read) != checkpoint.root:
            raise TreeWrong(f"the first {checkpoint.size} records are not those that were signed")


def _leaves(first: int, count: int, records: bytes) -> list[bytes]:
    try:
        return leaves(first, count, records)
    except SegmentTorn as error:
        raise TreeWrong(str(error)) from error


def _end_of(conn: sqlite3.Connection, size: int) -> int:
    """The id of the record that the tree of `size` ends with, of which the ledger has the very leaf."""
    last = id_of(conn, size - 1)
    if last is None:
        raise TreeWrong(f"its tree has {size} records, and the ledger fewer: its end is gone")
    row = conn.execute(
        "SELECT first, count, records FROM segment WHERE first <= ? ORDER BY first DESC LIMIT 1", (last,)
    ).fetchone()
    if row is None or row[0] + row[1] - 1 != last:
        raise TreeWrong(f"no batch of the ledger ends where its tree of {size} records does")
    tail = read_tile(conn, 0, size - 1 >> HEIGHT)
    if _leaves(*row)[-1] != tail[-_BYTES_EACH:]:
        raise TreeWrong(f"record {size} of the ledger is not the one that its tree ends with")
    return last
