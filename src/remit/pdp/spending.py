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


def budget_problem(snapshot: Snapshot, action: Action, destination: Destination) -> Reason | None:
    """Why a budget does not allow the action."""
    for draw in snapshot.draws:
        if draw.exceeds:
            code = Code.BUDGET_UNMEASURED if draw.units is None else Code.BUDGET_SPENT
            return Reason(code, spent_text(draw) + _size(draw, action, destination), draw.budget.policy)
    return None


def with_budget_gates(snapshot: Snapshot, action: Action, ruling: Ruling) -> Ruling:
    """`ruling`, with a gate for each budget of which this would take more than its soft threshold."""
    much = [draw for draw in snapshot.draws if draw.escalates]
    if not much or isinstance(ruling.verdict, Deny):
        return ruling
    gates = {gate_of(draw) for draw in much}
    reasons = tuple(
        [
            Reason(Code.GATE, soft_text(draw) + _size(draw, action, ruling.destination), draw.budget.policy)
            for draw in much
        ]
    )
    agents = snapshot.bundle.catalog.agents
    if all(agents[name].mode is Mode.OBSERVE for name in action.authority.agents):
        observed = ruling.observed or Escalate(tuple(sorted(gates)), ruling.verdict.obligations)
        return ruling._replace(observed=observed, reasons=(*ruling.reasons, *reasons))
    if isinstance(ruling.verdict, Escalate):
        gates |= set(ruling.verdict.gates)
    verdict = Escalate(tuple(sorted(gates)), ruling.verdict.obligations)
    return ruling._replace(verdict=verdict, reasons=(*reasons, *ruling.reasons))


def _size(draw: Draw, action: Action, destination: Destination | None) -> str:
    """What is to be said of an amount that is below zero."""
    is_amount = draw.budget.measure is Measure.AMOUNT and draw.units is not None
    if not is_amount or destination is None or destination.tool is None:
        return ""
    return _SIZE if below_zero(destination.tool.impact, action.input) else ""


def gate_of(draw: Draw) -> Gate:
    """The gate before what goes beyond the soft threshold: as the budget is now, and by its route."""
    budget = draw.budget
    return Gate(budget.policy, budget.route or "", budget.text_hash)
