"""`ports.ledger.Ledger` over one SQLite file.

A tour: `open_ledger` takes the data folder (`lock`), brings the file to this schema (`schema`),
looks at its end, and begins the next epoch; `append` encodes and folds on the caller's loop, gives the record its
place and queues it for the `writer`, which hashes, and whose batches are made durable by one statement (`commit`),
as `segment`s beside the `rows` of the `state` that changed; `reads` answer from connections of their own.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import approvals, reads, rows
from remit.adapters.sqlite.checkpoint import Checkpointer
from remit.adapters.sqlite.doubt import count_in_doubt
from remit.adapters.sqlite.ends import check_end, looked_at, opening_error
from remit.adapters.sqlite.erasure import cut_leftover
from remit.adapters.sqlite.errors import damaged
from remit.adapters.sqlite.first_record import first_of
from remit.adapters.sqlite.lock import FolderLock
from remit.adapters.sqlite.passkeys import passkeys
from remit.adapters.sqlite.reads import Readers
from remit.adapters.sqlite.schema import VERSION, connect
from remit.adapters.sqlite.segment import SegmentTorn, Stored
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.tiles import origin_of
from remit.adapters.sqlite.worker import Hire, Thread
from remit.adapters.sqlite.writer import Writer
from remit.escalate.grants import Grant
from remit.escalate.machine import Approval
from remit.facts.breaker import Trip
from remit.facts.budget import Balance
from remit.facts.canonical import Json
from remit.facts.guarantee import SignOff
from remit.facts.label import Labels
from remit.facts.mark import Place
from remit.facts.novelty import Use
from remit.facts.passkey import Passkey
from remit.facts.record import RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopTarget
from remit.ports.ledger import Draft, Entry, InDoubt, LedgerUnwritable, Origins, Pending
from remit.ports.system import Clock, Entropy
from remit.protect.past import KeyedCells
from remit.trace.bodies import AdminBody, Event
from remit.trace.chain import chain_name

_LOGS: Final = "remit.dev/log/"
"""What origins begin with (C2SP: a URL without a scheme, so that no two logs meet); nothing has to answer there."""
_SEQ_MASK: Final = (1 << SEQ_BITS) - 1


class SqliteLedger:
    """The ledger of one data folder, held until `close`. Made by `open_ledger`."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        path: Path,
        lock: FolderLock,
        state: State,
        writer: Writer,
        chain: str,
        origin: str,
    ) -> None:
        self._conn = conn
        self._lock = lock
        self._state = state
        self._writer = writer
        self._readers = Readers(path)
        self._open_approvals = approvals.OpenApprovals()
        self._closing: asyncio.Future[None] | None = None
        self.chain = chain
        self.origin = origin
        """The name of the log: under it checkpoints are signed."""
        self.in_doubt_count: int | None = None
        """How many intents are in doubt once it is closed; None where that is not known."""
        self.unwritten = 0
        """How many records were taken and not written by then, since another program had its file locked."""

    def append(self, draft: Draft) -> Pending:
        """Queue one record; it joins the next batch.

        Raises `LedgerUnwritable`, and `trace.encoding.Unencodable` for a body that cannot be
        recorded: it gets no place, and the ledger goes on.
        """
        failure = self._writer.failure
        if failure is not None:
            raise self._writer.unwritable(failure)
        if self._closing is not None:
            raise LedgerUnwritable("the ledger is closed: the service is stopping")
        return self._writer.append(draft)

    async def durable(self, ref: Ref) -> None:
        """See `ports.ledger.Ledger`."""
        await self._writer.durable(ref)

    def unwritable(self) -> str | None:
        """See `ports.ledger.Ledger`."""
        return self._writer.refuses()

    def fail(self, why: str) -> None:
        """Take no record any more, because of `why`."""
        self._writer.poison(OSError(why))

    async def session(self, sid: str) -> Session | None:
        """The durable state of one session."""
        row = await self._readers.run(lambda conn: rows.read_session(conn, sid))
        return None if row is None else row[1]

    async def sessions(self, limit: int) -> Sequence[Session]:
        """The latest started sessions, newest first."""
        return await self._readers.run(lambda conn: reads.sessions(conn, limit))

    async def approval(self, ident: str) -> Approval | None:
        """One approval by the decision id that opened it."""
        try:
            number = self._state.id_of(Ref.parse(ident))
        except ValueError:
            return None
        return None if number is None else await self._readers.run(lambda conn: rows.read_approval(conn, number))

    async def approvals(self, *, open_only: bool, limit: int) -> Sequence[Approval]:
        """Approvals, newest first."""
        read = self._open_approvals if open_only else approvals.latest
        return await self._readers.run(lambda conn: read(conn, limit))

    async def refusals(self, now_ms: int) -> Sequence[Approval]:
        """Approvals that were refused and would not have expired at `now_ms` yet, oldest first."""
        return await self._readers.run(lambda conn: approvals.refusals(conn, now_ms))

    async def approval_requests(self, since_ms: int) -> Sequence[tuple[str, int]]:
        """Which agents had people asked since then, and when, oldest first."""
        return await self._readers.run(lambda conn: approvals.approval_requests(conn, since_ms))

    async def entry(self, ref: Ref) -> Entry | None:
        """The record at `ref`, once durable."""
        ident = self._state.id_of(ref)
        return None if ident is None else await self._readers.run(lambda conn: reads.entry_at(conn, ident))

    async def outcome_of(self, ref: Ref) -> Entry | None:
        """The outcome of the intent at `ref`, if it has one."""
        ident = self._state.id_of(ref)
        return None if ident is None else await self._readers.run(lambda conn: reads.outcome_of(conn, ident))

    async def entries(self, *, after: Ref | None, limit: int, sid: str | None) -> Sequence[Entry]:
        """Records in order, after `after`, of session `sid` alone where it is given."""
        start = 0 if after is None else self._state.id_of(after)
        if start is None:
            return ()
        if sid is None:
            return await self._readers.run(lambda conn: _entries(reads.stored_after(conn, start, limit)))
        return await self._readers.run(lambda conn: _entries(reads.stored_of_session(conn, sid, start, limit)))

    async def first(self, sid: str) -> Entry | None:
        """The first record made in session `sid`."""
        stored = await self._readers.run(lambda conn: first_of(conn, sid))
        return None if stored is None else reads.entry(stored)

    async def latest(self, limit: int, sid: str | None = None, before: Ref | None = None) -> Sequence[Entry]:
        """The last `limit` records, of earlier epochs too, or those of session `sid` alone, oldest first."""
        end = self._state.id_of(before or Ref(self.chain, _SEQ_MASK)) or 0
        return await self._readers.run(lambda conn: _entries(reads.stored_latest(conn, sid, end, limit)))

    async def in_doubt(self) -> Sequence[InDoubt]:
        """Intents of earlier epochs without an outcome, oldest first."""
        return await self._readers.run(reads.in_doubt)

    async def unsettled_intents(self, *, after: Ref | None, limit: int) -> Sequence[InDoubt]:
        """All intents in doubt that no person settled, oldest first, after `after`."""
        start = 0 if after is None else self._state.id_of(after)
        return (
            () if start is None else await self._readers.run(lambda conn: reads.unsettled_intents(conn, start, limit))
        )

    async def revoked_tokens(self) -> Mapping[str, int]:
        """Revoked token ids and when they would have expired, in ms since the epoch."""
        return await self._readers.run(reads.revoked_tokens)

    async def grants(self) -> Sequence[Grant]:
        """Every grant, the oldest first."""
        return await self._readers.run(reads.grants)

    async def balances(self) -> dict[str, Balance]:
        """What was spent of budgets, by account."""
        return await self._readers.run(reads.balances)

    async def trips(self) -> dict[str, Trip]:
        """Breakers that tripped and did not close again, by key."""
        return await self._readers.run(reads.trips)

    async def usage(self) -> set[Use]:
        """What agents did before."""
        return await self._readers.run(reads.usage)

    async def sign_offs(self) -> Mapping[str, SignOff]:
        """What owners of guarantees let run."""
        return await self._readers.run(reads.sign_offs)

    async def past(self, scope: str) -> Mapping[Place, KeyedCells]:
        """What monitors and guarantees keep of `scope`."""
        return await self._readers.run(lambda conn: reads.past(conn, scope))

    async def stops(self) -> Mapping[StopTarget, Stop]:
        """What people stopped."""
        return await self._readers.run(reads.stops)

    async def passkeys(self, *, removed: bool = False) -> Sequence[Passkey]:
        """What people confirm a yes with, the oldest first; with `removed` what they did, too."""
        return await self._readers.run(lambda conn: passkeys(conn, removed=removed))

    async def credentials(self) -> Mapping[str, str]:
        """Ids of stored credentials and their hashes."""
        return await self._readers.run(reads.credentials)

    async def store_labels(self) -> Mapping[str, Labels]:
        """The labels of every place in a store."""
        return await self._readers.run(reads.store_labels)

    async def sessions_beyond(self, labels: Labels, since_ms: int) -> Sequence[Session]:
        """Some sessions that hold another label than `labels`, started since then and not ended, oldest first."""
        return await self._readers.run(lambda conn: reads.sessions_beyond(conn, labels, since_ms))

    async def origins(self, sid: str) -> Origins | None:
        """What the index of session `sid` is made of; None where it has no key."""
        return await self._readers.run(lambda conn: reads.origins(conn, sid))

    async def count(self) -> int:
        """How many records the ledger holds."""
        return await self._readers.run(reads.count)

    async def close(self) -> None:
        """Drain the queue, make it durable, release the files. Again: waits for the first."""
        loop = asyncio.get_running_loop()
        if self._closing is None:
            self._writer.end()
            self._closing = loop.run_in_executor(None, self._close)
        await asyncio.shield(self._closing)

    def _close(self) -> None:
        self._writer.join()
        self._readers.close()
        self.unwritten = self._writer.unwritten
        try:
            if self._writer.failure is None or self.unwritten:
                with suppress(sqlite3.Error):
                    self.in_doubt_count = count_in_doubt(self._conn)
            if self._writer.failure is None:
                # What cannot be moved stays in the log: it is durable there, and the next start finds it.
                with suppress(sqlite3.Error):
                    self._conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._conn.close()
            self._lock.release()


def open_ledger(
    path: Path,
    clock: Clock,
    entropy: Entropy,
    factory: type[sqlite3.Connection] = sqlite3.Connection,
    hire: Hire = Thread,
) -> SqliteLedger:
    """The ledger at `path`, made where there is none; its folder is this process's until closed.

    `factory` makes the connection that writes, `hire` those who work beside the loop.

    Raises `DataInUse`, `NotALedger`, `SchemaTooNew`, `LedgerDamaged` (all `LedgerRefused`), and
    `LedgerUnwritable` where the next epoch cannot be begun.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as undo:
        lock = FolderLock(path.parent)
        undo.callback(lock.release)
        try:
            # What closes last cannot write: the log of what is refused stays where it is.
            with looked_at(path) as verified, ExitStack() as opened:
                conn = connect(path, factory)
                opened.callback(conn.close)
                if not verified:
                    check_end(conn, path)
                cut_leftover(conn)
                state = State(conn)
                replica, origin = _replica(conn, entropy), _origin(conn, entropy)
                writer, chain = _begin(conn, path, state, replica, clock, entropy, hire)
                opened.pop_all()
        except sqlite3.DatabaseError as error:
            raise opening_error(path, error) from error
        except (SegmentTorn, ValueError, KeyError, OverflowError) as error:
            raise damaged(path, f"its tables contradict each other: {error}") from error
        undo.pop_all()
    return SqliteLedger(conn, path, lock, state, writer, chain, origin)


def _begin(
    conn: sqlite3.Connection, path: Path, state: State, replica: str, clock: Clock, entropy: Entropy, hire: Hire
) -> tuple[Writer, str]:
    """The writer of the next epoch, begun, and the name of its chain."""
    last = conn.execute(
        "SELECT no, name, epoch FROM chain WHERE replica = ? ORDER BY epoch DESC LIMIT 1",
        (replica,),
    ).fetchone()
    epoch = 1 if last is None else last[2] + 1
    chain = chain_name(replica, epoch)
    checkpointer = Checkpointer(path, conn, hire("remit-checkpoint"))
    writer = Writer(conn, state, clock, entropy, chain, checkpointer, hire("remit-ledger"))
    heads = [] if last is None else [_head(conn, last[0], last[1])]
    draft = Draft(
        RecordKind.ADMIN,
        clock.now_ms(),
        "",
        "",
        AdminBody(Event.EPOCH, "remit", chain, {"heads": heads, "schema": VERSION}),
    )
    writer.begin(draft)
    return writer, chain


def _replica(conn: sqlite3.Connection, entropy: Entropy) -> str:
    """The name of this file's writer, drawn once: `r` and four hex digits."""
    row = conn.execute("SELECT value FROM meta WHERE name = 'replica'").fetchone()
    if row is not None:
        return row[0]
    replica = f"r{entropy.token_bytes(2).hex()}"
    conn.execute("INSERT INTO meta VALUES ('replica', ?)", (replica,))
    return replica


def _origin(conn: sqlite3.Connection, entropy: Entropy) -> str:
    """The name of this file's log, drawn once."""
    name = origin_of(conn)
    if not name:
        name = f"{_LOGS}{entropy.token_bytes(16).hex()}"
        conn.execute("INSERT INTO meta VALUES ('log', ?)", (name,))
    return name


def _head(conn: sqlite3.Connection, number: int, chain: str) -> Json:
    ident = reads.chain_end(conn, number)
    stored = reads.stored_at(conn, ident)
    return {"chain": chain, "seq": ident & _SEQ_MASK, "hash": "" if stored is None else stored.hash.hex()}


def _entries(stored: Sequence[Stored]) -> Sequence[Entry]:
    return [reads.entry(item) for item in stored]
