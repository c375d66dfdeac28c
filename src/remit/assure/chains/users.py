"""For whom sessions are searched: for nobody, and where policies look at that for one user of each kind.

What needs nobody's yes for one of them is a chain, whatever it needs for the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from remit.assure.chains.results import FoundChain, SearchAccount, SearchResult
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


def merge_results(results: Sequence[SearchResult], beyond: int = 0) -> SearchResult:
    """What was found for each of some users, as one: each chain once; `beyond` are kinds of users not looked at."""
    if len(results) == 1 and not beyond:
        return results[0]
    free = _distinct(chain for result in results for chain in result.unattended)
    known = {(chain.goal.name, chain.tool) for chain in free}
    asking = _distinct(
        chain for result in results for chain in result.attended if (chain.goal.name, chain.tool) not in known
    )
    held = _distinct(chain for result in results for chain in result.deferred)
    erring = dict.fromkeys(policy for result in results for policy in result.failing)
    return SearchResult(
        free, asking, tuple(erring), _merge_accounts([result.account for result in results], beyond), held
    )


def _distinct(chains: Iterator[FoundChain]) -> tuple[FoundChain, ...]:
    distinct: dict[_Key, FoundChain] = {}
    for chain in chains:
        distinct.setdefault((chain.goal.name, chain.tool, chain.agents), chain)
    return tuple(distinct.values())


def _merge_accounts(parts: Sequence[SearchAccount], beyond: int) -> SearchAccount:
    left = [f"{beyond} kinds of users beyond the first {USERS_MAX}"] if beyond else []
    return replace(
        parts[0],
        states=sum(part.states for part in parts),
        transitions=sum(part.transitions for part in parts),
        queries=sum(part.queries for part in parts),
        steps=max(part.steps for part in parts),
        stopped=next((part.stopped for part in parts if part.stopped is not None), None),
        omissions=tuple(dict.fromkeys([*(sentence for part in parts for sentence in part.omissions), *left])),
        assumed=tuple(dict.fromkeys(sentence for part in parts for sentence in part.assumed)),
    )
