"""What people hold the arguments of a granted tool to, in place of what they saw there.

Law: a constraint alone bounds its argument, with what that carries and the measures that stand in nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace

from remit.escalate.grants import Bound, Constraint, GrantTerms
from remit.facts.canonical import Json
from remit.facts.pointer import steps
from remit.facts.tool import Tool
from remit.protect.token_kinds import CARRIED
from remit.protect.tokens import ordered_tokens


def constrained(terms: GrantTerms, constraints: tuple[Constraint, ...], tool: Tool | None) -> GrantTerms:
    """`terms` with `constraints` on arguments of `tool`: what was approved there bounds these no more."""
    names = frozenset(one.name for one in constraints)
    free = constrained_measures(tool, names)
    return replace(
        terms,
        values=frozenset(one for one in terms.values if names.isdisjoint(steps(one[0])[:1])),
        carried=terms.carried.union(*(_carried_in(one.value) for one in constraints if one.bound is Bound.EQUALS)),
        measures={name: value for name, value in terms.measures.items() if name not in free},
        constraints=constraints,
    )


def constrained_measures(tool: Tool | None, arguments: frozenset[str]) -> frozenset[str]:
    """The measures of `tool` that stand in `arguments`."""
    return (
        frozenset()
        if tool is None
        else frozenset(name for name, one in tool.impact.items() if one.argument in arguments)
    )


def carried_tokens(value: Json) -> set[str]:
    """The addresses, URLs and account numbers in a text."""
    return {token for token, kind in ordered_tokens(value) if kind in CARRIED} if isinstance(value, str) else set()


def _carried_in(value: Json) -> set[str]:
    """What all texts inside `value` carry."""
    inner = list(value.values()) if isinstance(value, Mapping) else value
    return set[str]().union(*map(_carried_in, inner)) if isinstance(inner, list) else carried_tokens(inner)
