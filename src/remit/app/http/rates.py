"""What agents ask for elsewhere counts at the throttle of the enforcement points: one rate for each agent."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from remit.pep.throttle import BYTES_A_REQUEST, Busy, Throttle
from remit.ports.telemetry import TelemetryRefused


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


class ThrottledTelemetry:
    """Telemetry at `throttle`: a `TelemetryGate`. What it costs to read counts where it is read."""

    def __init__(self, throttle: Throttle) -> None:
        self._throttle = throttle

    @contextmanager
    def request(self, who: str) -> Generator[Callable[[bytes], None]]:
        """One export of `who`, from its first byte until it is answered."""
        try:
            with self._throttle.request(who):
                yield lambda body: self._throttle.charge(who, len(body) // BYTES_A_REQUEST)
        except Busy as busy:
            raise TelemetryRefused(busy.code, busy.text, status=busy.status, retry_s=busy.retry_s) from busy
