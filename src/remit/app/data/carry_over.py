"""What a restored ledger takes over from the one that it replaces, table by table: it gives nothing back.

Law: each state table of the ledger (`adapters.sqlite.tables.STATE`) is in `TABLES`: taken over, or with a reason.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from remit.adapters.sqlite.replaced_ledger import LedgerState, Since
from remit.facts.budget import spent_since
from remit.facts.canonical import Json
from remit.facts.mark import named
from remit.facts.stop import subject
from remit.trace.bodies import AdminBody, Event

BY: Final = "the data folder's owner"
WHY: Final[Mapping[str, Json]] = {"why": "a backup was restored"}

_Carry: TypeAlias = Callable[[LedgerState, LedgerState, Since], Iterator[AdminBody]]
"""From what the backup and the replaced ledger say: records that make the one stand as the other."""


def carried_records(ours: LedgerState, before: tuple[LedgerState, Since] | None) -> Iterator[AdminBody]:
    """What is recorded anew once a backup by which `ours` stands is restored, `before` being what it replaces.

    None: that cannot be read, or there is none; then the backup's own sessions end.
    """
    theirs, since = (ours, Since({}, {}, ())) if before is None else before
    for carry in TABLES.values():
        if not isinstance(carry, str):
            yield from carry(ours, theirs, since)


def _sessions(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for sid in sorted((ours.sessions | theirs.sessions | theirs.ended) - ours.ended):
        yield AdminBody(Event.SESSION_ENDED, BY, sid, WHY)


def _stopped(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for what, stop in sorted(theirs.stopped.items()):
        earlier = ours.stopped.get(what)
        if earlier is None or (earlier.by, earlier.reason, earlier.scope) != (stop.by, stop.reason, stop.scope):
            data: dict[str, Json] = {"reason": stop.reason, "holds": stop.scope.value, **WHY}
            yield AdminBody(Event.HALT, stop.by, subject(what), data)


def _spent(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for account, balance in sorted(theirs.spent.items()):
        less = spent_since(ours.spent.get(account), balance)
        if less is not None:
            data: dict[str, Json] = {"since_ms": less.since_ms, "units": less.units, **WHY}
            yield AdminBody(Event.BUDGET_CARRIED, BY, account, data)


def _past(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for place, slot in sorted(theirs.past.items()):
        if ours.past.get(place) != slot:
            yield AdminBody(Event.PAST_CARRIED, BY, named(place), {"slot": slot.to_json(), **WHY})


def _revoked(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for token, expires_ms in sorted(theirs.revoked.items()):
        if token not in ours.revoked:
            yield AdminBody(Event.TOKEN_REVOKED, BY, token, {"expires_ms": expires_ms, **WHY})


def _credentials(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for ident in sorted(ours.credentials.keys() | theirs.credentials.keys()):
        if ours.credentials.get(ident) != theirs.credentials.get(ident):
            yield AdminBody(Event.CREDENTIAL, BY, ident, {"hash": theirs.credentials.get(ident), **WHY})


def _passkeys(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    """Also who had one since, since glass asks him for it, and how far each has counted."""
    for ident, passkey in sorted(theirs.passkeys.items()):
        earlier = ours.passkeys.get(ident)
        if earlier is None or (passkey.key and earlier != passkey):
            members: dict[str, Json] = {
                "user": passkey.user,
                "key": passkey.key,
                "count": passkey.count,
                "name": passkey.name,
            }
            yield AdminBody(Event.PASSKEY_ADDED, BY, ident, {**members, "at_ms": passkey.at_ms, **WHY})
        if not passkey.key and (earlier is None or earlier.key):
            yield AdminBody(Event.PASSKEY_REMOVED, BY, ident, {"user": passkey.user, **WHY})


def _stored(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for where, labels in sorted(theirs.stored.items()):
        more = labels - ours.stored.get(where, frozenset())
        if more:
            yield AdminBody(Event.STORE_CARRIED, BY, where, {"labels": [*sorted(more)], **WHY})


def _tripped(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    for key, trip in sorted(theirs.tripped.items()):
        if key not in ours.tripped:
            yield AdminBody(Event.BREAKER_TRIPPED, BY, key, {**trip.evidence, **WHY})


def _keyed(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    """What people erased of indices; the key that a session got afterwards is no use, since it ends."""
    for sid, key in sorted(ours.keyed.items()):
        if theirs.keyed.get(sid) != key:
            yield AdminBody(Event.SESSION_KEYED, BY, sid, {"key": None, **WHY})


def _entrusted(ours: LedgerState, theirs: LedgerState, _: Since) -> Iterator[AdminBody]:
    """What servers were handed since, under the key that it was kept under."""
    for index, bodies in sorted(theirs.entrusted.items()):
        if ours.keyed.get(index) != theirs.keyed[index]:
            yield AdminBody(Event.SESSION_KEYED, BY, index, {"key": theirs.keyed[index], **WHY})
        earlier = ours.entrusted.get(index, ())
        yield from (AdminBody(body.event, BY, index, {**body.data, **WHY}) for body in bodies if body not in earlier)


def _settled(ours: LedgerState, _: LedgerState, since: Since) -> Iterator[AdminBody]:
    """What became of what is in doubt by the backup alone: settled again, budgets would get back twice what it took."""
    for intent, happened in sorted(since.ends.items()):
        outcome = ours.doubtful[intent]
        outcome_members: dict[str, Json] = {} if outcome is None else {"outcome": str(outcome)}
        yield AdminBody(Event.INTENT_SETTLED, BY, str(intent), {"happened": happened, **outcome_members, **WHY})
    for intent, (happened, ended) in sorted(since.failed.items()):
        yield AdminBody(Event.INTENT_SETTLED, BY, str(intent), {"happened": happened, "outcome": ended, **WHY})


def _erased(_: LedgerState, __: LedgerState, since: Since) -> Iterator[AdminBody]:
    yield from since.erasures


TABLES: Final[Mapping[str, _Carry | str]] = {
    "session": _sessions,
    "stopped": _stopped,
    "spent": _spent,
    "past": _past,
    "revoked": _revoked,
    "credential": _credentials,
    "passkey": _passkeys,
    "stored": _stored,
    "tripped": _tripped,
    "keyed": _keyed,
    "origin": _entrusted,
    "in_doubt": _settled,
    "erased": _erased,
    "open_intents": "those of the backup are in doubt once it is restored, and told of with these",
    "unanswered": "they are told of with those in doubt",
    "chain": "epochs that the replaced ledger had are passed over, each by a record",
    "activity": "it counts what sessions did, and every session ends",
    "confidence": "it is of sessions, and every session ends",
    "outcome": "those since are of intents that the backup lacks, or tell what became of one that it has in doubt",
    "approval": "every open one ends; a no binds one session, and every session ends; glass broken since lifts nothing",
    "granted": "every one ends, whether it had ended or not; one given since lifts nothing",
    "used": "what an agent did first since is new to it once more, which is the stricter answer",
    "signed_off": "what an owner let run since has to be signed again: without it a guarantee holds",
}
"""What takes a state table over; or why nothing is given back where nothing does."""
