"""Routes of the ledger: its records, what is in doubt, and new records as they come."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from remit.api.access import caller_name
from remit.api.answers import EntriesAnswer, InDoubtAnswer, InDoubtsAnswer, SearchAnswer, SettledAnswer
from remit.api.authenticator import Person
from remit.api.concern import decides
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.problem import Problem, forbidden, not_found
from remit.api.records import entry_view, event_view
from remit.api.requests import LIMIT_MAX, Limit, RefText, SettleRequest, Sid
from remit.api.services import Services
from remit.api.views import instant
from remit.facts.record import Ref
from remit.pdp.stops import names_of
from remit.ports.ledger import Entry, Ledger
from remit.ports.record_search import RecordSearch
from remit.trace.bodies import UNANSWERED, ActionBody, OutcomeBody
from remit.trace.spent import spends

router = APIRouter(route_class=GuardedRoute, tags=["ledger"])

POLL_S: Final = 0.2
QUIET_S: Final = 15.0
_PAGE: Final = 200

Word = Annotated[str | None, Query(min_length=1, max_length=200)]
After = Annotated[RefText | None, Query()]
OfSession = Annotated[Sid | None, Query()]


@router.get("/ledger/entries")
async def entries(
    services: With,
    _: ByAdmin,
    after: After = None,
    sid: OfSession = None,
    limit: Limit = 100,
    latest: Annotated[int | None, Query(ge=1, le=1000)] = None,
    before: After = None,
) -> EntriesAnswer:
    """Records in the ledger's order, or (`latest`) the last ones, or the last ones `before` a record."""
    if latest is None and before is not None:
        raise Problem(400, "malformed request", why="`before` needs `latest`")
    if latest is not None:
        if after is not None or sid is not None:
            raise Problem(400, "malformed request", why="`latest` stands alone, or with `before`")
        page = await services.ledger.latest(latest, before=await _position(services, before))
        return EntriesAnswer(items=[entry_view(entry) for entry in page], next=None)
    page = await services.ledger.entries(after=await _position(services, after), limit=limit, sid=sid)
    further = str(_ref(page[-1])) if len(page) == limit else None
    return EntriesAnswer(items=[entry_view(entry) for entry in page], next=further)


@router.get("/ledger/search")
async def search(
    services: With,
    _: ByAdmin,
    limit: Limit = 100,
    agent: Word = None,
    server: Word = None,
    verdict: Word = None,
    since_ms: Annotated[int, Query(ge=0)] = 0,
    until_ms: Annotated[int | None, Query(ge=0)] = None,
) -> SearchAnswer:
    """The last records of which all holds that is given, looked for beside the calls that are judged meanwhile."""
    result = await services.runtime.search(RecordSearch(agent, server, verdict, since_ms, until_ms), limit)
    unsearched = None if result.unsearched_ms is None else instant(result.unsearched_ms)
    return SearchAnswer(items=[entry_view(entry) for entry in result.entries], unsearched=unsearched)


@router.get("/ledger/in-doubt")
async def in_doubt(services: With, _: ByAdmin, after: After = None, limit: Limit = LIMIT_MAX) -> InDoubtsAnswer:
    """Intents that were sent and that no answer of the tool ended, until somebody settles them: never guessed.

    Those of earlier epochs without an outcome (`none`), and those that ended `timeout`, `lost` or `upstream_error`.
    """
    start = None if after is None else Ref.parse(after)
    intents = await services.ledger.unsettled_intents(after=start, limit=limit)
    return InDoubtsAnswer(
        items=[
            InDoubtAnswer(id=str(item.ref), sid=item.sid, at=instant(item.at), outcome=item.status or "none")
            for item in intents
        ],
        next=str(intents[-1].ref) if len(intents) == limit else None,
    )


@router.post("/ledger/settle")
async def settle(request: SettleRequest, services: With, caller: ByReader) -> SettledAnswer:
    """Say what became of an intent that is in doubt: it is listed no more. Its labels, and its session's counts, stay.

    Where it did not happen, budgets get back what it took, and monitors and rates count it no more: of users, that is
    said by those who decide on some route, and not by whom it acted for, nor by the owner of an agent that did it.
    So it is said of one that its tool says failed, which budgets alone hold; monitors know already that it failed.
    """
    ref = Ref.parse(request.id)
    entry = await services.ledger.entry(ref)
    intent = None if entry is None or not isinstance(entry.body, ActionBody) else entry.body
    ended = await _spent_outcome(ref, intent, services.ledger)
    undone = None if entry is None or intent is None or request.happened else (entry.record.at, intent)
    if undone is not None and isinstance(caller, Person) and (undone[1].charges or undone[1].marks):
        _may_give_back(services, caller, undone[1])
    settling = services.driver.limit_admin.settle(
        str(ref), caller_name(caller), request.why, happened=request.happened, undone=undone, ended=ended
    )
    receipt = await settling
    if receipt is None:
        raise _not_in_doubt(ref)
    return SettledAnswer(id=request.id, happened=request.happened, record=str(receipt.ref))


def _may_give_back(services: Services, caller: Person, intent: ActionBody) -> None:
    """Raise 403 unless `caller` may have budgets and monitors forget `intent`: its agent could spend that once more."""
    catalog = services.runtime.catalog
    his, back = set(names_of(catalog, caller.user)), "what it counts for in budgets and monitors would be given back"
    own = [agent for agent, _ in intent.links if agent in catalog.agents and catalog.agents[agent].owner in his]
    if intent.user in his:
        raise forbidden(f"it acted for you, and {back}", "ask somebody else, or the admin")
    if own:
        raise forbidden(f"agent {own[0]} is yours, and {back}", "ask somebody else, or the admin")
    if not decides(services, caller):
        raise forbidden(f"you decide on no route, and {back}", "ask somebody who does, or the admin")


async def _spent_outcome(ref: Ref, intent: ActionBody | None, ledger: Ledger) -> tuple[Ref, OutcomeBody] | None:
    """The outcome that leaves `intent` at `ref` in doubt, or spent; None without one. Raises `Problem` otherwise."""
    outcome = await ledger.outcome_of(ref)
    if outcome is not None and isinstance(outcome.body, OutcomeBody):
        charges = () if intent is None else intent.charges
        if outcome.body.status in UNANSWERED or spends(outcome.body, charges):
            return _ref(outcome), outcome.body
    if any(item.ref == ref for item in await ledger.in_doubt()):
        return None
    raise _not_in_doubt(ref)


def _not_in_doubt(ref: Ref) -> Problem:
    return not_found(f"call in doubt: {ref}", "remit ledger in-doubt")


@router.get("/events", response_model=None)
async def events(
    services: With,
    _: ByAdmin,
    after: After = None,
    sid: OfSession = None,
    last_event_id: Annotated[RefText | None, Header()] = None,
) -> StreamingResponse:
    """New records as server-sent events, from `after` (or the next one) on."""
    start = await _position(services, last_event_id if after is None else after)
    if start is None:
        last = await services.ledger.latest(1)
        start = _ref(last[-1]) if last else None
    return StreamingResponse(
        _follow(services, start, sid),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


async def _position(services: Services, text: str | None) -> Ref | None:
    """The record that `text` names. Raises `Problem` for one that is not there, after which nothing would ever come."""
    if text is None:
        return None
    ref = Ref.parse(text)
    if await services.ledger.entry(ref) is None:
        raise not_found(f"record: {ref}", "remit logs")
    return ref


async def _follow(services: Services, after: Ref | None, sid: str | None) -> AsyncIterator[bytes]:
    # Reads the ledger again and again: a missed wake-up could cost a record, a poll cannot.
    yield b": records follow\n\n"
    quiet_s = 0.0
    while not services.closing.is_set():
        page = await services.ledger.entries(after=after, limit=_PAGE, sid=None)
        for entry in page:
            after = _ref(entry)
            if sid is None or entry.record.sid == sid:
                quiet_s = 0.0
                yield _event(entry)
        if len(page) == _PAGE:
            # Only then: beside steady traffic there is always something more.
            continue
        try:
            await asyncio.wait_for(services.closing.wait(), POLL_S)
        except TimeoutError:
            quiet_s += POLL_S
        if quiet_s >= QUIET_S:
            quiet_s = 0.0
            yield b": still here\n\n"


def _event(entry: Entry) -> bytes:
    view = event_view(entry)
    data = json.dumps(view, ensure_ascii=True, separators=(",", ":"))
    return f"id: {view['id']}\nevent: {view['kind']}\ndata: {data}\n\n".encode("ascii")


def _ref(entry: Entry) -> Ref:
    return Ref(entry.record.chain, entry.record.seq)
