"""For whom sessions are searched: for nobody, and where policies look at that for one user of each kind.

What needs nobody's yes for one of them is a chain, whatever it needs for the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from remit.assure.chains.results import Chained, Searched, SearchResult
from remit.facts.catalog import Catalog
from remit.policy.bundle import Bundle
from remit.policy.schema import NAMESPACE
from remit.policy.slice import Slice

USERS_MAX: Final = 16
"""How many kinds of users are looked at."""

_Key: TypeAlias = tuple[str, str, tuple[str, ...]]


def users(bundle: Bundle, slices: Iterable[Slice]) -> tuple[str | None, ...]:
    """Nobody, and one of each kind of users that the policies of `slices` can tell apart."""
    if not any("onBehalfOf" in part.looks for part in slices):
        return (None,)
    named = {uid for policy in bundle.policies.values() for uid in policy.form.entities}
    return (None, *_kinds(bundle.catalog, {name for kind, name in named if kind == f"{NAMESPACE}::User"}))


def _kinds(catalog: Catalog, named: set[str]) -> Iterable[str]:
    kinds: dict[tuple[object, ...], str] = {}
    for user in catalog.users.values():
        kinds.setdefault((user.groups, user.name if user.name in named else None), user.name)
    return kinds.values()


def united(results: Sequence[SearchResult], beyond: int = 0) -> SearchResult:
    """What was found for each of some users, as one: each chain once; `beyond` are kinds of users not looked at."""
    if len(results) == 1 and not beyond:
        return results[0]
    free = _once(one for result in results for one in result.free)
    known = {(one.goal.name, one.tool) for one in free}
    asking = _once(one for result in results for one in result.asking if (one.goal.name, one.tool) not in known)
    held = _once(one for result in results for one in result.held)
    erring = dict.fromkeys(one for result in results for one in result.erring)
    return SearchResult(free, asking, tuple(erring), _searched([one.searched for one in results], beyond), held)


def _once(chains: Iterator[Chained]) -> tuple[Chained, ...]:
    found: dict[_Key, Chained] = {}
    for one in chains:
        found.setdefault((one.goal.name, one.tool, one.agents), one)
    return tuple(found.values())


def _searched(parts: Sequence[Searched], beyond: int) -> Searched:
    left = [f"{beyond} kinds of users beyond the first {USERS_MAX}"] if beyond else []
    return replace(
        parts[0],
        states=sum(one.states for one in parts),
        transitions=sum(one.transitions for one in parts),
        asked=sum(one.asked for one in parts),
        steps=max(one.steps for one in parts),
        stopped=next((one.stopped for one in parts if one.stopped is not None), None),
        left=tuple(dict.fromkeys([*(said for one in parts for said in one.left), *left])),
        assumed=tuple(dict.fromkeys(said for one in parts for said in one.assumed)),
    )
