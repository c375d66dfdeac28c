"""What actions take from budgets, by the running bundle and by what memory has of the accounts."""

from remit.facts.action import Action
from remit.facts.budget import Draw
from remit.facts.impact import NONE, impact_of
from remit.facts.tool import Effect, Sink, Tool
from remit.policy.bundle import Bundle
from remit.protect.budgets import Accounts, BudgetIndex


class Purse:
    """The budgets of the bundle that it was asked about last."""

    def __init__(self) -> None:
        self._of: Bundle | None = None
        self._plan: BudgetIndex | None = None

    def draws(
        self, bundle: Bundle, accounts: Accounts, action: Action, tool: Tool | None, now_ms: int
    ) -> tuple[Draw, ...]:
        """What `action` would take; nothing is taken before its intent is queued, in the same step.

        INVARIANT(budget-never-overspent)
        """
        if bundle is not self._of:
            self._of, self._plan = bundle, BudgetIndex(bundle.catalog) if bundle.catalog.budgets else None
        plan = self._plan
        if plan is None:
            return ()
        return plan.draws(
            action,
            tool,
            lambda: impact_of(
                NONE if tool is None else tool.impact,
                action.input if tool is None else tool.with_defaults(action.input),
                reversible=tool is None or tool.effect is not Effect.IRREVERSIBLE,
                external=tool is not None and tool.sink is Sink.EXTERNAL,
            ),
            accounts,
            now_ms,
        )
