"""What was done before, as budgets and monitors keep it: a fold of the records that are judged again, or made up."""

from remit.facts.action import Action
from remit.facts.budget import Draw
from remit.facts.record import RecordKind, Ref
from remit.facts.tool import Tool
from remit.pdp.apply import apply_budget
from remit.pdp.deltas import BudgetReset, Charged, Refunded
from remit.pdp.fold import fold
from remit.pdp.past_deltas import PastCarried, PastMarked
from remit.pdp.purse import Purse
from remit.policy.bundle import Bundle
from remit.protect.budgets import Accounts
from remit.protect.past import Past
from remit.trace.bodies import ActionBody, AdminBody, Body, OutcomeBody


class Before:
    """Accounts and cells as they stand under `bundle`, nothing done yet. Breakers count what is under way: not here."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._accounts = Accounts()
        self._purse = Purse()
        self.past = Past(whole=True)

    def draws(self, action: Action, tool: Tool | None, now_ms: int) -> tuple[Draw, ...]:
        """What `action` would take from budgets."""
        return self._purse.draws(self._bundle, self._accounts, action, tool, now_ms)

    def take(self, ref: Ref, at_ms: int, body: Body | None) -> None:
        """Follow from the record at `ref`, made at `at_ms`; from nothing, of one that is erased without a frame."""
        match body:
            case ActionBody():
                kind = RecordKind.INTENT if body.verdict == "permit" else RecordKind.PROPOSAL
            case OutcomeBody():
                kind = RecordKind.OUTCOME
            case AdminBody():
                kind = RecordKind.ADMIN
            case _:
                return
        for delta in fold(ref, at_ms, kind, body):
            match delta:
                case PastMarked():
                    self.past.take(*delta)
                case PastCarried(place, slot):
                    self.past.put(place, slot)
                case Charged() | Refunded() | BudgetReset():
                    apply_budget(self._accounts, delta)
                case _:
                    pass
