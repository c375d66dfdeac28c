"""One absurd tool of 200: it is quarantined, and the other 199 work."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.child import child
from proof.counting import listens
from proof.service import Service, free_port
from tests.eventually import awaited
from tests.upstreams.many import ABSURD, TOOLS

WORKSPACE = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: platform, purpose: tries them all}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: many}
spec: {url: "http://127.0.0.1:PORT/mcp"}
"""
POLICY = '@id("all")\npermit (principal, action in Remit::Action::"server:many", resource);\n'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    port = free_port()
    program = Path(__file__).parents[1] / "upstreams" / "many.py"
    with child(subprocess.Popen([sys.executable, program, str(port)])) as upstream:
        running = Service(tmp_path_factory.mktemp("absurd"))
        try:
            awaited(lambda: listens(port) or upstream.poll() is not None)
            assert upstream.poll() is None
            running.write({"resources.yaml": WORKSPACE.replace("PORT", str(port)), "all.cedar": POLICY})
            running.start()
            running.accept("many")
            yield running
        finally:
            running.stop()


async def every_tool(service: Service, token: str) -> tuple[set[str], dict[str, Any]]:
    """What is listed, and the answer of each of the 200 tools."""
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}) as http:
        transport = streamable_http_client(f"{service.url}/mcp/many", http_client=http)
        async with Client(transport) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            names = [str(tool["name"]) for tool in TOOLS]
            return listed, {name: await client.call_tool(name, {"n": 1}) for name in names}


def test_the_absurd_tool_is_quarantined_and_the_other_199_work(service: Service) -> None:
    listed, answers = asyncio.run(every_tool(service, service.agent("clerk")))
    assert len(answers) == 200
    worked = {name for name, answer in answers.items() if not answer.is_error}
    assert worked == answers.keys() - {ABSURD}
    assert listed == worked
    refused = "".join(part.text for part in answers[ABSURD].content)
    assert "tool/untypable" in refused
    assert service.remit("ledger", "verify").returncode == 0


def test_the_quarantine_is_shown_and_a_policy_that_reads_its_input_is_refused(service: Service) -> None:
    shown = service.told("get", "tools", f"many/{ABSURD}")
    assert shown[0]["status"]["quarantined"]
    reads = f'@id("reads")\nforbid (principal, action == Remit::Action::"many___{ABSURD}", resource)\n'
    service.write({"reads.cedar": reads + "when { context.input.n > 3 };\n"})
    done = service.remit("apply")
    (service.workspace / "reads.cedar").unlink()
    assert done.returncode == 3
    assert "tool/untypable" in done.stderr
    assert "reads.cedar:3" in done.stderr
