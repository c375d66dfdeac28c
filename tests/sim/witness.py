"""What is on disk, read by somebody who is no part of the service: its file, through a connection of his own.

Nothing here asks the state tables, the driver or its memory. Who reads again after a crash must find what he read
before: all that was there when anything was acknowledged.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from remit.adapters.sqlite.reads import SEGMENT, open_readonly, stored_at
from remit.adapters.sqlite.segment import unpack
from remit.adapters.sqlite.tables import SEQ_BITS
from remit.facts.record import RecordKind, Ref
from remit.trace.bodies import ActionBody, AdminBody, DecisionBody, ExchangeBody, OutcomeBody
from remit.trace.encoding import decode_body, decode_record
from remit.trace.tree import leaf_hash

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from remit.policy.verdict import Reason
    from remit.trace.bodies import Body

_SEQ_MASK: Final = (1 << SEQ_BITS) - 1

Key: TypeAlias = tuple[str, str, str, bytes, tuple[tuple[str, str], ...]]
"""An action: its kind, server, name, the very bytes of its arguments, and the (agent, session) pairs of its chain."""


@dataclass(slots=True)
class Intent:
    """One intent on disk and what follows it; `refused` where the ledger said that it was not written."""

    ref: Ref
    key: Key
    place: int
    """How many records came before it."""
    bundle: str
    at: int
    approval: str | None
    grants: tuple[str, ...] = ()
    refused: bool = False
    over: tuple[int, int] | None = None
    """The place of its outcome, and when that was."""
    ended: list[OutcomeBody] = field(default_factory=list[OutcomeBody])
    passed: list[ExchangeBody] = field(default_factory=list[ExchangeBody])

    def holds(self, labels: frozenset[str], sids: frozenset[str]) -> bool:
        """Whether some record of it gives all `labels` to all `sids`."""
        return not labels or any(
            labels <= frozenset(one.labels) and sids <= frozenset(one.sids) for one in (*self.ended, *self.passed)
        )


@dataclass(frozen=True, slots=True)
class Denial:
    """An action that was judged and denied, and by what; `place` and `at` as of an intent."""

    ref: Ref
    key: Key
    place: int
    at: int
    reasons: tuple[Reason, ...]


class Witness:
    """All records, as they came to be on disk. `tell` gets a line for each."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._conn: sqlite3.Connection | None = None
        self._last = -1
        self._chains: dict[int, str] = {}
        self.hashes: dict[str, str] = {}
        self.leaves: list[bytes] = []
        """Those of all records, in the order of the tree over them."""
        self.salts: dict[str, bytes] = {}
        """Of each body that was there when it was first read: nothing else of the file has these bytes."""
        self._bodies: dict[str, Body] = {}
        """What each said when it was first read: it may be erased."""
        self.intents: dict[Key, list[Intent]] = defaultdict(list)
        self.by_ref: dict[str, Intent] = {}
        self.denials: list[Denial] = []
        self.admins: dict[int, tuple[str, AdminBody]] = {}
        """By the place of the record, with its id."""
        self.asked: dict[str, ActionBody] = {}
        """What opened an approval, by its id."""
        self.decisions: dict[str, tuple[int, DecisionBody]] = {}
        """What people decided, with the place of the record, by its id."""
        self.bundles: dict[str, str] = {}
        """The bundle that each record names, its kind aside that of `admin`."""
        self.refusing = False
        """What comes from now on was said to have failed."""

    def open(self, path: Path) -> list[str]:
        """Read the file at `path`; what is no longer there, or no longer the same."""
        self.close()
        before, self.hashes = self.hashes, {}
        self.intents, self.by_ref, self.denials = defaultdict(list), {}, []
        self.admins, self.asked, self.decisions, self.leaves = {}, {}, {}, []
        self._last, self.refusing = -1, False
        self._conn = open_readonly(path)
        self.read()
        return [ref for ref, digest in before.items() if self.hashes.get(ref) != digest]

    def close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def read(self) -> None:
        """Take note of what is new."""
        conn = self._conn
        if conn is None:
            return
        rows = conn.execute(f"{SEGMENT} WHERE segment.first > ? ORDER BY segment.first", (self._last,)).fetchall()
        if not rows:
            return
        self._chains = dict(conn.execute("SELECT no, name FROM chain"))
        for row in rows:
            for stored in unpack(*row):
                ref = Ref(self._chains[stored.id >> SEQ_BITS], stored.id & _SEQ_MASK)
                if stored.salt is not None:
                    self.salts.setdefault(str(ref), stored.salt)
                self._take(ref, stored.record, stored.hash.hex(), stored.body)
            self._last = row[0]

    def shows(self, ref: str) -> bool:
        """Whether what the record `ref` said can be read."""
        assert self._conn is not None, "asked of a file that is open"
        chain, _, seq = ref.rpartition(".")
        [number] = [no for no, name in self._chains.items() if name == chain]
        found = stored_at(self._conn, number << SEQ_BITS | int(seq))
        return found is not None and found.body is not None

    def doubtful(self, chain: str) -> set[str]:
        """Intents of other chains than `chain` that have no outcome."""
        return {ref for ref, one in self.by_ref.items() if not one.ended and one.ref.chain != chain}

    def under_way(self) -> set[str]:
        """All intents that have no outcome."""
        return self.doubtful("")

    def _take(self, ref: Ref, data: bytes, digest: str, stored: bytes | None) -> None:
        record = decode_record(data)
        name, place = str(ref), len(self.hashes)
        body = self._bodies[name] if stored is None else decode_body(record.kind, stored)
        self._bodies[name] = body
        self.leaves.append(leaf_hash(data))
        self.hashes[name] = digest
        if record.kind is not RecordKind.ADMIN:
            self.bundles[name] = record.bundle
        what = ""
        match body:
            case ActionBody():
                what = f"{body.verdict} {body.server}/{body.name} {body.arguments.decode()}"
                key = (body.kind, body.server, body.name, body.arguments, body.links)
                if record.kind is RecordKind.INTENT:
                    made = Intent(ref, key, place, record.bundle, record.at, body.approval, body.grants)
                    made.refused = self.refusing
                    self.intents[key].append(made)
                    self.by_ref[name] = made
                elif body.verdict == "escalate" and body.approval is None:
                    self.asked[name] = body
                elif body.verdict == "deny":
                    self.denials.append(Denial(ref, key, place, record.at, body.reasons))
            case OutcomeBody():
                what = f"of {body.intent}: {body.status.value}, labels {','.join(body.labels)}"
                if body.intent in self.by_ref:
                    of = self.by_ref[body.intent]
                    of.over = of.over or (place, record.at)
                    of.ended.append(body)
            case ExchangeBody():
                what = f"of {body.intent}: {body.passed.value} {body.number}, labels {','.join(body.labels)}"
                if body.intent in self.by_ref:
                    self.by_ref[body.intent].passed.append(body)
            case AdminBody():
                what = f"{body.event.value} {body.subject}"
                self.admins[place] = name, body
            case _:
                what = f"{body.choice.value} {body.approval} by {body.by}"
                self.decisions[name] = place, body
        self._tell(f"on disk {name} {record.kind.value} {what}{' (said to have failed)' if self.refusing else ''}")
