"""The fixed encoding of records and bodies: UTF-8 JSON, members in declared order, no spaces.

Laws: what is stored is what was hashed, so nothing is ever encoded again to check a hash; a
body read back equals the body written; the arguments of an action are embedded as the very
bytes that were judged, last in their body, and cut out of it again by their length.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never, cast

import orjson

from remit.facts.canonical import Json
from remit.facts.record import Record, RecordKind
from remit.policy.verdict import Code, Gate, Reason
from remit.trace.bodies import ActionBody, AdminBody, Body, Choice, DecisionBody, Event, OutcomeBody, Status

_LENGTH: Final = "arguments_bytes"
_CUT: Final = b',"arguments":'
_RECORD: Final = frozenset({"chain", "seq", "prev", "kind", "at", "bundle", "sid", "commitment"})


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


def record_bytes(
    chain: str,
    seq: int,
    prev: str,
    kind: str,
    at: int,
    bundle: str,
    sid: str,
    commitment: str,
) -> bytes:
    """`encode_record` of the record with these members; spares the hot path its construction."""
    return orjson.dumps(
        {
            "chain": chain,
            "seq": seq,
            "prev": prev,
            "kind": kind,
            "at": at,
            "bundle": bundle,
            "sid": sid,
            "commitment": commitment,
        }
    )


def decode_record(data: bytes) -> Record:
    """The record stored as `data`. Raises `Undecodable`."""
    members = _members(data)
    if frozenset(members) != _RECORD:
        raise Undecodable("record: its members are not the eight of the frozen form")
    try:
        return Record(
            chain=_text(members, "chain"),
            seq=_integer(members, "seq"),
            prev=_text(members, "prev"),
            kind=RecordKind(_text(members, "kind")),
            at=_integer(members, "at"),
            bundle=_text(members, "bundle"),
            sid=_text(members, "sid"),
            commitment=_text(members, "commitment"),
        )
    except Undecodable:
        raise
    except ValueError as error:
        raise Undecodable("record: of no known kind") from error


def encode_body(body: Body) -> bytes:
    """The stored form of `body`. Raises `Unencodable`.

    The `arguments` of an action must be one JSON text, or empty.
    """
    try:
        match body:
            case ActionBody():
                return orjson.dumps(_action(body), default=_plain)
            case OutcomeBody():
                return orjson.dumps(_outcome(body))
            case DecisionBody():
                return orjson.dumps(_decision(body))
            case AdminBody():
                return orjson.dumps(
                    {
                        "event": body.event.value,
                        "by": body.by,
                        "subject": body.subject,
                        "data": body.data,
                    },
                    default=_plain,
                )
            case _:
                assert_never(body)
    except TypeError as error:
        raise Unencodable(f"{type(body).__name__} cannot be recorded: {error}") from error


def decode_body(kind: RecordKind, data: bytes) -> Body:
    """The body of a record of `kind`, stored as `data`. Raises `Undecodable`."""
    members = _members(data)
    try:
        match kind:
            case RecordKind.PROPOSAL | RecordKind.INTENT:
                return _as_action(members, data)
            case RecordKind.OUTCOME:
                return _as_outcome(members)
            case RecordKind.DECISION:
                return _as_decision(members)
            case RecordKind.ADMIN:
                return AdminBody(
                    event=Event(_text(members, "event")),
                    by=_text(members, "by"),
                    subject=_text(members, "subject"),
                    data=_mapping(members, "data"),
                )
            case RecordKind.EXCHANGE:
                raise Undecodable("no body of kind exchange is known to this version")
            case _:
                assert_never(kind)
    except Undecodable:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise Undecodable(f"{kind.value} body: a member is missing or of no known value") from error


def _action(body: ActionBody) -> dict[str, object]:
    arguments = body.arguments
    return {
        "action": body.action,
        "kind": body.kind,
        "server": body.server,
        "name": body.name,
        "pin": body.pin,
        "user": body.user,
        "links": body.links,
        "token": body.token,
        "verdict": body.verdict,
        "observed": body.observed,
        "reasons": [
            {
                "code": reason.code.value,
                "text": reason.text,
                "policy": reason.policy,
                "where": reason.where,
                "agent": reason.agent,
            }
            for reason in body.reasons
        ],
        "gates": [{"policy": gate.policy, "route": gate.route, "text_hash": gate.text_hash} for gate in body.gates],
        "obligations": body.obligations,
        "approval": body.approval,
        "expires_ms": body.expires_ms,
        "irreversible": body.irreversible,
        "labels": body.labels,
        "source": body.source,
        "context": body.context,
        _LENGTH: len(arguments),
        "arguments": orjson.Fragment(arguments) if arguments else None,
    }


def _as_action(members: Mapping[str, Any], data: bytes) -> ActionBody:
    expires = members["expires_ms"]
    return ActionBody(
        action=_text(members, "action"),
        kind=_text(members, "kind"),
        server=_text(members, "server"),
        name=_text(members, "name"),
        pin=_text(members, "pin"),
        user=_maybe(members, "user"),
        links=tuple((str(agent), str(sid)) for agent, sid in members["links"]),
        token=_text(members, "token"),
        verdict=_text(members, "verdict"),
        observed=_maybe(members, "observed"),
        reasons=tuple(
            Reason(
                Code(_text(item, "code")),
                _text(item, "text"),
                _maybe(item, "policy"),
                _maybe(item, "where"),
                _maybe(item, "agent"),
            )
            for item in members["reasons"]
        ),
        gates=tuple(
            Gate(_text(item, "policy"), _text(item, "route"), _text(item, "text_hash")) for item in members["gates"]
        ),
        obligations=_texts(members, "obligations"),
        approval=_maybe(members, "approval"),
        expires_ms=None if expires is None else _integer(members, "expires_ms"),
        irreversible=_flag(members, "irreversible"),
        labels=_texts(members, "labels"),
        source=_texts(members, "source"),
        context=_mapping(members, "context"),
        arguments=_arguments(members, data),
    )


def _arguments(members: Mapping[str, Any], data: bytes) -> bytes:
    length = _integer(members, _LENGTH)
    if length == 0:
        return b""
    start = len(data) - 1 - length
    if start < len(_CUT) or data[start - len(_CUT) : start] != _CUT:
        raise Undecodable("arguments: they are not where their length says")
    return data[start:-1]


def _outcome(body: OutcomeBody) -> dict[str, object]:
    return {
        "intent": body.intent,
        "status": body.status.value,
        "sids": body.sids,
        "labels": body.labels,
        "approval": body.approval,
        "result": body.result,
        "result_bytes": body.result_bytes,
        "elapsed_ms": body.elapsed_ms,
        "error": body.error,
    }


def _as_outcome(members: Mapping[str, Any]) -> OutcomeBody:
    elapsed = members["elapsed_ms"]
    if isinstance(elapsed, bool) or not isinstance(elapsed, int | float):
        raise Undecodable("elapsed_ms: no number")
    return OutcomeBody(
        intent=_text(members, "intent"),
        status=Status(_text(members, "status")),
        sids=_texts(members, "sids"),
        labels=_texts(members, "labels"),
        approval=_maybe(members, "approval"),
        result=_maybe(members, "result"),
        result_bytes=_integer(members, "result_bytes"),
        elapsed_ms=elapsed,
        error=_maybe(members, "error"),
    )


def _decision(body: DecisionBody) -> dict[str, object]:
    return {
        "approval": body.approval,
        "action": body.action,
        "by": body.by,
        "choice": body.choice.value,
        "routes": body.routes,
        "note": body.note,
        "completes": body.completes,
    }


def _as_decision(members: Mapping[str, Any]) -> DecisionBody:
    return DecisionBody(
        approval=_text(members, "approval"),
        action=_text(members, "action"),
        by=_text(members, "by"),
        choice=Choice(_text(members, "choice")),
        routes=_texts(members, "routes"),
        note=_maybe(members, "note"),
        completes=_flag(members, "completes"),
    )


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Json]", value))
    raise TypeError(f"{type(value).__name__} is not JSON")


def _members(data: bytes) -> Mapping[str, Any]:
    try:
        value: object = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Undecodable("not JSON") from error
    if not isinstance(value, dict):
        raise Undecodable("not a JSON object")
    return cast("dict[str, Any]", value)


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members[name]
    if not isinstance(value, str):
        raise Undecodable(f"{name}: no string")
    return value


def _maybe(members: Mapping[str, Any], name: str) -> str | None:
    return None if members[name] is None else _text(members, name)


def _texts(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = members[name]
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[object]", value)):
        raise Undecodable(f"{name}: no list of strings")
    return tuple(cast("list[str]", value))


def _integer(members: Mapping[str, Any], name: str) -> int:
    value = members[name]
    if isinstance(value, bool) or not isinstance(value, int):
        raise Undecodable(f"{name}: no integer")
    return value


def _flag(members: Mapping[str, Any], name: str) -> bool:
    value = members[name]
    if not isinstance(value, bool):
        raise Undecodable(f"{name}: no truth value")
    return value


def _mapping(members: Mapping[str, Any], name: str) -> Mapping[str, Json]:
    value = members[name]
    if not isinstance(value, dict):
        raise Undecodable(f"{name}: no object")
    return cast("dict[str, Json]", value)
