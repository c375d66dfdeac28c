"""Policies that read how sure an agent says it is: only so that saying so can make a verdict stricter.

An agent may say anything of itself, or nothing. So a permit may not look, and a forbid must not be switched off by what
is said: not by saying something, not by a higher number, not by who says it. A condition is walked with the sign under
which it counts; `!` and `unless` turn it. What the walk does not know counts as the wrong way round.
"""

from collections.abc import Mapping
from typing import Final, cast

from remit.facts.canonical import Json
from remit.policy.form import AttributePath, ParsedPolicy, PolicyEffect, accesses_of, chain_of, json_of
from remit.policy.parse import Statement

CONFIDENCE: Final = ("session", "confidence")
_VALUE: Final = (*CONFIDENCE, "value")
_SOURCE: Final = (*CONFIDENCE, "source")
_BELOW: Final = frozenset({"lessThan", "lessThanOrEqual"})
_ABOVE: Final = frozenset({"greaterThan", "greaterThanOrEqual"})

PERMITS: Final = "a permit must not hang on how sure an agent is: what it says of itself may only add a gate"
WIDENS: Final = (
    "an agent could switch this forbid off by what it says of itself: ask whether its confidence is below a number"
)
HINT: Final = "when { context.session has confidence && context.session.confidence.value.lessThan(decimal(…)) }"


def confidence_problem(statement: Statement, form: ParsedPolicy) -> str | None:
    """Why the policy must not read what it reads of an agent's confidence; None where it may, or does not."""
    if not any(_reads(access) for access in form.accesses):
        return None
    if form.effect is PolicyEffect.PERMIT:
        return PERMITS
    conditions = cast("list[Mapping[str, Json]]", json_of(statement)["conditions"])
    return None if all(_stricter(one["body"], sign=one["kind"] == "when") for one in conditions) else WIDENS


def _reads(access: AttributePath) -> bool:
    """Whether it looks at the confidence, at a part of it, or at something that holds it."""
    if access.root != "context" or (access.has and len(access.path) < len(CONFIDENCE)):
        return False
    shared = min(len(access.path), len(CONFIDENCE))
    return access.path[:shared] == CONFIDENCE[:shared]


def _silent(node: Json) -> bool:
    return not any(_reads(access) for access in accesses_of(node))


def _stricter(node: Json, *, sign: bool) -> bool:
    """Whether more is forbidden, or as much, once anything is said and the lower it is; `sign`: where true forbids."""
    if _silent(node):
        return True
    match node:
        case {"&&": {"left": left, "right": right}} | {"||": {"left": left, "right": right}}:
            return _stricter(left, sign=sign) and _stricter(right, sign=sign)
        case {"!": {"arg": inner}}:
            return _stricter(inner, sign=not sign)
        case {"if-then-else": {"if": test, "then": one, "else": other}} if _silent(test):
            return _stricter(one, sign=sign) and _stricter(other, sign=sign)
        case {"has": _}:
            return sign
        case {"==": {"left": left, "right": right}}:
            return sign and _asks_source(left, right)
        case _:
            # An operation is the one member of its node.
            members = node if isinstance(node, Mapping) else dict[str, Json]()
            return any(_compares(name, arguments, sign=sign) for name, arguments in members.items())


def _asks_source(left: Json, right: Json) -> bool:
    """Whether it asks who said so."""
    return (_is(left, _SOURCE) and _silent(right)) or (_is(right, _SOURCE) and _silent(left))


def _compares(name: str, arguments: Json, *, sign: bool) -> bool:
    """Whether it compares the number, in the direction that forbids more the lower it is."""
    if name not in _BELOW | _ABOVE or not isinstance(arguments, list) or len(arguments) != 2:
        return False
    left, right = arguments
    if _is(left, _VALUE) and _silent(right):
        return sign == (name in _BELOW)
    return _is(right, _VALUE) and _silent(left) and sign == (name in _ABOVE)


def _is(node: Json, path: tuple[str, ...]) -> bool:
    return chain_of(node) == ("context", path)
