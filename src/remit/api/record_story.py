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

Telling: TypeAlias = Callable[[Services, AdminBody, ActionBody | None], Iterator[str]]
"""From a record, and the first action that it names, what people are told of it."""


async def recorded(services: Services, entry: Entry, body: AdminBody) -> RecordedAnswer:
    """What the record `entry` says, and where it leads."""
    place = Ref(entry.record.chain, entry.record.seq)
    found = finding(place, entry.record.at, entry.record.kind, body)
    named = [one for name in _named(body) if (one := await services.ledger.entry(Ref.parse(name))) is not None]
    first = next((one.body for one in named if isinstance(one.body, ActionBody)), None)
    telling = _TOLD.get(body.event)
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
        text=summary(body) if found is None else found.title,
        told=[] if telling is None else list(telling(services, body, first)),
        said=cast("dict[str, JsonValue]", plain(data_of(body))),
        records=[line for one in named for line in await _lines(services, one)],
        incident=await _incident(services, str(place)),
    )


def _named(body: AdminBody) -> list[str]:
    """The records that `body` names, each once."""
    one = [name for key in ("intent", "record") if isinstance(name := body.data.get(key), str)]
    return list(dict.fromkeys([*Trip(0, body.data).records, *one]))


async def _lines(services: Services, entry: Entry) -> list[RecordAnswer]:
    outcome = await services.ledger.outcome_of(Ref(entry.record.chain, entry.record.seq))
    return [line_view(entry)] if outcome is None else [line_view(entry), line_view(outcome)]


async def _incident(services: Services, record: str) -> NamingAnswer | None:
    found = await services.incidents.naming(record)
    if found is None:
        return None
    return NamingAnswer(id=found.ident, title=found.title, state=found.state.value, assignee=found.assignee or None)


def _detected(_: Services, body: AdminBody, call: ActionBody | None) -> Iterator[str]:
    said = body.data.get("found")
    finds = [Find(one) for one in said if one in set(Find)] if isinstance(said, Mapping) else []
    labels = ", ".join(sorted(labels_of(finds)))
    if body.data.get("sent") is not True:
        yield f"in the result of the call: the session holds {labels} from then on, which policies see"
        yield from _places(body)
        return
    given = None if call is None else arguments_view(call.arguments)
    members = given if isinstance(given, dict) else {}
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


def _tripped(services: Services, body: AdminBody, _: ActionBody | None) -> Iterator[str]:
    for breaker, key, state, left_s, *_trip in services.driver.limit_admin.tripped:
        if key == body.subject:
            until = f" for {left_s:.0f} s more, then a trial may pass" if state is BreakerState.OPEN else ""
            yield f"it is {state.value} now{until}: remit breakers show {breaker.name}"
            return
    yield "it is closed again"


def _halted(services: Services, body: AdminBody, _: ActionBody | None) -> Iterator[str]:
    what = read_subject(body.subject)
    yield f"why: {body.data.get('reason', '')}"
    stands = next(iter(services.driver.halts.over([] if what is None else [what])), None)
    if stands is None:
        yield "it may act again"
    else:
        yield f"it stands; to let it act again: remit resume {typed(stands.what)}"


def _ran(_: Services, body: AdminBody, __: ActionBody | None) -> Iterator[str]:
    yield from bundle_changes(body)
    before = body.data.get("from")
    if isinstance(before, str):
        yield f"with their lines: remit bundle diff {before} {body.subject}"


def _previewed(_: Services, __: AdminBody, ___: ActionBody | None) -> Iterator[str]:
    yield "the tool was asked what it would do, for people to read before they decide"
    yield "its words were in memory alone, until a restart at the latest: the ledger has their digest, not their text"
    yield "the digest is the `result` of the outcome of the call below: remit why ID"


_TOLD: Final[Mapping[Event, Telling]] = MappingProxyType(
    {
        Event.BUNDLE: _ran,
        Event.DETECTED: _detected,
        Event.BREAKER_TRIPPED: _tripped,
        Event.HALT: _halted,
        Event.APPROVAL_PREVIEWED: _previewed,
    }
)
"""What is told of an event beside what its record holds."""
