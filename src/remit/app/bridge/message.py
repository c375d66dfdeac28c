"""One line of the client's, read as far as it takes to send it on. Pure.

The bytes of a line travel as they came: the service is the one that parses strictly. What is
read here routes them (MCP 2026-07-28, transports): the header copies of version, method and name.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

import orjson

from remit.facts.header_mirror import NAMED, encoded

VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
CANCELLED: Final = "notifications/cancelled"
_WORD: Final = re.compile(r"[\x21-\x7e]{1,128}")

Ident: TypeAlias = str | int
Object: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that wants an answer under `ident`.

    `version` is that of its own envelope, None in the `initialize` era; `name` what `Mcp-Name`
    repeats.
    """

    raw: bytes
    ident: Ident
    method: str
    params: Object
    version: str | None
    name: str | None

    @property
    def headers(self) -> dict[str, str]:
        """The routing headers of the stateless era; none in the other."""
        if self.version is None:
            return {}
        headers = {"Mcp-Protocol-Version": self.version, "Mcp-Method": self.method}
        if self.name is not None:
            headers["Mcp-Name"] = encoded(self.name)
        return headers


@dataclass(frozen=True, slots=True)
class Tell:
    """A notification. `cancels` is the request that it gives up, where it is one that does."""

    raw: bytes
    method: str
    cancels: Ident | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The client's answer to a request of the server's."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class MalformedMessage:
    """What cannot be sent on: a JSON-RPC error code, why, and whom to tell."""

    code: int
    why: str
    ident: Ident | None = None


Line: TypeAlias = Ask | Tell | Reply | MalformedMessage


def read(raw: bytes) -> Line:
    """The one message on a line."""
    value = parse_object(raw)
    if value is None:
        return MalformedMessage(-32700, "the line is not one JSON object")
    method, ident = value.get("method"), _ident(value.get("id"))
    if method is None:
        return (
            Reply(raw) if "result" in value or "error" in value else MalformedMessage(-32600, "it has no method", ident)
        )
    if not isinstance(method, str) or not _WORD.fullmatch(method):
        return MalformedMessage(-32600, "the method is no word of printable ASCII", ident)
    params = _object(value.get("params"))
    if "id" not in value:
        return Tell(raw, method, _ident(params.get("requestId")) if method == CANCELLED else None)
    if ident is None:
        return MalformedMessage(-32600, "the id is neither a string nor an integer")
    version = _object(params.get("_meta")).get(VERSION_KEY)
    if version is not None and (not isinstance(version, str) or not _WORD.fullmatch(version)):
        return MalformedMessage(-32602, f"params._meta {VERSION_KEY} is no word of printable ASCII", ident)
    name = params.get(NAMED.get(method, ""))
    return Ask(raw, ident, method, params, version, name if isinstance(name, str) else None)


def parse_object(raw: bytes) -> Object | None:
    """`raw` as a JSON object; None for everything else."""
    try:
        value: object = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    return cast("Object", value) if isinstance(value, dict) else None


def is_answer(value: Object, ident: Ident) -> bool:
    """Whether `value` answers the request `ident`: 1 is neither "1" nor true."""
    answered = value.get("id")
    return "method" not in value and type(answered) is type(ident) and answered == ident


def on_one_line(raw: bytes) -> bytes:
    """JSON with the line breaks between its tokens taken out; strings hold none."""
    return raw.replace(b"\r", b" ").replace(b"\n", b" ") if b"\n" in raw or b"\r" in raw else raw


def _object(value: object) -> Object:
    return cast("Object", value) if isinstance(value, dict) else {}


def _ident(value: object) -> Ident | None:
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None
