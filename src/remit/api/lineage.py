"""Where each value of an action came from, back to the call and the path where it was first seen."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from pydantic import JsonValue

from remit.api.answers_decided import SeenAnswer, ValueAnswer
from remit.api.views import plain, tool_name
from remit.facts.canonical import Json
from remit.facts.record import Ref
from remit.facts.results import spelt
from remit.facts.strictjson import Refused, parse
from remit.ports.ledger import Ledger
from remit.protect.origins import Names, leaves
from remit.trace.bodies import ActionBody

STEPS_MAX: Final = 8
_Said: TypeAlias = Mapping[str, Json]
_NOTHING: Final[_Said] = MappingProxyType({})
_NAMES: Final = Names(roots=())


async def values(body: ActionBody, ledger: Ledger) -> list[ValueAnswer]:
    """The values of `body` as they were judged, each with its lineage; none where no policy asked for their origins."""
    given = _given(body.arguments)
    known: dict[str, ActionBody | None] = {}
    found: list[ValueAnswer] = []
    for said in _traced(body):
        path = str(said.get("arg", ""))
        lineage = await _lineage(said, ledger, known)
        found.append(
            ValueAnswer(
                arg=path,
                value=given.get(path),
                role=_text(said, "role"),
                origin=str(said.get("origin", "")),
                part=_text(said, "part"),
                established=said.get("established") is True,
                lineage=lineage,
            )
        )
    return found


async def _lineage(said: _Said, ledger: Ledger, known: dict[str, ActionBody | None]) -> list[SeenAnswer]:
    """From where the value was first seen to what that call itself hung on, as far back as is told."""
    found: list[SeenAnswer] = []
    passed: set[str] = set()
    while (call := _text(said, "call")) is not None and call not in passed and len(found) < STEPS_MAX:
        passed.add(call)
        body = known[call] if call in known else await _action(call, ledger)
        known[call] = body
        tool = None if body is None else tool_name(body.server, body.name)
        found.append(SeenAnswer(call=call, tool=tool, at=_text(said, "at") or "$"))
        said = _NOTHING if body is None else next((one for one in _traced(body) if one.get("call")), _NOTHING)
    return found


async def _action(call: str, ledger: Ledger) -> ActionBody | None:
    try:
        entry = await ledger.entry(Ref.parse(call))
    except ValueError:
        return None
    body = None if entry is None else entry.body
    return body if isinstance(body, ActionBody) else None


def _traced(body: ActionBody) -> Sequence[_Said]:
    listed = body.context.get("origins")
    return [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []


def _given(arguments: bytes) -> dict[str, JsonValue]:
    """The scalars of the recorded arguments by their paths; a secret is its hash there."""
    try:
        value = parse(arguments)
    except Refused:
        return {}
    # A name is the value where nothing but a structure or `null` stands at it.
    return {spelt(path): plain(leaf) for path, leaf in leaves(value, _NAMES)} if isinstance(value, Mapping) else {}


def _text(said: _Said, name: str) -> str | None:
    value = said.get(name)
    return value if isinstance(value, str) and value else None
