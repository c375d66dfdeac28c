"""Small JSON over HTTP with authorization servers: bounded, direct, never redirected.

An address that a server names is that server's word. Unless a person named it too, it is only
followed to public addresses, looked at when the connection is made: no name can point elsewhere
in between (DNS rebinding). Errors say origin and status, never what was sent or answered.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import aiohttp
from yarl import URL

from remit.adapters.upstreams.address_guard import PrivateAddressError
from remit.facts.address import is_global
from remit.facts.canonical import Json
from remit.facts.strictjson import JsonRefused, parse

TIMEOUT_S: Final = 10.0
BODY_BYTES_MAX: Final = 256 * 1024
_HEADERS: Final[Mapping[str, str]] = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "remit",
}


class Reach(Enum):
    """Which addresses may be spoken to."""

    PUBLIC = "public"
    ANY = "any"


class FetchFailed(Exception):
    """No usable answer; says where and how, and holds nothing that was sent."""


@dataclass(frozen=True, slots=True)
class FetchedResponse:
    """An answer: `body` is its JSON object, None where it is none."""

    status: int
    body: Mapping[str, Json] | None = field(repr=False)
    challenges: tuple[str, ...] = ()


class Fetch:
    """One connection per request: these are rare, and nothing of one lingers for the next."""

    def __init__(self) -> None:
        self._sessions: dict[Reach, aiohttp.ClientSession] = {}

    async def get(self, url: str, reach: Reach) -> FetchedResponse:
        """GET `url`. Raises `FetchFailed`."""
        return await self._send("GET", url, reach, {})

    async def post_form(
        self, url: str, fields: Mapping[str, str], reach: Reach, headers: Mapping[str, str] | None = None
    ) -> FetchedResponse:
        """POST `fields` form-encoded. Raises `FetchFailed`."""
        return await self._send("POST", url, reach, headers or {}, data=dict(fields))

    async def post_json(self, url: str, body: Mapping[str, Json], reach: Reach) -> FetchedResponse:
        """POST `body` as JSON. Raises `FetchFailed`."""
        return await self._send("POST", url, reach, {"Accept": "application/json, text/event-stream"}, json=dict(body))

    async def close(self) -> None:
        """Close what is open."""
        sessions, self._sessions = tuple(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def _send(
        self, method: str, url: str, reach: Reach, headers: Mapping[str, str], **body: Any
    ) -> FetchedResponse:
        where = _origin(url)
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                self._session(reach).request(
                    method, url, headers={**_HEADERS, **headers}, allow_redirects=False, **body
                ) as response,
            ):
                challenges = tuple(response.headers.getall("WWW-Authenticate", ()))
                is_json = response.content_type == "application/json"
                data = await _read_bounded(response, where) if is_json else b""
                return FetchedResponse(response.status, _object(data) if is_json else None, challenges)
        except TimeoutError:
            raise FetchFailed(f"{where} took longer than {TIMEOUT_S:g} s") from None
        except aiohttp.ClientConnectorError as error:
            private = isinstance(error.os_error, PrivateAddressError)
            why = str(error.os_error) if private else error.os_error.strerror or type(error).__name__
            raise FetchFailed(f"{where} is not reached: {why}") from None
        except PrivateAddressError as error:
            raise FetchFailed(f"{where} is not reached: {error}") from None
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            raise FetchFailed(f"{where} is not reached: {type(error).__name__}") from None

    def _session(self, reach: Reach) -> aiohttp.ClientSession:
        if reach not in self._sessions:
            self._sessions[reach] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=16,
                    force_close=True,
                    use_dns_cache=False,
                    socket_factory=_public_socket if reach is Reach.PUBLIC else None,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        return self._sessions[reach]


def _public_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, proto, _, where = address
    if not is_global(where[0]):
        raise PrivateAddressError("its address is a private one, which a server may not name")
    return socket.socket(family, kind, proto)


async def _read_bounded(response: aiohttp.ClientResponse, where: str) -> bytes:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > BODY_BYTES_MAX:
            raise FetchFailed(f"{where} answers with more than {BODY_BYTES_MAX} bytes")
    return bytes(data)


def _object(data: bytes) -> Mapping[str, Json] | None:
    try:
        value = parse(data, bytes_max=BODY_BYTES_MAX)
    except JsonRefused:
        return None
    return value if isinstance(value, Mapping) else None


def _origin(url: str) -> str:
    try:
        return str(URL(url).origin())
    except ValueError:
        return "the address named"
