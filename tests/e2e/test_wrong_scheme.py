"""An address with `https` for `http` says that, instead of an error of TLS and how to start what runs."""

import asyncio
import ssl
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from remit.app.bridge.wire import Call, ServiceEndpoint
from remit.app.terminal.client import ServiceClient, speaks_http
from remit.app.terminal.failure import CommandFailure, Exit
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("scheme")) as made:
        yield made


async def test_https_for_http_names_the_address_that_is_spoken(api: World):
    wrong = api.url.replace("http://", "https://")
    with pytest.raises(CommandFailure) as failed:
        await asyncio.to_thread(ServiceClient(None, wrong).get, "/status")
    told = failed.value
    assert (told.what, told.exit) == (f"no answer from {wrong}", Exit.UNREACHABLE)
    assert (told.why, told.next) == ("what answers there speaks http, not https", f"set REMIT_URL={api.url}")
    with pytest.raises(CommandFailure) as failed:
        await asyncio.to_thread(Call(ServiceEndpoint(wrong, "/mcp")).send, "POST", {}, b"{}")
    assert failed.value.next == f"what answers there speaks http, not https: --url {api.url}"


async def test_another_failure_of_tls_is_one_of_the_certificate(unused_tcp_port: int):
    assert not speaks_http(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]"))
    client = ServiceClient(None, f"https://127.0.0.1:{unused_tcp_port}")
    with pytest.raises(CommandFailure) as failed:
        client.get("/status")
    assert failed.value.next.startswith("start the service")
