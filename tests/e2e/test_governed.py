"""The enforcement points as a source: what passes them is governed, once, also after a restart."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.sources.ledger import LedgerSource
from remit.adapters.system import SystemClock
from remit.app.discovery.drift import Drifts
from remit.app.discovery.facade import Discoverer, open_discovery
from remit.app.settings import LEDGER
from remit.discover.drift import Drift
from remit.discover.memory import SCOPES, scopes_text
from remit.discover.sighting import Edge, Kind, Sighting, Subject, Verb
from remit.facts.stop import Stop, StopScope, StopTarget
from remit.facts.trace import Trace
from remit.pep.answer import Client
from remit.ports.source import SourceFailed
from remit.ports.upstream import Era
from tests.contract.ledger_world import Place, draft
from tests.core.recording import action
from tests.e2e.api_world import World, world
from tests.e2e.telemetry_world import export, protobuf, span
from tests.eventually import WITHIN_S

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
    assert [found.passages async for found in again.look() if found.passages] == []
    await called(api, 4, "other")
    assert (await entry(api, "agent/other"))["passed"] == before["passed"] + 1


async def test_a_ledger_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no ledger" * 1000)
    source = LedgerSource(tmp_path / "ledger.db", str)
    with pytest.raises(SourceFailed, match="the ledger cannot be read"):
        async for _ in source.look():
            pass


async def test_a_look_at_a_ledger_that_is_written_without_a_pause_ends(tmp_path: Path) -> None:
    place = Place(tmp_path)
    ledger = place.open()
    over, begun = False, asyncio.Event()

    async def written() -> None:
        while not over:
            await ledger.append(draft(action())).durable
            begun.set()

    writing = asyncio.create_task(written())
    await begun.wait()
    source = LedgerSource(place.file, str)
    try:
        async with asyncio.timeout(WITHIN_S):
            looks = [[found async for found in source.look()] for _ in range(3)]
        assert not writing.done()
        assert looks[0], "what had been written was found"
    finally:
        over = True
        await writing
        await ledger.close()


async def events(api: World, event: str) -> list[dict[str, Any]]:
    entries = (await api.told("GET", "/ledger/entries?limit=1000"))["items"]
    return [one["body"] for one in entries if one["body"] and one["body"].get("event") == event]


async def test_changes_of_the_inventory_are_on_record_and_sightings_are_not(api: World) -> None:
    async def listed(trace: int) -> list[dict[str, Any]]:
        told = export(
            span("tool", 3, 2, trace, gen_ai__operation__name="execute_tool", gen_ai__tool__name="dig"),
            span("agent", 2, 0, trace, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="mole"),
        )
        headers = {"authorization": f"Bearer {api.admin}", "content-type": "application/x-protobuf"}
        await api.http.post(f"{api.url}/otlp/v1/traces", content=protobuf(told), headers=headers)
        await called(api, trace + 1, "eve")
        await entry(api, "agent/otlp:mole")
        return [change for body in await events(api, "inventory.changed") for change in body["data"]["changes"]]

    first = await listed(11)
    edge = {"what": "edge", "subject": "agent/otlp:mole", "source": "otlp", "key": "uses", "after": "tool/otlp:dig"}
    assert first.count(edge) == 1
    assert not any(change["source"] == "ledger" for change in first), "what an intent says is not said again"
    assert await listed(31) == first, "what is seen again changes nothing"


async def test_a_new_agent_is_among_the_changes_that_a_record_lists(api: World) -> None:
    at = SystemClock().now_ms()
    tools = [Sighting(Subject(Kind.TOOL, f"many-{number}", "otlp"), "otlp", "e", at, at) for number in range(150)]
    await api.service.discoverer.take([*tools, Sighting(Subject(Kind.AGENT, "late", "otlp"), "otlp", "e", at, at)], "x")
    await api.service.discoverer.turn()
    [body] = [one for one in await events(api, "inventory.changed") if one["data"]["more"]]
    assert body["data"]["changes"][0]["subject"] == "agent/otlp:late"
    await api.service.incidents.turn()
    found = (await api.told("GET", "/incidents"))["items"]
    assert any(one["about"] == "shadow:otlp" and one["causes"] == ["shadow"] for one in found)


async def test_a_new_tool_of_a_settled_agent_is_told_with_before_and_after_and_stops_it(api: World) -> None:
    agents = api.workspace / "agents.yaml"
    text = agents.read_text()
    name = 'metadata:\n  name: "guest"\n'
    assert name in text
    agents.write_text(text.replace(name, f'{name}  annotations: {{remit.dev/on-drift: "stop"}}\n'))
    await api.told("POST", "/apply", body={})
    await called(api, 21, "guest")
    await api.told("POST", "/settled", body={"name": (await entry(api, "agent/guest"))["name"]})
    token = await api.token("agent", "guest", user="ann")
    await api.call(token, "echo", {"text": "before"})
    told = export(
        span("tool", 3, 2, 22, gen_ai__operation__name="execute_tool", gen_ai__tool__name="rm"),
        span("agent", 2, 0, 22, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="guest"),
    )
    for bearer in (await api.token("agent", "eve", user="ann"), token):
        assert "before" in str(await api.call(token, "echo", {"text": "before"})), "not by the word of another"
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/x-protobuf"}
        await api.http.post(f"{api.url}/otlp/v1/traces", content=protobuf(told), headers=headers)
        assert condition(await entry(api, "agent/guest"), "Drifted") == "True"
    [noted, drift] = [body for body in await events(api, "agent.drifted") if body["data"]["after"] == "tool/otlp:rm"]
    assert (noted["data"]["source"], noted["data"]["follows"]) == ("otlp:eve", "notice")
    assert drift["subject"] == "agent/guest"
    assert (drift["data"]["kind"], drift["data"]["follows"]) == ("new-tool", "stop")
    assert drift["data"]["before"] == "tool/hand/echo"
    refused = await api.call(token, "echo", {"text": "after"})
    assert "agent guest was stopped by discovery: new-tool: tool/otlp:rm" in str(refused)
    await api.told("POST", "/halts/resume", body={"kind": "agent", "name": "guest"})
    assert "after" in str(await api.call(token, "echo", {"text": "after"}))


async def test_what_follows_never_loosens_what_a_person_stopped(api: World) -> None:
    halts: list[tuple[str, str]] = []

    class Stops:
        stops: tuple[Stop, ...] = ()

        async def halt(self, what: StopTarget, by: str, reason: str, holds: StopScope = StopScope.ALL) -> object:
            halts.append((reason, holds.value))
            self.stops = (Stop(*what, by, 0, reason, holds),)
            return None

    stops, said = Stops(), {"remit.dev/on-drift": "quarantine"}
    drifts = Drifts(api.driver.authorization.record, stops, lambda _: said)
    one = Drift("new-tool", Subject(Kind.AGENT, "guest"), "nothing", "tool/x", "otlp", 1)
    await drifts.tell((), [one, one])
    assert halts == [("new-tool: tool/x", "acting")], "what holds already is not said again"
    stops.stops = (replace(stops.stops[0], scope=StopScope.READING),)
    await drifts.tell((), [one])
    assert halts[1:] == [("new-tool: tool/x", "all")], "what may not read, and now not act, may do nothing"
    await drifts.tell((), [one])
    assert len(halts) == 2, "a halt stays one"


async def restarted(api: World) -> None:
    """What discovery comes to after a start on the same files."""
    data, runtime = api.workspace.parent / "data", api.service.runtime
    await api.service.discoverer.turn()
    await api.service.discoverer.discovery.close()
    drifts = Drifts(api.driver.authorization.record, api.driver.halts, runtime.annotations)
    new = Discoverer(open_discovery(data, SystemClock()), lambda: runtime.bundle, SystemClock(), data / LEDGER, drifts)
    await new.start()
    # The API has the old one.
    vars(api.service.discoverer).update(vars(new))


async def test_what_telemetry_tells_after_a_restart_of_before_it_is_governed(api: World) -> None:
    before = await entry(api, "agent/other")
    await called(api, 61, "other")
    await restarted(api)
    told = export(
        span("tool", 3, 2, 61, gen_ai__operation__name="execute_tool", gen_ai__tool__name="echo"),
        span("agent", 2, 0, 61, gen_ai__operation__name="invoke_agent", gen_ai__agent__name="latecomer"),
    )
    headers = {"authorization": f"Bearer {api.admin}", "content-type": "application/x-protobuf"}
    await api.http.post(f"{api.url}/otlp/v1/traces", content=protobuf(told), headers=headers)
    found = await entry(api, "agent/otlp:latecomer")
    assert (found["name"], found["passed"], found["observed"]) == ("agent/other", before["passed"] + 1, 0)


async def test_drift_that_was_not_recorded_before_the_end_is_after_it(api: World) -> None:
    await called(api, 71, "eve")
    await api.told("POST", "/settled", body={"name": "agent/eve"})
    discoverer, at = api.service.discoverer, SystemClock().now_ms() + 5
    edges = (Edge(Verb.USES, Subject(Kind.TOOL, "dd", "host")),)
    seen = Sighting(Subject(Kind.AGENT, "eve"), "host", "e", at, at, edges=edges)
    await discoverer.take([seen], "host")
    assert [change.after for change in await discoverer.discovery.turn() if change.key == "uses"] == ["tool/host:dd"]
    await discoverer.discovery.close()
    discoverer.discovery = open_discovery(api.workspace.parent / "data", SystemClock())
    await discoverer.start()
    for _ in range(2):
        await discoverer.turn()
        await restarted(api)
    drifts = [body for body in await events(api, "agent.drifted") if body["data"]["after"] == "tool/host:dd"]
    assert len(drifts) == 1


async def test_what_was_widened_while_nobody_looked_is_told_at_the_start(api: World) -> None:
    for agent in ("bot", "sub"):
        await api.told("POST", "/settled", body={"name": f"agent/{agent}"})
    await api.service.discoverer.turn()
    await api.service.discoverer.discovery.told({SCOPES: scopes_text({"bot": frozenset({"hand/echo"})})})
    await restarted(api)
    await api.service.discoverer.turn()
    found = [body for body in await events(api, "agent.drifted") if body["data"]["kind"] == "permission-widened"]
    assert any(body["data"]["before"] == "hand/echo" for body in found)
    before = len(found)
    await restarted(api)
    await api.service.discoverer.turn()
    found = [body for body in await events(api, "agent.drifted") if body["data"]["kind"] == "permission-widened"]
    assert len(found) == before


async def test_a_widened_permission_is_told(api: World) -> None:
    await entry(api, "agent/bot")
    for agent in ("bot", "sub"):
        await api.told("POST", "/settled", body={"name": f"agent/{agent}"})
    policies = api.workspace / "policies.cedar"
    policies.write_text(
        policies.read_text().replace("never-fails", "never-fails-2").replace("hand___fails", "hand___hang")
    )
    await api.told("POST", "/apply", body={})
    await entry(api, "agent/bot")
    found = [body for body in await events(api, "agent.drifted") if body["data"]["kind"] == "permission-widened"]
    assert {body["subject"] for body in found} >= {"agent/bot", "agent/sub"}
    assert "and hand/fails" in {body["data"]["after"] for body in found}
