"""What a call changed of what monitors and guarantees keep, as its records bear it: what later calls are judged by.

The key of a cell tells a guess at an argument, so that it is told to nobody: the argument is named, where it is known.
"""

from collections.abc import Iterator, Mapping
from typing import Final, assert_never

from remit.api.answers_recorded import MarkAnswer
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.facts.canonical import Json
from remit.facts.impact import shown
from remit.facts.mark import Mark, MarkOp
from remit.pdp.past_deltas import settled_past
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody, AdminBody, OutcomeBody

_GUARANTEE: Final = "guarantee/"


def marks(services: Services, action: Entry, *ends: Entry | None) -> list[MarkAnswer]:
    """The marks of the decision `action`, of its outcome and of what a person said of it, in this order."""
    body = action.body
    if not isinstance(body, ActionBody):
        return []
    tool = f"{body.server}/{body.name}"
    answers = [
        _mark_answer(services, action.record.bundle, tool, f"{entry.record.chain}.{entry.record.seq}", mark)
        for entry in (action, *ends)
        if entry is not None
        for mark in _marks_of(entry)
    ]
    # A guarantee that looks at each agent of a chain has a mark for each, alike but for the key.
    return list(dict.fromkeys(answers))


def _marks_of(entry: Entry) -> Iterator[Mark]:
    match entry.body:
        case ActionBody(marks=marks) | OutcomeBody(marks=marks):
            yield from marks
        case AdminBody() as settled:
            yield from (settled_mark.mark for settled_mark in settled_past(entry.record.at, settled))
        case _:
            return


def _mark_answer(services: Services, bundle: str, tool: str, record: str, mark: Mark) -> MarkAnswer:
    owner, _, _ = mark.ident.rpartition("~")
    kind = ResourceKind.GUARANTEE if owner.startswith(_GUARANTEE) else ResourceKind.MONITOR
    name = owner.removeprefix(_GUARANTEE)
    declared = services.runtime.declaration(bundle, kind, name) or {}
    # Of a guarantee, what it holds: its one member that is no text.
    declared = next((rule for rule in declared.values() if isinstance(rule, Mapping)), declared)
    did = _effect(mark, amount=declared.get("measure") == "amount")
    of = f" of this value of {argument}" if mark.key and (argument := _argument(declared, tool)) else ""
    over = "fleet" if mark.fleet else "session"
    within_s = mark.step_ms * mark.steps / 1000
    within = f" within {within_s:g} s" if within_s else ""
    return MarkAnswer(
        id=f"{kind.value.lower()}:{name}",
        record=record,
        does=mark.op.value,
        over=over,
        within_s=within_s or None,
        text=f"{did}{of}, over the {over}{within}",
    )


def _effect(mark: Mark, *, amount: bool) -> str:
    units = shown(mark.units) if amount else str(mark.units)
    match mark.op:
        case MarkOp.ADD:
            return f"{units} more"
        case MarkOp.BACK:
            return f"{units} taken back, since it did not happen"
        case MarkOp.RESET:
            return "what was counted is forgotten"
        case MarkOp.LAST:
            return f"the last was {mark.agent} for {mark.user}" if mark.user else f"the last was {mark.agent}"
        case MarkOp.BITS:
            numbers = [str(at + 1) for at in range(mark.units.bit_length()) if mark.units >> at & 1]
            return f"done: number {', '.join(numbers)} of what it keeps apart"
        case _:
            assert_never(mark.op)


def _argument(declared: Mapping[str, Json], tool: str) -> str | None:
    """The argument of `tool` whose value has a count of its own, as the resource declares it."""
    by, others = declared.get("by"), declared.get("others")
    for other in others if isinstance(others, list) else ():
        if isinstance(other, list) and other[:1] == [tool]:
            return str(other[-1])
    return by if isinstance(by, str) else None
