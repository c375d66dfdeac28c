"""What every request passes before its handler: credential first, then strict, bounded bytes."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any, Final, assert_never

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute

from remit.api.access import ACCESS, INSTEAD, PREFIX, STILL, CredentialKind, caller_name, kind_of
from remit.api.authenticator import Acting, Admin, Caller, HarnessOf, Person
from remit.api.problem import Problem, forbidden
from remit.api.services import Services
from remit.facts.strictjson import JsonRefused, parse
from remit.pdp.stops import of_user
from remit.ports.signer import TokenInvalid, TokenRefusal

BODY_BYTES_MAX: Final = 1024 * 1024
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_GET: Final[Mapping[CredentialKind, str]] = {
    CredentialKind.ADMIN: "set REMIT_TOKEN to the admin token, shown at the first start"
    " (lost: remit token admin --data DIR)",
    CredentialKind.AGENT: "remit token agent NAME",
    CredentialKind.HARNESS: "remit token harness AGENT",
    CredentialKind.USER: "remit token user NAME --save FILE, then again with --token-file FILE",
}
"""How a caller of the wrong kind gets the right token."""


class GuardedRoute(APIRoute):
    """A route that asks `ACCESS` before it reads a body, and reads the body strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the guard."""
        handle = super().get_route_handler()
        allowed = row(self)
        instead = next((INSTEAD[operation] for operation in _operations(self) if operation in INSTEAD), "")
        is_still = all(method == "GET" or (method, path) in STILL for method, path in _operations(self))

        async def guarded(request: Request) -> Response:
            if CredentialKind.NOBODY not in allowed:
                request.state.caller = caller = _admit(request, allowed, instead)
                if isinstance(caller, Person) and not is_still:
                    may_decide(services_of(request), caller)
            strict = StrictRequest(request.scope, request.receive)
            if await strict.body() and CredentialKind.NOBODY not in allowed:
                await strict.json()
            response = await handle(strict)
            response.headers["Cache-Control"] = "no-store"
            return response

        return guarded


class StrictRequest(Request):
    """A request whose body is bounded and whose JSON has one meaning."""

    async def body(self) -> bytes:
        """The whole body; 413 beyond `BODY_BYTES_MAX`."""
        if not hasattr(self, "_body"):
            data = bytearray()
            async for chunk in self.stream():
                data += chunk
                if len(data) > BODY_BYTES_MAX:
                    raise Problem(413, f"a request body has at most {BODY_BYTES_MAX} bytes")
            self._check_type(bytes(data))
            self._body = bytes(data)
        return self._body

    async def json(self) -> Any:
        """The body as JSON; 400 for duplicate keys, NaN, odd strings and huge integers."""
        if not hasattr(self, "_json"):
            try:
                self._json = parse(await self.body(), bytes_max=BODY_BYTES_MAX)
            except JsonRefused as refused:
                raise Problem(400, "the request body is not JSON", why=str(refused)) from refused
        return self._json

    def _check_type(self, data: bytes) -> None:
        if not data:
            return
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        expected = _FORM if self.scope["path"] == f"{PREFIX}/token" else _JSON
        if content_type != expected:
            raise Problem(415, f"the request body must be {expected}", why=f"it says {content_type[:80]!r}")


def row(route: APIRoute) -> frozenset[CredentialKind]:
    """Who may call `route`; `LookupError` for a route that the table does not have."""
    kinds: frozenset[CredentialKind] | None = None
    for operation in _operations(route):
        kinds = ACCESS.get(operation)
        if kinds is None:
            raise LookupError(f"{' '.join(operation)} is not in api/access.py")
    if kinds is None:
        raise LookupError(f"{route.path} has no method")
    return kinds


def _operations(route: APIRoute) -> list[tuple[str, str]]:
    """What `route` answers, as the table names it."""
    return [(method, route.path.removeprefix(PREFIX)) for method in route.methods or ()]


def services_of(request: Request) -> Services:
    """The services that `create_api` was given."""
    services = request.app.state.services
    assert isinstance(services, Services)  # noqa: S101
    return services


def _admit(request: Request, allowed: frozenset[CredentialKind], instead: str) -> Caller:
    services = services_of(request)
    caller = services.authenticator.caller(bearer(request))
    count_request(services, caller)
    kind = kind_of(caller)
    if kind not in allowed:
        needed = " or ".join(sorted(allowed))
        following = instead if instead and kind is CredentialKind.USER else _GET[min(allowed)]
        raise forbidden(f"this needs a token of kind {needed}; yours is {kind.value}", following)
    if isinstance(caller, Person) and caller.user not in services.runtime.catalog.users:
        raise forbidden(
            f"{caller.user} is no user of the running bundle",
            f"declare User {caller.user} in the workspace, then: remit apply",
        )
    return caller


def may_decide(services: Services, caller: Person) -> None:
    """Raise 403 while a person is stopped himself: a stolen token lifts nothing. Refusing and stopping stay his."""
    for stop in services.driver.halts.over(of_user(services.runtime.catalog, caller.user)):
        raise forbidden(str(stop), "ask somebody else, or use the admin token to resume")


def count_request(services: Services, caller: Caller) -> None:
    """Count a request of an agent with those that it makes elsewhere, of a harness apart. Raises `Problem`."""
    match caller:
        case Acting(authority=authority):
            services.count(authority.acting.agent)
        case HarnessOf():
            services.count(caller_name(caller))
        case Admin() | Person():
            pass
        case _:
            assert_never(caller)


def bearer(request: Request) -> str:
    """The token of the one `Authorization: Bearer` header. Raises `TokenInvalid`."""
    sent = request.headers.getlist("authorization")
    if not sent:
        raise TokenInvalid(TokenRefusal.MISSING, "no bearer token was sent")
    scheme, _, token = sent[0].partition(" ")
    if len(sent) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise TokenInvalid(TokenRefusal.MALFORMED, "send exactly one header: Authorization: Bearer TOKEN")
    return token.strip()


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _reader(request: Request) -> Admin | Person:
    match _caller(request):
        case Admin() | Person() as caller:
            return caller
        case _:
            raise forbidden("this is for people")


async def _admin(request: Request) -> Admin:
    match _caller(request):
        case Admin() as caller:
            return caller
        case _:
            raise forbidden("this needs the admin token")


async def _person(request: Request) -> Person:
    match _caller(request):
        case Person() as caller:
            return caller
        case _:
            raise forbidden("this needs a user's own token: the admin token decides nothing")


async def _speaker(request: Request) -> Acting | HarnessOf:
    match _caller(request):
        case Acting() | HarnessOf() as caller:
            return caller
        case _:
            raise forbidden("this needs an agent's, a session's or a harness token")


async def _harness(request: Request) -> HarnessOf:
    match _caller(request):
        case HarnessOf() as caller:
            return caller
        case _:
            raise forbidden("this needs a harness token")


# Coroutines, since FastAPI sends plain functions to a thread.
async def _services(request: Request) -> Services:
    return services_of(request)


With = Annotated[Services, Depends(_services)]
ByReader = Annotated[Admin | Person, Depends(_reader)]
ByAdmin = Annotated[Admin, Depends(_admin)]
ByPerson = Annotated[Person, Depends(_person)]
BySpeaker = Annotated[Acting | HarnessOf, Depends(_speaker)]
ByHarness = Annotated[HarnessOf, Depends(_harness)]
