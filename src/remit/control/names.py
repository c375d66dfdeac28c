"""Names of resources: their rules, duplicates, how many there may be, and references to them."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from remit.control.problems import SourceLocation, WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ResourceKind
from remit.facts.catalog import NAME, SERVER_NAME
from remit.facts.label import LABEL
from remit.facts.monitor import MONITOR_NAME

EVERYONE: Final = "everyone"
RESERVED: Final[Mapping[ResourceKind, frozenset[str]]] = MappingProxyType(
    {
        ResourceKind.GROUP: frozenset({EVERYONE}),
        ResourceKind.SERVER: frozenset({"remit"}),
    }
)
COUNT_MAX: Final[Mapping[ResourceKind, int]] = MappingProxyType(
    {
        ResourceKind.AGENT: 10_000,
        ResourceKind.USER: 50_000,
        ResourceKind.GROUP: 1_000,
        ResourceKind.SERVER: 200,
        ResourceKind.TOOL: 5_000,
        ResourceKind.POLICY: 10_000,
        ResourceKind.ROUTE: 1_000,
        ResourceKind.CHANNEL: 100,
        ResourceKind.SOURCE: 100,
        ResourceKind.BUDGET: 1_000,
        ResourceKind.BREAKER: 1_000,
        ResourceKind.MONITOR: 1_000,
        ResourceKind.GUARANTEE: 200,
        ResourceKind.ADMISSION: 100,
    }
)
_FAMILIES: Final = ("untrusted", "confidential")
NAME_RULE: Final = "1-63 of letters, digits and . _ @ -, a letter or digit first"


def label_problems(resource: Resource, labels: Iterable[str] | None) -> list[WorkspaceProblem]:
    """A problem for each of `labels`, the field `source`, that is no label."""
    return [
        WorkspaceProblem(
            "tool/label",
            resource.at(f"spec.source.{index}"),
            f"{label[:64]!r} is not a label",
            "labels are `untrusted` or `confidential`, with parts after colons if wanted",
            did_you_mean(label.split(":")[0], _FAMILIES),
        )
        for index, label in enumerate(labels or ())
        if not LABEL.fullmatch(label)
    ]


def check_names(resources: Iterable[Resource]) -> list[WorkspaceProblem]:
    """Malformed and reserved names, two resources of one kind with one name, too many of a kind."""
    problems: list[WorkspaceProblem] = []
    first: dict[tuple[ResourceKind, str], SourceLocation] = {}
    counts: dict[ResourceKind, int] = {}
    for resource in resources:
        kind, where = resource.kind, resource.at("metadata.name")
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] == COUNT_MAX[kind] + 1:
            problems.append(_too_many(kind, where))
        if problem := _name_problem(resource):
            problems.append(problem)
        earlier = first.setdefault((kind, resource.name), where)
        if earlier is not where:
            problems.append(
                WorkspaceProblem(
                    "name/duplicate",
                    where,
                    f"{kind} {resource.name[:128]!r} is declared twice, first at {earlier}",
                    "which of the two holds would depend on the order of files",
                    next="rename or remove one of them, then run: remit diff",
                )
            )
    return problems


def refer(
    resource: Resource, path: str, names: Iterable[str], known: Collection[str], noun: ResourceKind
) -> list[WorkspaceProblem]:
    """A problem for each of `names`, listed at `path` of `resource`, that is not `known`."""
    return [
        WorkspaceProblem(
            "reference/unknown",
            resource.at(f"{path}.{index}"),
            f"{resource.kind} {resource.name[:128]!r} names {noun} {name[:128]!r}, which is not declared",
            hint=did_you_mean(name, known),
            next=f"declare the {noun}, or correct the name, then run: remit diff",
        )
        for index, name in enumerate(names)
        if name not in known
    ]


def _name_problem(resource: Resource) -> WorkspaceProblem | None:
    kind, name = resource.kind, resource.name
    where = resource.at("metadata.name")
    if name in RESERVED.get(kind, ()):
        why = (
            "it exists always and holds every agent and user"
            if kind is ResourceKind.GROUP
            else ("it is kept for Remit's own tools")
        )
        return WorkspaceProblem("name/reserved", where, f"{kind} cannot be named {name!r}", why)
    if kind is ResourceKind.TOOL:
        server, slash, tool = name.partition("/")
        fits = bool(slash and tool and SERVER_NAME.fullmatch(server))
        rule = "SERVER/TOOL"
    elif kind is ResourceKind.SERVER:
        fits, rule = SERVER_NAME.fullmatch(name) is not None, "1-24 of a-z 0-9 -"
    elif kind is ResourceKind.MONITOR:
        fits, rule = MONITOR_NAME.fullmatch(name) is not None, "1-63 of letters, digits and _, no digit first"
    else:
        fits, rule = NAME.fullmatch(name) is not None, NAME_RULE
    if fits:
        return None
    return WorkspaceProblem("name/malformed", where, f"{name[:128]!r} does not name a {kind}: {rule}")


def _too_many(kind: ResourceKind, where: SourceLocation) -> WorkspaceProblem:
    return WorkspaceProblem(
        "limit/count",
        where,
        f"the workspace declares more than {COUNT_MAX[kind]} resources of kind {kind}",
        "everything has a limit",
        next="remove some, or split the workspace between two services",
    )
