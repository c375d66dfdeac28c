"""The one writer: batches of records, made durable together.

Laws
* Natural group commit: a batch is whatever was queued while the last one was made durable; of a
  long queue only half, so that the loop has callers to serve while this half is made durable.
* One transaction holds a batch's records, their bodies and the state they fold to.
* A receipt is given after the commit that holds its record returned, never before. While more is
  queued it is given at the start of the next commit: then the loop serves these callers while the
  disk is busy, and does not take the interpreter from the batch that is being prepared.
* The first error, whichever it is, poisons the writer: what the operating system still holds of a
  failed write is unknown, so nothing is appended after it. INVARIANT(deny-on-error)
* A waiter that was cancelled harms nobody: every future is looked at before it is resolved.
INVARIANT(chain-links): `prev` is the hash of the stored bytes of the record before.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import Final, TypeAlias

from remit.adapters.sqlite.checkpoint import Checkpointer
from remit.adapters.sqlite.segment import body_head, record_head
from remit.adapters.sqlite.state import State
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import Receipt, Ref
from remit.pdp.fold import Delta
from remit.ports.ledger import Draft, LedgerUnwritable
from remit.ports.system import Entropy
from remit.trace.chain import SALT_BYTES, commitment, genesis, record_hash
from remit.trace.encoding import record_bytes

_BATCH_WHOLE_MAX: Final = 64
_BATCH_RECORDS_MAX: Final = 512
_BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
_TAKEN_MAX: Final = 32
_PAGE_BYTES: Final = 4096
_FRAMES_EACH: Final = 6

Item: TypeAlias = tuple[Ref, Draft, bytes, Sequence[Delta], "asyncio.Future[Receipt] | None"]
"""A record to be: its place, its draft, its encoded body, what it changes, and who waits for it."""


class Writer:
    """Appends to chain `chain` through `conn`, from the thread that `start` starts."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        state: State,
        entropy: Entropy,
        chain: str,
        checkpointer: Checkpointer,
    ) -> None:
        self._conn = conn
        self._state = state
        self._entropy = entropy
        self._checkpointer = checkpointer
        self._prev = genesis(chain)
        self._queue: SimpleQueue[Item | None] = SimpleQueue()
        self.submit: Final[Callable[[Item], None]] = self._queue.put
        """Queue a record; the order of calls is the order in the chain."""
        self._held: tuple[Sequence[Item], Sequence[Receipt]] | None = None
        self._frames = 0
        self._thread = threading.Thread(target=self._run, name="remit-ledger", daemon=True)
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to serve the queue."""
        self._checkpointer.start()
        self._thread.start()

    def finish(self) -> None:
        """Write what is queued, then end the thread."""
        self._queue.put(None)
        self._thread.join()
        self._checkpointer.close()

    def write(self, batch: Sequence[Item]) -> list[Receipt]:
        """Make `batch` durable; its receipts, in order. Raises `sqlite3.Error`."""
        conn, state = self._conn, self._state
        salts = self._entropy.token_bytes(SALT_BYTES * len(batch))
        prev = self._prev
        records: list[bytes] = []
        bodies: list[bytes] = []
        receipts: list[Receipt] = []
        at = 0
        conn.execute("BEGIN IMMEDIATE")
        for ref, draft, body, deltas, _ in batch:
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
        start = batch[0][0]
        first = state.chains[start.chain] << SEQ_BITS | start.seq
        packed, packed_bodies = b"".join(records), b"".join(bodies)
        conn.execute("INSERT INTO segment VALUES (?, ?, ?)", (first, len(batch), packed))
        conn.execute("INSERT INTO body VALUES (?, ?)", (first, packed_bodies))
        state.flush()
        self._tell_held()
        conn.execute("COMMIT")
        self._prev = prev
        self._frames += (len(packed) + len(packed_bodies)) // _PAGE_BYTES + _FRAMES_EACH
        return receipts

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._take()
            if batch:
                self._commit(batch)
        self._tell_held()

    def _commit(self, batch: Sequence[Item]) -> None:
        failure = self.failure
        if failure is None:
            try:
                receipts = self.write(batch)
            except BaseException as error:  # noqa: BLE001
                self._poison(error)
                failure = error
            else:
                self._held = (batch, receipts)
                self._checkpoint()
        if failure is not None:
            _tell(batch, partial(_refuse, batch, failure))
        if failure is not None or not self._queue.qsize():
            self._tell_held()

    def _tell_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            _tell(held[0], partial(_resolve, *held))

    def _checkpoint(self) -> None:
        frames, self._frames = self._frames, 0
        try:
            self._checkpointer.wrote(frames, busy=self._queue.qsize() > 0)
        except BaseException as error:  # noqa: BLE001
            self._poison(error)

    def _take(self) -> tuple[list[Item], bool]:
        """Wait for a record, then take what else is there; False once `finish` was called."""
        queue = self._queue
        batch = [queue.get()]
        size = 0
        wanted = min(max(_BATCH_WHOLE_MAX, queue.qsize() // 2), _BATCH_RECORDS_MAX)
        while batch[-1] is not None and len(batch) < wanted and size < _BATCH_BYTES_MAX:
            more = min(queue.qsize(), wanted - len(batch), _TAKEN_MAX)
            if not more:
                break
            taken = [queue.get_nowait() for _ in range(more)]
            size += sum([len(item[2]) for item in taken if item is not None])
            batch += taken
        # `None` is the last thing ever queued.
        return [item for item in batch if item is not None], batch[-1] is not None

    def _poison(self, error: BaseException) -> None:
        self.failure = error
        try:
            if self._conn.in_transaction:
                self._conn.execute("ROLLBACK")
        except sqlite3.Error:
            # The file is closed with the process; what was committed stays committed.
            return


def unwritable(failure: BaseException) -> LedgerUnwritable:
    """What an append raises once `failure` happened."""
    error = LedgerUnwritable(
        f"the ledger cannot be written: {failure or type(failure).__name__}; "
        "every action is denied until the cause is gone and the service started again "
        "(next: remit doctor)"
    )
    error.__cause__ = failure
    return error


def _tell(batch: Sequence[Item], deliver: Callable[[], None]) -> None:
    """One call into the loop for the whole batch; a loop that is gone has nobody waiting."""
    future = batch[0][4]
    if future is not None:
        with suppress(RuntimeError):
            future.get_loop().call_soon_threadsafe(deliver)


def _resolve(batch: Sequence[Item], receipts: Sequence[Receipt]) -> None:
    for item, receipt in zip(batch, receipts, strict=True):
        future = item[4]
        if future is not None and not future.done():
            future.set_result(receipt)


def _refuse(batch: Sequence[Item], failure: BaseException) -> None:
    for item in batch:
        future = item[4]
        if future is not None and not future.done():
            future.set_exception(unwritable(failure))
            future.exception()  # seen: a record that nobody waits for is no error of the loop's
