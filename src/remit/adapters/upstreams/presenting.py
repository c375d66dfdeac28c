"""How a server's credential meets its requests: put on as they leave, renewed once after a 401.

Laws: the credential goes to the origin of the server's url and nowhere else; a request that lacks
one is not sent; a 401 means that the request was refused, so it is sent again, once, and only with
another credential than the one refused.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from aiohttp import ClientHandlerType, ClientMiddlewareType, ClientRequest, ClientResponse
from yarl import URL

from remit.adapters.upstreams.failures import Unusable
from remit.facts.credential import Secret
from remit.ports.credentials import Credential, CredentialRefused, Credentials
from remit.ports.upstream import Failure

_SCOPE: Final = "insufficient_scope"


def presenting(url: URL, credential: Credential | None) -> tuple[ClientMiddlewareType, ...]:
    """What a session's requests to `url` pass; raises `Unusable` from inside them."""
    if credential is None:
        return ()
    origin = url.origin()

    async def present(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        if request.url.origin() != origin:
            raise _unusable("a credential was about to leave for another origin: report this", sent=False)
        shown = await _shown(credential)
        request.headers.update(shown)
        response = await send(request)
        if response.status == HTTPStatus.UNAUTHORIZED and await _renewed(credential, shown, response):
            request.headers.update(await _shown(credential))
            response = await send(request)
        lacking = response.status == HTTPStatus.FORBIDDEN and _SCOPE in response.headers.get("WWW-Authenticate", "")
        if response.status == HTTPStatus.UNAUTHORIZED or lacking:
            response.close()
            raise _unusable(credential.rejected(scope_missing=lacking), sent=True)
        return response

    return (present,)


async def environment(
    server: str, env: Mapping[str, str | Secret], credentials: Credentials | None
) -> Mapping[str, str]:
    """The variables of a stdio server. Raises `Unusable` where a reference gives nothing."""
    if credentials is None:
        return {name: value for name, value in env.items() if isinstance(value, str)}
    try:
        return await credentials.environment(server, env)
    except CredentialRefused as refused:
        raise _unusable(str(refused), sent=False) from None


async def _shown(credential: Credential) -> Mapping[str, str]:
    try:
        return await credential.headers()
    except CredentialRefused as refused:
        raise _unusable(str(refused), sent=False) from None


async def _renewed(credential: Credential, shown: Mapping[str, str], response: ClientResponse) -> bool:
    try:
        renewed = await credential.renew(shown)
    except CredentialRefused as refused:
        response.close()
        raise _unusable(str(refused), sent=True) from None
    except BaseException:
        response.close()
        raise
    if renewed:
        response.close()
    return renewed


def _unusable(text: str, *, sent: bool) -> Unusable:
    return Unusable(Failure(cause="unauthorized", text=text, sent=sent))
