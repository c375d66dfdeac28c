"""What browsers and authorization servers see of Remit's logins: `/oauth/callback`, `/oauth/client.json`.

Neither carries a credential of Remit's: the callback is believed for its `state`, which only the
person who began the login was given, and the document is public. Plain text, so that nothing
that came with the query can be markup; nothing of the query is shown.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

import orjson

from remit.facts.canonical import Json
from remit.ports.credentials import LoggedIn, LoginRefused, Logins
from remit.ports.ledger import LedgerUnwritable
from remit.trace.bodies import AdminBody, Event

CALLBACK: Final = "/oauth/callback"
DOCUMENT: Final = "/oauth/client.json"
QUERY_BYTES_MAX: Final = 16 * 1024
_FIELDS: Final = frozenset({"state", "code", "iss", "error", "error_description", "error_uri"})

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Record: TypeAlias = Callable[[AdminBody], Awaitable[object]]


class OAuthPages:
    """A raw ASGI application for the two paths; `record` appends to the ledger."""

    def __init__(self, logins: Logins, record: Record) -> None:
        self._logins = logins
        self._record = record

    @staticmethod
    def serves(path: str) -> bool:
        """Whether `path` is one of the two."""
        return path in {CALLBACK, DOCUMENT}

    async def __call__(self, scope: MutableMapping[str, Any], receive: object, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        if scope["method"] != "GET":
            await _answer(send, 405, b"only GET is answered here\n")
        elif scope["path"] == DOCUMENT:
            await _answer(send, 200, orjson.dumps(self._logins.document()), kind=b"application/json")
        else:
            status, text = await self._callback(scope["query_string"])
            await _answer(send, status, text.encode("utf-8"))

    async def _callback(self, query: bytes) -> tuple[int, str]:
        answer = _read(query)
        if answer is None:
            return 400, "This is no answer to a login.\nnext: remit servers login NAME\n"
        try:
            login = await self._logins.finish(answer)
            await self._record(AdminBody(Event.SERVER_LOGIN, login.by, login.server, _login_data(login)))
            await login.keep()
        except LoginRefused as refused:
            return 400, f"Not logged in: {refused}\nnext: {refused.next}\n"
        except LedgerUnwritable:
            return 503, "Not logged in: the ledger does not accept records.\nnext: remit doctor\n"
        return 200, f"Remit is logged in at {login.server}. You may close this page.\n"


def _login_data(login: LoggedIn) -> Mapping[str, Json]:
    return {"issuer": login.issuer, "client": login.client, "scopes": list(login.scopes)}


def _read(query: bytes) -> Mapping[str, str] | None:
    """The query by name; None where it is too long, malformed or names something twice."""
    if len(query) > QUERY_BYTES_MAX:
        return None
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError:
        return None
    fields = [(name, value) for name, value in pairs if name in _FIELDS]
    parameters = dict(fields)
    return parameters if len(parameters) == len(fields) and "state" in parameters else None


async def _answer(send: Send, status: int, body: bytes, *, kind: bytes = b"text/plain; charset=utf-8") -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
