"""What the catalog says of a tool's arguments, against the schema that was accepted."""

import re
from collections.abc import Mapping
from typing import Final

from remit.control.lock import Pinned
from remit.control.problems import WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.facts.template import Slot, pieces
from remit.facts.text import identifier_problem
from remit.policy.input_types import Untypable, type_input

_META_KEY: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,100}[a-z0-9])?/[A-Za-z0-9]([A-Za-z0-9._-]{0,60}[A-Za-z0-9])?")
"""A key of `_meta` with a prefix (MCP 2026-07-28, General fields); those of the protocol itself are its own."""


def argument_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> list[WorkspaceProblem]:
    """A problem for each argument that the tool does not have, said by itself or as the key of its store.

    A schema that names no arguments, or cannot be read, may have any.
    """
    places = {name: f"spec.arguments.{name}" for name in spec.arguments}
    keys = {} if spec.store is None else dict.fromkeys(spec.store.keys, "spec.store")
    return [
        *unknown_arguments(resource, pinned, "tool/argument", places, "what is said of it would hold for nothing"),
        *unknown_arguments(resource, pinned, "tool/store", keys, "every action of it would count for the whole store"),
    ]


def brief_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> list[WorkspaceProblem]:
    """What is wrong with `brief`: hidden characters, a brace by itself, arguments that the tool does not have."""
    if not spec.brief:
        return []
    where = resource.at("spec.brief")
    if (odd := identifier_problem(spec.brief)) is not None:
        return [WorkspaceProblem("tool/brief", where, f"brief is no sentence: {odd}")]
    parts = list(pieces(spec.brief))
    if any(isinstance(piece, str) and ("{" in piece or "}" in piece) for piece in parts):
        return [
            WorkspaceProblem("tool/brief", where, "brief has a brace that is part of no {argument} or {argument.count}")
        ]
    places = {piece.name: "spec.brief" for piece in parts if isinstance(piece, Slot)}
    return unknown_arguments(resource, pinned, "tool/brief", places, "people would be shown nothing in its place")


def idempotent_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> list[WorkspaceProblem]:
    """What is wrong with how the tool knows that it was asked before: both ways or none, a name that cannot be one."""
    idempotent = spec.idempotent
    if idempotent is None:
        return []
    where = resource.at("spec.idempotent")
    if bool(idempotent.argument) is bool(idempotent.meta):
        return [
            WorkspaceProblem("tool/idempotent", where, "a key goes in an argument or in a member of _meta, one of them")
        ]
    if idempotent.argument:
        places = {idempotent.argument: "spec.idempotent.argument"}
        return unknown_arguments(
            resource, pinned, "tool/idempotent", places, "no call of it could be told from another"
        )
    prefix = idempotent.meta.partition("/")[0]
    if not _META_KEY.fullmatch(idempotent.meta) or {"mcp", "modelcontextprotocol"} & set(prefix.split(".")):
        what = f"{idempotent.meta[:64]!r} is no key of _meta that a server of its own may have"
        return [
            WorkspaceProblem(
                "tool/idempotent", where, what, hint="a domain, a slash and a name: shop.example/request-key"
            )
        ]
    return []


def unknown_arguments(
    resource: Resource, pinned: Pinned, code: str, places: Mapping[str, str], consequence: str
) -> list[WorkspaceProblem]:
    """A problem for each argument in `places`, with the place that names it, which the accepted schema has not."""
    if not places:
        return []
    try:
        known = type_input(pinned.definition.input_schema).arguments
    except Untypable:
        return []
    tool_name = f"{resource.name.partition('/')[0]}/{pinned.definition.name}"
    return [
        WorkspaceProblem(
            code,
            resource.at(place),
            f"Tool {tool_name[:128]!r} has no argument {name[:64]!r}",
            consequence,
            did_you_mean(name, known) or f"it has {', '.join(known[:10])}",
        )
        for name, place in places.items()
        if known and name not in known
    ]
