"""`remit agents register --from SIGHTING`: an agent that was found, drafted as it would be registered.

So are the servers that it uses and the workspace does not have, as far as their names tell how they are started: their
arguments are not kept, and whoever registers them says them.
"""

import json
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from types import MappingProxyType
from typing import Any, Final

from remit.control.difference import one_line
from remit.discover.discretion import HIDDEN
from remit.discover.least import PolicyVocabulary, UsedAction, least
from remit.discover.permit_conditions import PermittedUsage
from remit.discover.sighting import Kind, parsed
from remit.discover.usage import Usage
from remit.facts.action import ActionKind

_HEAD: Final = "apiVersion: remit.dev/v1alpha1\nkind: {}\n"
_STARTED: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "npm": ("npx", "-y"),
        "pypi": ("uvx",),
        "oci": ("docker", "run", "-i", "--rm"),
        "python": ("python", "-m"),
    }
)
_DOES: Final = frozenset({"uses", "reads", "writes", "delegates"})
_SERVER_CHARS_MAX: Final = 24


@dataclass(frozen=True, slots=True)
class WorkspaceNames:
    """What the workspace has: its tools (`server/tool`) and its servers."""

    tools: Collection[str]
    servers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class AgentDraft:
    """An `Agent` as YAML, its least-privilege policy as Cedar, and what it uses that no policy can name.

    `servers` are those of them that can be declared, by the name that each is drafted by, as YAML.
    """

    owner: str
    purpose: str
    agent: str
    policies: str
    unnamed: tuple[str, ...]
    servers: Mapping[str, str]


def draft(
    name: str, entry: Mapping[str, Any], around: WorkspaceNames, owner: str | None, purpose: str | None
) -> AgentDraft:
    """The draft of `entry`, as `GET /inventory/{name}` answers it, called `name`."""
    counts, unnamed = Counter[UsedAction](), list[str]()
    servers: dict[str, str] = {}
    hints: dict[str, str] = {}
    for link in entry["links"]:
        to: str = link["to"]
        use = _use(to, around.tools)
        if use is not None:
            counts[use] += 1
        elif link["verb"] in _DOES and not _had(to, around.servers):
            unnamed.append(to)
            command = _command(to)
            if command is not None:
                short = _server_name(to, {*around.servers, *servers})
                servers[short] = _server(short, to, command, entry["traits"])
                hints[to] = f"declare the Server {short}, then: remit tools review {short}"
    answers = owner or entry["owner"] or "SOMEBODY"
    sighted = f"was seen by {', '.join(entry['sources'])} since {entry['first'][:10]}"
    purpose_text = purpose or f"to be said; it {sighted}"
    spec = f"spec:\n  owner: {json.dumps(answers)}\n  purpose: {json.dumps(purpose_text)}\n  mode: enforce\n"
    comment = f"# {one_line(entry['name'])} {sighted}\n"
    usage = {use: (PermittedUsage(Usage(count)),) for use, count in counts.items()}
    policies = least(name, usage, (), PolicyVocabulary({tool: {} for tool in around.tools}), entry["first"][:10]).text
    notes = "".join(
        f"// not permitted: it uses {one_line(to)}, which {_lacking(to)}{f'; {hints[to]}' if to in hints else ''}\n"
        for to in unnamed
    )
    agent = f"{comment}{_HEAD.format('Agent')}metadata:\n  name: {json.dumps(name)}\n{spec}"
    return AgentDraft(answers, purpose_text, agent, notes + policies, tuple(unnamed), servers)


def _had(to: str, servers: Collection[str]) -> bool:
    """Whether `to` is a server of the workspace: what it is used for stands with its tools."""
    kind, name, space = parsed(to)
    return kind is Kind.SERVER and not space and name in servers


def _lacking(to: str) -> str:
    if parsed(to).kind is not Kind.SERVER:
        return "no server of the workspace has"
    return "the workspace does not have" + ("" if _command(to) else ": declare the Server that it is")


def _command(to: str) -> tuple[str, ...] | str | None:
    """How the server is started, without arguments, or its address; None where its name does not tell."""
    kind, name, space = parsed(to)
    if kind is not Kind.SERVER or space:
        return None
    if name.startswith(("http://", "https://")):
        return None if "*" in name or HIDDEN in name else name
    how, _, what = name.partition(":")
    return (*_STARTED[how], what) if what and how in _STARTED else None


def _server_name(to: str, taken: Collection[str]) -> str:
    """A name for the server `to` that no other has."""
    _, name, _ = parsed(to)
    plain = re.sub(r"^https?://|^\w+:(?:.*/)?", "", name).partition("/")[0].lower()
    short = re.sub(r"[^a-z0-9]+", "-", plain)[:_SERVER_CHARS_MAX].strip("-") or "server"
    return next(candidate for candidate in _numbered(short) if candidate not in taken)


def _numbered(short: str) -> Iterator[str]:
    yield short
    yield from (f"{short[: _SERVER_CHARS_MAX - 1 - len(str(n))]}-{n}" for n in count(2))


def _server(name: str, to: str, command: tuple[str, ...] | str, traits: list[Mapping[str, Any]]) -> str:
    """The `Server` as YAML, with what is known of how it is started."""
    of = parsed(to).name
    commands = [
        trait["value"] for trait in traits if trait["key"].startswith("server ") and of in trait["value"].split(" ")
    ]
    notes = [f"# {one_line(to)}; its arguments, folders and secrets are yours to say"]
    notes += [f"# as it was found: {one_line(value)}" for value in sorted(set(commands))]
    way = f"  url: {json.dumps(command)}" if isinstance(command, str) else f"  command: {json.dumps(list(command))}"
    head = f"{_HEAD.format('Server')}metadata:\n  name: {json.dumps(name)}\nspec:\n{way}\n"
    return "\n".join([*notes, head])


def _use(to: str, tools: Collection[str]) -> UsedAction | None:
    kind, name, space = parsed(to)
    if kind is not Kind.TOOL or space or name not in tools:
        return None
    server, _, tool = name.partition("/")
    return UsedAction(ActionKind.CALL_TOOL, server, tool)
