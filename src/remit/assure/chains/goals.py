"""What must not be reached: by a permitted call, with data of a kind, or by one line of work doing two duties."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.assure.chains.moves import HIDDEN, Call
from remit.assure.chains.space import Space


class Goal(StrEnum):
    """The goals that are looked for wherever nothing else is said."""

    OUTSIDE = "confidential-outside"
    FINAL = "untrusted-final"
    DUTIES = "duties-together"


SAYS: Final = {
    Goal.OUTSIDE: "confidential data reaches a sink outside",
    Goal.FINAL: "what strangers wrote reaches a tool whose effect cannot be undone",
    Goal.DUTIES: "one line of work does two duties that are to be apart",
}
FAMILY: Final = {Goal.OUTSIDE: "confidential", Goal.FINAL: "untrusted"}
"""The family of labels whose data must not get there."""
OWASP: Final = {Goal.OUTSIDE: "ASI02", Goal.FINAL: "ASI01", Goal.DUTIES: "ASI03"}


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The `states` in which a call reaches `goal`."""

    goal: Goal
    states: int


def forbidden(space: Space, call: Call, done: frozenset[tuple[str, str]]) -> tuple[Forbidden, ...]:
    """In which states `call` reaches a goal; `done` are the duties done so far, with the tool that did them."""
    found: list[Forbidden] = []
    for goal, reaches in ((Goal.OUTSIDE, call.external), (Goal.FINAL, call.irreversible)):
        if reaches and (states := carrying(space, FAMILY[goal])):
            found.append(Forbidden(goal, states))
    if any(duty in call.duties and tool != call.tool for duty, tool in done):
        found.append(Forbidden(Goal.DUTIES, space.all))
    return tuple(found)


def carrying(space: Space, family: str) -> int:
    """The states in which data of `family` is at hand, whether its label is or not."""
    bits = [space.number[label] for label in (family, HIDDEN[family]) if label in space.number]
    states = 0
    for bit in bits:
        states |= space.held[bit]
    return states
