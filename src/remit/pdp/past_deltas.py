"""What a record changes of what monitors and guarantees keep, and of what owners of guarantees let run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from remit.facts.canonical import Json
from remit.facts.guarantee import SignOff
from remit.facts.mark import Mark, MarkOp, Place
from remit.protect.past import KeyedCells
from remit.trace.bodies import AdminBody
from remit.trace.members import marks_of


class PastMarked(NamedTuple):
    """`mark`, of a record of `at_ms`, changes what is kept of `scope` (`facts.mark`)."""

    scope: str
    mark: Mark
    at_ms: int


@dataclass(frozen=True, slots=True)
class PastCarried:
    """What the ledger that a restored one replaces kept at `place` stands there from now on."""

    place: Place
    slot: KeyedCells


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The owner of a guarantee let run what breaks it by its scopes; the last word on it counts."""

    sign_off: SignOff


def reversals(marks: Iterable[Mark], at_ms: int) -> list[Json]:
    """What undoes `marks` of an intent of `at_ms` that did not happen, as the record that says so has it.

    Who did the last, and duties and powers that were used, stay: another call may have been the same.
    """
    return [[*mark._replace(op=MarkOp.BACK, at_ms=at_ms)] for mark in marks if mark.op is MarkOp.ADD]


def settled_past(at: int, body: AdminBody) -> tuple[PastMarked, ...]:
    """What an `intent.settled` record takes back; nothing of it that takes nothing back."""
    root = body.data.get("root")
    try:
        marks = marks_of(body.data.get("marks", []))
    except ValueError:
        return ()
    if not isinstance(root, str):
        return ()
    backs = (mark for mark in marks if mark.op is MarkOp.BACK and mark.at_ms is not None)
    return tuple(PastMarked(mark.scope(root), mark, at) for mark in backs)
