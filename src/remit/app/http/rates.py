"""What agents ask of the control API counts at the throttle of the enforcement points: one rate for each agent."""

from collections.abc import Callable

from remit.pep.throttle import Busy, Throttle


def counting(throttle: Throttle) -> Callable[[str], None]:
    """Counts one request of whom it is called with at `throttle`, and raises `Problem` beyond his rate."""

    def count(who: str) -> None:
        try:
            throttle.charge(who, 1)
        except Busy as busy:
            # Loaded by now: only its routes count.
            from remit.api.problem import Problem

            after = {"Retry-After": str(busy.retry_s)}
            following = f"ask again in {busy.retry_s} s"
            raise Problem(
                busy.status, "not now", why=f"{busy.code}: {busy.text}", next=following, headers=after
            ) from busy

    return count
