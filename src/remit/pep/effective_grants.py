"""The grants that hold for a chain of agents at this moment.

Whether all have given a grant whom the running bundle asks is found out once for each bundle and number of votes, since
this is asked for every action of a chain that has one.
"""

from collections.abc import Callable
from typing import Final

from remit.escalate.grants import Grant, as_approval
from remit.escalate.quorum import complete
from remit.facts.agent import Authority
from remit.pep.memory import Memory
from remit.policy.bundle import Bundle

_KEPT_MAX: Final = 1_000


class EffectiveGrants:
    """Looked up by the decision engine. `current` gives the running bundle."""

    def __init__(self, memory: Memory, current: Callable[[], Bundle]) -> None:
        self._memory = memory
        self._current = current
        self._complete: dict[tuple[str, str, int], bool] = {}

    def of(self, authority: Authority, now_ms: int) -> tuple[Grant, ...]:
        """Those that may lift gates for `authority`, the oldest first."""
        grants = self._memory.grants.of(authority)
        if not grants:
            return ()
        return tuple([grant for grant in grants if grant.spent(now_ms) is None and self._by_all(grant)])

    def _by_all(self, grant: Grant) -> bool:
        bundle = self._current()
        key = (grant.ident, bundle.digest, len(grant.votes))
        is_complete = self._complete.get(key)
        if is_complete is None:
            if len(self._complete) >= _KEPT_MAX:
                self._complete.clear()
            is_complete = self._complete[key] = complete(
                as_approval(grant), bundle.catalog.routes, bundle.catalog.users
            )
        return is_complete
