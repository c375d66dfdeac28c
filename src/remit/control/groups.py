"""Groups flattened: every group reachable upward, so that nothing later walks them."""

from collections.abc import Iterable, Mapping, Sequence

from remit.control.names import EVERYONE, refer
from remit.control.problems import WorkspaceProblem
from remit.control.resources import GroupSpec, Resource, ResourceKind


class Groups:
    """Declared groups and what each brings with it; `everyone` is brought by all."""

    __slots__ = ("_ancestors",)

    def __init__(self, ancestors: Mapping[str, frozenset[str]]) -> None:
        self._ancestors = ancestors

    @property
    def names(self) -> frozenset[str]:
        """Every group there is, `everyone` included."""
        return frozenset(self._ancestors) | {EVERYONE}

    def closure(self, direct: Iterable[str]) -> frozenset[str]:
        """`direct` groups, all above them, and `everyone`. Unknown names bring only themselves."""
        groups = {EVERYONE}
        for name in direct:
            groups |= self._ancestors.get(name, frozenset({name}))
        return frozenset(groups)


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
    ancestors: dict[str, frozenset[str]] = {}
    for name in order:
        ancestors[name] = frozenset({name}).union(*(ancestors.get(p, frozenset()) for p in parents[name]))
    return Groups(ancestors), problems


def _upward(parents: Mapping[str, Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """Names with parents before children, and each cycle met, by an iterative depth-first walk."""
    order: list[str] = []
    done: set[str] = set()
    cycles: list[list[str]] = []
    for start in sorted(parents):
        path: list[str] = []
        pending: list[tuple[str, bool]] = [(start, False)]
        while pending:
            name, leaving = pending.pop()
            if leaving:
                path.pop()
                done.add(name)
                order.append(name)
            elif name in path:
                cycles.append(path[path.index(name) :])
            elif name not in done:
                path.append(name)
                pending.append((name, True))
                pending.extend((parent, False) for parent in parents[name])
    return order, cycles
