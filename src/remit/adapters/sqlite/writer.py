"""The one writer: records take their place at once, and batches of them are made durable together.

Laws
* Natural group commit: a batch is whatever was queued while the last one was made durable, no timer; of a long
  queue only half, so that the loop has callers to serve while this half is made durable.
* One statement is one transaction (`commit`): a batch's records, their bodies and the state they fold to. What
  is hashed and folded for it is done for all its records in one go, which is cheaper than one by one.
* A lone record is committed where it is, on the loop: waking a thread and being woken by it takes as long as a
  quick disk. Nobody loses by it: whoever comes meanwhile would have waited for that very sync. A slow disk
  never holds the loop twice in a row, and checkpoints never do.
* The loop never waits for SQLite's lock: where another connection has it, the worker asks again until it is free.
  Nothing was written then, so that this is no failure. Of a lock that is held for long it is said in the log, and no
  new action is taken until it is free; what ends an action keeps its place and waits.
* A receipt is given after the commit that holds its record returned, never before. While more is queued it is
  given once the next batch is ready to be committed: the loop then serves these callers while the disk is busy,
  and does not take the interpreter from the batch that is being prepared.
* The first error but for that one poisons the writer: what the operating system still holds of a failed write is
  unknown, so nothing is appended after it. INVARIANT(deny-on-error)
INVARIANT(chain-links): `prev` is the hash of the stored bytes of the record before.
"""

import asyncio
import logging
import math
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Literal

from remit.adapters.sqlite.checkpoint import Checkpointer
from remit.adapters.sqlite.commit import Batch, Item, commit, prepare
from remit.adapters.sqlite.durable_point import DurablePoint, tell
from remit.adapters.sqlite.failure import LATE, LOCKED, is_locked, tell_of, unwritable
from remit.adapters.sqlite.segment import body_head, record_head
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.adapters.sqlite.worker import Worker
from remit.facts.record import Receipt, RecordKind, Ref
from remit.pdp.fold import fold
from remit.ports.ledger import Draft, LedgerUnwritable, Pending
from remit.ports.system import Clock, Entropy
from remit.trace.chain import SALT_BYTES, commitment, genesis, record_hash
from remit.trace.encoding import Unencodable, encode_body, record_bytes

_LOG: Final = logging.getLogger(__name__)

_WHOLE_MAX: Final = 64
_RECORDS_MAX: Final = 512
_BYTES_MAX: Final = 4 * 1024 * 1024
_SLOW_S: Final = 0.005
_PAGE_BYTES: Final = 4096
_FRAMES_EACH: Final = 6
_AGAIN_S: Final = 0.002
_LOCKED_TRIES: Final = 1_000
"""After so many, about two seconds, a lock is held for long."""
_BEGIN_TRIES: Final = 5_000
"""So many at a start, when nobody is served who could wait longer."""
_END_TRIES: Final = 1_000
"""So many at an end: who stops a service kills it after a while."""
_TIMEOUT_MS: Final = 1_000
"""How long closing waits for who still reads: what he keeps from being moved is durable where it lies."""
DURABLE_S: Final = 10.0
"""How long somebody waits for a record of others: beyond it he is told that the ledger is late."""
_ACTIONS: Final = frozenset({RecordKind.INTENT, RecordKind.PROPOSAL})


class _Locked(Exception):
    """Another connection has the lock; nothing was written."""


class Writer:
    """Appends to chain `chain` through `conn`: `begin` first, then `append` from one loop's thread.

    `worker` commits what is not committed on that loop.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        state: State,
        clock: Clock,
        entropy: Entropy,
        chain: str,
        checkpointer: Checkpointer,
        worker: Worker,
    ) -> None:
        self._conn = conn
        self._state = state
        self._clock = clock
        self._entropy = entropy
        self._chain = chain
        self._checkpointer = checkpointer
        self._seq = 0
        self._point = DurablePoint()
        self._prev = genesis(chain)
        self._queue: deque[Item] = deque()
        self._lock = threading.Lock()
        """Around the flags: who finds the queue empty says in the same moment that nobody looks at it."""
        self._busy = False
        self._start_due = False
        self._ended = False
        self._slow = False
        self._tries_max = float(_BEGIN_TRIES)
        self._locked_batch: Batch | None = None
        """What the loop could not commit for want of the lock; the worker's, while `_busy`."""
        self._worker = worker
        self.failure: BaseException | None = None
        self._failed_ms = 0
        self.locked = False
        """Whether another connection has had the lock for long."""
        self.unwritten = 0
        """How many records were taken and, since the lock was not to be had at the end, not written."""

    def begin(self, draft: Draft) -> None:
        """Make the first record durable, then take more. Raises `sqlite3.Error`."""
        prepare(self._conn)
        self._conn.execute("PRAGMA busy_timeout = 0")
        self._take_in(draft, None)
        self._serve()
        if self.failure is not None:
            raise self.failure
        self._point.seq = self._seq
        self._tries_max = math.inf
        self._checkpointer.start()
        self._worker.start(self._serve)

    def append(self, draft: Draft) -> Pending:
        """Give `draft` its place and queue it; the order of calls is the order in the chain.

        Raises `Unencodable` for what cannot be recorded, and `LedgerUnwritable` for an action that would begin while
        the ledger is locked for long: they get no place.
        """
        if self.locked and draft.kind in _ACTIONS:
            raise LedgerUnwritable(LOCKED)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        ref = self._take_in(draft, future)
        if not (self._start_due or self._busy):
            self._start_due = True
            loop.call_soon(self._start)
        return Pending(ref, future)

    async def durable(self, ref: Ref) -> None:
        """Wait until the record at `ref` is on disk; see `ports.ledger.Ledger.durable`."""
        if ref.chain != self._chain or ref.seq <= self._point.seq:
            return  # of earlier epochs all is on disk
        if (why := self.refuses()) is not None:
            raise LedgerUnwritable(why)
        try:
            async with asyncio.timeout(DURABLE_S):
                await self._point.reached(ref.seq)
        except TimeoutError:
            raise LedgerUnwritable(self.refuses() or LATE) from None

    def refuses(self) -> str | None:
        """Why nothing is taken any more, or for now no action; None while everything is."""
        failure = self.failure
        if failure is not None:
            return str(self.unwritable(failure))
        return LOCKED if self.locked else None

    def unwritable(self, failure: BaseException) -> LedgerUnwritable:
        """What an append raises once `failure` happened."""
        return unwritable(failure, self._failed_ms)

    def end(self) -> None:
        """Take no more; called where `append` is. What was taken is written by the worker."""
        with self._lock:
            self._ended = True
        self._tries_max = _END_TRIES
        self._worker.end()

    def join(self) -> None:
        """Wait until all is written."""
        self._worker.join()
        self._checkpointer.close()
        # Whoever uses the connection now may wait.
        with suppress(sqlite3.Error):
            self._conn.execute(f"PRAGMA busy_timeout = {_TIMEOUT_MS}")

    def _take_in(self, draft: Draft, future: asyncio.Future[Receipt] | None) -> Ref:
        if not (draft.sid.isascii() and draft.bundle.isascii()):
            raise Unencodable("a session id or bundle digest is not ASCII")
        body = encode_body(draft.body)
        ref = Ref(self._chain, self._seq + 1)
        deltas = fold(ref, draft.at, draft.kind, draft.body)
        self._seq += 1
        self._queue.append((ref, draft, body, deltas, future))
        return ref

    def _start(self) -> None:
        """On the loop, one iteration after a record came to an idle writer: what came with it is here too."""
        with self._lock:
            self._start_due = False
            if self._busy or self._ended or not self._queue:
                return
            self._busy = True
        if len(self._queue) > 1 or self._slow or self._checkpointer.due:
            self._worker.wake()
            return
        batch = self._next()
        if batch is not None:
            try:
                committed = self._commit(batch)
            except _Locked:
                self._locked_batch = batch
                self._worker.wake()
                return
            if committed:
                self._point.resolve(batch)
        # Nothing was queued meanwhile: whoever would have queued it was waiting for this to end.
        self._busy = False

    def _serve(self) -> None:
        """Commit until nothing is queued."""
        committed: Batch | None = None
        while True:
            batch = self._next()
            if committed is not None:
                tell(committed.items, partial(self._point.resolve, committed))
            if batch is None:
                return
            committed = batch if self._insist(batch) else None
            try:
                self._checkpointer.move()
            except BaseException as error:  # noqa: BLE001
                self.poison(error)

    def _next(self) -> Batch | None:
        """The next batch; None, and nobody is busy any more, when nothing is queued."""
        locked_batch, self._locked_batch = self._locked_batch, None
        if locked_batch is not None:
            return locked_batch
        while True:
            with self._lock:
                # `append` queues, then looks who is busy, without the lock: here it is the other way round, so that
                # one of both sees what the other did.
                self._busy = False
                self._busy = bool(self._queue)
            if not self._busy:
                return None
            items = self._take()
            failure = self.failure
            if failure is None:
                try:
                    return self._link(items)
                except BaseException as error:  # noqa: BLE001
                    failure = self.poison(error)
            tell(items, partial(self._point.refuse, items, self.unwritable(failure)))

    def _take(self) -> list[Item]:
        """What is queued, up to some number and size."""
        queue = self._queue
        count = min(max(_WHOLE_MAX, len(queue) // 2), _RECORDS_MAX, len(queue))
        items: list[Item] = []
        size = 0
        while len(items) < count and size < _BYTES_MAX:
            item = queue.popleft()
            size += len(item[2])
            items.append(item)
        return items

    def _link(self, items: Sequence[Item]) -> Batch:
        """`items` as they will lie in the file, each linked to the one before it."""
        state = self._state
        salts = self._entropy.token_bytes(SALT_BYTES * len(items))
        prev = self._prev
        records: list[bytes] = []
        bodies: list[bytes] = []
        receipts: list[Receipt] = []
        at = 0
        for ref, draft, body, deltas, _ in items:
            salt = salts[at : at + SALT_BYTES]
            at += SALT_BYTES
            sid = draft.sid
            data = record_bytes(
                ref.chain, ref.seq, prev, draft.kind, draft.at, draft.bundle, sid, commitment(salt, body)
            )
            digest = record_hash(data)
            prev = digest.hex()
            earlier = state.record(ref, sid, deltas)
            records += (record_head(len(data), earlier), data, digest)
            bodies += (body_head(len(body)), salt, body)
            receipts.append(Receipt(ref, prev))
        self._prev = prev
        start = items[0][0]
        first = state.chains[start.chain] << SEQ_BITS | start.seq
        return Batch(items, receipts, first, b"".join(records), b"".join(bodies), state.take())

    def _insist(self, batch: Batch) -> bool:
        """`_commit` as soon as no other connection has the lock; at a start or an end it fails if that is long."""
        tries = hurried = 0
        while True:
            try:
                committed = self._commit(batch)
            except _Locked as error:
                tries += 1
                hurried += self._tries_max < math.inf
                if hurried >= self._tries_max:
                    self.unwritten = len(batch.items) + len(self._queue)
                    return self._fails(batch, error.__cause__ or error)
                if tries == _LOCKED_TRIES:
                    self.locked = True
                    _LOG.warning("another program has the ledger locked; until it lets go, no action is begun")
                time.sleep(_AGAIN_S)
                continue
            if self.locked:
                self.locked = False
                _LOG.warning("the ledger is locked no longer", extra={"count": tries})
            return committed

    def _commit(self, batch: Batch) -> bool:
        """Make `batch` durable; False, and its callers are told, where that failed. Raises `_Locked`."""
        started = self._clock.monotonic_s()
        try:
            commit(self._conn, batch)
        except BaseException as error:
            if is_locked(error) and not self._conn.in_transaction:
                raise _Locked from error
            return self._fails(batch, error)
        self._slow = self._clock.monotonic_s() - started > _SLOW_S
        frames = (len(batch.records) + len(batch.bodies)) // _PAGE_BYTES + _FRAMES_EACH
        self._checkpointer.wrote(frames, len(self._queue))
        return True

    def _fails(self, batch: Batch, error: BaseException) -> Literal[False]:
        failure = self.poison(error)
        tell(batch.items, partial(self._point.refuse, batch.items, self.unwritable(failure)))
        return False

    def poison(self, error: BaseException) -> BaseException:
        """Take no more because of `error`, or of what came before it; that."""
        if self.failure is None:
            self._failed_ms = self._clock.now_ms()
            if self._seq > 1:
                # Of a ledger that could not even be begun, whoever opens it hears.
                tell_of(error)
            self.failure = error
        return self.failure
