"""The fixed encoding of records and bodies: JSON arrays of their members in declared order.

Laws: what is stored is what was hashed, so nothing is ever encoded again to check a hash; a
body read back equals the body written. The arguments of an action are embedded as the very
bytes that were judged: they close their body, after their length, by which they are cut out
again. What a later version adds to an action goes before those two, elsewhere at the end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, assert_never, cast

import orjson

from remit.facts.canonical import Json
from remit.facts.record import Record, RecordKind
from remit.policy.verdict import Code, Gate, Reason
from remit.trace.bodies import (
    ActionBody,
    AdminBody,
    Body,
    Choice,
    DecisionBody,
    Event,
    ExchangeBody,
    OutcomeBody,
    Passed,
    Status,
)


class Unencodable(ValueError):
    """A body that has no encoding: a lone surrogate, an integer beyond 64 bits, a foreign type."""


class Undecodable(ValueError):
    """Stored bytes that no record or body encodes to. Says which member, never its value."""


def encode_record(record: Record) -> bytes:
    """The stored form of `record`, over which its hash is taken."""
    return record_bytes(
        record.chain,
        record.seq,
        record.prev,
        record.kind,
        record.at,
        record.bundle,
        record.sid,
        record.commitment,
    )


def record_bytes(chain: str, seq: int, prev: str, kind: str, at: int, bundle: str, sid: str, commitment: str) -> bytes:
    """`encode_record` of the record with these members; spares the hot path its construction."""
    return orjson.dumps((chain, seq, prev, kind, at, bundle, sid, commitment))


def decode_record(data: bytes) -> Record:
    """The record stored as `data`. Raises `Undecodable`."""
    chain, seq, prev, kind, at, bundle, sid, commitment = _members("record", data, 8)
    try:
        return Record(
            chain=_text(chain),
            seq=_integer(seq),
            prev=_text(prev),
            kind=RecordKind(_text(kind)),
            at=_integer(at),
            bundle=_text(bundle),
            sid=_text(sid),
            commitment=_text(commitment),
        )
    except ValueError as error:
        raise Undecodable("record: a member is of no known value") from error


def encode_body(body: Body) -> bytes:
    """The stored form of `body`. Raises `Unencodable`.

    The `arguments` of an action must be one JSON text, or empty.
    """
    try:
        match body:
            case ActionBody():
                return orjson.dumps(_action(body), default=_plain)
            case ExchangeBody():
                return orjson.dumps(_exchange(body))
            case OutcomeBody():
                return orjson.dumps(_outcome(body))
            case DecisionBody():
                return orjson.dumps(_decision(body))
            case AdminBody():
                return orjson.dumps((body.event, body.by, body.subject, body.data), default=_plain)
            case _:
                assert_never(body)
    except TypeError as error:
        raise Unencodable(f"{type(body).__name__} cannot be recorded: {error}") from error


def decode_body(kind: RecordKind, data: bytes) -> Body:
    """The body of a record of `kind`, stored as `data`. Raises `Undecodable`."""
    try:
        match kind:
            case RecordKind.PROPOSAL | RecordKind.INTENT:
                return _as_action(data)
            case RecordKind.OUTCOME:
                return _as_outcome(data)
            case RecordKind.DECISION:
                return _as_decision(data)
            case RecordKind.ADMIN:
                event, by, subject, more = _members("admin body", data, 4)
                return AdminBody(Event(_text(event)), _text(by), _text(subject), _mapping(more))
            case RecordKind.EXCHANGE:
                return _as_exchange(data)
            case _:
                assert_never(kind)
    except Undecodable:
        raise
    except ValueError as error:
        raise Undecodable(f"{kind.value} body: a member is of no known value") from error


@dataclass(slots=True)
class Glance:
    """What verification asks of an action body: reading all of it would take four times as long."""

    action: str
    sids: tuple[str, ...]
    verdict: str
    approval: str | None
    source: tuple[str, ...]


def glance(data: bytes) -> Glance:
    """The members of `Glance` of the action body stored as `data`. Raises `Undecodable`."""
    members = _members("action body", data, 21)
    return Glance(
        action=_text(members[0]),
        sids=tuple([_text(sid) for _, sid in _parts(members[6], 2)]),
        verdict=_text(members[8]),
        approval=_maybe(members[13]),
        source=_texts(members[17]),
    )


def _action(body: ActionBody) -> tuple[object, ...]:
    arguments = body.arguments
    return (
        body.action,
        body.kind,
        body.server,
        body.name,
        body.pin,
        body.user,
        body.links,
        body.token,
        body.verdict,
        body.observed,
        _reasons(body.reasons),
        [(gate.policy, gate.route, gate.text_hash) for gate in body.gates] if body.gates else (),
        body.obligations,
        body.approval,
        body.expires_ms,
        body.irreversible,
        body.labels,
        body.source,
        body.context,
        len(arguments),
        orjson.Fragment(arguments) if arguments else None,
    )


def _as_action(data: bytes) -> ActionBody:
    members = _members("action body", data, 21)
    expires = members[14]
    return ActionBody(
        action=_text(members[0]),
        kind=_text(members[1]),
        server=_text(members[2]),
        name=_text(members[3]),
        pin=_text(members[4]),
        user=_maybe(members[5]),
        links=tuple((_text(agent), _text(sid)) for agent, sid in _parts(members[6], 2)),
        token=_text(members[7]),
        verdict=_text(members[8]),
        observed=_maybe(members[9]),
        reasons=_as_reasons(members[10]),
        gates=tuple(
            Gate(_text(policy), _text(route), _text(text_hash)) for policy, route, text_hash in _parts(members[11], 3)
        ),
        obligations=_texts(members[12]),
        approval=_maybe(members[13]),
        expires_ms=None if expires is None else _integer(expires),
        irreversible=_flag(members[15]),
        labels=_texts(members[16]),
        source=_texts(members[17]),
        context=_mapping(members[18]),
        arguments=_arguments(_integer(members[19]), data),
    )


def _arguments(length: int, data: bytes) -> bytes:
    if length == 0:
        return b""
    start = len(data) - 1 - length
    before = b",%d," % length
    if length < 0 or start < len(before) or data[start - len(before) : start] != before:
        raise Undecodable("action body: its arguments are not where their length says")
    return data[start:-1]


def _reasons(reasons: Sequence[Reason]) -> object:
    return [(reason.code, reason.text, reason.policy, reason.where, reason.agent) for reason in reasons]


def _as_reasons(value: object) -> tuple[Reason, ...]:
    return tuple(
        Reason(Code(_text(code)), _text(text), _maybe(policy), _maybe(where), _maybe(agent))
        for code, text, policy, where, agent in _parts(value, 5)
    )


def _exchange(body: ExchangeBody) -> tuple[object, ...]:
    return (
        body.intent,
        body.number,
        body.passed,
        body.sids,
        body.labels,
        body.content,
        body.content_bytes,
        body.approval,
        _reasons(body.reasons),
    )


def _as_exchange(data: bytes) -> ExchangeBody:
    intent, number, passed, sids, labels, content, size, approval, reasons = _members("exchange body", data, 9)
    return ExchangeBody(
        intent=_text(intent),
        number=_integer(number),
        passed=Passed(_text(passed)),
        sids=_texts(sids),
        labels=_texts(labels),
        content=_maybe(content),
        content_bytes=_integer(size),
        approval=_maybe(approval),
        reasons=_as_reasons(reasons),
    )


def _outcome(body: OutcomeBody) -> tuple[object, ...]:
    return (
        body.intent,
        body.status,
        body.sids,
        body.labels,
        body.approval,
        body.result,
        body.result_bytes,
        body.elapsed_ms,
        body.error,
    )


def _as_outcome(data: bytes) -> OutcomeBody:
    intent, status, sids, labels, approval, result, size, elapsed, error = _members("outcome body", data, 9)
    if isinstance(elapsed, bool) or not isinstance(elapsed, int | float):
        raise Undecodable("outcome body: elapsed_ms is no number")
    return OutcomeBody(
        intent=_text(intent),
        status=Status(_text(status)),
        sids=_texts(sids),
        labels=_texts(labels),
        approval=_maybe(approval),
        result=_maybe(result),
        result_bytes=_integer(size),
        elapsed_ms=elapsed,
        error=_maybe(error),
    )


def _decision(body: DecisionBody) -> tuple[object, ...]:
    return (body.approval, body.action, body.by, body.choice, body.routes, body.note, body.completes)


def _as_decision(data: bytes) -> DecisionBody:
    approval, action, by, choice, routes, note, completes = _members("decision body", data, 7)
    return DecisionBody(
        approval=_text(approval),
        action=_text(action),
        by=_text(by),
        choice=Choice(_text(choice)),
        routes=_texts(routes),
        note=_maybe(note),
        completes=_flag(completes),
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Json]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _members(what: str, data: bytes, count: int) -> Sequence[Any]:
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Undecodable(f"{what}: not JSON") from error
    if not isinstance(value, list) or len(cast("list[object]", value)) != count:
        raise Undecodable(f"{what}: not the {count} members it has")
    return cast("list[object]", value)


def _parts(value: object, count: int) -> Sequence[Sequence[object]]:
    """A list of lists of `count` members each."""
    if not isinstance(value, list):
        raise Undecodable("a member is no list")
    items = cast("list[object]", value)
    if not all(isinstance(item, list) and len(cast("list[object]", item)) == count for item in items):
        raise Undecodable(f"a member is no list of {count} members each")
    return cast("list[list[object]]", items)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Undecodable("a member is no string")
    return value


def _maybe(value: object) -> str | None:
    return None if value is None else _text(value)


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise Undecodable("a member is no list of strings")
    return tuple(cast("list[str]", value))


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Undecodable("a member is no integer")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Undecodable("a member is no truth value")
    return value


def _mapping(value: object) -> Mapping[str, Json]:
    if not isinstance(value, dict):
        raise Undecodable("a member is no object")
    return cast("dict[str, Json]", value)
