"""Records that judge no action, for people: what happened, where, what followed, and which incident names it."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias, cast

from pydantic import JsonValue

from remit.api.answers import RecordAnswer
from remit.api.answers_recorded import NamingAnswer, ReceiptAnswer, RecordedAnswer
from remit.api.moments import instant
from remit.api.records import bundle_changes, data_of, line_view, summary
from remit.api.services import Services
from remit.api.views import arguments_view, plain
from remit.facts.breaker import BreakerState, Trip
from remit.facts.canonical import Json
from remit.facts.finding import Find, labels_of
from remit.facts.record import Ref
from remit.facts.stop import read_subject, typed
from remit.pdp.findings import finding
from remit.ports.ledger import Entry
from remit.protect.detect.detectors import detected
from remit.protect.detect.locations import PLACES_MAX
from remit.trace.bodies import ActionBody, AdminBody, Event

EventStory: TypeAlias = Callable[[Services, AdminBody, ActionBody | None], Iterator[str]]
"""From a record, and the first action that it names, what people are told of it."""


async def recorded_answer(services: Services, entry: Entry, body: AdminBody) -> RecordedAnswer:
    """What the record `entry` says, and where it leads."""
    place = Ref(entry.record.chain, entry.record.seq)
    what = finding(place, entry.record.at, entry.record.kind, body)
    entries = [
        one for name in _named_records(body) if (one := await services.ledger.entry(Ref.parse(name))) is not None
    ]
    first = next((one.body for one in entries if isinstance(one.body, ActionBody)), None)
    story = _STORIES.get(body.event)
    return RecordedAnswer(
        id=str(place),
        kind=entry.record.kind.value,
        at=instant(entry.record.at),
        bundle=entry.record.bundle,
        sid=entry.record.sid,
        receipt=ReceiptAnswer(id=str(place), hash=entry.hash),
        event=body.event.value,
        by=body.by,
        subject=body.subject,
        text=summary(body) if what is None else what.title,
        told=[] if story is None else list(story(services, body, first)),
        said=cast("dict[str, JsonValue]", plain(data_of(body))),
        records=[line for one in entries for line in await _lines(services, one)],
        incident=await _incident(services, str(place)),
    )


def _named_records(body: AdminBody) -> list[str]:
    """The records that `body` names, each once."""
    names = [name for key in ("intent", "record") if isinstance(name := body.data.get(key), str)]
    return list(dict.fromkeys([*Trip(0, body.data).records, *names]))


async def _lines(services: Services, entry: Entry) -> list[RecordAnswer]:
    outcome = await services.ledger.outcome_of(Ref(entry.record.chain, entry.record.seq))
    return [line_view(entry)] if outcome is None else [line_view(entry), line_view(outcome)]


async def _incident(services: Services, record: str) -> NamingAnswer | None:
    incident = await services.incidents.of_record(record)
    if incident is None:
        return None
    return NamingAnswer(
        id=incident.ident, title=incident.title, state=incident.state.value, assignee=incident.assignee or None
    )


def _detection_story(_: Services, body: AdminBody, call: ActionBody | None) -> Iterator[str]:
    found = body.data.get("found")
    finds = [Find(one) for one in found if one in set(Find)] if isinstance(found, Mapping) else []
    labels = ", ".join(sorted(labels_of(finds)))
    if body.data.get("sent") is not True:
        yield f"in the result of the call: the session holds {labels} from then on, which policies see"
        yield from _places(body)
        return
    arguments = None if call is None else arguments_view(call.arguments)
    members = arguments if isinstance(arguments, dict) else {}
    names = [name for name, value in members.items() if detected(finds, cast("Json", {name: value}))]
    where = f"the arguments {', '.join(names)}" if names else "what was sent"
    yield f"in {where}: policies saw {labels} in context.sends when it was judged"


def _places(body: AdminBody) -> Iterator[str]:
    """Where in the result it was, as far as its record says so."""
    at = body.data.get("at")
    for find, places in sorted(at.items()) if isinstance(at, Mapping) else ():
        if isinstance(places, list) and places:
            more = " and perhaps elsewhere" if len(places) >= PLACES_MAX else ""
            yield f"{find} at {', '.join(map(str, places))}{more}"


def _trip_story(services: Services, body: AdminBody, _: ActionBody | None) -> Iterator[str]:
    for breaker, key, state, left_s, *_trip in services.driver.limit_admin.open_breakers:
        if key == body.subject:
            until = f" for {left_s:.0f} s more, then a trial may pass" if state is BreakerState.OPEN else ""
            yield f"it is {state.value} now{until}: remit breakers show {breaker.name}"
            return
    yield "it is closed again"


def _halt_story(services: Services, body: AdminBody, _: ActionBody | None) -> Iterator[str]:
    what = read_subject(body.subject)
    yield f"why: {body.data.get('reason', '')}"
    stop = next(iter(services.driver.halts.over([] if what is None else [what])), None)
    if stop is None:
        yield "it may act again"
    else:
        yield f"it stands; to let it act again: remit resume {typed(stop.target)}"


def _bundle_story(_: Services, body: AdminBody, __: ActionBody | None) -> Iterator[str]:
    yield from bundle_changes(body)
    before = body.data.get("from")
    if isinstance(before, str):
        yield f"with their lines: remit bundle diff {before} {body.subject}"


def _preview_story(_: Services, __: AdminBody, ___: ActionBody | None) -> Iterator[str]:
    yield "the tool was asked what it would do, for people to read before they decide"
    yield "its words were in memory alone, until a restart at the latest: the ledger has their digest, not their text"
    yield "the digest is the `result` of the outcome of the call below: remit why ID"


_STORIES: Final[Mapping[Event, EventStory]] = MappingProxyType(
    {
        Event.BUNDLE: _bundle_story,
        Event.DETECTED: _detection_story,
        Event.BREAKER_TRIPPED: _trip_story,
        Event.HALT: _halt_story,
        Event.APPROVAL_PREVIEWED: _preview_story,
    }
)
"""What is told of an event beside what its record holds."""
