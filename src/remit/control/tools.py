"""Tools from the lock alone, with the catalog's word on each.

A tool without a catalog entry, and every field an entry leaves out, is the worst case:
irreversible, external, untrusted. What a server says of its own tools is never read here.
"""

import re
from collections.abc import Mapping
from typing import Final

from remit.control.arguments import argument_problems, brief_problems, idempotent_problems
from remit.control.flow import flow_problems
from remit.control.impact import impact_problems
from remit.control.lock import FILE, Lock, Pinned, tool_name_problem
from remit.control.names import label_problems
from remit.control.previews import preview_problems
from remit.control.problems import ProblemSeverity, SourceLocation, WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.control.stores import store_of, store_problems
from remit.facts.catalog import Server
from remit.facts.label import Labels, closed
from remit.facts.tool import UNCATALOGUED_SOURCE, Effect, Sink, Tool

TAG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
HINTS_MAX: Final = 20


def tools_of(
    entries: Mapping[str, tuple[Resource, ToolSpec]],
    lock: Lock,
    servers: Mapping[str, Server],
    declared: frozenset[str],
) -> tuple[dict[tuple[str, str], Tool], list[WorkspaceProblem]]:
    """The accepted tools of declared `servers`, keyed `(server, tool)`.

    `entries` are Tool resources by their name SERVER/TOOL; `declared` names every Server
    resource, those included that have problems of their own.
    """
    problems: list[WorkspaceProblem] = []
    accepted: dict[str, set[str]] = {}
    for server, name in lock.tools:
        accepted.setdefault(server, set()).add(name)
    for resource, spec in entries.values():
        near = accepted if len(problems) < HINTS_MAX else {}
        problems += _entry_problems(resource, spec, accepted, near, declared)
    tools: dict[tuple[str, str], Tool] = {}
    exposed: dict[str, str] = {}
    for (server, name), pinned in sorted(lock.tools.items()):
        if server not in servers:
            continue
        if wrong := tool_name_problem(name):
            what = f"{FILE} holds a tool of {server} that cannot be one: {wrong}"
            problems.append(WorkspaceProblem("lock/shape", SourceLocation(FILE), what))
            continue
        entry = entries.get(f"{server}/{name}")
        if entry:
            problems += argument_problems(entry[0], entry[1], pinned)
            problems += brief_problems(entry[0], entry[1], pinned)
            problems += idempotent_problems(entry[0], entry[1], pinned)
            problems += flow_problems(entry[0], entry[1], pinned)
            problems += impact_problems(entry[0], entry[1], pinned)
            problems += preview_problems(entry[0], entry[1], pinned, lock, entries)
        tool = _tool(server, pinned, entry[1] if entry else None)
        other = exposed.setdefault(tool.exposed, f"{server}/{name}")
        if other != f"{server}/{name}":
            what = f"{other} and {server}/{name} would both be exposed as {tool.exposed}"
            why = "a policy for one would hold for the other"
            next_step = f"have one of them renamed, then run: remit tools review {server}"
            problems.append(WorkspaceProblem("name/exposed", SourceLocation(FILE), what, why, next=next_step))
        tools[server, name] = tool
    problems += [
        WorkspaceProblem(
            "lock/server",
            SourceLocation(FILE),
            f"{FILE} holds tools of {server!r}, which is not declared",
            "they cannot be called",
            did_you_mean(server, declared),
            "declare the Server again, or leave them: they do no harm",
            ProblemSeverity.WARNING,
        )
        for server in sorted(lock.servers - declared)
    ]
    return tools, problems


def _tool(server: str, pinned: Pinned, spec: ToolSpec | None) -> Tool:
    if spec is None:
        return Tool(server, pinned.definition, pinned.pin)
    source: Labels = UNCATALOGUED_SOURCE if spec.source is None else closed(spec.source)
    return Tool(
        server,
        pinned.definition,
        pinned.pin,
        Effect.IRREVERSIBLE if spec.effect is None else spec.effect,
        Sink.EXTERNAL if spec.sink is None else spec.sink,
        source,
        frozenset(spec.tags),
        catalogued=True,
        arguments=spec.arguments,
        store=None if spec.store is None else store_of(server, spec.store, spec.effect),
        asks=frozenset(spec.asks),
        results=spec.results,
        format=spec.format,
        impact=spec.impact,
        brief=spec.brief,
        idempotent=spec.idempotent,
        preview=spec.preview,
    )


def _entry_problems(
    resource: Resource,
    spec: ToolSpec,
    accepted: Mapping[str, set[str]],
    near: Mapping[str, set[str]],
    declared: frozenset[str],
) -> list[WorkspaceProblem]:
    problems = label_problems(resource, spec.source)
    problems += store_problems(resource, spec)
    problems += [
        WorkspaceProblem(
            "tool/tag",
            resource.at(f"spec.tags.{index}"),
            f"{tag[:64]!r} is not a tag: 1-32 of a-z 0-9 -",
        )
        for index, tag in enumerate(spec.tags)
        if not TAG.fullmatch(tag)
    ]
    server, _, name = resource.name.partition("/")
    where = resource.at("metadata.name")
    if server not in declared:
        what = f"Tool {resource.name[:128]!r} is of a server that is not declared"
        hint = did_you_mean(server, declared)
        return [*problems, WorkspaceProblem("reference/unknown", where, what, hint=hint)]
    if name not in accepted.get(server, ()):
        problems.append(
            WorkspaceProblem(
                "tool/unaccepted",
                where,
                f"Tool {resource.name[:128]!r} is not in {FILE}: it has not been accepted, or its name is misspelt",
                "until it is, agents do not see it and calls of it are denied",
                did_you_mean(name, near.get(server, ())),
                f"remit tools review {server}",
                ProblemSeverity.WARNING,
            )
        )
    return problems
