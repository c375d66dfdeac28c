"""One line, and one plain object, for each record: what `logs` and auditors read."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Final, assert_never

from pydantic import JsonValue

from remit.api.answers import LedgerEntryAnswer, RecordAnswer
from remit.api.views import instant, plain, tool_name
from remit.facts.canonical import Json
from remit.policy.verdict import spoken
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody, AdminBody, Body, DecisionBody, Event, ExchangeBody, OutcomeBody

_DIGEST_CHARS: Final = len("sha256:") + 12
_CHANGES_SHOWN_MAX: Final = 3


def entry_view(entry: Entry) -> LedgerEntryAnswer:
    """One record whole, but for argument bytes, of which only the hash is told."""
    record = entry.record
    return LedgerEntryAnswer(
        id=f"{record.chain}.{record.seq}",
        kind=record.kind.value,
        at=instant(record.at),
        bundle=record.bundle,
        sid=record.sid,
        prev=record.prev,
        commitment=record.commitment,
        hash=entry.hash,
        text=summary(entry.body),
        body=None if entry.body is None else _members(_told(entry.body)),
    )


def line_view(entry: Entry) -> RecordAnswer:
    """One record on one line."""
    record = entry.record
    ident = f"{record.chain}.{record.seq}"
    return RecordAnswer(id=ident, kind=record.kind.value, at=instant(record.at), text=summary(entry.body))


def event_view(entry: Entry) -> dict[str, JsonValue]:
    """What `logs -f` needs of one record."""
    record = entry.record
    return {
        "id": f"{record.chain}.{record.seq}",
        "kind": record.kind.value,
        "at": instant(record.at),
        "bundle": record.bundle,
        "sid": record.sid,
        "hash": entry.hash,
        "text": summary(entry.body),
        **_acting(entry.body),
    }


def _acting(body: Body | None) -> dict[str, JsonValue]:
    """What actions are looked for by; nothing of other records."""
    if not isinstance(body, ActionBody):
        return {}
    return {"agents": [agent for agent, _ in body.links], "server": body.server, "verdict": body.verdict}


def summary(body: Body | None) -> str:
    """The record in one line. Names and texts of others are in it as they came: escape to show."""
    match body:
        case None:
            return "erased"
        case ActionBody():
            return _action(body)
        case ExchangeBody():
            return f"{body.intent}: {body.passed.value} passed in round {body.number}"
        case OutcomeBody():
            failed = f": {body.error}" if body.error else ""
            return f"{body.intent} ended {body.status.value} in {body.elapsed_ms:.0f} ms{failed}"
        case DecisionBody():
            rest = "" if not body.completes else ", which lifts it"
            return f"{body.by}: {body.choice.value} {body.approval}{rest}"
        case AdminBody(Event.BUNDLE):
            return f"{body.by}: {body.event.value} {body.subject[:_DIGEST_CHARS]}: {_changes_text(body)}"
        case AdminBody(Event.TOKEN_ISSUED):
            return f"{body.by}: {body.event.value} {body.subject}{_bearer(body)}"
        case AdminBody():
            return f"{body.by}: {body.event.value} {body.subject}"
        case _:
            assert_never(body)


def _action(body: ActionBody) -> str:
    chain = " > ".join(agent for agent, _ in body.links)
    user = f" for {body.user}" if body.user else ""
    first = f": {body.reasons[0].text}" if body.reasons and (body.observed or body.verdict) != "permit" else ""
    what = tool_name(body.server, body.name) if body.name else f"{body.server} (what it offers)"
    return f"{spoken(body.verdict, body.observed)} {chain}{user}: {body.kind} {what}{first}"


def _bearer(body: AdminBody) -> str:
    """Whom a token was issued to."""
    match body.data:
        case {"use": str(use), "agents": [*agents], "user": user}:
            names = " > ".join(map(str, agents)) or str(user)
            return f": {use} {names}" + (f" for {user}" if agents and user is not None else "")
        case _:
            return ""


def bundle_changes(body: AdminBody) -> Sequence[str]:
    """What the bundle that `body` is of changed of the one before, a change on each line."""
    changes = body.data.get("changes")
    if not isinstance(changes, Sequence) or isinstance(changes, str):
        return []
    pairs = (str(change).partition(" ")[::2] for change in changes)
    return [f"{op} {rest[:1].lower()}{rest[1:]}" for op, rest in pairs]


def _changes_text(body: AdminBody) -> str:
    """What a bundle changed, in a few words."""
    changes = bundle_changes(body)
    if changes:
        rest = len(changes) - _CHANGES_SHOWN_MAX
        return ", ".join(changes[:_CHANGES_SHOWN_MAX]) + (f" and {rest} more" if rest > 0 else "")
    if "from" in body.data:
        return "what it changed is not kept" if "changes" not in body.data else "no resource"
    return "a start" if body.data.get("at") == "start" else "nothing"


def data_of(body: AdminBody) -> Mapping[str, Json]:
    """What `body` says, without the key of an index, and what is under one, which nobody needs to see."""
    match body.event:
        case Event.SESSION_KEYED:
            return {"erased": body.data.get("key") is None}
        case Event.SERVER_ENTRUSTED:
            return {name: value for name, value in body.data.items() if name != "origins"}
        case _:
            return body.data


def _told(body: Body) -> Body:
    return replace(body, data=data_of(body)) if isinstance(body, AdminBody) else body


def _members(value: Body) -> dict[str, JsonValue]:
    return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
