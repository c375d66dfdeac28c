"""Routes of the inventory: what was found, what of it is governed, and what people say of it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from remit.api.access import caller_name
from remit.api.answers_inventory import (
    ClaimAnswer,
    ConditionAnswer,
    CoverageAnswer,
    CoverageRow,
    InventoryAnswer,
    InventoryEntryAnswer,
    InventoryLinkAnswer,
    SightAnswer,
    SourceAnswer,
    TraitAnswer,
    TroubleAnswer,
)
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.interfaces.discovery import CoverageCount
from remit.api.moments import instant
from remit.api.problem import Problem, not_found
from remit.api.requests_inventory import ClaimRequest, SettledRequest, SightingsRequest
from remit.api.services import Services
from remit.discover.entry import InventoryEntry
from remit.discover.health import SourceState
from remit.discover.reconcile import PassageCounts, total
from remit.discover.sighting import Kind, SourceConfidence, Subject, Verb, parsed
from remit.discover.sighting_json import from_json

router = APIRouter(route_class=GuardedRoute, tags=["inventory"])

ENTRIES_MAX = 10_000
NameOf = Annotated[str, Path(min_length=3, max_length=400)]


@router.get("/inventory")
async def inventory(
    services: With,
    _: ByReader,
    kind: Annotated[Kind | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=ENTRIES_MAX)] = 1000,
) -> InventoryAnswer:
    """What was found, in order of names."""
    listing = await services.discovery.listed(kind, limit)
    return InventoryAnswer(
        items=[entry_view(entry) for entry in listing.items],
        total=listing.total,
        refused=dict(listing.refused),
        troubles=[
            TroubleAnswer(code=trouble.code, where=trouble.where, why=trouble.why) for trouble in listing.troubles
        ],
        sources=[_source(state) for state in services.discovery.states()],
    )


@router.get("/inventory/{name:path}")
async def one_entry(name: NameOf, services: With, _: ByReader) -> InventoryEntryAnswer:
    """One entry, by any of its names."""
    return entry_view(await _entry(services, name))


@router.post("/claims")
async def claim(request: ClaimRequest, services: With, caller: ByAdmin) -> InventoryEntryAnswer:
    """Say that two names are one, or that they are not."""
    one, other = subject_of(request.one), subject_of(request.other)
    verb = Verb.SAME if request.same else Verb.APART
    if one == other or one.kind is not other.kind:
        raise Problem(400, "these are not two names of one kind", next="remit get inventory")
    try:
        await services.discovery.claim(one, other, verb, caller_name(caller))
    except KeyError as error:
        raise not_found(f"entry in the inventory: {error.args[0]}", "remit get inventory") from error
    return entry_view(await _entry(services, request.one))


@router.post("/settled")
async def accept(request: SettledRequest, services: With, caller: ByAdmin) -> InventoryEntryAnswer:
    """Accept what an agent does now: what it begins to use from here on is drift."""
    entry = await _entry(services, request.name)
    await services.discovery.accept(entry.subject, caller_name(caller))
    return entry_view(await _entry(services, request.name))


@router.post("/sightings")
async def take(request: SightingsRequest, services: With, caller: ByAdmin) -> InventoryAnswer:
    """Fold in what a source outside of the service saw."""
    try:
        sightings = [from_json(sighting) for sighting in request.sightings]
    except ValueError as error:
        raise Problem(400, "this is no sighting", why=str(error)) from error
    if any(sighting.confidence >= SourceConfidence.ENFORCED for sighting in sightings):
        raise Problem(400, "this is no sighting", why="what is enforced or stated is known here, not handed over")
    await services.discovery.take(sightings, caller_name(caller))
    return InventoryAnswer(items=[], total=len(sightings), refused={}, troubles=[], sources=[])


@router.get("/coverage")
async def coverage(
    services: With,
    _: ByReader,
    by: Annotated[Literal["agent", "team", "day"], Query()] = "agent",
    days: Annotated[int, Query(ge=1, le=400)] = 7,
) -> CoverageAnswer:
    """The share of seen actions that passed an enforcement point."""
    rows = await services.discovery.coverage(by, days)
    # An agent may be in several teams, and is counted once.
    each = rows if by != "team" else await services.discovery.coverage("agent", days)
    whole = CoverageCount("total", total(row.counts for row in each), 0, sum(row.models for row in each))
    return CoverageAnswer(by=by, days=days, items=[_row(row) for row in rows], total=_row(whole))


def subject_of(name: str) -> Subject:
    """The subject written as `name`; 400 where it is none."""
    try:
        return parsed(name)
    except ValueError as error:
        raise Problem(400, "this names nothing in the inventory", why=str(error), next="remit get inventory") from error


def entry_view(entry: InventoryEntry) -> InventoryEntryAnswer:
    """`entry` as it is answered."""
    return InventoryEntryAnswer(
        name=str(entry.subject),
        kind=entry.subject.kind.value,
        names=[str(name) for name in entry.names],
        registered=entry.registered,
        owner=entry.owner,
        first=instant(entry.first_ms),
        last=instant(entry.last_ms),
        confidence=word(entry.confidence),
        sources=sorted({sight.source for sight in entry.sights}),
        passed=entry.counts.passed,
        observed=entry.counts.observed,
        conditions=[
            ConditionAnswer(type=one.type.value, status=one.status.value, reason=one.reason, message=one.message)
            for one in entry.conditions
        ],
        links=[
            InventoryLinkAnswer(
                verb=link.verb.value,
                to=str(link.to),
                first=instant(link.first_ms),
                last=instant(link.last_ms),
                confidence=word(link.confidence),
                by=list(link.by),
                evidence=link.evidence,
            )
            for link in entry.links
        ],
        seen=[
            SightAnswer(
                name=str(sight.name),
                source=sight.source,
                first=instant(sight.first_ms),
                last=instant(sight.last_ms),
                count=sight.count,
                confidence=word(sight.confidence),
                evidence=sight.evidence,
            )
            for sight in entry.sights
        ],
        traits=[
            TraitAnswer(key=trait.key, value=trait.value, source=trait.source, at=instant(trait.at))
            for trait in entry.traits
        ],
        because=[
            ClaimAnswer(
                one=str(one.first),
                other=str(one.second),
                source=one.source,
                confidence=word(one.confidence),
                evidence=one.evidence,
            )
            for one in entry.because
        ],
    )


def word(confidence: SourceConfidence) -> str:
    """How a confidence is written."""
    return confidence.name.lower()


def _source(state: SourceState) -> SourceAnswer:
    return SourceAnswer(
        name=state.name,
        healthy=state.status.value,
        reason=state.reason,
        message=state.message,
        last=None if state.at_ms is None else instant(state.at_ms),
    )


async def _entry(services: Services, name: str) -> InventoryEntry:
    entry = await services.discovery.entry(subject_of(name))
    if entry is None:
        raise not_found(f"entry in the inventory: {name}", "remit get inventory")
    return entry


def _row(row: CoverageCount) -> CoverageRow:
    counts: PassageCounts = row.counts
    total = counts.passed + counts.observed
    share = round(counts.passed / total, 4) if total else None
    return CoverageRow(
        name=row.name,
        agents=row.agents,
        passed=counts.passed,
        observed=counts.observed,
        coverage=share,
        models=row.models,
    )
