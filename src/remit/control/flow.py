"""What the catalog says of a tool's results, and of what users ask it by, against what was accepted."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from remit.control.lock import Pinned
from remit.control.problems import ProblemSeverity, WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.facts.canonical import Json
from remit.facts.label import LABEL
from remit.facts.results import TRUSTED, Step, elements, steps

ASKS: Final = re.compile(r"[^\W\d_]+([ '-][^\W\d_]+){0,3}")
_FAMILIES: Final = (TRUSTED, "untrusted", "confidential")
_SCALARS: Final = frozenset({"boolean", "integer", "null", "number", "string"})


def flow_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> list[WorkspaceProblem]:
    """What is wrong with `asks` and `results`."""
    return [*_asks(resource, spec), *_results(resource, spec, pinned)]


def _asks(resource: Resource, spec: ToolSpec) -> Iterator[WorkspaceProblem]:
    for index, words in enumerate(spec.asks):
        if words != words.lower() or not ASKS.fullmatch(words):
            what = f"{words[:64]!r} is not what a user would ask by: 1-4 words in lower case"
            yield WorkspaceProblem("tool/asks", resource.at(f"spec.asks.{index}"), what)


def _results(resource: Resource, spec: ToolSpec, pinned: Pinned) -> Iterator[WorkspaceProblem]:
    seen_paths: set[tuple[tuple[Step, ...], tuple[bool, ...]]] = set()
    for index, part in enumerate(spec.results):
        where = resource.at(f"spec.results.{index}")
        if part.label != TRUSTED and not LABEL.fullmatch(part.label):
            what = f"{part.label[:64]!r} is neither a label nor trusted"
            yield WorkspaceProblem("tool/label", where, what, hint=did_you_mean(part.label.split(":")[0], _FAMILIES))
        path = steps(part.path)
        if path is None:
            what = f"{part.path[:64]!r} is no path"
            yield WorkspaceProblem("tool/path", where, what, hint="$, $.name, $[*], $[*].name, $.*, $['odd name'] are")
            continue
        if (path, elements(part.path)) in seen_paths:
            what = f"{part.path[:64]} is labelled twice"
            yield WorkspaceProblem("tool/path", where, what, "which of the two holds would depend on their order")
        seen_paths.add((path, elements(part.path)))
        if not leads_somewhere(pinned.definition.output_schema, path, elements(part.path)):
            yield WorkspaceProblem(
                "tool/path",
                where,
                f"{part.path[:64]} leads nowhere in the output schema that was accepted",
                "what it labels is never found, and counts as the worst that its tool brings",
                next="correct the path, then run: remit diff",
                severity=ProblemSeverity.WARNING,
            )


def leads_somewhere(schema: Json, path: tuple[Step, ...], lists: tuple[bool, ...] = ()) -> bool:
    """Whether a value that fits `schema` can have something at `path`; yes where the schema does not say.

    `lists` tells of each step whether it leads into a list (`facts.results.elements`); empty: into either.
    """
    inner = _mapping(schema)
    if not path or inner is None:
        return True
    if _scalar(inner.get("type")) or (lists and inner.get("type") == ("object" if lists[0] else "array")):
        return False
    step, rest, below = path[0], path[1:], lists[1:]
    properties = _mapping(inner.get("properties"))
    if isinstance(step, str):
        if properties is None:
            return True
        return leads_somewhere(properties[step], rest, below) if step in properties else _open(inner)
    if step is None and properties and "items" not in inner and not _open(inner):
        return any(leads_somewhere(member, rest, below) for member in properties.values())
    return leads_somewhere(inner.get("items"), rest, below)


def _open(schema: Mapping[str, Json]) -> bool:
    """Whether `schema` says that there may be members that it does not name."""
    return schema.get("additionalProperties", False) is not False


def _scalar(kind: Json) -> bool:
    """Whether values of the JSON Schema `type` given have nothing inside."""
    kinds = kind if isinstance(kind, list | tuple) else (kind,)
    return bool(kinds) and _SCALARS.issuperset(map(str, kinds))


def _mapping(value: Json) -> Mapping[str, Json] | None:
    return value if isinstance(value, Mapping) else None
