"""Changes of the inventory put on record, drift told with before and after, and what is configured to follow it.

What follows only tightens: sessions end. A person lets an agent begin again by a token, and says that what it does now
is what is expected of it (`remit inventory accept`).
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from remit.discover.drift import Drift, Follow, follow
from remit.discover.inventory import Change
from remit.discover.sighting import Kind
from remit.facts.canonical import Json
from remit.facts.session import Session
from remit.trace.bodies import AdminBody, Event

_LOG: Final = logging.getLogger(__name__)
BY: Final = "discovery"
CHANGES_MAX: Final = 100
"""Changes that one record lists; how many more there were is a number."""
SESSIONS_MAX: Final = 1_000
_KNOWN_OTHERWISE: Final = frozenset({"workspace", "ledger"})
"""What the records of bundles and of actions say already."""


class Sessions(Protocol):
    """The sessions of the ledger."""

    async def sessions(self, limit: int) -> Sequence[Session]:
        """The latest started sessions, newest first."""
        ...


class Drifts:
    """Records and tightens. `annotations` are those of an agent's resource, by its name."""

    def __init__(
        self,
        record: Callable[[AdminBody], Awaitable[object]],
        end: Callable[[str, str], Awaitable[object]],
        sessions: Sessions,
        annotations: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._record = record
        self._end = end
        self._sessions = sessions
        self._annotations = annotations
        self._changes: list[Change] = []
        self._drifts: list[Drift] = []

    async def tell(self, changes: Iterable[Change], drifts: Iterable[Drift]) -> None:
        """Put these on record, and do what follows. What cannot be recorded now is recorded at the next turn."""
        self._changes += [change for change in changes if change.source not in _KNOWN_OTHERWISE]
        self._drifts += drifts
        while self._drifts:
            drift = self._drifts[0]
            await self._follow(drift)
            del self._drifts[0]
        if self._changes:
            listed = [_told(change) for change in self._changes[:CHANGES_MAX]]
            more = len(self._changes) - len(listed)
            await self._record(AdminBody(Event.INVENTORY_CHANGED, BY, "inventory", {"changes": listed, "more": more}))
            self._changes.clear()

    async def _follow(self, drift: Drift) -> None:
        agent = drift.subject.name if drift.subject.kind is Kind.AGENT and not drift.subject.space else None
        follows = Follow.RECORD if agent is None else follow(self._annotations(agent))
        data: dict[str, Json] = {
            "kind": drift.kind,
            "before": drift.before,
            "after": drift.after,
            "source": drift.source,
            "seen_ms": drift.at,
            "follows": follows.value,
        }
        await self._record(AdminBody(Event.AGENT_DRIFTED, BY, str(drift.subject), data))
        if follows is not Follow.RECORD:
            _LOG.warning("an agent drifted", extra={"agent": agent, "kind": drift.kind, "follows": follows.value})
        if follows is Follow.STOP and agent is not None:
            for session in await self._sessions.sessions(SESSIONS_MAX):
                if session.agent == agent and session.ended_ms is None:
                    await self._end(session.sid, BY)


def _told(change: Change) -> Json:
    told = {"what": change.what.value, "subject": str(change.subject), "source": change.source}
    more = {"key": change.key, "before": change.before, "after": change.after}
    return {**told, **{key: value for key, value in more.items() if value}}
