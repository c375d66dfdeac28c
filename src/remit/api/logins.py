"""Routes of people's logins at servers: begun, looked at, ended. No answer holds a token."""

from fastapi import APIRouter

from remit.api.access import caller_name
from remit.api.answers import CredentialAnswer, LoginAnswer
from remit.api.guard import ByAdmin, ByReader, GuardedRoute, With
from remit.api.missing_resource import missing_resource
from remit.api.moments import instant
from remit.api.problem import not_found
from remit.api.requests import Empty, ServerPath
from remit.api.services import Services
from remit.control.resources import ResourceKind
from remit.ports.credentials import CredentialState
from remit.trace.bodies import AdminBody, Event

router = APIRouter(route_class=GuardedRoute, tags=["logins"])


@router.post("/servers/{name}/login")
async def login(name: ServerPath, request: Empty, services: With, caller: ByAdmin) -> LoginAnswer:  # noqa: ARG001
    """Begin a login at a server: the address at which a person says yes, for ten minutes."""
    await _check_declared(services, name)
    started = await services.logins.begin(name, caller_name(caller))
    return LoginAnswer(server=name, url=started.url, issuer=started.issuer, expires=instant(started.until_ms))


@router.post("/servers/{name}/logout")
async def logout(name: ServerPath, request: Empty, services: With, caller: ByAdmin) -> CredentialAnswer:  # noqa: ARG001
    """End a login: the tokens are revoked where the authorization server does that, and forgotten."""
    await _check_declared(services, name)
    await services.driver.authorization.record(AdminBody(Event.SERVER_LOGOUT, caller_name(caller), name))
    await services.logins.forget(name)
    return _view(_state(services, name))


@router.get("/servers/{name}/login")
async def credential(name: ServerPath, services: With, _: ByReader) -> CredentialAnswer:
    """How the credential of a server stands."""
    await _check_declared(services, name)
    return _view(_state(services, name))


async def _check_declared(services: Services, name: str) -> None:
    if name not in services.runtime.catalog.servers:
        raise await missing_resource(services, ResourceKind.SERVER, name)


def _state(services: Services, name: str) -> CredentialState:
    state = services.logins.states().get(name)
    if state is None:
        raise not_found(
            f"credential: server {name} declares neither headers nor oauth", f"remit describe server {name}"
        )
    return state


def _view(state: CredentialState) -> CredentialAnswer:
    return CredentialAnswer(
        server=state.server,
        state=state.status.value,
        usable=state.usable,
        until=None if state.until_ms is None else instant(state.until_ms),
        issuer=state.issuer,
        scopes=list(state.scopes),
        why=state.why,
    )
