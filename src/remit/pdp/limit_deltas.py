"""What a record changes of breakers and of the accounts of budgets."""

from remit.facts.breaker import Trip
from remit.facts.budget import carried_balance, reset_moment
from remit.pdp.deltas import BudgetReset, Charged, Closed, Delta, Tripped
from remit.trace.bodies import AdminBody, Event


def of_limit(at: int, body: AdminBody) -> tuple[Delta, ...]:
    """What a trip, a closing, a new beginning or an account that was carried over of the moment `at` changes."""
    match body.event:
        case Event.BREAKER_TRIPPED:
            return (Tripped(body.subject, Trip(at, body.data)),)
        case Event.BREAKER_CLOSED:
            return (Closed(body.subject),)
        case Event.BUDGET_RESET:
            return (BudgetReset(body.subject, reset_moment(body.data)),)
        case _:
            since_ms, units = carried_balance(body.data)
            return (Charged(body.subject, since_ms, units),) if units > 0 else ()
