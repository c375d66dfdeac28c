"""Which columns `get` shows of each kind, and their cells, from manifests.

Both the command line and the console read manifests from the control API, so cells come from
plain JSON: nothing here sees more than what the API answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from remit.control.resources import ResourceKind
from remit.facts.canonical import Json

_COLUMNS: Final[Mapping[ResourceKind, tuple[str, ...]]] = MappingProxyType(
    {
        ResourceKind.AGENT: ("owner", "groups", "mode", "harness"),
        ResourceKind.USER: ("groups",),
        ResourceKind.GROUP: ("groups", "description"),
        ResourceKind.SERVER: ("reached", "shared", "state"),
        ResourceKind.TOOL: ("effect", "sink", "source", "tags"),
        ResourceKind.POLICY: ("does", "route", "reason"),
        ResourceKind.ROUTE: ("groups", "users", "count", "hold_s", "expires_s"),
        ResourceKind.CHANNEL: ("url",),
        ResourceKind.SOURCE: ("watches", "path", "every_s", "healthy", "last"),
        ResourceKind.BUDGET: ("measure", "per", "of", "hard", "soft", "window_s", "most_used"),
        ResourceKind.BREAKER: ("on", "over", "of", "limit", "within_s", "open_s"),
        ResourceKind.MONITOR: ("op", "over", "within_s", "by"),
        ResourceKind.GUARANTEE: ("owner", "holds", "state", "denied"),
        ResourceKind.ADMISSION: ("owner", "days", "chains", "attack"),
    }
)
_WIDE: Final[Mapping[ResourceKind, tuple[str, ...]]] = MappingProxyType(
    {
        ResourceKind.AGENT: ("purpose",),
        ResourceKind.SERVER: ("cwd", "verify_s", "call_s"),
        ResourceKind.TOOL: ("exposed", "catalogued", "pin"),
        ResourceKind.POLICY: ("obligation",),
        ResourceKind.ROUTE: ("requester_may_approve", "shared"),
        ResourceKind.BUDGET: ("route", "tools"),
        ResourceKind.BREAKER: ("trials", "of_least", "slow_ms"),
    }
)


OPTIONAL: Final = (
    "healthy",
    "last",
    "cwd",
    "most_used",
    "within_s",
    "by",
    "state",
    "denied",
    "holds",
    "does",
    "route",
    "reason",
    "obligation",
)
"""Columns that not every resource has something for, or that only a running service has."""
_GUARANTEE_FORMS: Final = ("no_flow", "separate", "powers", "rate")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows to print: each holds every column by key; `wide` are those only `-o wide` shows."""

    columns: tuple[str, ...]
    wide: tuple[str, ...]
    rows: tuple[Mapping[str, Json], ...]


def table(kind: ResourceKind, items: Iterable[tuple[Mapping[str, Json], str | None]]) -> Table:
    """The table of manifests of one kind, each with its `file:line` where it has one."""
    columns = ("name", *_COLUMNS[kind])
    wide = (*_WIDE.get(kind, ()), "where")
    return Table(columns, wide, tuple(_row(manifest, where) for manifest, where in items))


def kind_named(word: str) -> ResourceKind | None:
    """The kind that people write as `agent`, `Agents`, `policies`; None when there is none."""
    plain = word.lower()
    for kind in ResourceKind:
        single = kind.value.lower()
        if plain in {single, f"{single}s", plural(kind)}:
            return kind
    return None


def plural(kind: ResourceKind) -> str:
    """What people list resources of `kind` by: `agents`, `policies`."""
    single = kind.value.lower()
    return f"{single[:-1]}ies" if single.endswith("y") else f"{single}s"


def _row(manifest: Mapping[str, Json], where: str | None) -> Mapping[str, Json]:
    row: dict[str, Json] = dict.fromkeys(OPTIONAL)
    for part in ("status", "spec", "metadata"):
        part_value = manifest.get(part)
        row.update(part_value if isinstance(part_value, Mapping) else {})
    command = row.get("command")
    words = command if isinstance(command, Sequence) and not isinstance(command, str) else ()
    row["reached"] = row.get("url") or " ".join(str(word) for word in words)
    row["holds"] = next((kind for kind in _GUARANTEE_FORMS if kind in row), None)
    return {**row, "where": where or "-"}
