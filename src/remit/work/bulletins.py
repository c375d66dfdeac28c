"""What channels hear of beside approvals: from records that say what happened to notices.

Laws
* A notice is a function of the record, so that it may be made again after any crash and is the same.
* Nothing leaves that an agent wrote: names that the workspace registers, and of others how long they are.
* Bounded: of one subject `HOURLY_MAX` notices of one topic leave in an hour; the ledger has all of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from remit.discover.sighting import Kind, parsed
from remit.escalate.notice import Notice, news
from remit.facts.canonical import Json
from remit.facts.catalog import Catalog, Topic
from remit.facts.durations import HOUR_MS
from remit.ports.ledger import Entry
from remit.trace.bodies import AdminBody, Event

HOURLY_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class BulletinRule:
    """How records of one event are told: the topic, and what of the record may leave; None: nobody needs to know."""

    topic: Topic
    data: Callable[[AdminBody, Catalog], Mapping[str, Json] | None]


def _drift(body: AdminBody, catalog: Catalog) -> Mapping[str, Json] | None:
    kind, follows, at = body.data.get("kind"), body.data.get("follows"), body.data.get("seen_ms")
    agent = body.subject.removeprefix(f"{Kind.AGENT.value}/")
    if follows == "record" or agent not in catalog.agents:
        return None
    subject_text = shown_name(str(body.data.get("after")), catalog)
    next_ = f"remit get inventory {body.subject}"
    return {"agent": agent, "kind": kind, "what": subject_text, "follows": follows, "seen_ms": at, "next": next_}


def _incident(body: AdminBody, catalog: Catalog) -> Mapping[str, Json]:
    del catalog
    members = {
        name: body.data[name] for name in ("title", "severity", "causes", "to", "resolution") if name in body.data
    }
    return {"incident": body.subject, "by": body.by, **members, "next": f"remit incidents show {body.subject}"}


def _worse(body: AdminBody, catalog: Catalog) -> Mapping[str, Json] | None:
    """What became worse is told as what opens: whoever has one open would else have all that follows kept quiet."""
    return _incident(body, catalog) if body.data.get("worse") is True else None


def _halt(body: AdminBody, catalog: Catalog) -> Mapping[str, Json]:
    """What was stopped or may act again, and by whom; why is for those who may read it."""
    del catalog
    holds = {"holds": str(body.data.get("holds", "all"))} if body.event is Event.HALT else {}
    return {"what": body.subject, "by": body.by, **holds, "next": "remit halt"}


BULLETINS: Final[Mapping[Event, BulletinRule]] = {
    Event.AGENT_DRIFTED: BulletinRule(Topic.DRIFT, _drift),
    Event.INCIDENT_OPENED: BulletinRule(Topic.INCIDENTS, _incident),
    Event.INCIDENT_SEEN: BulletinRule(Topic.INCIDENTS, _worse),
    Event.INCIDENT_ASSIGNED: BulletinRule(Topic.INCIDENTS, _incident),
    Event.INCIDENT_CLOSED: BulletinRule(Topic.INCIDENTS, _incident),
    Event.HALT: BulletinRule(Topic.HALTS, _halt),
    Event.RESUME: BulletinRule(Topic.HALTS, _halt),
}
"""Which events are told, by their topic."""


class Bulletins:
    """Makes notices, and remembers how many it made."""

    def __init__(self) -> None:
        self._hour = 0
        self._counts = Counter[tuple[Topic, str]]()

    def of(self, entries: Iterable[Entry], catalog: Catalog) -> Iterator[Notice]:
        """Those of `entries`, to every channel of `catalog` that is about them."""
        for entry in entries:
            body = entry.body
            bulletin = BULLETINS.get(body.event) if isinstance(body, AdminBody) else None
            if bulletin is None or not isinstance(body, AdminBody):
                continue
            channels = sorted(name for name, declared in catalog.channels.items() if bulletin.topic in declared.about)
            data = bulletin.data(body, catalog) if channels else None
            if data is None or not self._room(bulletin.topic, body.subject, entry.record.at):
                continue
            record = f"{entry.record.chain}.{entry.record.seq}"
            for channel in channels:
                yield news(body.event.value, record, data, channel, entry.record.at)

    def _room(self, topic: Topic, subject: str, at_ms: int) -> bool:
        hour = at_ms // HOUR_MS
        if hour != self._hour:
            self._hour = hour
            self._counts.clear()
        self._counts[topic, subject] += 1
        return self._counts[topic, subject] <= HOURLY_MAX


def shown_name(name: str, catalog: Catalog) -> str:
    """`name` of the inventory, where the workspace registers it; of another one its kind and how long it is."""
    try:
        parsed_name = parsed(name)
    except ValueError:
        return f"(text of {len(name)} characters)"
    registered: Mapping[Kind, Iterable[str]] = {
        Kind.AGENT: catalog.agents,
        Kind.SERVER: catalog.servers,
        Kind.TOOL: (f"{server}/{tool}" for server, tool in catalog.tools),
    }
    if not parsed_name.space and parsed_name.name in registered.get(parsed_name.kind, ()):
        return name
    return f"{parsed_name.kind.value} (not registered, a name of {len(parsed_name.name)} characters)"
