"""Standing streams: GET streams of 2025, `subscriptions/listen` of 2026, and streams that clients come back for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from proof.fuzz.messages import ABLE, PATHS, SIGNED_BY, STATELESS, able_meta

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from proof.fuzz.messages import Connection
    from remit.pep.mcp.asgi import Header

_LISTS: Final = ("toolsListChanged", "promptsListChanged", "resourcesListChanged")
_URIS: Final = ("file:///a", "file:///b", "../", "")


@dataclass(frozen=True, slots=True)
class Standing:
    """One stream as its client opens it: `connection` of the 2025 eras, or the id and the filter of a listening.

    `resumes`: it is the rest of some call's stream that is asked for.
    """

    method: str
    path: str
    headers: list[Header]
    body: bytes
    bearer: str
    vanish_s: float
    connection: Connection | None = None
    resumes: bool = False
    ident: int | None = None
    lists: frozenset[str] = frozenset()
    uris: frozenset[str] = frozenset()
    heard: list[Any] = field(default_factory=list[Any])

    @property
    def declared(self) -> Mapping[str, Any]:
        """What its client declared that it may be asked, where it may be asked something."""
        return {} if self.connection is None else self.connection.able

    @property
    def followed(self) -> frozenset[str] | set[str]:
        """The resources that its client asked to be told of, at any time."""
        return self.uris if self.connection is None else self.connection.asked


def standing(random: Random, number: int, connections: list[Connection]) -> Standing:
    """Stream `number`."""
    vanish_s = random.choice((0.0, 0.05, 0.5, 2.0)) * random.random()
    if random.random() < 0.4:
        return _listening(random, number, vanish_s)
    connection = random.choice(connections)
    bearer = connection.bearer if random.random() < 0.95 else random.choice(SIGNED_BY)
    fields = _fields(bearer) | {"mcp-session-id": connection.ident, "mcp-protocol-version": "2025-11-25"}
    seen = random.choice(connections) if random.random() < 0.2 else connection
    resumes = bool(seen.events) and random.random() < 0.3
    if resumes:
        fields["last-event-id"] = random.choice(seen.events[-50:])
    return Standing("GET", connection.path, _raw(fields), b"", bearer, vanish_s, connection, resumes)


def _listening(random: Random, number: int, vanish_s: float) -> Standing:
    path, bearer = random.choice(PATHS), random.choice(SIGNED_BY)
    lists = frozenset(random.sample(_LISTS, random.randrange(4)))
    prefix = "" if path != "/mcp" else random.choice(("remit+new:", "remit+old:"))
    uris = frozenset(prefix + uri for uri in random.sample(_URIS, random.randrange(3)))
    wanted: dict[str, Any] = {**dict.fromkeys(lists, True), "resourceSubscriptions": sorted(uris)}
    params: Any = {"notifications": wanted, "_meta": able_meta(random.choice(ABLE))}
    body = orjson.dumps({"jsonrpc": "2.0", "id": number, "method": "subscriptions/listen", "params": params})
    fields = _fields(bearer) | {"mcp-protocol-version": STATELESS, "mcp-method": "subscriptions/listen"}
    return Standing("POST", path, _raw(fields), body, bearer, vanish_s, ident=number, lists=lists, uris=uris)


def _fields(bearer: str) -> dict[str, str]:
    return {
        "host": "remit.test",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "authorization": f"Bearer {bearer}",
    }


def _raw(fields: dict[str, str]) -> list[Header]:
    return [(name.encode(), value.encode()) for name, value in fields.items()]
