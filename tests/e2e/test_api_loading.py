"""The control API is loaded once the service governs: who asks before that waits for it."""

import asyncio
import json
from typing import Any, cast

import pytest

from remit.app.http import root
from remit.app.http.root import App, Message, Receive, Root, Scope, Send, answer
from remit.pep.mcp.app import McpApp


class Nothing:
    """An edge that has no path."""

    def serves(self, path: str) -> bool:
        del path
        return False


async def api(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await answer(send, 200, {"title": "loaded"})


async def asked(loading: "asyncio.Future[App]") -> list[Any]:
    """Status and body of one request to the control API."""
    said: list[Any] = []

    async def send(message: Message) -> None:
        said.append(message["status"] if "status" in message else json.loads(message["body"]))

    async def receive() -> Message:
        return {}

    def no_metrics() -> Any:
        raise AssertionError

    made = Root(
        edge=cast("McpApp", Nothing()), api=loading, rooms=(), hosts=frozenset({"here"}), origins=frozenset(),
        ready=lambda: None, metrics=no_metrics,
    )  # fmt: skip
    await made({"type": "http", "path": "/api/v1/x", "method": "GET", "headers": [(b"host", b"here")]}, receive, send)
    return said


@pytest.mark.asyncio
async def test_who_asks_early_is_answered_once_it_is_loaded() -> None:
    loading: asyncio.Future[App] = asyncio.get_running_loop().create_future()
    early = asyncio.create_task(asked(loading))
    await asyncio.sleep(0)
    loading.set_result(api)
    assert await early == [200, {"title": "loaded"}]


@pytest.mark.asyncio
async def test_who_waits_too_long_is_told_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(root, "_API_WAIT_S", 0.0)
    loading: asyncio.Future[App] = asyncio.get_running_loop().create_future()
    status, told = await asked(loading)
    assert (status, told["title"], told["next"][:9]) == (503, "the control API is still loading", "ask again")
    assert "governs already" in told["why"]
    assert not loading.cancelled(), "others wait for it, too"


def test_a_command_waits_longer_than_the_service_has_it_wait() -> None:
    from remit.app.terminal import client

    assert client._TIMEOUT_S > root._API_WAIT_S >= 60, "a machine that is slow loads it in tens of seconds"  # pyright: ignore[reportPrivateUsage]
