"""The fixed encoding of records and bodies: JSON arrays of their members in declared order.

Laws: what is stored is what was hashed, so nothing is ever encoded again to check a hash; a
body read back equals the body written. The arguments of an action are embedded as the very
bytes that were judged: they close their body, after their length, by which they are cut out
again. What a later version adds to an action goes before those two, elsewhere at the end.
"""

from collections.abc import Mapping, Sequence
from typing import Final, assert_never, cast

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
    MidCall,
    OutcomeBody,
    StoreWrite,
)
from remit.trace.members import (
    ACTION_MEMBERS,
    Undecodable,
    charges_of,
    confirmed_of,
    flag,
    integer,
    mapping,
    marks_of,
    maybe,
    members,
    nonce_of,
    parts,
    text,
    texts,
)
from remit.trace.outcome import members_of, outcome_from

_RECORD: Final = [str, int, str, str, int, str, str, str]
"""The types of a record's members."""
_KINDS: Final = {kind.value: kind for kind in RecordKind}


class Unencodable(ValueError):
    """A body that has no encoding: a lone surrogate, an integer beyond 64 bits, a foreign type."""


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
    values = members("record", data, 8)
    kind = _KINDS.get(values[3]) if [*map(type, values)] == _RECORD else None
    if kind is None:
        raise Undecodable("record: a member is of no known type or value")
    chain, seq, prev, _, at, bundle, sid, commitment = values
    return Record(chain, seq, prev, kind, at, bundle, sid, commitment)


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
                return orjson.dumps(members_of(body))
            case DecisionBody():
                return orjson.dumps(_decision(body), default=_plain)
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
                return outcome_from(data)
            case RecordKind.DECISION:
                return _as_decision(data)
            case RecordKind.ADMIN:
                event, by, subject, more = members("admin body", data, 4)
                return AdminBody(Event(text(event)), text(by), text(subject), mapping(more))
            case RecordKind.EXCHANGE:
                return _as_exchange(data)
            case _:
                assert_never(kind)
    except Undecodable:
        raise
    except ValueError as error:
        raise Undecodable(f"{kind.value} body: a member is of no known value") from error


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
        *_later_members(body),
        len(arguments),
        orjson.Fragment(arguments) if arguments else None,
    )


def _later_members(body: ActionBody) -> tuple[object, ...]:
    stored = None if body.stored is None else (body.stored.places, body.stored.labels)
    charges = [tuple(charge) for charge in body.charges]
    values = (body.trace, stored, body.grants, body.nonce, body.reaches, charges)
    if body.marks:
        return *values, body.said, [tuple(mark) for mark in body.marks]
    if charges or body.said is not None:
        return values if body.said is None else (*values, body.said)
    if body.reaches:
        return body.trace, stored, body.grants, body.nonce, body.reaches
    if body.nonce is not None:
        return body.trace, stored, body.grants, body.nonce
    if body.grants:
        return body.trace, stored, body.grants
    if stored is not None:
        return body.trace, stored
    return () if body.trace is None else (body.trace,)


def _as_stored(value: object) -> StoreWrite:
    pair = parts([value], 2)[0]
    return StoreWrite(texts(pair[0]), texts(pair[1]))


def _as_action(data: bytes) -> ActionBody:
    values = members("action body", data, *ACTION_MEMBERS)
    expires = values[14]
    return ActionBody(
        action=text(values[0]),
        kind=text(values[1]),
        server=text(values[2]),
        name=text(values[3]),
        pin=text(values[4]),
        user=maybe(values[5]),
        links=tuple([(text(agent), text(sid)) for agent, sid in parts(values[6], 2)]),
        token=text(values[7]),
        verdict=text(values[8]),
        observed=maybe(values[9]),
        reasons=_as_reasons(values[10]),
        gates=tuple(
            [Gate(text(policy), text(route), text(text_hash)) for policy, route, text_hash in parts(values[11], 3)]
        ),
        obligations=texts(values[12]),
        approval=maybe(values[13]),
        expires_ms=None if expires is None else integer(expires),
        irreversible=flag(values[15]),
        labels=texts(values[16]),
        source=texts(values[17]),
        context=mapping(values[18]),
        arguments=_arguments(integer(values[-2]), data),
        trace=maybe(values[19]) if len(values) > ACTION_MEMBERS[0] else None,
        stored=_stored_of(values),
        grants=texts(values[21]) if len(values) > ACTION_MEMBERS[2] else (),
        nonce=nonce_of(values),
        reaches=texts(values[23]) if len(values) >= ACTION_MEMBERS[5] else (),
        said=maybe(values[25]) if len(values) >= ACTION_MEMBERS[7] else None,
        charges=charges_of(values),
        marks=marks_of(values[26]) if len(values) >= ACTION_MEMBERS[8] else (),
    )


def _stored_of(values: Sequence[object]) -> StoreWrite | None:
    if len(values) < ACTION_MEMBERS[2] or (len(values) > ACTION_MEMBERS[2] and values[20] is None):
        return None
    return _as_stored(values[20])


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
        Reason(Code(text(code)), text(said), maybe(policy), maybe(where), maybe(agent))
        for code, said, policy, where, agent in parts(value, 5)
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
        *_added_to_exchange(body),
    )


def _added_to_exchange(body: ExchangeBody) -> tuple[object, ...]:
    stored = None if body.stored is None else (body.stored.places, body.stored.labels)
    if body.questions is not None:
        return stored, body.origins, body.questions
    if body.origins is not None:
        return stored, body.origins
    return () if stored is None else (stored,)


def _as_exchange(data: bytes) -> ExchangeBody:
    values = members("exchange body", data, 9, 10, 11, 12)
    if len(values) > 9 and values[-1] is None:
        raise Undecodable("exchange body: its last member is empty")
    stored, origins, questions = (*values[9:], None, None, None)[:3]
    intent, number, passed, sids, labels, content, size, approval, reasons = values[:9]
    return ExchangeBody(
        intent=text(intent),
        number=integer(number),
        passed=MidCall(text(passed)),
        sids=texts(sids),
        labels=texts(labels),
        content=maybe(content),
        content_bytes=integer(size),
        approval=maybe(approval),
        reasons=_as_reasons(reasons),
        stored=None if stored is None else _as_stored(stored),
        origins=maybe(origins),
        questions=maybe(questions),
    )


def _decision(body: DecisionBody) -> tuple[object, ...]:
    more = (body.reason, body.edit, body.approved, body.nonce, body.to, body.until_ms)
    with_grant = () if body.grant is None else (body.grant,)
    last = with_grant if body.confirmed is None else (body.grant, tuple(body.confirmed))
    added = (*more, *last) if last or any(one is not None for one in more) else ()
    return (body.approval, body.action, body.by, body.choice, body.routes, body.note, body.completes, *added)


def _as_decision(data: bytes) -> DecisionBody:
    values = members("decision body", data, 7, 13, 14, 15)
    approval, action, by, choice, routes, note, completes = values[:7]
    reason, edit, approved, nonce, to, until_ms = values[7:13] or (None,) * 6
    return DecisionBody(
        approval=text(approval),
        action=text(action),
        by=text(by),
        choice=Choice(text(choice)),
        routes=texts(routes),
        note=maybe(note),
        completes=flag(completes),
        reason=maybe(reason),
        edit=maybe(edit),
        approved=maybe(approved),
        nonce=maybe(nonce),
        to=maybe(to),
        until_ms=None if until_ms is None else integer(until_ms),
        grant=mapping(values[13]) if len(values) > 13 and values[13] is not None else None,
        confirmed=confirmed_of(values),
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Json]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")
