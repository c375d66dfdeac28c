"""Recorded sessions: what happened in one run of an agent, in the order in which it happened.

The form is one JSON object a line, `{"session", "suite", "agent", "events": […]}`, with events of five types (`user`,
`assistant`, `tool_call`, `tool_result`, `confidence`), each with its `turn`. Calls with one turn were chosen in one
message. The user's words are what a trusted harness states.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.confidence import units_of
from remit.facts.limits import Limits
from remit.facts.strictjson import JsonRefused, parse

LINE: Final = Limits(nodes_max=2_000_000, string_bytes_max=16 * 1024 * 1024)
LINE_BYTES_MAX: Final = 64 * 1024 * 1024
"""One recorded session holds every result of its run, so that its bounds are wider than a request's."""


class Malformed(ValueError):
    """A line that is no recorded session; the text says why, in one sentence."""


@dataclass(frozen=True, slots=True)
class Said:
    """The user's own words."""

    turn: float
    text: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the model chose; `tool` is the tool's own name."""

    turn: float
    call_id: str
    tool: str
    args: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back of a call; `error` is the tool's own words where it failed."""

    turn: float
    call_id: str
    result: Json
    error: str | None


@dataclass(frozen=True, slots=True)
class Sure:
    """How sure the agent is, by its own word or its harness's (`source`), in units of the fourth decimal place."""

    turn: float
    source: str
    units: int


Event: TypeAlias = Said | Called | Answered | Sure


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run. What the model itself said is left out: nothing may hang on it."""

    session: str
    suite: str
    agent: str
    events: tuple[Event, ...]


def recorded(line: bytes) -> Recorded:
    """The session that `line` holds. Raises `Malformed`."""
    try:
        value = parse(line, LINE, bytes_max=LINE_BYTES_MAX)
    except JsonRefused as error:
        raise Malformed(str(error)) from None
    if not isinstance(value, Mapping):
        raise Malformed("it is not a JSON object")
    events = value.get("events")
    if not isinstance(events, Sequence) or isinstance(events, str):
        raise Malformed("events is not a list")
    found: list[Event] = []
    called: set[str] = set()
    for number, event in enumerate(events, 1):
        if not isinstance(event, Mapping):
            raise Malformed(f"event {number} is not an object")
        one = _event(event, number)
        if isinstance(one, Called):
            if one.call_id in called:
                raise Malformed(f"event {number}: the call {one.call_id[:64]!r} stands twice")
            called.add(one.call_id)
        elif isinstance(one, Answered) and one.call_id not in called:
            raise Malformed(f"event {number} answers {one.call_id[:64]!r}, which was not called before")
        if one is not None:
            found.append(one)
    return Recorded(_text(value, "session"), _text(value, "suite"), _text(value, "agent"), tuple(found))


def _event(event: Mapping[str, Json], number: int) -> Event | None:
    try:
        return _one(event)
    except Malformed as error:
        raise Malformed(f"event {number}: {error}") from None


def _one(event: Mapping[str, Json]) -> Event | None:
    kind, turn = event.get("type"), event.get("turn")
    if isinstance(turn, bool) or not isinstance(turn, int | float) or not math.isfinite(turn):
        raise Malformed("turn is not a number")
    match kind:
        case "user":
            return Said(turn, _text(event, "text"))
        case "assistant":
            return None
        case "tool_call":
            args = event.get("args")
            if not isinstance(args, Mapping):
                raise Malformed("args is not an object")
            return Called(turn, _text(event, "call_id"), _text(event, "tool"), args)
        case "tool_result":
            error = event.get("error")
            if error is not None and not isinstance(error, str):
                raise Malformed("error is neither text nor null")
            return Answered(turn, _text(event, "call_id"), event.get("result"), error)
        case "confidence":
            units, source = units_of(event.get("value")), _text(event, "source")
            if units is None or source not in {"agent", "harness"}:
                raise Malformed("a confidence is a value from 0 to 1, of agent or harness")
            return Sure(turn, source, units)
        case _:
            raise Malformed(f"no event is of type {str(kind)[:64]!r}")


def _text(members: Mapping[str, Json], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is not text")
    return value
