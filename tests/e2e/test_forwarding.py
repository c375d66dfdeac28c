"""Telemetry is passed on to the user's own backend as it came, and nothing waits for that."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from remit.app.discovery import telemetry_forwarder
from remit.app.discovery.telemetry_forwarder import TelemetryForwarder, forward_telemetry
from remit.app.service.repeated_failures import tell
from remit.app.settings import forward_to
from remit.app.terminal.failure import CommandFailure
from remit.ports.telemetry import TelemetryExport
from tests.eventually import eventually

pytestmark = pytest.mark.asyncio

SENT = TelemetryExport("application/x-protobuf", "gzip", b"\x1f\x8b as it came")


async def backend(handler: Callable[[web.Request], Awaitable[web.Response]]) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_post("/v1/traces", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"


class Taker:
    """What takes telemetry in."""

    forward: Callable[[TelemetryExport], None] | None = None


async def test_what_was_taken_in_is_passed_on_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_forwarder, "FIRST_S", 0.01)
    got: list[tuple[bytes, str, str, str]] = []
    answers = [503, 200]

    async def handler(request: web.Request) -> web.Response:
        status = answers.pop(0)
        if status == 200:
            heads = request.headers
            body = await request.content.read()
            got.append((body, heads["content-type"], heads["content-encoding"], heads["x-key"]))
        return web.Response(status=status)

    runner, url = await backend(handler)
    taker = Taker()
    running = asyncio.create_task(forward_telemetry(taker, url, {"x-key": "k"}, tell))
    try:
        forward = await eventually(lambda: taker.forward)
        assert forward is not None
        forward(TelemetryExport("application/x-protobuf", "identity", b"as it came"))
        await eventually(lambda: got)
        assert got == [(b"as it came", "application/x-protobuf", "identity", "k")]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()


async def test_what_the_backend_does_not_take_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_forwarder, "FIRST_S", 0.0)
    monkeypatch.setattr(telemetry_forwarder, "WAITING_BYTES_MAX", 30)

    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=400)

    runner, url = await backend(handler)
    async with aiohttp.ClientSession() as session:
        passing = TelemetryForwarder(session, url, {})
        for _ in range(5):
            passing.offer(SENT)
        assert passing.counted["dropped"] == 3
        gone = TelemetryForwarder(session, "http://127.0.0.1:9/v1/traces", {})
        gone.offer(SENT)
        for each in (passing, passing, gone):
            await each.turn()
        assert (passing.counted["dropped"], gone.counted["dropped"]) == (5, 1)
    await runner.cleanup()


async def test_exports_without_a_body_take_room_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry_forwarder, "WAITING_MAX", 3)
    async with aiohttp.ClientSession() as session:
        passing = TelemetryForwarder(session, "http://127.0.0.1:9/v1/traces", {})
        for _ in range(5):
            passing.offer(TelemetryExport("application/json", "", b""))
        assert passing.counted["dropped"] == 2


async def test_an_error_of_ours_drops_one_export_and_is_told_and_the_next_one_goes() -> None:
    got: list[bytes] = []
    told: list[Exception] = []
    taker = Taker()

    async def handler(request: web.Request) -> web.Response:
        got.append(await request.content.read())
        return web.Response()

    runner, url = await backend(handler)
    running = asyncio.create_task(forward_telemetry(taker, url, {}, told.append))
    try:
        forward = await eventually(lambda: taker.forward)
        assert forward is not None
        forward(TelemetryExport("application/json\nx: y", "", b"no header can be this"))
        forward(TelemetryExport("application/json", "", b"{}"))
        assert await eventually(lambda: got) == [b"{}"]
        assert [type(error) for error in told] == [ValueError]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()


async def test_where_to_is_named_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert forward_to() is None
    monkeypatch.setenv("REMIT_OTLP_FORWARD", "http://collector:4318/v1/traces")
    monkeypatch.setenv("REMIT_OTLP_FORWARD_HEADERS", "x-key = k=1, y=2")
    assert forward_to() == ("http://collector:4318/v1/traces", {"x-key": "k=1", "y": "2"})
    monkeypatch.setenv("REMIT_OTLP_FORWARD", "collector:4318")
    with pytest.raises(CommandFailure):
        forward_to()


@pytest.mark.parametrize("given", ["x-key=a\nb", "x-key=\udc80", "x key=a", "a=b,=c"])
async def test_a_header_that_cannot_be_sent_is_refused_before_the_start(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMIT_OTLP_FORWARD", "http://collector:4318/v1/traces")
    monkeypatch.setenv("REMIT_OTLP_FORWARD_HEADERS", given)
    with pytest.raises(CommandFailure, match="cannot be sent"):
        forward_to()
