"""State tables as values: each row read into, and written from, the core's own types.

Rows are written as JSON, all that changed of one table at once, by SQL that is the same for the ledger's writer
(`commit`) and for whoever folds a ledger again (`write`). A row whose second value is null is gone.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

import orjson

from remit.escalate.grants import Grant, terms_of
from remit.escalate.machine import Approval, ApprovalState, Delegation, Edit, Glass, Vote
from remit.facts.breaker import Trip
from remit.facts.budget import Balance
from remit.facts.confidence import Confidence
from remit.facts.guarantee import SignOff
from remit.facts.label import NONE, Labels
from remit.facts.mark import Place, named
from remit.facts.novelty import Use
from remit.facts.passkey import Passkey
from remit.facts.session import Session
from remit.facts.stop import Stop
from remit.policy.verdict import Gate
from remit.protect.past import KeyedCells, slot_from

Row: TypeAlias = tuple[int | str | None, ...]
"""The values of a row, its key first, in the order of its table's columns."""
Changed: TypeAlias = Mapping[str, Sequence[Row]]
"""Rows that changed, by table."""

_INTO: Final = {
    # Fenced by the key: two owners of one epoch cannot both begin it.
    "chain": ("INSERT INTO chain", "nttnn", ""),
    "session": (
        "INSERT INTO session",
        "ntttntn",
        "ON CONFLICT (no) DO UPDATE SET "
        + ", ".join(f"{name} = excluded.{name}" for name in ("agent", "user", "labels", "ended")),
    ),
    "activity": ("REPLACE INTO activity", "nnnn", ""),
    "open_intents": ("REPLACE INTO open_intents", "nn", ""),
    "in_doubt": ("INSERT INTO in_doubt", "ntn", ""),
    "outcome": ("REPLACE INTO outcome", "nn", ""),
    "unanswered": ("INSERT INTO unanswered", "nt", ""),
    "approval": ("REPLACE INTO approval", "ntt", ""),
    "stopped": ("REPLACE INTO stopped", "ttntt", ""),
    "granted": ("REPLACE INTO granted", "nt", ""),
    "passkey": ("REPLACE INTO passkey", "tttntn", ""),
    "used": ("INSERT INTO used", "tn", ""),
    "confidence": ("REPLACE INTO confidence", "tnn", ""),
    "spent": ("REPLACE INTO spent", "tnn", ""),
    "tripped": ("REPLACE INTO tripped", "tnt", ""),
    "past": ("REPLACE INTO past", "tt", ""),
    "signed_off": ("REPLACE INTO signed_off", "tttnt", ""),
    "revoked": ("REPLACE INTO revoked", "tn", ""),
    "credential": ("REPLACE INTO credential", "tt", ""),
    "stored": ("REPLACE INTO stored", "tt", ""),
    "keyed": ("REPLACE INTO keyed", "ttn", ""),
    "origin": ("INSERT INTO origin", "ntn", ""),
    "erased": ("INSERT INTO erased", "nn", "ON CONFLICT (id) DO NOTHING"),
}
"""How rows of each table are written, and which of their values are numbers (n) and texts (t)."""
_GOING: Final = {
    "open_intents": "block",
    "in_doubt": "id",
    "unanswered": "id",
    "stopped": "what",
    "credential": "ident",
    "keyed": "sid",
    "spent": "account",
    "passkey": "ident",
    "tripped": "what",
}
"""Tables whose rows may go again, and their keys."""
_COLUMN: Final = {
    "n": "{}",
    "t": "replace(replace({}, char(26) || '0', char(0)), char(26) || '1', char(26))",
}

SESSION: Final = (
    "SELECT no, sid, agent, user, started, labels, calls, irreversible, ended, last, own, told "
    "FROM session JOIN activity USING (no) LEFT JOIN confidence USING (sid)"
)
"""Rows for `session_from`."""


def session_from(row: Sequence[Any]) -> Session:
    """The session of a row of `SESSION`."""
    return Session(
        sid=row[1],
        agent=row[2],
        user=row[3],
        started_ms=row[4],
        labels=frozenset(orjson.loads(row[5])),
        calls=row[6],
        irreversible_calls=row[7],
        ended_ms=row[8],
        confidence=Confidence(row[10], row[11]),
    )


def read_session(conn: sqlite3.Connection, sid: str) -> tuple[int, Session, int] | None:
    """Number, state and last record's id of session `sid`."""
    row = conn.execute(f"{SESSION} WHERE sid = ?", (sid,)).fetchone()
    return None if row is None else (row[0], session_from(row), row[9])


def approval_from(row: Sequence[Any]) -> Approval:
    """The approval of a row `(detail,)`."""
    value = orjson.loads(row[0])
    return Approval(
        ident=value["ident"],
        requested=value["requested"],
        sid=value["sid"],
        agent=value["agent"],
        user=value["user"],
        server=value["server"],
        name=value["name"],
        gates=tuple(Gate(gate["policy"], gate["route"], gate["text_hash"]) for gate in value["gates"]),
        opened_ms=value["opened_ms"],
        expires_ms=value["expires_ms"],
        state=ApprovalState(value["state"]),
        votes=tuple(_vote(vote) for vote in value["votes"]),
        refused_by=value["refused_by"],
        claimed_by=value["claimed_by"],
        nonce=value["nonce"],
        edit=None if value["edit"] is None else Edit(**value["edit"]),
        delegations=tuple(Delegation(**delegation) for delegation in value["delegations"]),
        reason=value["reason"],
        glass=None if value["glass"] is None else Glass(**value["glass"]),
        superseded_by=value["superseded_by"],
        # Before version 13 the note of a no stood on its record alone.
        note=value.get("note"),
    )


def _vote(members: Mapping[str, Any]) -> Vote:
    # Before version 7 no yes was confirmed beyond a token, and none says so.
    return Vote(members["by"], members["at"], tuple(members["routes"]), members["note"], members.get("strong", False))


def read_approval(conn: sqlite3.Connection, ident: int) -> Approval | None:
    """The approval opened by the record with this id."""
    row = conn.execute("SELECT detail FROM approval WHERE id = ?", (ident,)).fetchone()
    return None if row is None else approval_from(row)


def session_row(number: int, session: Session) -> Row:
    """What seldom changes of a session."""
    return (
        number,
        _text(session.sid),
        _text(session.agent),
        None if session.user is None else _text(session.user),
        session.started_ms,
        _json(sorted(session.labels)),
        session.ended_ms,
    )


def approval_row(ident: int, approval: Approval) -> Row:
    """The approval opened by the record with the id `ident`."""
    return (ident, approval.state.value, _json(approval))


def grant_from(detail: str) -> Grant | None:
    """The grant of a row's `detail`; None for what no version wrote."""
    value = orjson.loads(detail)
    terms = terms_of(value["approval"], value["terms"])
    votes = tuple(_vote(vote) for vote in value["votes"])
    if terms is None:
        return None
    return Grant(value["ident"], terms, value["given_ms"], votes, value["uses"], value["revoked_by"])


def read_grant(conn: sqlite3.Connection, ident: int) -> Grant | None:
    """The grant that the record with this id began."""
    row = conn.execute("SELECT detail FROM granted WHERE id = ?", (ident,)).fetchone()
    return None if row is None else grant_from(row[0])


def grant_row(ident: int, grant: Grant) -> Row:
    """The grant that the record with the id `ident` began."""
    members = {"ident": grant.ident, "approval": grant.terms.approval, "terms": grant.terms.to_json()}
    members |= {"given_ms": grant.given_ms, "votes": grant.votes, "uses": grant.uses, "revoked_by": grant.revoked_by}
    return (ident, _json(members))


def used_row(use: Use, since: int) -> Row:
    """What an agent did first by the record with the id `since`."""
    return (_text(_json(use)), since)


def confidence_row(sid: str, confidence: Confidence) -> Row:
    """How sure the agent of a session is said to be."""
    return (_text(sid), confidence.agent, confidence.harness)


def signed_off_row(sign_off: SignOff) -> Row:
    """What the owner of a guarantee let run."""
    return (_text(sign_off.breach), _text(sign_off.guarantee), _text(sign_off.by), sign_off.at_ms, _text(sign_off.why))


def past_row(place: Place, slot: KeyedCells) -> Row:
    """What monitors and guarantees keep at `place`."""
    return (_text(named(place)), _json(slot.to_json()))


def read_past(conn: sqlite3.Connection, place: Place) -> KeyedCells:
    """What they keep at `place`."""
    row = conn.execute("SELECT detail FROM past WHERE place = ?", (named(place),)).fetchone()
    return KeyedCells() if row is None else slot_from(orjson.loads(row[0]))


def stopped_row(what: str, stop: Stop | None) -> Row:
    """What a person stopped; None: he let it act again."""
    if stop is None:
        return (_text(what), None, None, None, None)
    return (_text(what), _text(stop.by), stop.at_ms, _text(stop.reason), stop.scope.value)


def spent_row(account: str, balance: Balance | None) -> Row:
    """What was spent of an account; None: it begins anew."""
    return (_text(account), None, None) if balance is None else (_text(account), balance.since_ms, balance.units)


def passkey_row(ident: str, passkey: Passkey | None) -> Row:
    """A passkey; None: there never was one."""
    if passkey is None:
        return (_text(ident), None, None, None, None, None)
    head = (_text(ident), _text(passkey.user), _text(passkey.key))
    return (*head, passkey.count, _text(passkey.name), passkey.at_ms)


def tripped_row(key: str, trip: Trip | None) -> Row:
    """A breaker that tripped; None: it is closed."""
    return (_text(key), None, None) if trip is None else (_text(key), trip.at_ms, _json(dict(trip.evidence)))


def doubtful_row(ident: int, sid: str, at: int) -> Row:
    """An intent of an earlier epoch without an outcome."""
    return (ident, _text(sid), at)


def revoked_row(token: str, expires_ms: int) -> Row:
    """A revoked token."""
    return (_text(token), expires_ms)


def credential_row(ident: str, digest: str | None) -> Row:
    """A credential's hash; None: the credential is gone."""
    return (_text(ident), None if digest is None else _text(digest))


def stored_row(where: str, labels: Labels) -> Row:
    """The labels of a place in a store."""
    return (_text(where), _json(sorted(labels)))


def keyed_row(sid: str, key: str | None, since: int) -> Row:
    """The key of a session's index, which begins after the record `since`; None: it is gone."""
    return (_text(sid), key, since)


def origin_row(number: int, sid: str, record: int) -> Row:
    """One record that a session's index is made of."""
    return (number, _text(sid), record)


def read_stored(conn: sqlite3.Connection, where: str) -> Labels:
    """The labels of one place in a store."""
    row = conn.execute("SELECT labels FROM stored WHERE place = ?", (where,)).fetchone()
    return NONE if row is None else frozenset(orjson.loads(row[0]))


def packed(items: Sequence[Row]) -> str:
    """Rows of one table, as `statements` reads them."""
    return _json(items)


@cache
def statements(table: str, source: str) -> tuple[str, ...]:
    """What writes the rows of `table` that `source` (an SQL expression) holds, as `packed` made them."""
    into, kinds, on_conflict = _INTO[table]
    columns = [_COLUMN[kind].format(f"value ->> {at}") for at, kind in enumerate(kinds)]
    key = _GOING.get(table)
    insert = f"{into} SELECT {', '.join(columns)} FROM json_each({source}) WHERE "  # noqa: S608
    if key is None:
        return (f"{insert} true {on_conflict}",)
    removed = f"SELECT {columns[0]} FROM json_each({source}) WHERE value ->> 1 IS NULL"  # noqa: S608
    return (f"DELETE FROM {table} WHERE {key} IN ({removed})", f"{insert} value ->> 1 IS NOT NULL")  # noqa: S608


def write(conn: sqlite3.Connection, changed: Changed) -> None:
    """Write what changed, within the caller's transaction."""
    for table, items in changed.items():
        for statement in statements(table, "?1"):
            conn.execute(statement, (packed(items),))


def _json(value: object) -> str:
    return orjson.dumps(value).decode("utf-8")


def _text(value: str) -> str:
    """`value` without U+0000, where SQLite's JSON would end it; `_COLUMN` undoes this."""
    if "\0" in value or "\x1a" in value:
        return value.replace("\x1a", "\x1a1").replace("\0", "\x1a0")
    return value
