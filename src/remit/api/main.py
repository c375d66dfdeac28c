"""The control API as one ASGI application. Import it lazily: FastAPI takes half a second."""

from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from remit import __version__
from remit.api import (
    admissions,
    agents,
    approvals,
    attention,
    breakers,
    budgets,
    bundles,
    exchange,
    grants,
    guarantees,
    halts,
    incidents,
    inventory,
    ledger,
    logins,
    passkeys,
    problem,
    proofs,
    questions,
    service,
    sessions,
    tokens,
    workspace,
)
from remit.api.access import ACCESS, PREFIX
from remit.api.page.app import Pages
from remit.api.services import Services

PAGES: Final = "/a"
ROUTERS: Final = (
    workspace.router,
    bundles.router,
    logins.router,
    agents.router,
    inventory.router,
    tokens.router,
    exchange.router,
    sessions.router,
    halts.router,
    budgets.router,
    breakers.router,
    incidents.router,
    guarantees.router,
    admissions.router,
    approvals.router,
    grants.router,
    passkeys.router,
    attention.router,
    questions.router,
    ledger.router,
    proofs.router,
    service.router,
)


def create_api(services: Services) -> FastAPI:
    """The application under `/api/v1` over `services`.

    Raises `LookupError` when its routes and `api.access.ACCESS` are not the same set.
    """
    app = FastAPI(
        title="Remit control API",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.mount(PAGES, Pages(services))
    problem.install(app)
    unknown = set(ACCESS) - routes()
    if unknown:
        raise LookupError(f"api/access.py has rows without a route: {sorted(unknown)}")
    return app


def routes() -> set[tuple[str, str]]:
    """Every `(method, path)` that is served, without the prefix."""
    return {
        (method, route.path)
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }
