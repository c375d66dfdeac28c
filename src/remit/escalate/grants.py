"""Grants: what people lifted a gate for beyond one action, always bounded, always ending, never a permit.

Laws
* A grant lifts the gates that it names, by id and text of the policy: a changed text, another gate, voids it there.
  It permits nothing; where no policy permits, or a forbid that is no gate stands, it says nothing.
* It is given with an approval, by the people who may lift those gates and by as many as that takes, and it holds
  while they do: the rules are those of the running bundle (`escalate.voting`).
* It is bound to one chain of agents, one user, one tool as pinned; that of a session to that root session too. What it
  covers there is bounded by what people saw (`pdp.grant_scope`), by uses and by time.
* Anyone who may lift one of its gates revokes it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final, cast

from remit.escalate.machine import Approval, Vote
from remit.escalate.quorum import complete
from remit.facts.agent import User
from remit.facts.canonical import Json, canonical, digest
from remit.facts.catalog import Route
from remit.facts.strictjson import written
from remit.policy.verdict import Gate

_BY_PLACE: Final = "place"
_WRITTEN: Final = re.compile(r"([^<>!=]+)(<=|=(?!=))(.*)", re.DOTALL)
_BOUNDED: Final = re.compile(r"[^<>!=]+([<>!=]+)")
"""What somebody takes for a bound."""


class GrantScope(StrEnum):
    """For what: the rest of the session, or a tool until a time. Once is what an approval is by itself."""

    SESSION = "session"
    TOOL = "tool"


class Bound(StrEnum):
    """How an argument is held: to one value, or to numbers up to one."""

    EQUALS = "="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Constraint:
    """The argument `name` at the root of the input, held to `value` by `bound`; nothing below 0 is at most anything.

    Values are equal where they are the same JSON (RFC 8785): `true` is not `1` at any depth, and `1.0` is.
    """

    name: str
    bound: Bound
    value: Json

    @property
    def odd(self) -> str | None:
        """Why nothing could be held by it, or no record could hold it; None where it is a bound."""
        if _same(self.value) is None:
            return f"the bound of {self.name} has no canonical form"
        if self.bound is Bound.AT_MOST and not (_number(self.value) and cast("float", self.value) >= 0):
            return f"{self.name} is held to at most what is no number from 0 up"
        return None

    def allows(self, arguments: Mapping[str, Json]) -> bool:
        """Whether `arguments` hold it; one that is not there holds nothing."""
        if self.name not in arguments:
            return False
        argument = arguments[self.name]
        if self.bound is Bound.EQUALS:
            bound = _same(self.value)
            return bound is not None and _same(argument) == bound
        return _number(argument) and _number(self.value) and 0 <= cast("float", argument) <= cast("float", self.value)


def _number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(value: Json) -> bytes | None:
    """What two values that are the same JSON have in common; None of what is none."""
    try:
        return canonical(value)
    except ValueError:
        return None


def parse_constraint(text: str) -> Constraint:
    """What a person wrote: `NAME=VALUE`, the value JSON or plain text, or `NAME<=NUMBER`. Raises `ValueError`."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        odd = _BOUNDED.match(text)
        none = "" if odd is None else f", and {odd[1]} is none"
        raise ValueError(f"an argument is held by NAME=VALUE or NAME<=NUMBER: the bounds are = and <={none}")
    return Constraint(match[1].strip(), Bound(match[2]), written(match[3].strip()))


@dataclass(frozen=True, slots=True)
class GrantTerms:
    """What a grant lifts, and where.

    `agents` are those of the chain, the minted one first; `sid` is the root session that it was given in, `kind` that
    of the action. `like` says which tools are of the same kind: effect, sink and the words that ask for it. `values`
    are the values that were seen, as (place, canonical JSON), `sources` the results that its strangers came from, as
    (place, decision id), `carried` the addresses, URLs and account numbers inside content. A place is a JSON Pointer
    into the arguments; terms of a time that told the name of the argument alone are not `by_place`. `measures` bound
    the impact, as decimal text; `constraints` hold arguments where people said so. Times are milliseconds since the
    epoch.
    """

    scope: GrantScope
    approval: str
    agents: tuple[str, ...]
    user: str | None
    sid: str
    kind: str
    server: str
    name: str
    pin: str
    like: tuple[str, ...]
    gates: tuple[Gate, ...]
    expires_ms: int
    uses_max: int
    values: frozenset[tuple[str, str]] = frozenset()
    sources: frozenset[tuple[str, str]] = frozenset()
    carried: frozenset[str] = frozenset()
    measures: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    constraints: tuple[Constraint, ...] = ()
    by_place: bool = True

    @property
    def digest(self) -> str:
        """What names them, whenever they end: what people were shown and what they give is the same where it is."""
        return digest(canonical(replace(self, expires_ms=0).to_json()))

    def to_json(self) -> dict[str, Json]:
        """As a `decision` record keeps them."""
        keyed: dict[str, Json] = {"keyed": _BY_PLACE} if self.by_place else {}
        return {
            "scope": self.scope.value,
            "agents": list(self.agents),
            "user": self.user,
            "sid": self.sid,
            "kind": self.kind,
            "server": self.server,
            "name": self.name,
            "pin": self.pin,
            "like": list(self.like),
            "gates": [[gate.policy, gate.route, gate.text_hash] for gate in self.gates],
            "expires_ms": self.expires_ms,
            "uses_max": self.uses_max,
            "values": [list(pair) for pair in sorted(self.values)],
            "sources": [list(pair) for pair in sorted(self.sources)],
            "carried": cast("list[Json]", sorted(self.carried)),
            "measures": dict(self.measures),
            "constraints": [[one.name, one.bound.value, one.value] for one in self.constraints],
            **keyed,
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person grants: `until_ms` and `uses` bound it, within the limits; a tool's may be held by `where`.

    `terms` is the digest of those that he was shown, where he was.
    """

    scope: GrantScope
    until_ms: int | None = None
    uses: int | None = None
    where: tuple[Constraint, ...] = ()
    terms: str | None = None


def terms_of(approval: str, data: Mapping[str, Json]) -> GrantTerms | None:
    """The terms that a record holds; None for what is none."""
    try:
        lists = cast("dict[str, list[list[str]]]", data)
        texts = cast("dict[str, str]", data)
        numbers = cast("dict[str, int]", data)
        return GrantTerms(
            scope=GrantScope(texts["scope"]),
            approval=approval,
            agents=tuple(cast("list[str]", data["agents"])),
            user=cast("str | None", data["user"]),
            sid=texts["sid"],
            kind=texts["kind"],
            server=texts["server"],
            name=texts["name"],
            pin=texts["pin"],
            like=tuple(cast("list[str]", data["like"])),
            gates=tuple(Gate(policy, route, text_hash) for policy, route, text_hash in lists["gates"]),
            expires_ms=int(numbers["expires_ms"]),
            uses_max=int(numbers["uses_max"]),
            values=frozenset((name, value) for name, value in lists["values"]),
            sources=frozenset((name, call) for name, call in lists["sources"]),
            carried=frozenset(cast("list[str]", data["carried"])),
            measures=dict(cast("Mapping[str, str]", data["measures"])),
            constraints=tuple(
                Constraint(name, Bound(bound), value)
                for name, bound, value in cast("list[tuple[str, str, Json]]", data["constraints"])
            ),
            by_place=data.get("keyed") == _BY_PLACE,
        )
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Grant:
    """Terms that people gave: `ident` is the decision id of the first yes to them."""

    ident: str
    terms: GrantTerms
    given_ms: int
    votes: tuple[Vote, ...] = ()
    uses: int = 0
    revoked_by: str | None = None

    def spent(self, now_ms: int) -> str | None:
        """Why it lifts nothing any more, whoever gave it; None while it may."""
        if self.revoked_by is not None:
            return f"revoked by {self.revoked_by}"
        if now_ms >= self.terms.expires_ms:
            return "expired"
        return "used up" if self.uses >= self.terms.uses_max else None


def as_approval(grant: Grant) -> Approval:
    """`grant` as an approval of its gates: whose yes counts is the same question."""
    terms = grant.terms
    return Approval(
        ident=grant.ident,
        requested="",
        sid=terms.sid,
        agent=terms.agents[-1] if terms.agents else "",
        user=terms.user,
        server=terms.server,
        name=terms.name,
        gates=terms.gates,
        opened_ms=grant.given_ms,
        expires_ms=terms.expires_ms,
        votes=grant.votes,
    )


def in_force(grant: Grant, routes: Mapping[str, Route], users: Mapping[str, User], now_ms: int) -> bool:
    """Whether it lifts gates now: not spent, and given by all whom the running bundle asks."""
    return grant.spent(now_ms) is None and complete(as_approval(grant), routes, users)


def voted(grant: Grant, vote: Vote) -> Grant:
    """`grant` with the yes `vote`, in place of an earlier one of the same person."""
    return replace(grant, votes=(*(one for one in grant.votes if one.by != vote.by), vote))


def revoked(grant: Grant, by: str) -> Grant:
    """`grant`, ended by `by`; the first end counts."""
    return grant if grant.revoked_by is not None else replace(grant, revoked_by=by)


def used(grant: Grant, times: int = 1) -> Grant:
    """`grant` after `times` more actions under it."""
    return replace(grant, uses=grant.uses + times)
