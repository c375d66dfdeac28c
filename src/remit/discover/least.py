"""Least privilege from use: the narrowest policies that permit what an agent did, and what is granted beside it.

Laws
* Only what an agent was permitted and did counts as used: an intent, never an attempt.
* What is written permits the agent's own actions one by one and nothing else: no group, no wildcard; for those users
  on whose behalf it acted, with those values of an argument that all of many calls had (`discover.usage`), and under
  the conditions and obligations of the permits that let it (`discover.permit_conditions`).
* Nothing is applied here. `narrowed` makes what is to be judged by: every permit there is, taken from this one agent.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, NamedTuple, assert_never

from remit.discover.permit_conditions import Carried, PermittedUsage
from remit.discover.usage import ComparableArgument, any_of, quoted
from remit.facts.action import ActionKind
from remit.facts.catalog import PolicySource
from remit.facts.text import one_line
from remit.facts.tool import exposed_name
from remit.policy.parse import split
from remit.policy.schema import NAMESPACE

RESOURCES_MAX: Final = 50
"""Resources of one server that are named one by one; of more, the server is."""
_PERMIT: Final = re.compile(r'\s*(?://[^\n]*\n\s*|@\w+(?:\("(?:[^"\\]|\\.)*"\))?\s*)*permit\b')


class UsedAction(NamedTuple):
    """One thing an agent does: a kind of action, where, and with what."""

    kind: ActionKind
    server: str
    name: str

    def __str__(self) -> str:
        return f"{self.server}/{self.name}" if self.server else self.name


@dataclass(frozen=True, slots=True)
class Least:
    """What comes of it: `text` is Cedar; `used` how often what was done; `unused` tools are granted and were not used.

    `missing` was used and is no longer in the catalog, so that no policy can name it. `carried` are the permits whose
    conditions and obligations go with what they let through, `lost` those of which some could not.
    """

    text: str
    used: Mapping[UsedAction, int]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    carried: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyVocabulary:
    """What policies can name: the tools (`server/tool`), each with the arguments that can be compared, and users."""

    tools: Mapping[str, Mapping[str, ComparableArgument]]
    users: Collection[str] = ()


def least(
    agent: str,
    used: Mapping[UsedAction, Sequence[PermittedUsage]],
    granted: Iterable[str],
    vocabulary: PolicyVocabulary,
    since: str,
    bare: Collection[str] = (),
) -> Least:
    """What `agent` needs for what it did. `granted` are `server/tool`.

    The suggested policies whose ids are in `bare` come without what other permits ask for.
    """
    calls = {action: sum(way.usage.calls for way in usages) for action, usages in used.items()}
    gone = sorted(
        str(action) for action in used if action.kind is ActionKind.CALL_TOOL and str(action) not in vocabulary.tools
    )
    nameable = {
        action: usages
        for action, usages in used.items()
        if action.kind is not ActionKind.CALL_TOOL or str(action) not in gone
    }
    policies = tuple(_policies(agent, nameable, vocabulary, bare))
    lost = {str(permit) for policy in policies for permit in policy.lost}
    kept = {str(permit) for policy in policies for permit in policy.carried}
    notes = (
        f"// {one_line(permit)} permits some of this under conditions; add those that are still to hold\n"
        for permit in sorted(lost)
    )
    text = "".join(notes) + "\n".join(policy.text(since) for policy in policies)
    called_tools = {str(action) for action in used if action.kind is ActionKind.CALL_TOOL}
    unused = tuple(sorted(set(granted) - called_tools))
    return Least(text, calls, unused, tuple(gone), tuple(sorted(kept)), tuple(sorted(lost)))


def narrowed(sources: Iterable[PolicySource], agent: str) -> tuple[PolicySource, ...]:
    """`sources` with every permit taken from `agent`, its own left out; what forbids stays as it is."""
    end = f"\nunless {{ principal == {_entity('Agent', agent)} }};\n"
    own_permit = re.compile(rf"permit\s*\(\s*principal\s*==\s*{re.escape(_entity('Agent', agent))}\s*,")
    narrowed_sources: list[PolicySource] = []
    for source in sources:
        statements, _ = split(source)
        kept = [
            statement.text
            for statement in statements
            if not (_PERMIT.match(statement.text) and own_permit.search(statement.text))
        ]
        texts = [text.rstrip().removesuffix(";") + end if _PERMIT.match(text) else text for text in kept]
        narrowed_sources.append(PolicySource(source.path, "\n".join(texts)))
    return tuple(narrowed_sources)


@dataclass(frozen=True, slots=True)
class _Policy:
    """One suggested permit, for all that is done in one way at one server."""

    ident: str
    head: tuple[str, ...]
    """Principal, action and resource."""
    clauses: tuple[str, ...]
    obligation: str | None
    times: int
    carried: tuple[Carried, ...]
    lost: tuple[Carried, ...]

    def text(self, since: str) -> str:
        """It as Cedar."""
        lines = [
            *(f"// with what {one_line(str(permit))} asks for" for permit in self.carried),
            f"@id({quoted(self.ident)})",
            f"@reason({quoted(f'used {self.times} times since {since}')})",
            *([f"@obligation({quoted(self.obligation)})"] if self.obligation is not None else []),
            "permit (\n  " + ",\n  ".join(self.head) + "\n)",
        ]
        return "\n".join([*lines, *self.clauses]) + ";\n"


class _Group(NamedTuple):
    """What has one permit in common."""

    kind: ActionKind
    server: str
    habits: tuple[str, ...]
    carried: tuple[Carried, ...]
    lost: tuple[Carried, ...]
    obligations: tuple[str | None, ...]


def _policies(
    agent: str, used: Mapping[UsedAction, Sequence[PermittedUsage]], vocabulary: PolicyVocabulary, bare: Collection[str]
) -> Iterator[_Policy]:
    groups: dict[_Group, list[tuple[UsedAction, int]]] = {}
    for action, way in ((one, way) for one in sorted(used) for way in used[one]):
        comparable: Mapping[str, ComparableArgument] = (
            vocabulary.tools.get(str(action), {}) if action.kind is ActionKind.CALL_TOOL else {}
        )
        habits = way.usage.conditions(comparable, vocabulary.users)
        group = _Group(
            action.kind, action.server, habits, way.carried, way.lost, tuple(sorted(way.obligations)) or (None,)
        )
        groups.setdefault(group, []).append((action, way.usage.calls))
    idents = Counter[str]()
    for group, actions in groups.items():
        scope = _scope(group.kind, group.server, [action for action, _ in actions])
        if scope is None:
            continue
        head = (f"principal == {_entity('Agent', agent)}", scope[0], scope[1])
        times = sum(calls for _, calls in actions)
        for obligation in group.obligations:
            name = "-".join(
                part for part in (agent, "uses", group.server or group.kind.value, group.kind.value) if part
            )
            idents[name] += 1
            ident = name if idents[name] == 1 else f"{name}-{idents[name]}"
            own_clauses = (*((scope[2],) if scope[2] else ()), *group.habits)
            if ident in bare:
                yield _Policy(ident, head, own_clauses, None, times, (), (*group.lost, *group.carried))
                continue
            carried_clauses = chain.from_iterable(permit.clauses or () for permit in group.carried)
            clauses = tuple(dict.fromkeys((*own_clauses, *carried_clauses)))
            yield _Policy(ident, head, clauses, obligation, times, group.carried, group.lost)


def _scope(kind: ActionKind, server: str, actions: Iterable[UsedAction]) -> tuple[str, str, str] | None:
    """Action, resource and condition of the permit for `actions`, all of one kind at one server."""
    this_kind, names = f"action == {_entity('Action', kind.value)}", [action.name for action in actions]
    match kind:
        case ActionKind.CALL_TOOL:
            tools = ",\n    ".join(_entity("Action", exposed_name(server, name)) for name in names)
            return f"action in [\n    {tools}\n  ]", f"resource == {_entity('Server', server)}", ""
        case ActionKind.GET_PROMPT:
            return (
                this_kind,
                f"resource == {_entity('Server', server)}",
                _when_any("context.input.name", map(quoted, names)),
            )
        case ActionKind.READ_RESOURCE:
            condition = "" if len(names) > RESOURCES_MAX else _when_any("context.input.uri", map(quoted, names))
            return this_kind, f"resource in {_entity('Server', server)}", condition
        case ActionKind.CALL_MODEL:
            return this_kind, "resource", _when_any("resource", (_entity("Model", name) for name in names))
        case ActionKind.DELEGATE:
            return this_kind, "resource", _when_any("resource", (_entity("Agent", name) for name in names))
        case ActionKind.LIST_ROOTS:
            return None
        case _:
            assert_never(kind)


def _when_any(what: str, values: Iterable[str]) -> str:
    return f"when {{ {any_of(what, values)} }}"


def _entity(kind: str, name: str) -> str:
    return f"{NAMESPACE}::{kind}::{quoted(name)}"
