"""Budgets inside `decide`: what is not to be had is denied, whatever policy says; what is much is for people.

`observe` overrides a soft threshold, as it overrides policy; a hard one it does not.
INVARIANT(budget-never-overspent)
"""

from typing import Final

from remit.facts.action import Action
from remit.facts.agent import Mode
from remit.facts.budget import Draw, Measure
from remit.facts.impact import below_zero
from remit.pdp.effects import Ruling
from remit.pdp.snapshot import Snapshot
from remit.policy.destination import Destination
from remit.policy.verdict import Code, Deny, Escalate, Gate, Reason
from remit.protect.budgets import soft_text, spent_text

_SIZE: Final = " (below zero: an amount counts by its size)"


def overspent(snapshot: Snapshot, action: Action, reached: Destination) -> Reason | None:
    """Why a budget does not allow the action."""
    for draw in snapshot.draws:
        if draw.exceeds:
            code = Code.BUDGET_UNMEASURED if draw.units is None else Code.BUDGET_SPENT
            return Reason(code, spent_text(draw) + _size(draw, action, reached), draw.budget.policy)
    return None


def thrifty(snapshot: Snapshot, action: Action, judged: Ruling) -> Ruling:
    """`judged`, with a gate for each budget of which this would take more than its soft threshold."""
    much = [draw for draw in snapshot.draws if draw.escalates]
    if not much or isinstance(judged.verdict, Deny):
        return judged
    gates = {gate_of(draw) for draw in much}
    said = tuple(
        [Reason(Code.GATE, soft_text(draw) + _size(draw, action, judged.reached), draw.budget.policy) for draw in much]
    )
    agents = snapshot.bundle.catalog.agents
    if all(agents[name].mode is Mode.OBSERVE for name in action.authority.agents):
        observed = judged.observed or Escalate(tuple(sorted(gates)), judged.verdict.obligations)
        return judged._replace(observed=observed, reasons=(*judged.reasons, *said))
    if isinstance(judged.verdict, Escalate):
        gates |= set(judged.verdict.gates)
    verdict = Escalate(tuple(sorted(gates)), judged.verdict.obligations)
    return judged._replace(verdict=verdict, reasons=(*said, *judged.reasons))


def _size(draw: Draw, action: Action, reached: Destination | None) -> str:
    """What is to be said of an amount that is below zero."""
    counted = draw.budget.measure is Measure.AMOUNT and draw.units is not None
    if not counted or reached is None or reached.tool is None:
        return ""
    return _SIZE if below_zero(reached.tool.impact, action.input) else ""


def gate_of(draw: Draw) -> Gate:
    """The gate before what goes beyond the soft threshold: as the budget is now, and by its route."""
    budget = draw.budget
    return Gate(budget.policy, budget.route or "", budget.text_hash)
