"""Routes of admission: a look at the workspace before it runs, how far it is, and its owner's word on what refuses."""

from fastapi import APIRouter

from remit.api.access import named
from remit.api.answers_admissions import AdmissionCheckAnswer, LookAnswer, OverriddenAnswer
from remit.api.guard import ByAdmin, ByPerson, ByReader, GuardedRoute, With
from remit.api.interfaces.admissions import Looked
from remit.api.moments import instant
from remit.api.problem import forbidden
from remit.api.requests import Empty, LookPath, OverrideRequest

router = APIRouter(route_class=GuardedRoute, tags=["admissions"])


@router.post("/admissions", status_code=202)
async def begin(services: With, caller: ByAdmin, _: Empty | None = None) -> LookAnswer:
    """Begin to look at the workspace folder as it is now; it takes minutes, and changes nothing."""
    return _told(await services.runtime.admit(named(caller)))


@router.get("/admissions/{look}")
async def show(look: LookPath, services: With, _: ByReader) -> LookAnswer:
    """How far a look is, and what came of it."""
    return _told(services.runtime.looked(look))


@router.delete("/admissions/{look}")
async def cancel(look: LookPath, services: With, _: ByAdmin) -> LookAnswer:
    """End a look that is at work; nothing of it is left."""
    return _told(await services.runtime.abandon(look))


@router.post("/admissions/{look}/override")
async def override(look: LookPath, asked: OverrideRequest, services: With, caller: ByPerson) -> LookAnswer:
    """Let through what checks of a look refused; on the ledger before it counts."""
    runtime = services.runtime
    found = runtime.looked(look)
    if found.owner != caller.user:
        who = f"{found.owner} answers" if found.owner else "no Admission ran when it began, so that nobody answers"
        raise forbidden(f"{who} for the look {look}", f"remit admission show {look}")
    return _told(await runtime.let_through(look, asked.checks, caller.user, asked.why))


def _told(look: Looked) -> LookAnswer:
    return LookAnswer(
        id=look.ident,
        stage=look.stage.value,
        by=look.by,
        since=instant(look.since_ms),
        base=look.base,
        bundle=look.bundle,
        at=look.at,
        owner=look.owner,
        checks=[AdmissionCheckAnswer.model_validate(dict(one)) for one in look.checks],
        refused=[one.value for one in look.refused],
        overridden=[
            OverriddenAnswer(checks=[c.value for c in one.checks], by=one.by, at=instant(one.at_ms), why=one.why)
            for one in look.overridden
        ],
        why=look.why,
    )
