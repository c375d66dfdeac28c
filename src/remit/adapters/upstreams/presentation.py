"""How a server's credential meets its requests: put on as they leave, renewed once after a 401.

Laws: the credential goes to the origin of the server's url and nowhere else; a request that lacks
one is not sent; a 401 means that the request was refused, so it is sent again, once, and only with
another credential than the one refused. What a server says back holds none of what it was shown:
many an error page tells the request's headers, and no agent may read those.
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
_INSTEAD: Final = b"[hidden by Remit: its credential]"
_SECRET_BYTES_MIN: Final = 8
"""A shorter one would be found in words that are none."""
_HIDDEN_MAX: Final = 16
_PLAIN: Final = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_ESCAPES: Final = tuple(
    str.maketrans(_PLAIN | others)
    for others in (
        {},
        {"/": "\\/"},
        {one: f"\\u{ord(one):04X}" for one in "\"&'+<>`"},
        {one: f"\\u{ord(one):04x}" for one in "&'<=>"},
    )
)
"""How JSON is written: plainly, by PHP, by .NET, and by Java's Gson."""


class SecretMask:
    """What one server was shown of late, to be found in what it says."""

    def __init__(self) -> None:
        self._secrets: dict[bytes, tuple[bytes, ...]] = {}

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take note of headers that it is shown."""
        for value in headers.values():
            self.keep(value.rpartition(" ")[2])

    def keep(self, text: str) -> None:
        """Take note of one secret."""
        secret = text.encode()
        if len(secret) >= _SECRET_BYTES_MIN and secret not in self._secrets:
            spellings = (text.translate(escape).encode() for escape in _ESCAPES)
            self._secrets[secret] = tuple(dict.fromkeys((secret, *spellings)))
            if len(self._secrets) > _HIDDEN_MAX:
                del self._secrets[next(iter(self._secrets))]

    def hide(self, output: bytes) -> bytes:
        """`output` without what it was shown, as it would stand in JSON too."""
        for forms in self._secrets.values():
            for form in forms:
                output = output.replace(form, _INSTEAD)
        return output


def credential_middleware(
    url: URL, credential: Credential | None, hiding: SecretMask
) -> tuple[ClientMiddlewareType, ...]:
    """What a session's requests to `url` pass; raises `Unusable` from inside them. `hiding` learns what was shown."""
    if credential is None:
        return ()
    origin = url.origin()

    async def present(request: ClientRequest, send: ClientHandlerType) -> ClientResponse:
        if request.url.origin() != origin:
            raise _unusable("a credential was about to leave for another origin: report this", sent=False)
        headers = await _headers(credential)
        hiding.learn(headers)
        request.headers.update(headers)
        response = await send(request)
        if response.status == HTTPStatus.UNAUTHORIZED and await _renew(credential, headers, response):
            headers = await _headers(credential)
            hiding.learn(headers)
            request.headers.update(headers)
            response = await send(request)
        lacking = response.status == HTTPStatus.FORBIDDEN and _SCOPE in response.headers.get("WWW-Authenticate", "")
        if response.status == HTTPStatus.UNAUTHORIZED or lacking:
            response.close()
            raise _unusable(credential.note_rejected(scope_missing=lacking), sent=True)
        if response.ok:
            credential.note_accepted(headers)
        return response

    return (present,)


def mask_of(env: Mapping[str, str | Secret], resolved: Mapping[str, str]) -> SecretMask:
    """The secrets among the variables of a stdio server, to be found in what it says."""
    hiding = SecretMask()
    for name, value in env.items():
        if isinstance(value, Secret) and name in resolved:
            hiding.keep(resolved[name].removeprefix(value.prefix))
    return hiding


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


async def _headers(credential: Credential) -> Mapping[str, str]:
    try:
        return await credential.headers()
    except CredentialRefused as refused:
        raise _unusable(str(refused), sent=False) from None


async def _renew(credential: Credential, headers: Mapping[str, str], response: ClientResponse) -> bool:
    try:
        renewed = await credential.renew(headers)
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
