"""Routes of admission: a look at the workspace before it runs, how far it is, and its owner's word on what refuses."""

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers_admissions import AdmissionCheckAnswer, LookAnswer, OverriddenAnswer
from remit.api.guard import ByAdmin, ByPerson, ByReader, GuardedRoute, With
from remit.api.interfaces.admissions import AdmissionLook
from remit.api.moments import instant
from remit.api.problem import forbidden
from remit.api.requests import Empty, LookPath, OverrideRequest

router = APIRouter(route_class=GuardedRoute, tags=["admissions"])


@router.post("/admissions", status_code=202)
async def begin(services: With, caller: ByAdmin, _: Empty | None = None) -> LookAnswer:
    """Begin to look at the workspace folder as it is now; it takes minutes, and changes nothing."""
    return _answer(await services.runtime.admit(caller_name(caller)))


@router.get("/admissions/{look}")
async def show(look: LookPath, services: With, _: ByReader) -> LookAnswer:
    """How far a look is, and what came of it."""
    return _answer(services.runtime.look(look))


@router.delete("/admissions/{look}")
async def cancel(look: LookPath, services: With, _: ByAdmin) -> LookAnswer:
    """End a look that is at work; nothing of it is left."""
    return _answer(await services.runtime.abandon(look))


@router.post("/admissions/{look}/override")
async def override(look: LookPath, request: OverrideRequest, services: With, caller: ByPerson) -> LookAnswer:
    """Let through what checks of a look refused; on the ledger before it counts."""
    runtime = services.runtime
    result = runtime.look(look)
    if result.owner != caller.user:
        answerer = (
            f"{result.owner} answers" if result.owner else "no Admission ran when it began, so that nobody answers"
        )
        raise forbidden(f"{answerer} for the look {look}", f"remit admission show {look}")
    return _answer(await runtime.let_through(look, request.checks, caller.user, request.why))


def _answer(look: AdmissionLook) -> LookAnswer:
    return LookAnswer(
        id=look.ident,
        stage=look.stage.value,
        by=look.by,
        since=instant(look.since_ms),
        base=look.base,
        bundle=look.bundle,
        at=look.at,
        owner=look.owner,
        checks=[AdmissionCheckAnswer.model_validate(dict(override)) for override in look.checks],
        refused=[override.value for override in look.refused],
        overridden=[
            OverriddenAnswer(
                checks=[c.value for c in override.checks], by=override.by, at=instant(override.at_ms), why=override.why
            )
            for override in look.overridden
        ],
        why=look.why,
    )
