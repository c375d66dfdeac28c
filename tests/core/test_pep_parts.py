"""Small parts of the enforcement point: headers, paths, connections, names."""

from __future__ import annotations

import asyncio

import pytest

from remit.facts.agent import Authority, Link
from remit.pep.mcp import connections
from remit.pep.mcp.app import McpApp
from remit.pep.mcp.asgi import ClientGone, Heads, Message, TooLarge, accepts, heads, read_body
from remit.pep.mcp.connection_subscriptions import ConnectionSubscriptions
from remit.pep.mcp.connections import Connections, Crowded


class Clock:
    now_s = 0.0

    def now_ms(self) -> int:
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.now_s


class Entropy:
    count = 0

    def token_bytes(self, count: int) -> bytes:
        self.count += 1
        return self.count.to_bytes(count, "big")


def authority(sid: str = "s1", agent: str = "clerk") -> Authority:
    return Authority((Link(agent, sid),), "ann", "t1", 2**50)


class Deaf(ConnectionSubscriptions):
    """Follows nothing."""

    def __init__(self, server: str | None) -> None:
        """Needs no upstream."""

    def stop(self) -> None:
        """Nothing to stop."""


def test_paths_that_are_served() -> None:
    for path in (
        "/mcp",
        "/mcp/shop",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
    ):
        assert McpApp.serves(path)
    for path in ("/", "/mcpx", "/api/v1/mcp", "/.well-known/oauth-protected-resourceful", "/.well-known/"):
        assert not McpApp.serves(path)


def test_headers_are_picked_and_trimmed_and_repeats_noted() -> None:
    found = heads([(b"host", b" a "), (b"accept", b"application/json"), (b"accept", b"text/*"), (b"x-other", b"1")])
    assert found == Heads({b"host": b"a", b"accept": b"application/json, text/*"}, None)
    assert found.text(b"host") == "a"
    assert found.text(b"origin") is None
    assert heads([(b"mcp-name", b"a"), (b"mcp-name", b"a")]).repeated == b"mcp-name"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, (True, True)),
        (b"*/*", (True, True)),
        (b"application/json, text/event-stream", (True, True)),
        (b"text/event-stream;q=0.5 , APPLICATION/JSON", (True, True)),
        (b"application/json", (True, False)),
        (b"text/event-stream", (False, True)),
        (b"text/html", (False, False)),
    ],
)
def test_what_a_client_takes(given: bytes | None, expected: tuple[bool, bool]) -> None:
    values = {} if given is None else {b"accept": given}
    assert accepts(Heads(values, None)) == expected


def body_of(*parts: bytes | None, declared: bytes | None = None, most: int = 10) -> bytes:
    """Read a body that arrives in `parts`; None is a disconnect."""
    arriving = list(parts)

    async def receive() -> Message:
        part = arriving.pop(0)
        if part is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": part, "more_body": bool(arriving)}

    values = {} if declared is None else {b"content-length": declared}
    return asyncio.run(read_body(receive, Heads(values, None), most))


def test_a_body_is_read_up_to_its_limit() -> None:
    assert body_of(b"0123456789") == b"0123456789"
    assert body_of(b"01", b"23", b"456") == b"0123456"
    assert body_of(b"") == b""
    with pytest.raises(TooLarge):
        body_of(b"0123456789x")
    with pytest.raises(TooLarge):
        body_of(b"01234", b"56789", b"x", b"never read")
    with pytest.raises(TooLarge):
        body_of(b"never read", declared=b"11")
    for parts in ((None,), (b"01", None)):
        with pytest.raises(ClientGone):
            body_of(*parts)


def test_who_holds_most_connections_makes_room_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 4)
    clock = Clock()
    every = Connections(clock, Entropy(), Deaf, lambda _: None)
    theirs = every.open(authority(), None, "2025-11-25")
    for _ in range(20):
        clock.now_s += 1.0
        every.open(authority("s2", "flood"), None, "2025-11-25")
    assert every.find(theirs.ident, authority(), None) is theirs


def test_room_is_made_without_a_look_at_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look at all of them at each `initialize` would let one agent, that has opened them all, stop the service."""
    looked: list[str] = []

    def busy(self: connections.Connection) -> bool:
        looked.append(self.ident)
        return self.streaming

    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 1_000)
    monkeypatch.setattr(connections.Connection, "busy", property(busy))
    every = Connections(clock := Clock(), Entropy(), Deaf, lambda _: None)
    made = [every.open(authority("s2", "flood"), None, "2025-11-25") for _ in range(1_000)]
    made[0].streaming = True
    for _ in range(50):
        every.open(authority("s2", "flood"), None, "2025-11-25")
    assert len(looked) == 100, "each that made room, and the one in use before it"
    assert every.find(made[0].ident, authority("s2", "flood"), None) is made[0]
    clock.now_s = connections.IDLE_S + 1
    assert every.find(made[60].ident, authority("s2", "flood"), None) is made[60]
    every.open(authority(), None, "2025-11-25")
    assert len(every._all) == 3, "what nobody used for an hour goes, but for what is in use"  # pyright: ignore[reportPrivateUsage]


def test_connections_are_bounded_and_in_use_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 3)
    clock = Clock()
    ended: list[str] = []
    every = Connections(clock, Entropy(), Deaf, ended.append)
    made = [every.open(authority(), None, "2025-11-25") for _ in range(3)]
    assert len({one.ident for one in made}) == 3
    clock.now_s = 10.0
    assert every.find(made[0].ident, authority(), None) is made[0]
    every.open(authority(), None, "2025-11-25")
    assert every.find(made[1].ident, authority(), None) is None
    assert made[1].closed.is_set()
    assert ended == [made[1].ident]
    assert every.find(made[0].ident, authority(), None) is made[0]
    assert every.find(made[0].ident, authority("s2"), None) is None
    assert every.find(made[0].ident, authority(), "shop") is None
    for one in every._all.values():  # pyright: ignore[reportPrivateUsage]
        one.streaming = True
    with pytest.raises(Crowded):
        every.open(authority(), None, "2025-11-25")
