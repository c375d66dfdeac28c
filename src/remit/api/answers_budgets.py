"""What the API answers of budgets."""

from remit.api.answers import Answer


class BudgetResetAnswer(Answer):
    """Whose accounts of `budget` begin anew, and the records that say so."""

    budget: str
    reset: list[str]
    records: list[str]
