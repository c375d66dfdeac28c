"""Routes of sessions: opened by trusted harnesses, looked at and ended by people."""

from typing import Final

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers import (
    ConfidenceAnswer,
    IndexErasedAnswer,
    OpenedAnswer,
    SessionAnswer,
    SessionsAnswer,
    SessionShownAnswer,
    WordsAnswer,
)
from remit.api.authenticator import Acting, Admin, HarnessOf, Person
from remit.api.concern import concerns_session
from remit.api.guard import ByHarness, ByPerson, ByReader, BySpeaker, GuardedRoute, With
from remit.api.problem import Problem, forbidden, not_found
from remit.api.proofs import may_erase
from remit.api.records import line_view
from remit.api.requests import LIMIT_MAX, ConfidenceRequest, Empty, Limit, SessionRequest, SidPath, WordsRequest
from remit.api.services import Services
from remit.api.tokens import IDENT_BYTES, issue
from remit.api.views import instant, session_view
from remit.control.authority import TTL_MAX_S, TokenUse, descend, mint
from remit.facts.agent import Harness
from remit.facts.confidence import units_of
from remit.facts.durations import HOUR_S
from remit.facts.session import Session
from remit.trace.bodies import AdminBody, Event

router = APIRouter(route_class=GuardedRoute, tags=["sessions"])

LATEST: Final = 20
"""How many of a session's records are shown with it."""


@router.post("/sessions", status_code=201)
async def open_session(request: SessionRequest, services: With, caller: ByHarness) -> OpenedAnswer:
    """Open a session of the harness's own agent; the token is the bearer to act with in it."""
    _check_trust(services, caller)
    catalog = services.runtime.catalog
    if request.user is not None and request.user not in catalog.users:
        raise not_found(f"user in the running bundle: {request.user}", "remit get users")
    longest_s = min(int(catalog.session_hours_max * HOUR_S), TTL_MAX_S)
    fresh = mint(
        TokenUse.SESSION,
        caller.agent,
        token=services.entropy.token_bytes(IDENT_BYTES),
        now_ms=services.clock.now_ms(),
        ttl_s=min(longest_s, longest_s if request.ttl_s is None else request.ttl_s),
        user=request.user,
        root=services.entropy.token_bytes(IDENT_BYTES),
    )
    claims = descend(fresh, caller.claims)
    sid = claims.sid or ""
    await services.driver.sessions.open(sid, caller.agent, request.user, caller_name(caller))
    token = await issue(services, claims, caller_name(caller))
    return OpenedAnswer(
        sid=sid,
        token=token,
        jti=claims.token,
        agent=caller.agent,
        user=request.user,
        expires=instant(claims.expires_s * 1000),
    )


@router.post("/sessions/{sid}/words", status_code=201)
async def words(sid: SidPath, request: WordsRequest, services: With, caller: ByHarness) -> WordsAnswer:
    """Record what the user said in a session of the harness's own agent."""
    _check_trust(services, caller)
    session = await _session(services, sid)
    if session.agent != caller.agent:
        raise forbidden(f"this session is another agent's, not {caller.agent}'s")
    if not await _opened_by(services, sid, caller_name(caller)):
        raise Problem(
            409,
            "this session takes no words",
            why=f"it was not opened by the harness of {caller.agent}",
            next="open one with: POST /api/v1/sessions",
        )
    if session.ended_ms is not None:
        raise Problem(409, "the session has ended", why="nothing is added to an ended session")
    receipt = await services.driver.sessions.record_words(sid, request.text, caller_name(caller))
    return WordsAnswer(sid=sid, record=str(receipt.ref))


@router.post("/sessions/{sid}/confidence")
async def state_confidence(
    sid: SidPath, request: ConfidenceRequest, services: With, caller: BySpeaker
) -> ConfidenceAnswer:
    """Say how sure the agent is: the agent of its own session, where the least it ever says counts, or its harness."""
    units = units_of(request.value)
    if units is None:
        raise Problem(400, "this is no confidence", why="it has more than four decimal places")
    match caller:
        case Acting(authority=authority):
            if sid != authority.acting.sid:
                raise forbidden("an agent speaks for itself, in its own session", "POST to the session of the token")
            source, by = "agent", f"agent:{authority.acting.agent}"
        case HarnessOf():
            _check_trust(services, caller)
            if not await _opened_by(services, sid, caller_name(caller)):
                raise forbidden(f"this session was not opened by the harness of {caller.agent}")
            source, by = "harness", caller_name(caller)
    receipt = await services.driver.sessions.record_confidence(sid, source, units, by)
    return ConfidenceAnswer(sid=sid, source=source, value=request.value, record=str(receipt.ref))


@router.get("/sessions")
async def list_sessions(services: With, caller: ByReader, limit: Limit = 100) -> SessionsAnswer:
    """Sessions, newest first; a user sees his own."""
    # A user's own may be older than the latest of all.
    latest = await services.ledger.sessions(limit if isinstance(caller, Admin) else LIMIT_MAX)
    visible = [session for session in latest if _sees(caller, session)]
    of = None if isinstance(caller, Admin) else caller.user
    return SessionsAnswer(items=[session_view(session) for session in visible[:limit]], of=of)


@router.get("/sessions/{sid}")
async def show_session(sid: SidPath, services: With, caller: ByReader) -> SessionShownAnswer:
    """One session with its last records; of others', those that an incident names, to who handles that."""
    session = await _session(services, sid)
    if not _sees(caller, session) and not await concerns_session(services, caller, sid):
        raise _unseen(sid)
    tokens, chars = await services.driver.sessions.index_size(sid)
    records = [line_view(entry) for entry in await services.ledger.latest(LATEST, sid)]
    return SessionShownAnswer(**dict(session_view(session)), index_tokens=tokens, words_chars=chars, records=records)


@router.post("/sessions/{sid}/end")
async def end_session(sid: SidPath, services: With, caller: ByReader, _: Empty | None = None) -> SessionAnswer:
    """End a session: nothing more is done in it, nor in those delegated from it."""
    session = await _own(services, caller, sid)
    if session.ended_ms is None:
        await services.driver.sessions.end(sid, caller_name(caller))
        session = await _session(services, sid)
    return session_view(session)


@router.post("/sessions/{sid}/erase")
async def erase_index(sid: SidPath, services: With, caller: ByPerson, _: Empty | None = None) -> IndexErasedAnswer:
    """Erase the key of a session's origin index: what it saw means nothing any more. For who is named by `erasure`."""
    await _session(services, sid)
    may_erase(services, caller)
    receipt = await services.driver.sessions.forget_origins(sid, caller_name(caller))
    return IndexErasedAnswer(sid=sid, record=str(receipt.ref))


def _check_trust(services: Services, caller: HarnessOf) -> None:
    # Asked of the running bundle each time: trust can be withdrawn while a token lives.
    agent = services.runtime.catalog.agents.get(caller.agent)
    if agent is None or agent.harness is not Harness.TRUSTED:
        raise forbidden(
            f"the harness of {caller.agent} is not trusted by the running bundle",
            f"remit describe agent {caller.agent}",
        )


async def _session(services: Services, sid: str) -> Session:
    session = await services.ledger.session(sid)
    if session is None:
        raise _unseen(sid)
    return session


def _unseen(sid: str) -> Problem:
    return not_found(f"session: {sid}", "remit sessions ls")


async def _opened_by(services: Services, sid: str, harness: str) -> bool:
    """Whether `harness` opened session `sid` itself.

    The first record of such a session says so: an agent's own root and what is delegated start otherwise.
    """
    entry = await services.ledger.first(sid)
    first = None if entry is None else entry.body
    return (
        isinstance(first, AdminBody)
        and first.event is Event.SESSION_OPENED
        and (first.subject, first.by) == (sid, harness)
    )


async def _own(services: Services, caller: Admin | Person, sid: str) -> Session:
    session = await _session(services, sid)
    if not _sees(caller, session):
        raise _unseen(sid)
    return session


def _sees(caller: Admin | Person, session: Session) -> bool:
    match caller:
        case Admin():
            return True
        case Person(user=user):
            return session.user == user
