"""The grants that decisions read, found by whom they are for: what an action costs hangs on its own chain's grants.

Laws
* It changes by the deltas of `pdp.fold` alone.
* One that ended lifts nothing: after the next turn no action looks at it any more, and it is kept for people for a
  while. One that ran out stays so until the next start, also by a clock that is set back.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

from remit.escalate.grants import Grant
from remit.facts.agent import Authority
from remit.facts.record import Ref
from remit.pdp.apply import apply_grant
from remit.pdp.deltas import GrantDelta, GrantVoted

ENDED_MAX: Final = 1_000
"""How many are kept that ended."""

_For = tuple[tuple[str, ...], str | None]
"""The agents of a chain, and its user."""


class GrantIndex:
    """All that last, and those that ended of late; who looks asks each whether it is spent by now."""

    def __init__(self) -> None:
        self._grants: dict[str, Grant] = {}
        self._lasting: dict[_For, dict[str, Grant]] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self.changed: Ref | None = None
        """The record that changed one of them last: what is here is on disk once that is."""
        self.count = 0
        """How often people granted something since the service began."""

    def load(self, grants: Iterable[Grant], now_ms: int) -> None:
        """Take in those that last, the oldest first."""
        for grant in grants:
            if grant.spent(now_ms) is None:
                self._keep(grant)

    def apply(self, ref: Ref, delta: GrantDelta) -> None:
        """Change by what the record at `ref` says."""
        self.changed = ref
        self.count += isinstance(delta, GrantVoted)
        grant = apply_grant(self._grants.get(delta.ident), delta)
        if grant is not None:
            self._keep(grant)

    def forget(self, now_ms: int) -> None:
        """Have those that ended looked at no more."""
        ended = [
            grant_
            for grants in self._lasting.values()
            for grant_ in grants.values()
            if grant_.spent(now_ms) is not None
        ]
        for grant in ended:
            self._end(grant)

    def of(self, authority: Authority) -> tuple[Grant, ...]:
        """Those for the chain of `authority` and its user that had not ended at the last turn, the oldest first."""
        grants = self._lasting.get((authority.agents, authority.user))
        return () if grants is None else tuple(grants.values())

    def get(self, ident: str) -> Grant | None:
        """The grant `ident`, while it lasts or where it ended of late."""
        return self._grants.get(ident)

    def every(self) -> tuple[Grant, ...]:
        """Those known, the oldest first."""
        return tuple(self._grants.values())

    def _keep(self, grant: Grant) -> None:
        self._grants[grant.ident] = grant
        if grant.ident not in self._ended:
            self._lasting.setdefault(_for(grant), {})[grant.ident] = grant

    def _end(self, grant: Grant) -> None:
        lasting = self._lasting[_for(grant)]
        del lasting[grant.ident]
        if not lasting:
            del self._lasting[_for(grant)]
        self._ended[grant.ident] = None
        if len(self._ended) > ENDED_MAX:
            oldest, _ = self._ended.popitem(last=False)
            del self._grants[oldest]


def _for(grant: Grant) -> _For:
    return grant.terms.agents, grant.terms.user
