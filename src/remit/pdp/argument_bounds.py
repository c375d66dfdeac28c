"""What people hold the arguments of a granted tool to, in place of what they saw there.

Law: a constraint alone bounds its argument, with what that carries and the measures that stand in nothing else.
"""

from collections.abc import Mapping
from dataclasses import replace

from remit.escalate.grants import Bound, Constraint, GrantTerms
from remit.facts.canonical import Json
from remit.facts.catalog import Tool
from remit.facts.pointer import steps
from remit.protect.pieces import CARRIED
from remit.protect.tokens import parts


def holding(made: GrantTerms, where: tuple[Constraint, ...], tool: Tool | None) -> GrantTerms:
    """The terms `made`, with arguments of `tool` held as people said: what was approved there bounds them no more."""
    held = frozenset(one.name for one in where)
    free = measured(tool, held)
    return replace(
        made,
        values=frozenset(one for one in made.values if held.isdisjoint(steps(one[0])[:1])),
        carried=made.carried.union(*(_carried_in(one.value) for one in where if one.bound is Bound.EQUALS)),
        measures={name: value for name, value in made.measures.items() if name not in free},
        constraints=where,
    )


def measured(tool: Tool | None, held: frozenset[str]) -> frozenset[str]:
    """The measures of `tool` that stand in `held` arguments."""
    return frozenset() if tool is None else frozenset(name for name, one in tool.impact.items() if one.argument in held)


def carried(value: Json) -> set[str]:
    """The addresses, URLs and account numbers in a text."""
    return {token for token, kind in parts(value) if kind in CARRIED} if isinstance(value, str) else set()


def _carried_in(value: Json) -> set[str]:
    """What all texts inside `value` carry."""
    inner = list(value.values()) if isinstance(value, Mapping) else value
    return set[str]().union(*map(_carried_in, inner)) if isinstance(inner, list) else carried(inner)
