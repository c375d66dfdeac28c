"""`remit inventory export` and `remit map`: the inventory of the running service, or of what was found without one."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from remit import __version__
from remit.adapters.sources.listing import ListingSource
from remit.adapters.system import SystemClock
from remit.app.discovery.look import look
from remit.app.terminal import reports
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.output import say
from remit.discover.export import as_csv, as_cyclonedx, as_json
from remit.discover.graph import Node, nodes_of
from remit.discover.inventory import fold
from remit.discover.sighting import Verb, parsed

ENTRIES_MAX: Final = 10_000


def of_service(service: ServiceClient) -> list[Node]:
    """The nodes of the running service's inventory."""
    answer: dict[str, Any] = service.get("/inventory", limit=ENTRIES_MAX)
    if answer["total"] > len(answer["items"]):
        say(f"{answer['total'] - len(answer['items'])} more entries are left out")
    return [_node(item) for item in answer["items"]]


def of_files(files: list[Path]) -> list[Node]:
    """The nodes of files that `remit discover import` takes, folded together."""
    results = [look(ListingSource(file, SystemClock().now_ms)) for file in files]
    for trouble in (trouble for result in results for trouble in result.troubles):
        say(f"{trouble.where}: {trouble.code}: {trouble.why}")
    return [*nodes_of(fold(sighting for result in results for sighting in result.sightings))]


def exported(nodes: list[Node], form: str) -> str:
    """`nodes` written as `csv`, `json` or `cyclonedx`."""
    if form == "csv":
        return as_csv(nodes)
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return as_json(nodes) if form == "json" else as_cyclonedx(nodes, now, __version__)


def written(text: str, file: Path | None) -> None:
    """Write `text` to `file`, which must not exist, or to stdout. Raises `CommandFailure`."""
    if file is None:
        sys.stdout.write(text)
        return
    reports.new(file, text)


def _node(item: Mapping[str, Any]) -> Node:
    conditions = tuple(part["type"] for part in item["conditions"] if part["status"] == "True")
    traits = {(part["key"], part["value"]) for part in item["traits"]}
    return Node(
        parsed(item["name"]),
        item["owner"],
        item["first"],
        item["last"],
        item["confidence"],
        tuple(item["sources"]),
        conditions,
        tuple((Verb(link["verb"]), parsed(link["to"])) for link in item["links"]),
        tuple(sorted(traits)),
    )
