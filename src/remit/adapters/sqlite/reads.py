"""Reading the ledger beside the writer: short transactions on connections of their own.

A read transaction that stays open keeps the write-ahead log from starting over, so each question
is one statement, or a few, and its rows are fetched at once.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, takewhile
from pathlib import Path
from typing import Final, TypeVar

import orjson

from remit.adapters.sqlite import rows
from remit.adapters.sqlite.errors import LedgerDamaged
from remit.adapters.sqlite.segment import SegmentTorn, Stored, unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.escalate.grants import Grant
from remit.facts.breaker import Trip
from remit.facts.budget import Balance
from remit.facts.guarantee import SignOff
from remit.facts.label import Labels
from remit.facts.mark import Place, place_of
from remit.facts.novelty import Use
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopScope, StopTarget, read_subject
from remit.ports.ledger import Entry, InDoubt, Origins
from remit.protect.past import KeyedCells, slot_from
from remit.trace.bodies import Status
from remit.trace.encoding import decode_body, decode_record

_THREADS: Final = 2
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LABELLED_MAX: Final = 100
_OTHER_LABEL: Final = "EXISTS (SELECT 1 FROM json_each(labels) WHERE value NOT IN (SELECT value FROM json_each(?)))"
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1
SEGMENT: Final = (
    "SELECT segment.first, segment.count, segment.records, body.bodies FROM segment JOIN body USING (first)"
)
"""Rows for `segment.unpack`."""
UNSETTLED: Final = (
    "SELECT id, NULL FROM in_doubt WHERE id > ?1 UNION ALL "
    "SELECT id, status FROM unanswered JOIN outcome ON intent = id "
    "WHERE id > ?1 AND outcome NOT IN (SELECT id FROM erased) ORDER BY id LIMIT ?2"
)
"""By the keys of both tables: what it costs hangs on what is in doubt, not on the ledger."""
_T = TypeVar("_T")


class Readers:
    """A few threads, each with a connection that cannot write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._pool = ThreadPoolExecutor(_THREADS, "remit-read", self._open)

    async def run(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        """The answer to `question`, asked on one of the connections. Raises `LedgerDamaged` for what is none."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, question)

    def _answer(self, question: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            return question(self._own.conn)
        except (sqlite3.DatabaseError, SegmentTorn, ValueError) as error:
            if isinstance(error, sqlite3.DatabaseError) and error.sqlite_errorcode & 0xFF not in _DAMAGE:
                raise
            raise LedgerDamaged(
                f"{self._path} cannot be read", str(error), f"remit ledger verify {self._path}"
            ) from error

    def close(self) -> None:
        """End the threads and close their connections."""
        self._pool.shutdown()
        for conn in self._opened:
            conn.close()

    def _open(self) -> None:
        self._own.conn = open_readonly(self._path)
        self._opened.append(self._own.conn)


def address(path: Path, *, immutable: bool = False) -> str:
    """Where SQLite finds the ledger at `path`, for reading alone; `immutable` needs no log and no lock."""
    return f"{path.absolute().as_uri()}?{'mode=ro&immutable=1' if immutable else 'mode=ro'}"


def open_readonly(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """A connection to the ledger at `path` that cannot write to it."""
    conn = sqlite3.connect(
        address(path, immutable=immutable),
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=10,
    )
    conn.execute("PRAGMA query_only = ON")
    return conn


def entry(stored: Stored) -> Entry:
    """`stored`, decoded."""
    record = decode_record(stored.record)
    body = None if stored.body is None else decode_body(record.kind, stored.body)
    return Entry(record, body, stored.hash.hex())


def stored_at(conn: sqlite3.Connection, ident: int) -> Stored | None:
    """The record with this id."""
    row = conn.execute(f"{SEGMENT} WHERE segment.first <= ? ORDER BY segment.first DESC LIMIT 1", (ident,)).fetchone()
    if row is None or row[0] + row[1] <= ident:
        return None
    for stored in unpack(*row):
        if stored.id == ident:
            return stored
    return None


def entry_at(conn: sqlite3.Connection, ident: int) -> Entry | None:
    """The record with this id, decoded."""
    stored = stored_at(conn, ident)
    return None if stored is None else entry(stored)


def outcome_of(conn: sqlite3.Connection, intent: int) -> Entry | None:
    """The outcome of the intent with this id."""
    row = conn.execute("SELECT outcome FROM outcome WHERE intent = ?", (intent,)).fetchone()
    return None if row is None else entry_at(conn, row[0])


def stored_after(conn: sqlite3.Connection, after: int, limit: int) -> list[Stored]:
    """Up to `limit` records with ids above `after`, in order."""
    records: list[Stored] = []
    # The segment that holds `after` may hold records behind it too.
    [start] = conn.execute("SELECT coalesce(max(first), 0) FROM segment WHERE first <= ?", (after,)).fetchone()
    cursor = conn.execute(f"{SEGMENT} WHERE segment.first >= ? ORDER BY segment.first", (start,))
    for row in cursor:
        records.extend(stored for stored in unpack(*row) if stored.id > after)
        if len(records) >= limit:
            break
    cursor.close()
    return records[:limit]


def stored_before(conn: sqlite3.Connection, end: int, start: int, limit: int) -> list[Stored]:
    """The last `limit` records with ids from `start` to before `end`, in order."""
    parts: list[list[Stored]] = []
    count = 0
    cursor = conn.execute(
        f"{SEGMENT} WHERE segment.first >= ? AND segment.first < ? ORDER BY segment.first DESC",
        (start, end),
    )
    for row in cursor:
        part = [stored for stored in unpack(*row) if stored.id < end]
        parts.append(part)
        count += len(part)
        if count >= limit:
            break
    cursor.close()
    flat = [stored for part in reversed(parts) for stored in part]
    return flat[max(0, len(flat) - limit) :]


def stored_of_session(conn: sqlite3.Connection, sid: str, after: int, limit: int) -> list[Stored]:
    """Up to `limit` records made in session `sid` with ids above `after`, in order."""
    idents = [stored.id for stored in takewhile(lambda stored: stored.id > after, back(conn, sid))]
    return list(stored_at_each(conn, idents[::-1][:limit]))


def stored_latest(conn: sqlite3.Connection, sid: str | None, end: int, limit: int) -> list[Stored]:
    """The last `limit` records before `end`, or those made in session `sid`, in order."""
    if sid is None:
        return stored_before(conn, end, 0, limit)
    return list(islice((stored for stored in back(conn, sid) if stored.id < end), limit))[::-1]


def back(conn: sqlite3.Connection, sid: str) -> Iterator[Stored]:
    """The records made in session `sid`, the last first: each names the one before it."""
    row = conn.execute("SELECT last FROM activity JOIN session USING (no) WHERE sid = ?", (sid,)).fetchone()
    ident: int = 0 if row is None else row[0]
    segment: dict[int, Stored] = {}
    while ident:
        if ident not in segment:
            segment = _segment_of(conn, ident)
        yield segment[ident]
        earlier = segment[ident].earlier
        if earlier >= ident:
            raise SegmentTorn(f"record {ident} names a later one as the one before it")
        ident = earlier


def stored_at_each(conn: sqlite3.Connection, idents: Iterable[int]) -> Iterator[Stored]:
    """The records with these ids, given in order; each segment is read once."""
    segment: dict[int, Stored] = {}
    for ident in idents:
        if ident not in segment:
            segment = _segment_of(conn, ident)
        yield segment[ident]


def _segment_of(conn: sqlite3.Connection, ident: int) -> dict[int, Stored]:
    row = conn.execute(f"{SEGMENT} WHERE segment.first <= ? ORDER BY segment.first DESC LIMIT 1", (ident,)).fetchone()
    segment = {} if row is None else {stored.id: stored for stored in unpack(*row)}
    if ident not in segment:
        raise SegmentTorn(f"record {ident} is named but not there")
    return segment


def chain_end(conn: sqlite3.Connection, number: int) -> int:
    """The id of the last record of chain `number`; its id 0 when it has none."""
    base = number << SEQ_BITS
    row = conn.execute(
        "SELECT first + count - 1 FROM segment WHERE first >= ? AND first < ? ORDER BY first DESC LIMIT 1",
        (base, base + (1 << SEQ_BITS)),
    ).fetchone()
    return base if row is None else row[0]


def count(conn: sqlite3.Connection) -> int:
    """How many records there are, by the ends of the chains."""
    numbers = [row[0] for row in conn.execute("SELECT no FROM chain")]
    return sum(chain_end(conn, number) & _SEQ_MASK for number in numbers)


def sessions(conn: sqlite3.Connection, limit: int) -> Sequence[Session]:
    """The latest started sessions, newest first."""
    cursor_rows = conn.execute(f"{rows.SESSION} ORDER BY no DESC LIMIT ?", (limit,)).fetchall()
    return [rows.session_from(row) for row in cursor_rows]


def sessions_beyond(conn: sqlite3.Connection, labels: Labels, since_ms: int) -> Sequence[Session]:
    """Sessions that hold another label than `labels`, started since then and not ended, oldest first."""
    cursor_rows = conn.execute(
        f"{rows.SESSION} WHERE ended IS NULL AND started >= ? AND {_OTHER_LABEL} ORDER BY no LIMIT ?",
        (since_ms, orjson.dumps(sorted(labels)).decode(), _LABELLED_MAX),
    ).fetchall()
    return [rows.session_from(row) for row in cursor_rows]


def in_doubt(conn: sqlite3.Connection) -> Sequence[InDoubt]:
    """Intents of earlier epochs without an outcome, oldest first."""
    intents = conn.execute(
        "SELECT chain.name, in_doubt.id, sid, in_doubt.at FROM in_doubt "
        "JOIN chain ON chain.no = in_doubt.id >> ? ORDER BY in_doubt.id",
        (SEQ_BITS,),
    ).fetchall()
    return [InDoubt(Ref(chain, ident & _SEQ_MASK), sid, at) for chain, ident, sid, at in intents]


def unsettled_intents(conn: sqlite3.Connection, after: int, limit: int) -> Sequence[InDoubt]:
    """Intents in doubt with ids above `after`, oldest first, but for those whose outcome was erased."""
    statuses = dict(conn.execute(UNSETTLED, (after, limit)).fetchall())
    records = [(stored.id, decode_record(stored.record)) for stored in stored_at_each(conn, statuses)]
    return [
        InDoubt(Ref(record.chain, record.seq), record.sid, record.at, statuses[ident] and Status(statuses[ident]))
        for ident, record in records
    ]


def revoked_tokens(conn: sqlite3.Connection) -> Mapping[str, int]:
    """Revoked tokens and when they would have expired."""
    return dict(conn.execute("SELECT token, expires FROM revoked").fetchall())


def balances(conn: sqlite3.Connection) -> dict[str, Balance]:
    """What was spent of budgets, by account."""
    return {row[0]: Balance(row[1], row[2]) for row in conn.execute("SELECT account, since, units FROM spent")}


def trips(conn: sqlite3.Connection) -> dict[str, Trip]:
    """Breakers that tripped and did not close again, by key."""
    return {row[0]: Trip(row[1], orjson.loads(row[2])) for row in conn.execute("SELECT what, at, detail FROM tripped")}


def usage(conn: sqlite3.Connection) -> set[Use]:
    """What agents did before."""
    return {tuple(orjson.loads(row[0])) for row in conn.execute("SELECT did FROM used")}


def sign_offs(conn: sqlite3.Connection) -> Mapping[str, SignOff]:
    """What owners of guarantees let run, by the digest of what breaks one."""
    cursor_rows = conn.execute("SELECT breach, guarantee, by, at, why FROM signed_off").fetchall()
    return {row[0]: SignOff(*row) for row in cursor_rows}


def past(conn: sqlite3.Connection, scope: str) -> Mapping[Place, KeyedCells]:
    """What monitors and guarantees keep of `scope`, by place."""
    # A space follows the scope in each of its places, and no scope has one: "!" is the character after it.
    cursor = conn.execute("SELECT place, detail FROM past WHERE place > ? AND place < ?", (f"{scope} ", f"{scope}!"))
    return {place_of(place): slot_from(orjson.loads(detail)) for place, detail in cursor}


def grants(conn: sqlite3.Connection) -> Sequence[Grant]:
    """Every grant, the oldest first."""
    read = [rows.grant_from(row[0]) for row in conn.execute("SELECT detail FROM granted ORDER BY id")]
    return [grant for grant in read if grant is not None]


def stops(conn: sqlite3.Connection) -> Mapping[StopTarget, Stop]:
    """What people stopped."""
    cursor_rows = conn.execute("SELECT what, by, at, reason, holds FROM stopped").fetchall()
    subjects = ((read_subject(what), more) for what, *more in cursor_rows)
    return {
        what: Stop(*what, by, at, why, StopScope(holds)) for what, (by, at, why, holds) in subjects if what is not None
    }


def store_labels(conn: sqlite3.Connection) -> Mapping[str, Labels]:
    """The labels of every place in a store."""
    cursor_rows = conn.execute("SELECT place, labels FROM stored").fetchall()
    sets: dict[str, Labels] = {text: frozenset(orjson.loads(text)) for text in {row[1] for row in cursor_rows}}
    return {where: sets[text] for where, text in cursor_rows}


def origins(conn: sqlite3.Connection, sid: str) -> Origins | None:
    """What the index of session `sid` is made of."""
    keyed = conn.execute("SELECT key, since FROM keyed WHERE sid = ?", (sid,)).fetchone()
    if keyed is None:
        return None
    key, since = keyed
    cursor = conn.execute("SELECT record FROM origin WHERE sid = ? AND record > ? ORDER BY record", (sid, since))
    entries = [entry(item) for item in stored_at_each(conn, [row[0] for row in cursor.fetchall()])]
    # A user's words that are gone ground nothing; a server's would have made untrusted what is trusted without them.
    erased = any(item.body is None and item.record.kind is not RecordKind.ADMIN for item in entries)
    return Origins(bytes.fromhex(key), tuple(item.body for item in entries if item.body is not None), erased)


def credentials(conn: sqlite3.Connection) -> Mapping[str, str]:
    """Credentials and their hashes."""
    return dict(conn.execute("SELECT ident, hash FROM credential").fetchall())
