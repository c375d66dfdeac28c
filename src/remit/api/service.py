"""Routes of the service itself: its state, its health, its description."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import JsonValue

from remit.api.answers import DoctorAnswer, DoctorCheckAnswer
from remit.api.description import describe
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.stops import stop_checks

router = APIRouter(route_class=GuardedRoute, tags=["service"])


@router.get("/status")
async def status(services: With, _: ByReader) -> dict[str, JsonValue]:
    """Facts about the running service."""
    facts: dict[str, Any] = dict(await services.runtime.status())
    return facts


@router.get("/doctor")
async def doctor(services: With, _: ByAdmin) -> DoctorAnswer:
    """Every check of the installation."""
    checks = [*stop_checks(services.driver.halts.stops), *await services.runtime.doctor()]
    return DoctorAnswer(
        ok=all(check.ok for check in checks),
        checks=[
            DoctorCheckAnswer(
                name=check.name,
                ok=check.ok,
                state=check.state,
                text=check.text,
                next=check.next,
            )
            for check in checks
        ],
    )


@router.get("/openapi.json", response_model=None, include_in_schema=False)
async def description(request: Request, _: ByReader) -> JSONResponse:
    """The OpenAPI description of this API."""
    return JSONResponse(describe(request.app))
