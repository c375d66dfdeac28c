"""`remit agents register --from SIGHTING`: an agent that was found, drafted as it would be registered."""

import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from remit.control.difference import one_line
from remit.discover.carried import Way
from remit.discover.least import Named, Use, least
from remit.discover.sighting import Kind, parsed
from remit.discover.used import Used
from remit.facts.action import ActionKind

_HEAD = "apiVersion: remit.dev/v1alpha1\nkind: Agent\n"


@dataclass(frozen=True, slots=True)
class Drafted:
    """An `Agent` as YAML, its least-privilege policy as Cedar, and what it uses that no policy can name."""

    owner: str
    purpose: str
    agent: str
    policies: str
    unnamed: tuple[str, ...]


def draft(
    name: str, entry: Mapping[str, Any], tools: Collection[str], owner: str | None, purpose: str | None
) -> Drafted:
    """The draft of `entry`, as `GET /inventory/{name}` answers it, called `name`; `tools` are the workspace's."""
    counts, unnamed = Counter[Use](), list[str]()
    for link in entry["links"]:
        use = _use(link["to"], tools)
        if use is not None:
            counts[use] += 1
        elif link["verb"] in {"uses", "reads", "writes", "delegates"} and not link["to"].startswith("server/"):
            unnamed.append(link["to"])
    answers = owner or entry["owner"] or "SOMEBODY"
    seen = f"was seen by {', '.join(entry['sources'])} since {entry['first'][:10]}"
    said = purpose or f"to be said; it {seen}"
    spec = f"spec:\n  owner: {json.dumps(answers)}\n  purpose: {json.dumps(said)}\n  mode: enforce\n"
    found = f"# {one_line(entry['name'])} {seen}\n"
    used = {use: (Way(Used(count)),) for use, count in counts.items()}
    policies = least(name, used, (), Named({tool: {} for tool in tools}), entry["first"][:10]).text
    notes = "".join(
        f"// not permitted: it uses {one_line(one)}, which no server of the workspace has\n" for one in unnamed
    )
    agent = f"{found}{_HEAD}metadata:\n  name: {json.dumps(name)}\n{spec}"
    return Drafted(answers, said, agent, notes + policies, tuple(unnamed))


def _use(to: str, tools: Collection[str]) -> Use | None:
    kind, name, space = parsed(to)
    if kind is not Kind.TOOL or space or name not in tools:
        return None
    server, _, tool = name.partition("/")
    return Use(ActionKind.CALL_TOOL, server, tool)
