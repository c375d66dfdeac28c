"""What changes from one bundle to another, by resource and field, and policies by id.

Compares what runs: catalogs with groups flattened and tools as locked. Moving a resource to
another file, or adding a comment, changes nothing.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.control.difference import Added, Change, Removed, Replaced, changes, render
from remit.control.manifests import HIDDEN, catalog_json
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog
from remit.facts.text import escaped

_SETS: Final = frozenset({"groups", "users", "source", "tags", "tools"})
_ENV: Final = "/env/"


class ResourceOp(StrEnum):
    """What becomes of a resource."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Side:
    """One of two bundles: its catalog and the text of each policy by `@id`."""

    catalog: Catalog
    policies: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """One resource that differs; `lines` are for people and safe to print."""

    op: ResourceOp
    kind: ResourceKind
    name: str
    lines: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """One line: `change Tool shop/refund`."""
        return f"{self.op} {self.kind} {escaped(self.name)}"

    def to_json(self) -> Mapping[str, Json]:
        """The change as JSON, for the control API and `-o json`."""
        return {
            "op": self.op.value,
            "kind": self.kind.value,
            "name": self.name,
            "text": self.text,
            "lines": list(self.lines),
        }


@dataclass(frozen=True, slots=True)
class BundleDescription:
    """One of two bundles as it is compared: resources by kind and name, and the text of each policy by `@id`."""

    resources: Mapping[tuple[ResourceKind, str], Mapping[str, Json]]
    policies: Mapping[str, str]
    session_hours_max: float


def describe(side: Side) -> BundleDescription:
    """A bundle as it is compared. Holds the values of environment variables."""
    return BundleDescription(catalog_json(side.catalog), side.policies, side.catalog.session_hours_max)


def diff(before: Side, after: Side) -> tuple[ResourceChange, ...]:
    """What turns `before` into `after`, by kind and name; empty when nothing that runs differs."""
    return compare(describe(before), describe(after))


def compare(before: BundleDescription, after: BundleDescription) -> tuple[ResourceChange, ...]:
    """`diff` of bundles that are described."""
    resource_changes = [
        *_resource_changes(before.resources, after.resources),
        *_policy_changes(before.policies, after.policies),
    ]
    if before.session_hours_max != after.session_hours_max:
        hours = f"{before.session_hours_max:g} -> {after.session_hours_max:g}"
        resource_changes.append(ResourceChange(ResourceOp.CHANGE, ResourceKind.POLICY, "session_hours_max", (hours,)))
    order = list(ResourceKind)
    return tuple(sorted(resource_changes, key=lambda change: (order.index(change.kind), change.name)))


def _resource_changes(
    old: Mapping[tuple[ResourceKind, str], Mapping[str, Json]],
    new: Mapping[tuple[ResourceKind, str], Mapping[str, Json]],
) -> Iterator[ResourceChange]:
    for kind, name in old.keys() | new.keys():
        if (kind, name) not in old:
            yield ResourceChange(ResourceOp.ADD, kind, name)
        elif (kind, name) not in new:
            yield ResourceChange(ResourceOp.REMOVE, kind, name)
        elif differences := changes(old[kind, name], new[kind, name]):
            lines = tuple(_line(change) for change in differences)
            yield ResourceChange(ResourceOp.CHANGE, kind, name, lines)


def _policy_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[ResourceChange]:
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        op = ResourceOp.ADD if before is None else ResourceOp.REMOVE if after is None else ResourceOp.CHANGE
        lines = difflib.unified_diff((before or "").splitlines(), (after or "").splitlines(), lineterm="", n=1)
        shown = (escaped(line) for line in lines if not line.startswith(("---", "+++", "@@")))
        yield ResourceChange(op, ResourceKind.POLICY, name, tuple(shown))


def _line(change: Change) -> str:
    """A member of a set as `groups: {+name+}`, a secret without its value, else as it is."""
    head, _, name = change.path[1:].partition("/")
    element = name.replace("~1", "/").replace("~0", "~")
    if head in _SETS and isinstance(change, Added | Removed):
        verb = Added if isinstance(change, Added) else Removed
        return render(verb(f"/{head}", element))
    if f"{change.path}/".startswith(_ENV) or change.path == "":
        match change:
            case Added():
                return render(Added(change.path, HIDDEN))
            case Removed():
                return render(Removed(change.path, HIDDEN))
            case _:
                return render(Replaced(change.path, HIDDEN, HIDDEN))
    return render(change)
