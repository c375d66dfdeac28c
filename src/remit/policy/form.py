"""One policy in Cedar's JSON form, as far as Remit looks into it: scope, annotations, reads.

Conservative by construction: whatever the walk does not recognise counts as reading all of
`context`, and as a condition that may or may not hold.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias, cast

import cedarpy

from remit.facts.canonical import Json
from remit.policy.parse import Statement

Uid: TypeAlias = tuple[str, str]
"""An entity: its type with namespace, and its id."""


class PolicyEffect(StrEnum):
    """What a Cedar policy does when it is satisfied."""

    PERMIT = "permit"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class ScopeConstraint:
    """One part of a scope.

    `within`: entities it must be, or be in (None: any); `exactly`: being in one is not enough;
    `kind`: the entity type it must have (None: any).
    """

    within: frozenset[Uid] | None = None
    exactly: bool = False
    kind: str | None = None

    def matches(self, uid: Uid, ancestors: frozenset[Uid]) -> bool:
        """Whether an entity that is in `ancestors` satisfies this constraint."""
        if self.kind is not None and uid[0] != self.kind:
            return False
        if self.within is None or uid in self.within:
            return True
        return not self.exactly and not self.within.isdisjoint(ancestors)


@dataclass(frozen=True, slots=True)
class AttributePath:
    """An attribute path that a condition looks at, from a scope variable downward.

    `has` asks only whether it exists. An empty `path` is the variable as a whole.
    """

    root: str
    path: tuple[str, ...]
    has: bool


@dataclass(frozen=True, slots=True)
class ParsedPolicy:
    """A policy taken apart.

    `constant`: some condition looks at nothing; `unconditional`: it applies wherever its scope
    matches.
    """

    effect: PolicyEffect
    principal: ScopeConstraint
    action: ScopeConstraint
    resource: ScopeConstraint
    annotations: Mapping[str, str]
    accesses: frozenset[AttributePath]
    entities: frozenset[Uid]
    constant: bool
    unconditional: bool

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Paths below `context.input` that the policy depends on; `()` for all of it.

        Whether `input` itself exists hangs on the tool alone, never on a value, so asking
        only that reads nothing.
        """
        return frozenset(
            access.path[1:]
            for access in self.accesses
            if access.root == "context"
            and access.path[:1] in {(), ("input",)}
            and not (access.has and access.path == ("input",))
        )


class UnreadablePolicy(ValueError):
    """Why a statement is not one Cedar policy."""


def form_of(statement: Statement) -> ParsedPolicy:
    """The form of `statement`. Raises `UnreadablePolicy`."""
    try:
        return _form(json_of(statement))
    except RecursionError:
        raise UnreadablePolicy("its conditions are nested too deeply") from None


def json_of(statement: Statement) -> Mapping[str, Json]:
    """`statement` in Cedar's JSON form. Raises `UnreadablePolicy`, and `RecursionError` where it nests too deeply."""
    excess = statement.excess()
    if excess is not None:
        raise UnreadablePolicy(excess)
    try:
        parsed = _mapping(json.loads(cedarpy.policies_to_json_str(statement.text)))
        if parsed["templates"]:
            raise UnreadablePolicy("templates (?principal, ?resource) are not supported")
        (policy,) = _mapping(parsed["staticPolicies"]).values()
    except UnreadablePolicy:
        raise
    except ValueError as error:
        raise UnreadablePolicy(str(error)) from None
    return _mapping(policy)


@lru_cache(maxsize=2_048)
def kept_json(statement: Statement) -> Mapping[str, Json]:
    """`statement`, which is a policy, in Cedar's JSON form: nobody's to change. A policy is in many slices."""
    return json_of(statement)


def _form(policy: Mapping[str, Json]) -> ParsedPolicy:
    bodies = [
        (condition["kind"] == "when", condition["body"])
        for condition in map(_mapping, cast("list[Json]", policy["conditions"]))
    ]
    annotations = _mapping(policy.get("annotations") or {})
    scope = {part: _mapping(policy[part]) for part in ("principal", "action", "resource")}
    found = frozenset(access for _, body in bodies for access in accesses_of(body))
    uids = {uid for _, body in bodies for uid in _literals(body)}
    return ParsedPolicy(
        effect=PolicyEffect(cast("str", policy["effect"])),
        principal=constraint(scope["principal"]),
        action=constraint(scope["action"]),
        resource=constraint(scope["resource"]),
        annotations={name: value or "" for name, value in _texts(annotations)},
        accesses=found,
        entities=frozenset(uids.union(*(_scope_uids(part) for part in scope.values()))),
        constant=any(not any(_variables(body)) for _, body in bodies),
        unconditional=all(body == {"Value": when} for when, body in bodies),
    )


def _texts(annotations: Mapping[str, Json]) -> Iterator[tuple[str, str | None]]:
    return ((name, cast("str | None", value)) for name, value in annotations.items())


def constraint(part: Mapping[str, Json]) -> ScopeConstraint:
    """One part of a scope in Cedar's JSON form."""
    kind = cast("str | None", part.get("entity_type"))
    inner = part.get("in")
    holder = _mapping(inner) if inner is not None else part
    uids = _scope_uids(holder)
    within = frozenset(uids) if "entity" in holder or "entities" in holder else None
    return ScopeConstraint(within, part["op"] == "==", kind)


def _scope_uids(part: Mapping[str, Json]) -> set[Uid]:
    listed = list(cast("list[Json]", part.get("entities") or []))
    if "entity" in part:
        listed.append(part["entity"])
    inner = part.get("in")
    found = {_uid(entity) for entity in listed}
    return found if inner is None else found | _scope_uids(_mapping(inner))


def _uid(entity: Json) -> Uid:
    members = _mapping(entity)
    return cast("str", members["type"]), cast("str", members["id"])


_LEAVES: Final = frozenset({"Value", "Var"})


def _children(node: Json) -> Iterator[Json]:
    """Sub-expressions of `node`; record literals may have any attribute name."""
    if isinstance(node, Mapping):
        for name, part in node.items():
            if name == "Record":
                yield from _mapping(part).values()
            elif name not in _LEAVES:
                yield part
    elif isinstance(node, list):
        yield from node


def accesses_of(node: Json) -> Iterator[AttributePath]:
    """What the expression `node` looks at."""
    match node:
        case {"Var": str(root)}:
            yield AttributePath(root, (), has=False)
            return
        case {"has": {"left": left, "attr": str(name)}} if (chain := chain_of(left)) is not None:
            yield AttributePath(chain[0], (*chain[1], name), has=True)
            return
        case {".": _} if (chain := chain_of(node)) is not None:
            yield AttributePath(chain[0], chain[1], has=False)
            return
        case _:
            pass
    for child in _children(node):
        yield from accesses_of(child)


def chain_of(node: Json) -> tuple[str, tuple[str, ...]] | None:
    """`context.a.b` as `("context", ("a", "b"))`; None for anything but plain access."""
    match node:
        case {"Var": str(root)}:
            return root, ()
        case {".": {"left": left, "attr": str(name)}}:
            chain = chain_of(left)
            return None if chain is None else (chain[0], (*chain[1], name))
        case _:
            return None


def _variables(node: Json) -> Iterator[bool]:
    if isinstance(node, Mapping) and "Var" in node:
        yield True
    for child in _children(node):
        yield from _variables(child)


def _literals(node: Json) -> Iterator[Uid]:
    match node:
        case {"__entity": entity}:
            yield _uid(entity)
        case {"is": {"left": left, **rest}}:
            yield from _literals(left)
            yield from _literals(rest.get("in"))
        case {"Value": value}:
            yield from _literals(value)
        case _:
            for child in _children(node):
                yield from _literals(child)


def _mapping(value: Json) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", value)
