"""The ledger as the rest of Remit sees it: appended to by one owner, read by anyone.

One contract suite (`tests/contract/test_ledger.py`) runs against every adapter.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from remit.escalate.grants import Grant
from remit.escalate.machine import Approval
from remit.facts.breaker import Trip
from remit.facts.budget import Balance
from remit.facts.guarantee import SignOff
from remit.facts.label import Labels
from remit.facts.mark import Place
from remit.facts.novelty import Use
from remit.facts.passkey import Passkey
from remit.facts.record import Receipt, Record, RecordKind, Ref
from remit.facts.session import Session
from remit.facts.stop import Stop, StopTarget
from remit.protect.past import KeyedCells
from remit.trace.bodies import Body, Status


class LedgerUnwritable(Exception):
    """The ledger refuses records (full disk, failed fsync, closed): every action is denied.

    Once raised by an append it is raised by every later one until the process restarts; but for what says that another
    program has the ledger locked: that refuses intents and proposals alone, and until it lets go.
    """


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to be: `at` in milliseconds since the epoch, `bundle` the digest in force."""

    kind: RecordKind
    at: int
    bundle: str
    sid: str
    body: Body


class Pending(NamedTuple):
    """A record on its way: its place is fixed, `durable` resolves once it is on disk.

    `durable` raises `LedgerUnwritable` when it never will be.
    """

    ref: Ref
    durable: Awaitable[Receipt]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record read back with its body; `body` is None once erased."""

    record: Record
    body: Body | None
    hash: str


@dataclass(frozen=True, slots=True)
class InDoubt:
    """An intent that was sent, and its effect may or may not have been.

    It is of an earlier epoch and has no outcome, or its outcome is none of the tool's answers: then `status` is how it
    ended.
    """

    ref: Ref
    sid: str
    at: int
    status: Status | None = None


@dataclass(frozen=True, slots=True)
class Origins:
    """What the index of one session is made of: its key, and the bodies that added to it, in order.

    Bodies that were erased are missing; `erased` says that what a server said is among them.
    """

    key: bytes
    bodies: tuple[Body, ...]
    erased: bool = False


class Ledger(Protocol):
    """Append and read. `append` never waits: order is the order of calls."""

    def append(self, draft: Draft) -> Pending:
        """Queue one record; it joins the next batch. Raises `LedgerUnwritable`."""
        ...

    async def durable(self, ref: Ref) -> None:
        """Wait until the record at `ref` is on disk, and with it all before it, whoever appended it.

        Raises `LedgerUnwritable` where it never will be, or is not within some seconds. Whoever appended it has its
        `Pending.durable`, which ends with him where he hangs up.
        """
        ...

    def unwritable(self) -> str | None:
        """Why no record is taken any more, or no action for now; None while they are."""
        ...

    async def session(self, sid: str) -> Session | None:
        """The durable state of one session (labels of in-doubt intents included)."""
        ...

    async def sessions(self, limit: int) -> Sequence[Session]:
        """The latest started sessions, newest first."""
        ...

    async def approval(self, ident: str) -> Approval | None:
        """One approval by the decision id that opened it."""
        ...

    async def approvals(self, *, open_only: bool, limit: int) -> Sequence[Approval]:
        """Approvals, newest first; `open_only` leaves out the ended ones."""
        ...

    async def refusals(self, now_ms: int) -> Sequence[Approval]:
        """Approvals that were refused and would not have expired at `now_ms` yet, oldest first."""
        ...

    async def approval_requests(self, since_ms: int) -> Sequence[tuple[str, int]]:
        """Which agents had people asked since then, and when (ms since the epoch), oldest first."""
        ...

    async def entry(self, ref: Ref) -> Entry | None:
        """The record at `ref`."""
        ...

    async def outcome_of(self, ref: Ref) -> Entry | None:
        """The outcome of the intent at `ref`, if it has one."""
        ...

    async def entries(self, *, after: Ref | None, limit: int, sid: str | None) -> Sequence[Entry]:
        """Records in order of chains and sequence, after `after` (from the start when None)."""
        ...

    async def first(self, sid: str) -> Entry | None:
        """The first record made in session `sid`; what it costs does not hang on how many there are."""
        ...

    async def latest(self, limit: int, sid: str | None = None, before: Ref | None = None) -> Sequence[Entry]:
        """The last `limit` records, of earlier epochs too, or those of session `sid` alone, oldest first.

        `before`: the last ones before that record; of a chain that is not in this ledger there are none.
        """
        ...

    async def in_doubt(self) -> Sequence[InDoubt]:
        """Intents of earlier epochs without an outcome, oldest first."""
        ...

    async def unsettled_intents(self, *, after: Ref | None, limit: int) -> Sequence[InDoubt]:
        """All intents in doubt of which no person has said what became of them, oldest first, after `after`.

        One whose outcome was erased is not among them: what it gave back is not known any more.
        """
        ...

    async def revoked_tokens(self) -> Mapping[str, int]:
        """Revoked token ids and when they would have expired, in ms since the epoch."""
        ...

    async def grants(self) -> Sequence[Grant]:
        """Every grant, the oldest first, those that ended too."""
        ...

    async def balances(self) -> dict[str, Balance]:
        """What was spent of budgets, by account."""
        ...

    async def trips(self) -> dict[str, Trip]:
        """Breakers that tripped and did not close again, by key."""
        ...

    async def usage(self) -> set[Use]:
        """What agents did before (`facts.novelty`)."""
        ...

    async def sign_offs(self) -> Mapping[str, SignOff]:
        """What owners of guarantees let run, by the digest of what breaks one."""
        ...

    async def past(self, scope: str) -> Mapping[Place, KeyedCells]:
        """What monitors and guarantees keep of `scope` (a root session's, `facts.mark.FLEET`: of all), by place."""
        ...

    async def stops(self) -> Mapping[StopTarget, Stop]:
        """What people stopped."""
        ...

    async def passkeys(self, *, removed: bool = False) -> Sequence[Passkey]:
        """What people confirm a yes with, the oldest first; with `removed` what they did, too."""
        ...

    async def credentials(self) -> Mapping[str, str]:
        """Ids of stored credentials (the admin token) and their hashes."""
        ...

    async def store_labels(self) -> Mapping[str, Labels]:
        """The labels of every place in a store (`facts.store`)."""
        ...

    async def sessions_beyond(self, labels: Labels, since_ms: int) -> Sequence[Session]:
        """Some sessions that hold another label than `labels`, started since then and not ended, oldest first."""
        ...

    async def origins(self, sid: str) -> Origins | None:
        """What the index of session `sid` is made of; None where it has no key."""
        ...

    async def count(self) -> int:
        """How many records the ledger holds."""
        ...

    async def close(self) -> None:
        """Drain the queue, make it durable, release the files."""
        ...
