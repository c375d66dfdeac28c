"""Where a name may lead: a public one to global addresses alone, unless its server says otherwise."""

import socket
from collections.abc import Generator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.upstreams.address_guard import is_public_name
from remit.adapters.upstreams.build import build_upstream
from remit.adapters.upstreams.exchange import open_http_session
from remit.facts.address import is_global
from remit.facts.catalog import Http, Server
from remit.facts.limits import DEFAULT
from remit.ports.upstream import Era, Failure, Reply, Result
from tests.upstreams.rig import ManualClock, http_process


class Names(AbstractResolver):
    """A resolver that leads every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(hostname=host, host=one, port=port, family=family, proto=0, flags=0)
            for one in self._addresses
        ]

    async def close(self) -> None:
        return


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Generator[int]:
    with http_process("http_server.py", tmp_path_factory.mktemp("http")) as found:
        yield found


async def called(host: str, port: int, folder: Path, *addresses: str, private: bool = False) -> Reply:
    server = Server("named", Http(f"http://{host}:{port}/stateless", private=private))
    async with open_http_session(Names(*addresses)) as session:
        upstream = build_upstream(server, session=session, limits=DEFAULT, clock=ManualClock(), state_dir=folder)
        try:
            return await upstream.call("a", Era.STATELESS, "echo", b"{}")
        finally:
            await upstream.close()


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("::ffff:127.0.0.1",)])
@pytest.mark.asyncio
async def test_a_public_name_that_leads_inside_is_not_connected_to(
    addresses: tuple[str, ...], port: int, tmp_path: Path
) -> None:
    reply = await called("tools.example.com", port, tmp_path, *addresses)
    assert isinstance(reply, Failure)
    assert (reply.cause, reply.sent) == ("private_address", False)
    assert "`private: true`" in reply.text


@pytest.mark.parametrize(
    ("host", "private"),
    [("tools.example.com", True), ("tools", False), ("tools.internal", False), ("127.0.0.1", False)],
)
@pytest.mark.asyncio
async def test_what_is_meant_to_be_inside_is_reached(host: str, private: bool, port: int, tmp_path: Path) -> None:
    assert isinstance(await called(host, port, tmp_path, "127.0.0.1", private=private), Result)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.16.0.1", "192.168.1.1", "127.8.8.8", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "::", "ff02::1",
     "2002:100::", "::127.0.0.1", "::10.0.0.1", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "fec0::1", "nonsense"],
)  # fmt: skip
def test_addresses_that_are_not_global(address: str) -> None:
    assert not is_global(address)


@given(st.ip_addresses())
def test_what_is_global_is_nothing_that_python_calls_private(address: IPv4Address | IPv6Address) -> None:
    if is_global(str(address)):
        assert address.is_global
        assert not address.is_multicast


@pytest.mark.parametrize("host", ["example.com", "EXAMPLE.com.", "a.b.dev", "0x7f.0.0.1"])
def test_names_that_are_public(host: str) -> None:
    assert is_public_name(host)


@pytest.mark.parametrize(
    "host", ["localhost", "a.localhost", "db", "printer.local", "x.internal", "nas.home.arpa", "a.test."]
)
def test_names_that_are_not(host: str) -> None:
    assert not is_public_name(host)
