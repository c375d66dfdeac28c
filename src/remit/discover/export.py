"""The inventory as CSV, JSON and CycloneDX 1.6 (ECMA-424): the same nodes, in order of names.

CycloneDX has components for agents, tools, models, prompts and data, services for servers, and `dependencies` for what
uses what; all that it has no word for stands in properties `remit:…`, so that `remit discover import` reads it back.
"""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from remit.discover.discretion import address
from remit.discover.graph import Node, with_targets
from remit.discover.sighting import Kind
from remit.facts.canonical import Json

SPEC: Final = "1.6"
COLUMNS: Final = ("subject", "owner", "first", "last", "confidence", "sources", "conditions", "links")
SEPARATOR: Final = "; "
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_TYPES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.AGENT: "application",
        Kind.TOOL: "application",
        Kind.MODEL: "machine-learning-model",
        Kind.PROMPT: "data",
        Kind.DATA: "data",
    }
)


def as_csv(nodes: Iterable[Node]) -> str:
    """A line for each node. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for node in with_targets(nodes):
        links = SEPARATOR.join(f"{verb.value} {to}" for verb, to in node.links)
        lists = (SEPARATOR.join(node.sources), SEPARATOR.join(node.conditions), links)
        row = (str(node.subject), node.owner or "", node.first, node.last, node.confidence, *lists)
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in row])
    return out.getvalue()


def as_json(nodes: Iterable[Node]) -> str:
    """One object with all nodes as `entries`."""
    entries: list[Json] = [
        {
            "subject": str(node.subject),
            "owner": node.owner,
            "first": node.first,
            "last": node.last,
            "confidence": node.confidence,
            "sources": list(node.sources),
            "conditions": list(node.conditions),
            "links": [{"verb": verb.value, "to": str(to)} for verb, to in node.links],
            "traits": [{"key": key, "value": value} for key, value in node.traits],
        }
        for node in with_targets(nodes)
    ]
    return json.dumps({"entries": entries}, indent=2) + "\n"


def as_cyclonedx(nodes: Iterable[Node], now: str, version: str) -> str:
    """A CycloneDX document made at `now` (RFC 3339) by Remit in this `version`."""
    complete = with_targets(nodes)
    components: list[Json] = [_component(node) for node in complete if node.subject.kind is not Kind.SERVER]
    services: list[Json] = [_service(node) for node in complete if node.subject.kind is Kind.SERVER]
    dependencies: list[Json] = [
        {"ref": str(node.subject), "dependsOn": sorted({str(to) for _, to in node.links})}
        for node in complete
        if node.links
    ]
    tools: Json = {"components": [{"type": "application", "name": "remit", "version": version}]}
    document: Json = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC,
        "version": 1,
        "metadata": {"timestamp": now, "tools": tools},
        "components": components,
        "services": services,
        "dependencies": dependencies,
    }
    return json.dumps(document, indent=2) + "\n"


def _component(node: Node) -> Json:
    head: dict[str, Json] = {"type": _TYPES[node.subject.kind], "bom-ref": str(node.subject), "name": node.subject.name}
    return {**head, "properties": _properties(node)}


def _service(node: Node) -> Json:
    head: dict[str, Json] = {"bom-ref": str(node.subject), "name": node.subject.name}
    endpoints: dict[str, Json] = (
        {"endpoints": [node.subject.name]} if address(node.subject.name) == node.subject.name else {}
    )
    return {**head, **endpoints, "properties": _properties(node)}


def _properties(node: Node) -> list[Json]:
    members: Sequence[tuple[str, str]] = (
        ("subject", str(node.subject)),
        ("owner", node.owner or ""),
        ("first", node.first),
        ("last", node.last),
        ("confidence", node.confidence),
        *(("source", source) for source in node.sources),
        *(("condition", condition) for condition in node.conditions),
        *((f"link:{verb.value}", str(to)) for verb, to in node.links),
        *((f"trait:{key}", value) for key, value in node.traits),
    )
    return [{"name": f"remit:{name}", "value": value} for name, value in members if value]
