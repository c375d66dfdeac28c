"""All four pairs of eras: the SDK's client before a real service, and the SDK's whole server of one era behind it."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from proof.child import child
from proof.service import Service
from tests.eventually import WITHIN_S, awaited

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

WHOLE: Final = Path(__file__).parents[1] / "upstreams" / "whole.py"
OLD: Final = "2025-11-25"
NEW: Final = "2026-07-28"
MODES: Final = {OLD: "legacy", NEW: "auto"}
PAIRS: Final = tuple((client, upstream) for client in (OLD, NEW) for upstream in (OLD, NEW))
NAMES: Final = {OLD: "old", NEW: "new"}
RESOURCES: Final = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: ana, purpose: uses everything, groups: [clerks]}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: clerks}
spec: {description: agents that use everything}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {}
"""
SERVER: Final = """\
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: NAME}
spec: {url: "http://127.0.0.1:PORT/mcp", verify_s: 1}
"""
POLICIES: Final = """\
@id("clerks-do-everything")
permit (principal in Remit::Group::"clerks", action, resource);
"""


@dataclass
class Pairs:
    """A service, the two servers behind it, and where each is reached without it."""

    service: Service
    ports: dict[str, int]
    token: str

    def direct(self, upstream: str, **options: Any) -> Client:
        """The SDK's client at the server of its own era, without Remit between."""
        return Client(f"http://127.0.0.1:{self.ports[upstream]}/mcp", mode=MODES[upstream], **options)

    @contextlib.asynccontextmanager
    async def client(self, client: str, upstream: str, **options: Any) -> AsyncGenerator[Client]:
        """The SDK's client of one era at the governed server of another; `options` are those of the client."""
        async with self.at(f"/mcp/{NAMES[upstream]}", client, **options) as made:
            yield made

    @contextlib.asynccontextmanager
    async def at(self, path: str, client: str, **options: Any) -> AsyncGenerator[Client]:
        """The SDK's client of one era at `path`: that of one server, or of all."""
        async with (
            httpx2.AsyncClient(
                headers={"Authorization": f"Bearer {self.token}"}, timeout=WITHIN_S, trust_env=False
            ) as http,
            Client(
                streamable_http_client(f"{self.service.url}{path}", http_client=http),
                mode=MODES[client],
                **options,
            ) as made,
        ):
            yield made


def in_all_pairs(test: Any) -> Any:
    """Run an async test once for each pair, as `test(both, client era, upstream era)`."""
    return pytest.mark.asyncio(pytest.mark.parametrize(("era", "upstream"), PAIRS)(test))


def text(result: Any) -> str:
    """The text that is all of a tool's answer."""
    [block] = result.content
    assert isinstance(block, TextContent)
    return block.text


def texts(result: Any) -> str:
    """All texts of a tool's answer."""
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


@contextlib.contextmanager
def pairs(folder: Path, verify_s: float = 1.0, more: Mapping[str, int] | None = None) -> Generator[Pairs]:
    """Start both servers and the service, and accept their tools; `more` servers there are by name and port."""
    with contextlib.ExitStack() as stack:
        ports = {era: stack.enter_context(whole(era, folder)) for era in (OLD, NEW)}
        service = Service(folder)
        server = SERVER.replace("verify_s: 1}", f"verify_s: {verify_s}}}")
        servers = [server.replace("NAME", NAMES[era]).replace("PORT", str(port)) for era, port in ports.items()]
        servers += [server.replace("NAME", name).replace("PORT", str(port)) for name, port in (more or {}).items()]
        service.write({"resources.yaml": RESOURCES + "".join(servers), "policies.cedar": POLICIES})
        stack.callback(service.stop)
        service.start()
        service.accept(*NAMES.values())
        yield Pairs(service, ports, service.agent("clerk", "ana"))


@contextlib.contextmanager
def whole(era: str, folder: Path) -> Generator[int]:
    """The whole server in one era; its port."""
    port_file = folder / f"whole-{era}.port"
    with child(subprocess.Popen([sys.executable, "-W", "ignore", str(WHOLE), era, str(port_file)])) as process:
        awaited(lambda: port_file.exists() or process.poll() is not None)
        assert process.poll() is None, "the whole server did not start"
        yield int(port_file.read_text())
