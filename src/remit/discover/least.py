"""Least privilege from use: the narrowest policies that permit what an agent did, and what is granted beside it.

Laws
* Only what an agent was permitted and did counts as used: an intent, never an attempt.
* What is written permits the agent's own actions one by one and nothing else: no group, no wildcard; for those users
  on whose behalf it acted, and with those values of an argument that all of many calls had (`discover.used`).
* Nothing is applied here. `narrowed` makes what is to be judged by: every permit there is, taken from this one agent.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, assert_never

from remit.discover.used import Argument, Used, any_of, quoted
from remit.facts.action import ActionKind
from remit.facts.catalog import PolicySource, exposed_name
from remit.policy.parse import split
from remit.policy.schema import NAMESPACE

RESOURCES_MAX: Final = 50
"""Resources of one server that are named one by one; of more, the server is."""
_PERMIT: Final = re.compile(r'\s*(?://[^\n]*\n\s*|@\w+(?:\("(?:[^"\\]|\\.)*"\))?\s*)*permit\b')


class Use(NamedTuple):
    """One thing an agent does: a kind of action, where, and with what."""

    kind: ActionKind
    server: str
    name: str

    def __str__(self) -> str:
        return f"{self.server}/{self.name}" if self.server else self.name


@dataclass(frozen=True, slots=True)
class Least:
    """What comes of it: `text` is Cedar; `used` what was done; `unused` tools are granted and were not used.

    `gone` was used and is no longer in the catalog, so that no policy can name it.
    """

    text: str
    used: Mapping[Use, Used]
    unused: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """What policies can name: the tools (`server/tool`), each with the arguments that can be compared, and users."""

    tools: Mapping[str, Mapping[str, Argument]]
    users: Collection[str] = ()


def least(agent: str, used: Mapping[Use, Used], granted: Iterable[str], named: Named, since: str) -> Least:
    """What `agent` needs for what it did. `granted` are `server/tool`."""
    gone = sorted(str(use) for use in used if use.kind is ActionKind.CALL_TOOL and str(use) not in named.tools)
    kept = [use for use in used if str(use) not in gone or use.kind is not ActionKind.CALL_TOOL]
    text = "\n".join(_policies(agent, kept, used, named, since))
    called = {str(use) for use in used if use.kind is ActionKind.CALL_TOOL}
    return Least(text, used, tuple(sorted(set(granted) - called)), tuple(gone))


def narrowed(sources: Iterable[PolicySource], agent: str) -> tuple[PolicySource, ...]:
    """`sources` with every permit taken from `agent`, its own left out; what forbids stays as it is."""
    end = f"\nunless {{ principal == {_entity('Agent', agent)} }};\n"
    own = re.compile(rf"permit\s*\(\s*principal\s*==\s*{re.escape(_entity('Agent', agent))}\s*,")
    made: list[PolicySource] = []
    for source in sources:
        statements, _ = split(source)
        kept = [one.text for one in statements if not (_PERMIT.match(one.text) and own.search(one.text))]
        texts = [text.rstrip().removesuffix(";") + end if _PERMIT.match(text) else text for text in kept]
        made.append(PolicySource(source.path, "\n".join(texts)))
    return tuple(made)


def _policies(agent: str, kept: Iterable[Use], used: Mapping[Use, Used], known: Named, since: str) -> Iterable[str]:
    groups: dict[tuple[ActionKind, str, str], list[Use]] = {}
    for use in sorted(kept):
        compared: Mapping[str, Argument] = known.tools.get(str(use), {}) if use.kind is ActionKind.CALL_TOOL else {}
        groups.setdefault((use.kind, use.server, used[use].conditions(compared, known.users)), []).append(use)
    named = Counter[str]()
    for (kind, server, conditions), uses in groups.items():
        scope = _scope(kind, server, uses)
        if scope is None:
            continue
        times = sum(used[use].calls for use in uses)
        name = "-".join(part for part in (agent, "uses", server or kind.value, kind.value) if part)
        named[name] += 1
        ident = name if named[name] == 1 else f"{name}-{named[name]}"
        yield (
            f"@id({quoted(ident)})\n"
            f"@reason({quoted(f'used {times} times since {since}')})\n"
            f"permit (\n  principal == {_entity('Agent', agent)},\n  {scope[0]},\n  {scope[1]}\n)"
            f"{scope[2]}{conditions};\n"
        )


def _scope(kind: ActionKind, server: str, uses: Iterable[Use]) -> tuple[str, str, str] | None:
    """Action, resource and condition of the permit for `uses`, all of one kind at one server."""
    only, names = f"action == {_entity('Action', kind.value)}", [use.name for use in uses]
    match kind:
        case ActionKind.CALL_TOOL:
            tools = ",\n    ".join(_entity("Action", exposed_name(server, name)) for name in names)
            return f"action in [\n    {tools}\n  ]", f"resource == {_entity('Server', server)}", ""
        case ActionKind.GET_PROMPT:
            return only, f"resource == {_entity('Server', server)}", _any("context.input.name", map(quoted, names))
        case ActionKind.READ_RESOURCE:
            by = "" if len(names) > RESOURCES_MAX else _any("context.input.uri", map(quoted, names))
            return only, f"resource in {_entity('Server', server)}", by
        case ActionKind.CALL_MODEL:
            return only, "resource", _any("resource", (_entity("Model", name) for name in names))
        case ActionKind.DELEGATE:
            return only, "resource", _any("resource", (_entity("Agent", name) for name in names))
        case ActionKind.LIST_ROOTS:
            return None
        case _:
            assert_never(kind)


def _any(what: str, values: Iterable[str]) -> str:
    return f"\nwhen {{ {any_of(what, values)} }}"


def _entity(kind: str, name: str) -> str:
    return f"{NAMESPACE}::{kind}::{quoted(name)}"
