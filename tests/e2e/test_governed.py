"""The enforcement points as a source: what passes them is governed, once, also after a restart."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.sources.ledger import LedgerSource
from remit.app.settings import LEDGER
from remit.facts.trace import Trace
from remit.pep.answer import Client
from remit.ports.source import SourceFailed
from remit.ports.upstream import Era
from tests.e2e.api_world import World, world
from tests.e2e.telemetry_world import export, protobuf, span

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("service")) as made:
        yield made


async def entry(api: World, name: str) -> dict[str, Any]:
    await api.service.discoverer.turn()
    return await api.told("GET", f"/inventory/{name}")


async def called(api: World, trace: int, agent: str = "bot") -> None:
    """A call through the driver, as of the trace with this number."""
    authority = api.authority(await api.token("agent", agent, user="ann"))
    client = Client(Era.STATELESS, trace=str(Trace(f"{trace:032x}", f"{7:016x}")))
    arguments = b'{"text":"hello"}'
    await api.driver.call_tool(authority, client, "hand", "echo", {"text": "hello"}, arguments)


def condition(found: dict[str, Any], kind: str) -> str:
    return next(one["status"] for one in found["conditions"] if one["type"] == kind)


async def test_what_passes_the_gateway_is_in_the_inventory_and_governed(api: World) -> None:
    await called(api, 1)
    found = await entry(api, "agent/bot")
    assert found["passed"] == 1
    assert condition(found, "Governed") == "True"
    assert {"tool/hand/echo", "server/hand"} <= {link["to"] for link in found["links"]}
    assert (await entry(api, "tool/hand/echo"))["passed"] >= 1


async def test_the_same_call_told_by_telemetry_is_one_and_tells_who_is_who(api: World) -> None:
    await called(api, 2, "sub")
    told = export(
        span("tool", 3, 2, 2, gen_ai__operation__name="execute_tool", gen_ai__tool__name="echo"),
        span("agent", 2, 0, 2, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="planner"),
    )
    headers = {"authorization": f"Bearer {api.admin}", "content-type": "application/x-protobuf"}
    answer = await api.http.post(f"{api.url}/otlp/v1/traces", content=protobuf(told), headers=headers)
    assert answer.status_code == 200
    found = await entry(api, "agent/otlp:planner")
    assert found["name"] == "agent/sub"
    assert (found["passed"], found["observed"]) == (1, 0)
    assert any("is on the ledger as" in claim["evidence"] for claim in found["because"])


async def test_each_record_is_counted_once_also_after_a_restart(api: World) -> None:
    await called(api, 3, "other")
    before = await entry(api, "agent/other")
    discoverer = api.service.discoverer
    await discoverer.discovery.run(discoverer.discovery.reload)
    again = LedgerSource(api.workspace.parent / "data" / LEDGER, lambda: discoverer.discovery.mark("ledger"))
    assert [found async for found in again.look()] == []
    await called(api, 4, "other")
    assert (await entry(api, "agent/other"))["passed"] == before["passed"] + 1


async def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no ledger" * 1000)
    source = LedgerSource(tmp_path / "ledger.db", str)
    with pytest.raises(SourceFailed, match="the ledger cannot be read"):
        async for _ in source.look():
            pass
