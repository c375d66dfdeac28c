"""What a grant covers: the reach of an action, and whether people saw as much when they gave it.

Laws
* An action is covered by what was approved: by its values, or, for a target that a stranger named, by the very result
  that the approved ones came from; never by more impact. What cannot be told is not covered.
* A value is covered at its place: what was approved of one member of an argument is not approved of another, and
  the name of a member is not approved as its value.
* What was approved with a value has one again: left out, it may have been what kept the call small. A list may be
  shorter, not empty. `true` and `false` are as they were approved, and so are `null`, an empty list and an empty
  object: nobody vouches for nothing, which may mean all.
* In a round what the client answers is covered where it brings nothing but a yes or a no.
* Credentials and what content carries along are covered by value alone. Within the session what its user named, what
  was reached from that, and what the organisation knows needs no cover beside the gate's: it is whom the action is
  for. For a tool, in any session, all is as it was approved, whoever vouches for it, but for what people held: a
  constraint alone bounds its argument, what that carries, and what is measured there.
* A tool of the same kind (effect, sink, the words that ask for it) is covered where no stranger is among its targets.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, cast

from remit.escalate.grants import Grant, GrantScope, GrantTerms
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.impact import MEASURES
from remit.facts.origin import Origin, OriginTrace, Role
from remit.facts.pointer import below, is_name, name_at, pointer, steps
from remit.facts.results import spelt
from remit.facts.tool import Sink, Tool
from remit.pdp.argument_bounds import carried_tokens, constrained_measures
from remit.pdp.measure import impact
from remit.policy.destination import Destination
from remit.policy.verdict import Gate
from remit.protect.origins import TRACED_MAX, Names, flow, leaves
from remit.protect.scalars import IndexView
from remit.protect.tokens import normalized, whole_token
from remit.trace.bodies import ActionBody

_SINKS: Final = (Sink.NONE.value, Sink.INTERNAL.value, Sink.EXTERNAL.value)
_NULL: Final = "null"


class Want(NamedTuple):
    """A value that must have been seen `at` its place, as canonical JSON; `call` is the result that vouches for it too.

    `argument` is the one that it stands in.
    """

    at: str
    argument: str
    value: str
    call: str = ""


class GrantReach(NamedTuple):
    """What an action would use, and how much it moves.

    `wants` and `carried` are what neither its user nor the organisation vouches for; `values` and `carries` are all,
    whoever does. `complete` is False where there are more values than are explained: then nothing covers it.
    """

    wants: tuple[Want, ...]
    carried: frozenset[str]
    values: frozenset[Want]
    carries: frozenset[str]
    measures: Mapping[str, str]
    complete: bool


def like(tool: Tool | None) -> tuple[str, ...]:
    """Of which kind `tool` is; nothing where no words ask for it, so that it is of no kind but its own."""
    if tool is None or not tool.asks:
        return ()
    return (tool.effect.value, tool.sink.value, *sorted(tool.asks))


def reach_of(
    arguments: Mapping[str, Json], names: Names, traced: Iterable[OriginTrace], measures: Mapping[str, str]
) -> GrantReach:
    """The reach of an action with these recorded `arguments`, whose values `traced` explains."""
    leaves_by_path: dict[str, list[tuple[str, str, str | float]]] = {}
    name_places: set[str] = set()
    for path, value in leaves(arguments, names):
        at = pointer(path)
        if names.is_unaccepted(path) and at not in name_places:
            # A name comes before what stands at it.
            name_places.add(at)
            at = name_at(at)
        leaves_by_path.setdefault(spelt(path), []).append((at, str(path[0]), value))
    wants: list[Want] = []
    values: set[Want] = set()
    strange: set[str] = set()
    carries: set[str] = set()
    count = 0
    for scalar in traced:
        count += 1
        vouched = scalar.origin <= Origin.TRUSTED or scalar.established
        places = leaves_by_path.get(scalar.path)
        if places is None:
            if not vouched:
                # A value that is not kept as it was: nobody can have seen it.
                wants.append(Want(scalar.path, scalar.path, ""))
            continue
        for at, argument, value in places:
            if scalar.role is Role.CONTENT:
                carries |= carried_tokens(value)
                if scalar.origin > Origin.TRUSTED:
                    strange |= carried_tokens(value)
                continue
            want = Want(at, argument, canonical(value).decode())
            values.add(want)
            if isinstance(value, bool):
                # The schema's, and yet which of the two may be what keeps the call small.
                wants.append(want)
            elif not vouched or (scalar.role is Role.CREDENTIAL and scalar.origin is not Origin.GROUNDED):
                wants.append(want._replace(call=_vouching(scalar, value)))
    empty = list(_empty(arguments))
    wants += empty
    values.update(empty)
    complete = max(count, len(empty)) < TRACED_MAX
    return GrantReach(tuple(wants), frozenset(strange), frozenset(values), frozenset(carries), measures, complete)


def _empty(arguments: Mapping[str, Json]) -> Iterator[Want]:
    """Where in `arguments` there is `null`, an empty list or an empty object."""
    stack = [(below("", name), name, value) for name, value in arguments.items()]
    while stack:
        at, argument, value = stack.pop()
        if value is None or value in ([], {}):
            yield Want(at, argument, canonical(value).decode())
        elif isinstance(value, Mapping):
            stack += [(below(at, name), argument, inner) for name, inner in value.items()]
        elif isinstance(value, list):
            stack += [(below(at, number), argument, inner) for number, inner in enumerate(value)]


def _vouching(scalar: OriginTrace, value: str | float) -> str:
    """The result that vouches for all of `value`: none for a credential, and where parts may come from elsewhere."""
    if scalar.role is Role.CREDENTIAL or (
        scalar.part and scalar.part not in {normalized(str(value)), whole_token(str(value)), value}
    ):
        return ""
    return scalar.call


def covering(
    grants: Iterable[Grant], gates: Iterable[Gate], action: Action, tool: Tool | None, reach: GrantReach
) -> tuple[Grant, ...] | None:
    """For each of `gates` a grant that lifts it for `action`, each grant once; None where some gate has none."""
    arguments = _recorded_arguments(action)
    fitting = [one for one in grants if _fits(one.terms, action, tool, arguments, reach)]
    lifting: dict[str, Grant] = {}
    for gate in gates:
        one = next((one for one in fitting if gate in one.terms.gates), None)
        if one is None:
            return None
        lifting[one.ident] = one
    return tuple(lifting.values())


def covers(terms: GrantTerms, body: ActionBody, destination: Destination) -> bool:
    """Whether `terms` would have lifted all gates of the recorded action `body`."""
    reach = reach_recorded(body, destination)
    if reach is None or not set(body.gates) <= set(terms.gates):
        return False
    links = tuple(Link(agent, sid) for agent, sid in body.links)
    arguments = cast("Mapping[str, Json]", json.loads(body.arguments))
    authority = Authority(links, body.user, body.token, 0)
    action = Action(ActionKind(body.kind), body.server, body.name, body.arguments, arguments, authority)
    return _fits(terms, action, destination.tool, arguments, reach)


def _fits(
    terms: GrantTerms, action: Action, tool: Tool | None, arguments: Mapping[str, Json], reach: GrantReach
) -> bool:
    if not reach.complete or terms.agents != action.authority.agents or terms.user != action.authority.user:
        return False
    constrained = frozenset(one.name for one in terms.constraints)
    if terms.kind != action.kind.value or terms.server != action.server:
        return False
    if not _within_measures(terms, reach.measures, constrained_measures(tool, constrained)):
        return False
    same = terms.name == action.name and terms.pin == ("" if tool is None else tool.pin)
    if terms.scope is GrantScope.SESSION:
        if terms.sid != action.authority.links[0].sid:
            return False
        if not same:
            return not reach.wants and not reach.carried and _alike(terms.like, like(tool))
        is_seen = reach.carried <= terms.carried and all(
            _was_seen(terms, want) or _has_same_source(terms, want) for want in reach.wants
        )
        return is_seen and _nothing_left_out(terms, arguments, frozenset())
    is_allowed = same and reach.carries <= terms.carried and all(one.allows(arguments) for one in terms.constraints)
    wants = (want for want in (*reach.wants, *reach.values) if want.argument not in constrained)
    return (
        is_allowed
        and _nothing_left_out(terms, arguments, constrained)
        and all(_was_seen(terms, want) for want in wants)
    )


def _was_seen(terms: GrantTerms, want: Want) -> bool:
    """Whether people saw what is wanted, there."""
    return (_place(terms, want), want.value) in terms.values


def _has_same_source(terms: GrantTerms, want: Want) -> bool:
    """Whether it comes from the very result that what people saw there came from."""
    return want.call != "" and (_place(terms, want), want.call) in terms.sources


def _place(terms: GrantTerms, want: Want) -> str | None:
    """Where `terms` tell of what is wanted; None for what is inside an argument of which they tell no more."""
    if terms.by_place:
        return want.at
    return want.argument if want.at == pointer((want.argument,)) else None


def _nothing_left_out(terms: GrantTerms, arguments: Mapping[str, Json], constrained: frozenset[str]) -> bool:
    """Whether nothing is left out that had a value when people saw it, but for `constrained` arguments."""
    for name, value in terms.values:
        if value == _NULL or (terms.by_place and is_name(name)):
            continue
        path = steps(name) if terms.by_place else [name]
        if constrained.isdisjoint(path[:1]) and not _has_value(path, arguments):
            return False
    return True


def _has_value(path: Sequence[str], value: Json) -> bool:
    """Whether there is something where `path` leads, or a list that ends before."""
    for step in path:
        match value:
            case Mapping():
                value = value.get(step)
            case [_, *_] if step.isdecimal():
                if int(step) >= len(value):
                    return True
                value = value[int(step)]
            case _:
                return False
    return value is not None


def _alike(approved: tuple[str, ...], kind: tuple[str, ...]) -> bool:
    """Whether a tool is of the kind that was granted, and goes no further outside."""
    if not approved or not kind or approved[0] != kind[0] or approved[2:] != kind[2:]:
        return False
    return _SINKS.index(kind[1]) <= _SINKS.index(approved[1])


def _within_measures(terms: GrantTerms, measures: Mapping[str, str], constrained: frozenset[str]) -> bool:
    """No measure above that of what was approved; what was not measured then is not now, but for what is `constrained`.

    Older terms may bound one of those too.
    """
    for name in MEASURES:
        approved, now = terms.measures.get(name), measures.get(name)
        if approved is None and name in constrained:
            continue
        if (approved is None) != (now is None):
            return False
        if approved is not None and now is not None and ("?" in (approved, now) or Decimal(now) > Decimal(approved)):
            # What is not exact is never known to be less.
            return False
    return True


def _recorded_arguments(action: Action) -> Mapping[str, Json]:
    return action.input if action.veiled is None else cast("Mapping[str, Json]", json.loads(action.veiled))


def names_of(destination: Destination) -> Names:
    """The names that people accepted with `destination`."""
    return Names(None if destination.tool is None else destination.arguments, destination.members)


def reach_in(action: Action, destination: Destination, traced: Iterable[OriginTrace]) -> GrantReach:
    """The reach of `action`, whose values `traced` explains."""
    arguments = _recorded_arguments(action)
    return reach_of(arguments, names_of(destination), traced, impact(destination, arguments).measures())


def reach_recorded(body: ActionBody, destination: Destination) -> GrantReach | None:
    """The reach of a recorded action, by what its record says; None where that cannot be told, as of a round.

    Where no policy asked where its values came from, all of them are unseen.
    """
    try:
        arguments: object = json.loads(body.arguments)
    except ValueError:
        return None
    if not isinstance(arguments, dict):
        return None
    given, names = cast("Mapping[str, Json]", arguments), names_of(destination)
    origins = body.context.get("origins")
    if isinstance(origins, list):
        traced: Iterable[OriginTrace] = [_traced(cast("Mapping[str, str]", one)) for one in origins]
    else:
        traced = flow(destination.tool, names, {}, given, IndexView(None)).traces
    return reach_of(given, names, traced, impact(destination, given).measures())


def _traced(member: Mapping[str, str]) -> OriginTrace:
    role = member.get("role")
    return OriginTrace(
        member["arg"],
        None if role is None else Role(role),
        Origin[member["origin"].upper()],
        member.get("part", ""),
        member.get("call", ""),
        established=member.get("established", False) is True,
    )


def terms(
    scope: GrantScope,
    approval: str,
    body: ActionBody,
    reach: GrantReach,
    tool: Tool | None,
    *,
    until_ms: int,
    uses_max: int,
) -> GrantTerms:
    """The terms of a grant given with `approval`, whose action is `body` with this `reach`."""
    return GrantTerms(
        scope=scope,
        approval=approval,
        agents=tuple(agent for agent, _ in body.links),
        user=body.user,
        sid=body.links[0][1],
        kind=body.kind,
        server=body.server,
        name=body.name,
        pin=body.pin,
        like=like(tool),
        gates=body.gates,
        expires_ms=until_ms,
        uses_max=uses_max,
        values=frozenset((want.at, want.value) for want in reach.values),
        sources=frozenset((want.at, want.call) for want in reach.wants if want.call),
        carried=reach.carries,
        measures=dict(reach.measures),
    )
