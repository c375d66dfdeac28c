"""Recorded sessions: what happened in one run of an agent, in the order in which it happened.

The form is one JSON object a line, `{"session", "suite", "agent", "events": […]}`, with events of five types (`user`,
`assistant`, `tool_call`, `tool_result`, `confidence`), each with its `turn`. Calls with one turn were chosen in one
message. The user's words are what a trusted harness states.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.confidence import units_of
from remit.facts.limits import INTEGER_MAX, Limits
from remit.facts.strictjson import JsonRefused, parse

LINE: Final = Limits(nodes_max=2_000_000, string_bytes_max=16 * 1024 * 1024)
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""One recorded session holds every result of its run, so that its bounds are wider than a request's."""


class MalformedSession(ValueError):
    """A line that is no recorded session; the text says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class RecordedWords:
    """The user's own words."""

    turn: float
    text: str


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call that the model chose; `tool` is the tool's own name.

    `refused` says why the service would not have read such arguments, where it would not.
    """

    turn: float
    call_id: str
    tool: str
    args: Mapping[str, Json]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedResult:
    """What came back of a call; `error` is the tool's own words where it failed."""

    turn: float
    call_id: str
    result: Json
    error: str | None


@dataclass(frozen=True, slots=True)
class RecordedConfidence:
    """How sure the agent is, by its own word or its harness's (`source`), in units of the fourth decimal place."""

    turn: float
    source: str
    units: int


Event: TypeAlias = RecordedWords | RecordedCall | RecordedResult | RecordedConfidence


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One run. What the model itself said is left out: nothing may hang on it."""

    session: str
    suite: str
    agent: str
    events: tuple[Event, ...]


def recorded(line: bytes) -> RecordedSession:
    """The session that `line` holds. Raises `MalformedSession`.

    Integers of any length in results are taken as they are, as the service takes them from servers. Of arguments it
    takes none beyond ±(2^53-1): a call with such has a verdict, and the reason with it.
    """
    value, longer = _read(line)
    if not isinstance(value, Mapping):
        raise MalformedSession("it is not a JSON object")
    events = value.get("events")
    if not isinstance(events, Sequence) or isinstance(events, str):
        raise MalformedSession("events is not a list")
    found: list[Event] = []
    called: set[str] = set()
    for number, event in enumerate(events, 1):
        if not isinstance(event, Mapping):
            raise MalformedSession(f"event {number} is not an object")
        one = _event(event, number)
        if isinstance(one, RecordedCall):
            if one.call_id in called:
                raise MalformedSession(f"event {number}: the call {one.call_id[:64]!r} stands twice")
            called.add(one.call_id)
        elif isinstance(one, RecordedResult) and one.call_id not in called:
            raise MalformedSession(f"event {number} answers {one.call_id[:64]!r}, which was not called before")
        if longer and isinstance(one, RecordedCall):
            one = replace(one, refused=_refusal(one.args))
        if one is not None:
            found.append(one)
    return RecordedSession(_text(value, "session"), _text(value, "suite"), _text(value, "agent"), tuple(found))


def _read(line: bytes) -> tuple[Json, bool]:
    """What `line` holds, and whether there are integers in it that no agent may send."""
    try:
        return parse(line, LINE, bytes_max=LINE_BYTES_MAX), False
    except JsonRefused as error:
        if error.code != "json/number":
            raise MalformedSession(str(error)) from None
    try:
        return parse(line, LINE, bytes_max=LINE_BYTES_MAX, longer=True), True
    except JsonRefused as error:
        raise MalformedSession(str(error)) from None


def _refusal(args: Mapping[str, Json]) -> str | None:
    try:
        parse(json.dumps(args).encode(), LINE, bytes_max=LINE_BYTES_MAX)
    except JsonRefused as error:
        return str(error)
    return None


def _event(event: Mapping[str, Json], number: int) -> Event | None:
    try:
        return _one(event)
    except MalformedSession as error:
        raise MalformedSession(f"event {number}: {error}") from None


def _one(event: Mapping[str, Json]) -> Event | None:
    kind, turn = event.get("type"), event.get("turn")
    if isinstance(turn, bool) or not isinstance(turn, int | float) or not -INTEGER_MAX <= turn <= INTEGER_MAX:
        raise MalformedSession("turn is not a number")
    match kind:
        case "user":
            return RecordedWords(turn, _text(event, "text"))
        case "assistant":
            return None
        case "tool_call":
            args = event.get("args")
            if not isinstance(args, Mapping):
                raise MalformedSession("args is not an object")
            return RecordedCall(turn, _text(event, "call_id"), _text(event, "tool"), args)
        case "tool_result":
            error = event.get("error")
            if error is not None and not isinstance(error, str):
                raise MalformedSession("error is neither text nor null")
            return RecordedResult(turn, _text(event, "call_id"), event.get("result"), error)
        case "confidence":
            units, source = units_of(event.get("value")), _text(event, "source")
            if units is None or source not in {"agent", "harness"}:
                raise MalformedSession("a confidence is a value from 0 to 1, of agent or harness")
            return RecordedConfidence(turn, source, units)
        case _:
            raise MalformedSession(f"no event is of type {str(kind)[:64]!r}")


def _text(members: Mapping[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise MalformedSession(f"{name} is not text")
    return value
