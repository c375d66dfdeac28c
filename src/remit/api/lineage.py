"""Where each value of an action came from, back to the call and the path where it was first seen."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.api.answers_recorded import SeenAnswer, ValueAnswer
from remit.api.views import plain, tool_name
from remit.facts.canonical import Json, canonical
from remit.facts.lineage import Lineage, LineageStep
from remit.facts.origin import Origin, Role
from remit.facts.record import Ref
from remit.facts.results import spelt
from remit.facts.strictjson import JsonRefused, parse
from remit.pdp.flow import RESPONSES
from remit.ports.ledger import Ledger
from remit.protect.origins import Names, leaves
from remit.protect.token_kinds import CARRIED
from remit.protect.tokens import number_token, ordered_tokens
from remit.trace.bodies import ActionBody

STEPS_MAX: Final = 8
_Said: TypeAlias = Mapping[str, Json]
_NOTHING: Final[_Said] = MappingProxyType({})
_NAMES: Final = Names(roots=())
_NO_MORE: Final[Iterator[Json]] = iter(())
_SCALARS: Final = (str, bool, int, float)
_ROUND: Final = frozenset({"arguments", "responses", "round", "questions"})
"""What is recorded of a round of an action that is under way (`pdp.effects`)."""
_ORIGINS: Final[Mapping[str, Origin]] = MappingProxyType({origin.word: origin for origin in Origin})


async def values(body: ActionBody, ledger: Ledger) -> list[ValueAnswer]:
    """The values of `body` as they were judged, each with its lineage; none where no policy asked for their origins."""
    return [_value_answer(value) for value in await lineage(body, ledger) if value.origin is not None]


async def lineage(body: ActionBody, ledger: Ledger) -> Sequence[Lineage]:
    """Every value of `body`, those that were judged by their origins first; the others follow without.

    `null`, an empty list and an empty object are values as well: that there is nothing may be what is asked for.
    """
    arguments, traced = _recorded_arguments(body.arguments), _origin_records(body)
    within = is_round(arguments, body.arguments)
    judged = _judged_values(arguments, traced, within=within)
    actions: dict[str, ActionBody | None] = {}
    lineages: list[Lineage] = []
    for record in traced:
        path, origin = str(record.get("arg", "")), _ORIGINS.get(_text(record, "origin") or "")
        if origin is None:
            continue
        role, value = _text(record, "role"), next(judged.get(path, _NO_MORE), None)
        lineages.append(
            Lineage(
                path=path,
                value=value,
                origin=origin,
                role=None if role is None else Role(role),
                part=_text(record, "part") or "",
                established=record.get("established") is True,
                steps=await _steps(record, ledger, actions),
                carries=_carries(value),
            )
        )
    lineages += [
        one
        for one in untraced(arguments, within=within)
        if one.path not in judged or not isinstance(one.value, _SCALARS)
    ]
    return lineages


def untraced(arguments: Mapping[str, Json], *, within: bool) -> Iterator[Lineage]:
    """Every value of `arguments`, wherever it came from; `within` a round."""
    for name, top in arguments.items():
        for path, value in _ends((name,), top):
            yield Lineage(_place(path, within=within), value)


def is_round(members: Mapping[str, Json], arguments: bytes) -> bool:
    """Whether `members`, recorded as `arguments`, is what is recorded of a round: nobody's arguments look so."""
    return frozenset(members) == _ROUND and canonical(members) != arguments


def _carries(value: Json) -> bool:
    match value:
        case bool():
            return False
        case str():
            return any(kind in CARRIED for _, kind in ordered_tokens(value))
        case int() | float():
            return number_token(value)[1] in CARRIED
        case _:
            return False


async def _steps(record: _Said, ledger: Ledger, actions: dict[str, ActionBody | None]) -> tuple[LineageStep, ...]:
    """From where the value was first seen to what that call itself hung on, as far back as is told."""
    steps: list[LineageStep] = []
    passed: set[str] = set()
    while (call := _text(record, "call")) is not None and call not in passed and len(steps) < STEPS_MAX:
        passed.add(call)
        body = actions[call] if call in actions else await _action(call, ledger)
        actions[call] = body
        tool = None if body is None else tool_name(body.server, body.name)
        steps.append(LineageStep(call, tool, _text(record, "at") or "$"))
        record = _NOTHING if body is None else next((one for one in _origin_records(body) if one.get("call")), _NOTHING)
    return tuple(steps)


def _value_answer(value: Lineage) -> ValueAnswer:
    assert value.origin is not None  # noqa: S101 - only what was judged is told
    return ValueAnswer(
        arg=value.path,
        value=plain(value.value),
        role=None if value.role is None else value.role.value,
        origin=value.origin.word,
        part=value.part or None,
        established=value.established,
        lineage=[SeenAnswer(call=step.call, tool=step.tool, at=step.at) for step in value.steps],
    )


async def _action(call: str, ledger: Ledger) -> ActionBody | None:
    try:
        entry = await ledger.entry(Ref.parse(call))
    except ValueError:
        return None
    body = None if entry is None else entry.body
    return body if isinstance(body, ActionBody) else None


def _origin_records(body: ActionBody) -> Sequence[_Said]:
    listed = body.context.get("origins")
    return [item for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []


def _recorded_arguments(arguments: bytes) -> Mapping[str, Json]:
    """The recorded arguments; a secret is its hash there."""
    try:
        value = parse(arguments)
    except JsonRefused:
        return {}
    return value if isinstance(value, Mapping) else {}


def _judged_values(
    arguments: Mapping[str, Json], traced: Sequence[_Said], *, within: bool
) -> dict[str, Iterator[Json]]:
    """What of `arguments` was judged at each path of `traced`, in order: the name of a member, its value, or both."""
    leaves_at: dict[str, list[Json]] = {}
    for path, leaf in leaves(arguments, _NAMES):
        leaves_at.setdefault(_place(path, within=within), []).append(leaf)
    times = Counter(str(record.get("arg", "")) for record in traced)
    # A name comes before what stands at it, and was judged where nobody had accepted it.
    return {path: iter(leaves_at.get(path, [])[-count:]) for path, count in times.items()}


def _ends(path: tuple[str | int, ...], value: Json) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    """What of `value` holds nothing further, with its path."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _ends((*path, name), inner)
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from _ends((*path, number), inner)
    else:
        yield path, value


def _place(path: tuple[str | int, ...], *, within: bool) -> str:
    return spelt(_judged_path(path) if within else path)


def _judged_path(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Where a value of a round was judged, which is not where it is recorded."""
    match path:
        case ("arguments", _, *_):
            return path[1:]
        case ("responses", *rest):
            return (RESPONSES, *rest)
        case _:
            return path


def _text(record: _Said, name: str) -> str | None:
    value = record.get(name)
    return value if isinstance(value, str) and value else None
