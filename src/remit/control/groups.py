"""Groups flattened: every group reachable upward, so that nothing later walks them."""

from collections.abc import Iterable, Mapping, Sequence

from remit.control.names import EVERYONE, refer
from remit.control.problems import WorkspaceProblem
from remit.control.resources import GroupSpec, Resource, ResourceKind


class Groups:
    """Declared groups and what each brings with it; `everyone` is brought by all."""

    __slots__ = ("_above",)

    def __init__(self, above: Mapping[str, frozenset[str]]) -> None:
        self._above = above

    @property
    def names(self) -> frozenset[str]:
        """Every group there is, `everyone` included."""
        return frozenset(self._above) | {EVERYONE}

    def closure(self, direct: Iterable[str]) -> frozenset[str]:
        """`direct` groups, all above them, and `everyone`. Unknown names bring only themselves."""
        found = {EVERYONE}
        for name in direct:
            found |= self._above.get(name, frozenset({name}))
        return frozenset(found)


def resolve(resources: Iterable[Resource]) -> tuple[Groups, list[WorkspaceProblem]]:
    """The groups among `resources`, with a problem for each unknown parent and each cycle.

    Groups on a cycle are left without parents, so that the answer is finite.
    """
    declared: dict[str, tuple[Resource, GroupSpec]] = {}
    for resource in resources:
        if isinstance(resource.spec, GroupSpec):
            declared.setdefault(resource.name, (resource, resource.spec))
    known = {*declared, EVERYONE}
    problems: list[WorkspaceProblem] = []
    parents: dict[str, tuple[str, ...]] = {EVERYONE: ()}
    for name, (resource, spec) in declared.items():
        problems.extend(refer(resource, "spec.groups", spec.groups, known, ResourceKind.GROUP))
        parents[name] = tuple(parent for parent in spec.groups if parent in known)
    order, cycles = _upward(parents)
    for cycle in cycles:
        resource = declared[cycle[0]][0]
        problems.append(
            WorkspaceProblem(
                "group/cycle",
                resource.at("spec.groups"),
                "groups contain each other: " + " -> ".join([*cycle, cycle[0]]),
                "membership would have no end",
                next="remove one of these parents, then run: remit diff",
            )
        )
    above: dict[str, frozenset[str]] = {}
    for name in order:
        above[name] = frozenset({name}).union(*(above.get(p, frozenset()) for p in parents[name]))
    return Groups(above), problems


def _upward(parents: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Names with parents before children, and each cycle met, by an iterative depth-first walk."""
    order: list[str] = []
    done: set[str] = set()
    cycles: list[list[str]] = []
    for start in sorted(parents):
        path: list[str] = []
        waiting: list[tuple[str, bool]] = [(start, False)]
        while waiting:
            name, left = waiting.pop()
            if left:
                path.pop()
                done.add(name)
                order.append(name)
            elif name in path:
                cycles.append(path[path.index(name) :])
            elif name not in done:
                path.append(name)
                waiting.append((name, True))
                waiting.extend((parent, False) for parent in parents[name])
    return order, cycles
