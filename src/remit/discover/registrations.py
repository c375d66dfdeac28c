"""What a bundle registers, as discovery sees it: the names, and sightings of the source `workspace`."""

from collections.abc import Iterator
from typing import Final

from remit.discover.conditions import Nature
from remit.discover.identity import BundleRegistry, Registered
from remit.discover.launch import launch_of
from remit.discover.sighting import WORKSPACE, Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb, clipped
from remit.facts.catalog import Catalog, Stdio


def known(catalog: Catalog) -> BundleRegistry:
    """The names that `catalog` registers."""
    commands = {
        name: server.transport.command
        for name, server in sorted(catalog.servers.items(), reverse=True)
        if isinstance(server.transport, Stdio)
    }
    return BundleRegistry(
        agents={name: Registered(agent.owner, agent.groups) for name, agent in catalog.agents.items()},
        tools={f"{server}/{tool.name}": tool.exposed for (server, _), tool in catalog.tools.items()},
        servers=frozenset(catalog.servers),
        launches={launch_of(command[0], command[1:]).server: name for name, command in commands.items()},
    )


def natures(catalog: Catalog) -> dict[str, Nature]:
    """What the catalog says of each tool, by `server/tool`."""
    return {f"{server}/{tool.name}": Nature(tool.source, tool.sink) for (server, _), tool in catalog.tools.items()}


def sightings(catalog: Catalog, now_ms: int) -> Iterator[Sighting]:
    """Everything that `catalog` registers, seen at `now_ms`."""
    for name, agent in catalog.agents.items():
        subject, evidence = Subject(Kind.AGENT, name), f"Agent {name}"
        yield Sighting(
            subject,
            WORKSPACE,
            evidence,
            now_ms,
            now_ms,
            SourceConfidence.ENFORCED,
            clipped(agent.owner) if agent.owner else None,
        )
    for name in catalog.servers:
        yield Sighting(
            Subject(Kind.SERVER, name), WORKSPACE, f"Server {name}", now_ms, now_ms, SourceConfidence.ENFORCED
        )
    for (server, _), tool in catalog.tools.items():
        name = f"{server}/{tool.name}"
        if len(name) > _NAME_MAX:
            continue
        store = tool.store
        data = None if store is None else Subject(Kind.DATA, store.name)
        verbs = () if store is None else ((Verb.READS, store.reads), (Verb.WRITES, store.writes))
        edges = tuple(Edge(verb, data) for verb, does in verbs if does and data is not None)
        traits = (Trait("pin", tool.pin), Trait("description", clipped(tool.definition.description)))
        yield Sighting(
            Subject(Kind.TOOL, name),
            WORKSPACE,
            "remit.lock",
            now_ms,
            now_ms,
            SourceConfidence.ENFORCED,
            edges=edges,
            traits=traits,
        )


_NAME_MAX: Final = 160
