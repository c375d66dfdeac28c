"""Changes of the inventory put on record, drift told with before and after, and what is configured to follow it.

What follows only tightens: the agent is halted, or may read and not act. A person lets it act again (`remit resume`),
and says that what it does now is what is expected of it (`remit inventory accept`).
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from remit.discover.drift import Drift, Follow, follow
from remit.discover.inventory import InventoryChange, InventoryChangeKind
from remit.discover.sighting import Kind, clipped
from remit.facts.canonical import Json
from remit.facts.stop import Stop, StopKind, StopScope, StopTarget
from remit.trace.bodies import AdminBody, Event

_LOG: Final = logging.getLogger(__name__)
BY: Final = "discovery"
CHANGES_MAX: Final = 100
"""Changes that one record lists; how many more there were is a number."""
HOLDS: Final = {Follow.QUARANTINE: StopScope.ACTING, Follow.STOP: StopScope.ALL}
"""What an agent that drifted is stopped from."""
_KNOWN_OTHERWISE: Final = frozenset({"workspace", "ledger"})
"""What the records of bundles and of actions say already."""


class Stops(Protocol):
    """Who stops agents (`api.interfaces.stops`)."""

    @property
    def stops(self) -> Sequence[Stop]:
        """What is stopped."""
        ...

    async def halt(self, what: StopTarget, by: str, reason: str, holds: StopScope = StopScope.ALL) -> object:
        """Stop `what` until a person resumes it."""
        ...


class Drifts:
    """Records and tightens. `annotations` are those of an agent's resource, by its name."""

    def __init__(
        self,
        record: Callable[[AdminBody], Awaitable[object]],
        stops: Stops,
        annotations: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._record = record
        self._stops = stops
        self._annotations = annotations

    async def tell(self, changes: Iterable[InventoryChange], drifts: Iterable[Drift]) -> None:
        """Put these on record, and do what follows. Where it raises, all of them are to be told again."""
        for drift in drifts:
            await self._follow(drift)
        notable = [change for change in changes if change.source not in _KNOWN_OTHERWISE]
        if notable:
            # Of more than one record lists, a new agent is what people should see.
            notable.sort(
                key=lambda change: (change.kind, change.subject.kind) != (InventoryChangeKind.FOUND, Kind.AGENT)
            )
            shown_changes = [_change_json(change) for change in notable[:CHANGES_MAX]]
            data: dict[str, Json] = {"changes": shown_changes, "more": len(notable) - len(shown_changes)}
            await self._record(AdminBody(Event.INVENTORY_CHANGED, BY, "inventory", data))

    async def _follow(self, drift: Drift) -> None:
        agent = drift.subject.name if drift.subject.kind is Kind.AGENT and not drift.subject.space else None
        follows = Follow.RECORD if agent is None else follow(self._annotations(agent), of_another=drift.is_of_another)
        if agent is not None and follows in HOLDS:
            # First what keeps it from doing more, then the record of why.
            await self._stop(agent, HOLDS[follows], f"{drift.kind}: {drift.after}")
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
            _LOG.warning("an agent drifted", extra={"agent": agent, "code": drift.kind})

    async def _stop(self, agent: str, holds: StopScope, why: str) -> None:
        """Stop `agent`, never loosening what it is stopped from already."""
        what = (StopKind.AGENT, agent)
        already = next((stop.scope for stop in self._stops.stops if stop.target == what), holds)
        if already is not holds:
            holds = StopScope.ALL
        if not any(stop.target == what and stop.scope is holds for stop in self._stops.stops):
            await self._stops.halt(what, BY, clipped(why), holds)


def _change_json(change: InventoryChange) -> Json:
    members = {"what": change.kind.value, "subject": str(change.subject), "source": change.source}
    more = {"key": change.key, "before": change.before, "after": change.after}
    return {**members, **{key: value for key, value in more.items() if value}}
