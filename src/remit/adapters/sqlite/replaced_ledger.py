"""What a ledger that nobody uses says stands, for the one that takes its place.

The state tables say it; of intents that have ended and bodies that were erased since a backup, their records do.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.sqlite import reads
from remit.adapters.sqlite.errors import LedgerRefused
from remit.adapters.sqlite.frames import kept_of
from remit.adapters.sqlite.passkeys import passkeys
from remit.adapters.sqlite.reads import entry_at, open_readonly, stored_at
from remit.adapters.sqlite.schema import VERSION, check
from remit.adapters.sqlite.segment import SegmentTorn
from remit.adapters.sqlite.tables import BLOCK_BITS, SEQ_BITS
from remit.adapters.sqlite.verification import at_rest
from remit.facts.breaker import Trip
from remit.facts.budget import Balance
from remit.facts.canonical import Json
from remit.facts.label import Labels
from remit.facts.mark import FLEET, Place
from remit.facts.passkey import Passkey
from remit.facts.record import Ref
from remit.facts.stop import Stop, StopTarget
from remit.protect.past import KeyedCells
from remit.protect.server_index import is_of_server
from remit.trace.bodies import AdminBody, Body, OutcomeBody, Status

_SEQ_MASK: Final = (1 << SEQ_BITS) - 1
_UNREADABLE: Final = (sqlite3.Error, LedgerRefused, SegmentTorn, TypeError, ValueError, KeyError)
_IN_DOUBT: Final = "SELECT id, NULL FROM in_doubt UNION SELECT id, outcome FROM unanswered JOIN outcome ON intent = id"


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What stands by a ledger: of its last epoch, and of all that was stopped, spent, marked and removed."""

    replica: str
    epoch: int
    heads: Mapping[str, tuple[int, bytes]]
    """How many records each chain has, and the hash of the last."""
    revoked: Mapping[str, int]
    credentials: Mapping[str, str]
    sessions: frozenset[str]
    """Those that have not ended."""
    ended: frozenset[str]
    stopped: Mapping[StopTarget, Stop]
    spent: Mapping[str, Balance]
    past: Mapping[Place, KeyedCells]
    """What monitors and guarantees kept of the fleet."""
    passkeys: Mapping[str, Passkey]
    """Those that were removed, too."""
    stored: Mapping[str, Labels]
    tripped: Mapping[str, Trip]
    keyed: Mapping[str, str]
    """The keys of indices."""
    entrusted: Mapping[str, tuple[AdminBody, ...]]
    """What servers were handed, by the index of each."""
    doubtful: Mapping[Ref, Ref | None]
    """Intents of which nobody knows what became of them, and the outcomes that say so."""
    erased: frozenset[Ref]


@dataclass(frozen=True, slots=True)
class Since:
    """What the records of a ledger say of those that a backup of it has too.

    `ends`: whether what was in doubt happened. `failed`: the outcomes of calls that failed, of which people said since
    whether they happened. `erasures`: the records that erased their bodies, of these alone.
    """

    ends: Mapping[Ref, bool]
    failed: Mapping[Ref, tuple[bool, str]]
    erasures: tuple[AdminBody, ...]


def read_state(path: Path) -> LedgerState | None:
    """What the ledger at `path`, which nobody uses, has to say; None where it cannot be read."""
    try:
        conn = _open(path)
        try:
            return _state(conn)
        finally:
            conn.close()
    except _UNREADABLE:
        return None


def read_replaced(path: Path, ours: LedgerState) -> tuple[LedgerState, Since] | None:
    """What the ledger at `path`, which nobody uses, has to say to its backup `ours`; None where it cannot be read."""
    try:
        conn = _open(path)
        try:
            theirs = _state(conn)
            shared = _shared_counts(conn, ours)
            doubtful = {ref for ref in ours.doubtful.keys() - theirs.doubtful.keys() if ref.chain in shared}
            erased = {ref for ref in theirs.erased - ours.erased if ref.seq <= shared.get(ref.chain, 0)}
            failed = dict(_failed_settlements(conn, shared, ours.doubtful.keys()))
            return theirs, Since(dict(_ends(conn, doubtful)), failed, tuple(_erasures(conn, erased)))
        finally:
            conn.close()
    except _UNREADABLE:
        return None


def _open(path: Path) -> sqlite3.Connection:
    """Raises what is in `_UNREADABLE`."""
    conn = open_readonly(path, immutable=at_rest(path))
    try:
        if check(conn, path) != VERSION:
            raise ValueError("another schema than this version's")
    except BaseException:
        conn.close()
        raise
    return conn


def _state(conn: sqlite3.Connection) -> LedgerState:
    [replica] = conn.execute("SELECT value FROM meta WHERE name = 'replica'").fetchone()
    [epoch] = conn.execute("SELECT coalesce(max(epoch), 0) FROM chain WHERE replica = ?", (replica,)).fetchone()
    chains = dict[int, str](conn.execute("SELECT no, name FROM chain"))
    sessions = conn.execute("SELECT sid, ended FROM session").fetchall()
    return LedgerState(
        replica,
        epoch,
        dict(_heads(conn, chains)),
        reads.revoked_tokens(conn),
        reads.credentials(conn),
        frozenset(sid for sid, ended in sessions if ended is None),
        frozenset(sid for sid, ended in sessions if ended is not None),
        reads.stops(conn),
        reads.balances(conn),
        reads.past(conn, FLEET),
        {passkey.ident: passkey for passkey in passkeys(conn, removed=True)},
        reads.store_labels(conn),
        reads.trips(conn),
        (keyed := dict(conn.execute("SELECT sid, key FROM keyed"))),
        {sid: tuple(_entrusted_bodies(conn, sid)) for sid in keyed if is_of_server(sid)},
        {_ref(chains, passkey): None if end is None else _ref(chains, end) for passkey, end in _doubtful(conn)},
        frozenset(_ref(chains, ident) for [ident] in conn.execute("SELECT id FROM erased")),
    )


def _entrusted_bodies(conn: sqlite3.Connection, sid: str) -> Iterator[AdminBody]:
    origins = reads.origins(conn, sid)
    for body in () if origins is None else origins.bodies:
        if isinstance(body, AdminBody):
            yield body


def _doubtful(conn: sqlite3.Connection) -> Iterator[tuple[int, int | None]]:
    """Intents in doubt, and those that will be with the next epoch."""
    yield from conn.execute(_IN_DOUBT)
    for block, bits in conn.execute("SELECT block, bits FROM open_intents"):
        for bit in range(1 << BLOCK_BITS):
            if bits >> bit & 1:
                yield block << BLOCK_BITS | bit, None


def _heads(conn: sqlite3.Connection, chains: Mapping[int, str]) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for number, name in chains.items():
        last = reads.chain_end(conn, number)
        stored = stored_at(conn, last)
        yield name, (last & _SEQ_MASK, b"" if stored is None else stored.hash)


def _shared_counts(conn: sqlite3.Connection, ours: LedgerState) -> Mapping[str, int]:
    """How many records of each chain `ours` has, of those that are the very same here."""
    numbers = dict[str, int](conn.execute("SELECT name, no FROM chain"))
    shared: dict[str, int] = {}
    for chain, (count, digest) in ours.heads.items():
        stored = stored_at(conn, numbers.get(chain, 0) << SEQ_BITS | count)
        if stored is not None and stored.hash == digest:
            shared[chain] = count
    return shared


def _ends(conn: sqlite3.Connection, intents: Iterable[Ref]) -> Iterator[tuple[Ref, bool]]:
    numbers = dict[str, int](conn.execute("SELECT name, no FROM chain"))
    for intent in sorted(intents):
        number = numbers[intent.chain] << SEQ_BITS | intent.seq
        row = conn.execute("SELECT outcome FROM outcome WHERE intent = ?", (number,)).fetchone()
        stored = None if row is None else stored_at(conn, row[0])
        if stored is not None:
            yield intent, _took_effect(kept_of(conn, stored))


def _failed_settlements(
    conn: sqlite3.Connection, shared: Mapping[str, int], doubtful: Iterable[Ref]
) -> Iterator[tuple[Ref, tuple[bool, str]]]:
    """What people said, in records that the backup lacks, of calls of it that had ended before."""
    chains, doubtful_refs = dict[int, str](conn.execute("SELECT no, name FROM chain")), frozenset(doubtful)
    for number, end in conn.execute("SELECT intent, outcome FROM outcome"):
        intent, outcome = _ref(chains, number), _ref(chains, end)
        if (
            intent in doubtful_refs
            or intent.seq > shared.get(intent.chain, 0)
            or outcome.seq <= shared.get(outcome.chain, 0)
        ):
            continue
        stored = stored_at(conn, end)
        body = None if stored is None else kept_of(conn, stored)
        if isinstance(body, AdminBody):
            yield intent, (_took_effect(body), str(body.data.get("outcome", "")))


def _took_effect(body: Body | None) -> bool:
    match body:
        case OutcomeBody(status=status):
            return status is not Status.NOT_SENT
        case AdminBody(data=data):
            return data.get("happened") is not False
        case _:
            return True


def _erasures(conn: sqlite3.Connection, refs: Iterable[Ref]) -> Iterator[AdminBody]:
    erased = {str(ref) for ref in refs}
    for [record] in conn.execute("SELECT DISTINCT record FROM erased ORDER BY record").fetchall() if erased else ():
        entry = entry_at(conn, record)
        body = None if entry is None else entry.body
        if isinstance(body, AdminBody):
            bodies = body.data.get("bodies")
            matching = (
                [body_entry for body_entry in bodies if _body_id(body_entry) in erased]
                if isinstance(bodies, list)
                else []
            )
            if matching:
                yield AdminBody(
                    body.event, body.by, _body_id(matching[0]), {"why": body.data.get("why"), "bodies": matching}
                )


def _body_id(body_entry: Json) -> str:
    return str(body_entry.get("id")) if isinstance(body_entry, dict) else ""


def _ref(chains: Mapping[int, str], number: int) -> Ref:
    return Ref(chains[number >> SEQ_BITS], number & _SEQ_MASK)
