"""A ledger with a tree, keys that sign for it, and what whoever holds the file could make of it."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from remit.adapters.notary import FolderNotary
from remit.adapters.sqlite import SqliteLedger, schema
from remit.adapters.sqlite.reads import open_readonly
from remit.adapters.sqlite.segment import unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.tiles import Tiles
from remit.facts.record import RecordKind, Ref
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody
from remit.trace.chain import commitment, genesis, record_hash
from remit.trace.comparison import KeptCheckpoint
from remit.trace.encoding import decode_record, encode_record
from remit.trace.links import LedgerRow
from remit.trace.note import Checkpoint, Note
from remit.work.checkpoints import Checkpoints
from tests.contract.ledger_world import Place, append_all
from tests.core.recording import Step, action, outcome

_SEQ_MASK = (1 << SEQ_BITS) - 1


@dataclass(slots=True)
class Log:
    """A data folder with ledger, tree and keys; `ledger` while it is open."""

    folder: Path
    place: Place = field(init=False)
    ledger: SqliteLedger = field(init=False)
    tiles: Tiles = field(init=False)
    notary: FolderNotary = field(init=False)
    checkpoints: Checkpoints = field(init=False)

    def __post_init__(self) -> None:
        self.place = Place(self.folder)

    @property
    def file(self) -> Path:
        return self.place.file

    async def open(self) -> None:
        self.ledger = self.place.open()
        self.tiles = Tiles(self.file)
        self.notary = FolderNotary(self.folder / "checkpoint-keys", self.place.clock, self.ledger.origin)
        self.checkpoints = Checkpoints(self.tiles, self.notary, self.ledger.origin, self.record, self.place.clock)

    async def fill(self, calls: int, sid: str = "s1") -> None:
        """So many intents, each with its outcome."""
        steps = [Step(RecordKind.INTENT, sid, action(links=[("writer", sid)])) for _ in range(calls)]
        for receipt in await append_all(self.ledger, steps):
            await append_all(self.ledger, [Step(RecordKind.OUTCOME, sid, outcome(str(receipt.ref), sids=[sid]))])

    async def kept(self, name: str = "kept.note") -> KeptCheckpoint:
        """A checkpoint over all that is there, as someone elsewhere keeps it."""
        note = await self.checkpoints.checkpoint()
        return KeptCheckpoint(name, note, Checkpoint.parse(note.text))

    async def close(self) -> None:
        await self.ledger.close()

    async def record(self, body: AdminBody) -> None:
        await self.ledger.append(Draft(RecordKind.ADMIN, self.place.clock.now_ms(), "", "", body)).durable


def log_of(folder: Path, calls: int = 40, epochs: int = 2) -> tuple[Log, KeptCheckpoint]:
    """A closed log of several epochs, and a checkpoint over nearly all of it."""

    async def make() -> tuple[Log, KeptCheckpoint]:
        log = Log(folder)
        for _ in range(epochs - 1):
            await log.open()
            await log.checkpoints.advance()
            await log.fill(calls // epochs)
            await log.close()
        await log.open()
        await log.fill(calls // epochs)
        kept = await log.kept()
        await log.fill(2)
        await log.close()
        return log, kept

    return asyncio.run(make())


def rows_of(path: Path) -> list[LedgerRow]:
    """Every record of the file, in order."""
    with closing(open_readonly(path, immutable=True)) as conn:
        names = dict(conn.execute("SELECT no, name FROM chain"))
        found = conn.execute(
            "SELECT segment.first, count, records, bodies FROM segment JOIN body USING (first) ORDER BY segment.first"
        ).fetchall()
    return [
        LedgerRow(Ref(names[item.id >> SEQ_BITS], item.id & _SEQ_MASK), item.record, item.hash, item.salt, item.body)
        for segment in found
        for item in unpack(*segment)
    ]


def rechained(rows: Sequence[LedgerRow], change: Callable[[int, LedgerRow], LedgerRow | None]) -> list[LedgerRow]:
    """`rows`, each as `change` makes it (None drops it), chained anew so that every link holds."""
    made: list[LedgerRow] = []
    heads: dict[str, bytes] = {}
    seqs: dict[str, int] = {}
    ends: dict[bytes, bytes] = {}
    for number, old in enumerate(rows):
        row = change(number, old)
        if row is None:
            continue
        chain = row.ref.chain
        record = decode_record(row.record)
        seq = seqs[chain] = seqs.get(chain, 0) + 1
        body = row.body or b""
        for before, after in ends.items():
            body = body.replace(before, after)
        prev = heads[chain].hex() if chain in heads else genesis(chain)
        made_of = commitment(row.salt or b"", body)
        data = encode_record(replace(record, chain=chain, seq=seq, prev=prev, commitment=made_of))
        heads[chain] = record_hash(data)
        ends[old.hash.hex().encode()] = heads[chain].hex().encode()
        made.append(LedgerRow(Ref(chain, seq), data, heads[chain], row.salt, body))
    return made


def written(path: Path, rows: Sequence[LedgerRow], origin: str) -> None:
    """A file of `rows` whose state is what they fold to: as good as a service's, and signed by nobody."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute(f"PRAGMA application_id = {schema.APPLICATION}")
        conn.execute(
            "CREATE TABLE record (chain TEXT NOT NULL, seq INTEGER NOT NULL, bytes BLOB NOT NULL, hash BLOB NOT NULL, "
            "salt BLOB, body BLOB, PRIMARY KEY (chain, seq))"
        )
        values = [(row.ref.chain, row.ref.seq, row.record, row.hash, row.salt, row.body) for row in rows]
        conn.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", values)
    with closing(schema.connect(path)) as conn:
        conn.execute("INSERT OR REPLACE INTO meta VALUES ('log', ?)", (origin,))
        conn.execute("PRAGMA journal_mode = DELETE")
    path.with_name(f"{path.name}.v0.bak").unlink()


def note_of(text: str) -> KeptCheckpoint:
    """A checkpoint as read from a file."""
    note = Note.parse(text)
    return KeptCheckpoint("kept.note", note, Checkpoint.parse(note.text))
