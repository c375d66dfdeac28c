"""Telemetry over OTLP/HTTP becomes an inventory; what is hostile in it is bounded, named, and stops nothing else."""

import asyncio
import json
import random
import threading
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope

from remit.adapters.sources import otlp
from remit.adapters.sqlite.sightings import SqliteSightings
from remit.api.telemetry import status_of
from remit.facts.limits import Limits
from remit.ports.telemetry import TelemetryRefused
from remit.work.discovery import STEP_SPANS
from tests.e2e.api_world import World, world
from tests.e2e.gateway_world import until
from tests.e2e.telemetry_world import export, protobuf, span, zipped
from tests.eventually import WITHIN_S, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
PROTOBUF = {"content-type": "application/x-protobuf"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("service")) as made:
        yield made


async def send(api: World, body: bytes, heads: dict[str, str], token: str | None = None) -> httpx2.Response:
    headers = {"authorization": f"Bearer {token or api.admin}", **heads}
    return await api.http.post(f"{api.url}/otlp/v1/traces", content=body, headers=headers)


async def entry(api: World, name: str) -> dict[str, Any]:
    return await api.told("GET", f"/inventory/{name}")


def told(agent: str, tool: str, trace: int, model: str = "m1") -> dict[str, Any]:
    return export(
        span("tool", 3, 2, trace, gen_ai__operation__name="execute_tool", gen_ai__tool__name=tool),
        span("chat", 4, 2, trace, gen_ai__operation__name="chat", gen_ai__request__model=model),
        span("agent", 2, 0, trace, gen_ai__operation__name="invoke_agent", gen_ai__agent__name=agent),
    )


@pytest.mark.parametrize(("form", "zip_it"), [("json", False), ("json", True), ("protobuf", False), ("protobuf", True)])
async def test_every_form_of_an_export_becomes_an_inventory(api: World, form: str, zip_it: bool) -> None:
    name = f"{form}-{zip_it}"
    request = told(name, f"tool-{name}", hash(name) % 10**9 + 1)
    body = protobuf(request) if form == "protobuf" else json.dumps(request).encode()
    heads = {**(PROTOBUF if form == "protobuf" else JSON), **({"content-encoding": "gzip"} if zip_it else {})}
    answer = await send(api, zipped(body) if zip_it else body, heads)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == heads["content-type"]
    assert answer.content == (b"" if form == "protobuf" else b"{}")
    found = await entry(api, f"agent/otlp:{name}")
    assert {link["to"] for link in found["links"]} == {f"tool/otlp:tool-{name}", "model/m1"}
    assert found["conditions"][0]["type"] == "Shadow"
    assert found["conditions"][0]["status"] == "True"


async def test_a_call_that_bypassed_the_gateway_shows_as_ungoverned(api: World) -> None:
    await send(api, json.dumps(told("around", "rm", 77)).encode(), JSON)

    async def counted() -> bool:
        await api.service.discoverer.turn()
        return (await entry(api, "agent/otlp:around"))["observed"] == 1

    await until(counted)
    for _ in range(2):
        await send(api, json.dumps(told("around", "rm", 77)).encode(), JSON)
        await api.service.discoverer.turn()
    assert (await entry(api, "agent/otlp:around"))["observed"] == 1, "sent again it is the same call"
    rows = (await api.told("GET", "/coverage?by=agent"))["items"]
    assert {"name": "agent/otlp:around", "agents": 1, "passed": 0, "observed": 1, "coverage": 0.0, "models": 1} in rows


async def test_coverage_is_told_by_agent_by_team_and_by_day(api: World) -> None:
    agents = api.workspace / "agents.yaml"
    agents.write_text(agents.read_text().replace('"other"\nspec: {', '"other"\nspec: {"groups": ["sec", "fin"], '))
    await api.told("POST", "/apply", body={})
    await send(api, json.dumps(told("other", "elsewhere", 4711)).encode(), JSON)

    async def counted() -> bool:
        await api.service.discoverer.turn()
        rows = (await api.told("GET", "/coverage?by=team"))["items"]
        return {"sec", "fin"} <= {row["name"] for row in rows if row["observed"]}

    await until(counted)
    whole = [(await api.told("GET", f"/coverage?by={by}"))["total"] for by in ("agent", "team", "day")]
    assert whole[0]["observed"] > 0
    assert whole[0] == whole[1] == whole[2], "an agent in two teams is counted once"
    [day] = (await api.told("GET", "/coverage?by=day&days=1"))["items"]
    assert len(day["name"]) == len("2026-11-28")
    assert day["coverage"] == round(day["passed"] / (day["passed"] + day["observed"]), 4)
    teams = {row["name"] for row in (await api.told("GET", "/coverage?by=team"))["items"]}
    assert {"sec", "fin"} <= teams <= {"everyone", "sec", "fin", "(no team)"}


async def test_how_each_source_does_is_told(api: World) -> None:
    async def states() -> dict[str, Any]:
        await api.service.discoverer.turn()
        return {one["name"]: one for one in (await api.told("GET", "/inventory?limit=1"))["sources"]}

    await send(api, json.dumps(told("bot", "elsewhere", 4712)).encode(), JSON)
    found = await states()
    assert (found["ledger"]["healthy"], found["otlp"]["healthy"]) == ("True", "True")
    assert (await send(api, b"{", JSON)).status_code == 400
    failed = (await states())["otlp"]
    assert (failed["healthy"], failed["last"]) == ("False", found["otlp"]["last"])
    assert "otlp/json" in failed["message"]
    await send(api, json.dumps(told("bot", "elsewhere", 4713)).encode(), JSON)
    assert (await states())["otlp"]["healthy"] == "True"


async def test_calls_of_models_are_counted_beside_coverage(api: World) -> None:
    await send(api, json.dumps(told("thinker", "dig", 4714)).encode(), JSON)

    async def counted() -> list[dict[str, Any]]:
        await api.service.discoverer.turn()
        rows = (await api.told("GET", "/coverage"))["items"]
        return [row for row in rows if row["name"] == "agent/otlp:thinker" and row["observed"]]

    await until(counted)
    [row] = await counted()
    assert (row["observed"], row["coverage"], row["models"]) == (1, 0.0, 1)
    assert (await entry(api, "agent/otlp:thinker"))["observed"] == 1, "no enforcement point could have seen the model"


async def test_what_comes_with_the_token_of_an_agents_harness_is_the_agents(api: World) -> None:
    token = await api.token("harness", "coach")
    assert (await send(api, json.dumps(told("whoever", "t", 6)).encode(), JSON, token)).status_code == 200
    assert (await entry(api, "agent/otlp:whoever"))["sources"] == ["otlp:coach"]


async def test_what_comes_with_an_agents_token_is_its_own(api: World) -> None:
    token = await api.token("agent", "bot", user="ann")
    assert (await send(api, json.dumps(told("bot", "t", 5)).encode(), JSON, token)).status_code == 200
    found = await entry(api, "agent/bot")
    assert found["names"] == ["agent/bot", "agent/otlp:bot"]
    assert "sent with the token of bot" in {one["evidence"] for one in found["because"]}
    assert await entry(api, "agent/otlp:bot") == found
    apart = {"one": "agent/bot", "other": "agent/otlp:bot", "same": False}
    assert (await api.told("POST", "/claims", body=apart))["names"] == ["agent/bot"]
    assert (await entry(api, "agent/otlp:bot"))["names"] == ["agent/otlp:bot"]


@pytest.mark.parametrize(
    ("body", "heads", "status", "code"),
    [
        (b"\x0a\xff", PROTOBUF, 400, "otlp/protobuf"),
        (protobuf(told("a", "b", 1))[:-3], PROTOBUF, 400, "otlp/protobuf"),
        # A resource whose attributes are none, and a scope whose name is no text.
        (b"\x0a\x04\x0a\x02\x0a\x09", PROTOBUF, 400, "otlp/protobuf"),
        (b"\x0a\x07\x12\x05\x0a\x03\x0a\x01\xff", PROTOBUF, 400, "otlp/protobuf"),
        (b"{", JSON, 400, "otlp/json"),
        (b"[" * 100_000, JSON, 400, "otlp/json"),
        (b"{}", {**JSON, "content-encoding": "gzip"}, 400, "otlp/gzip"),
        (zipped(b"{}")[:-9], {**JSON, "content-encoding": "gzip"}, 400, "otlp/gzip"),
        (zipped(b"\x0a\x00" * 8_000_000), {**PROTOBUF, "content-encoding": "gzip"}, 413, "otlp/parts"),
        (zipped(b"[" + b"{}," * 100_000 + b"{}]"), {**JSON, "content-encoding": "gzip"}, 413, "otlp/parts"),
        (zipped(b"[" + b"{}," * 5_000_000 + b"0]"), {**JSON, "content-encoding": "gzip"}, 413, "otlp/parts"),
        (zipped(b" " * (otlp.UNPACKED_BYTES_MAX + 1)), {**JSON, "content-encoding": "gzip"}, 413, "otlp/bytes"),
        (b"{}", {**JSON, "content-encoding": "br"}, 415, "otlp/encoding"),
        (b"{}", {"content-type": "text/plain"}, 415, "otlp/type"),
        (b"x" * (4 * 1024 * 1024 + 1), JSON, 413, "otlp/bytes"),
    ],
)
async def test_what_cannot_be_taken_is_refused_by_a_named_error(
    api: World, body: bytes, heads: dict[str, str], status: int, code: str
) -> None:
    answer = await send(api, body, heads)
    assert answer.status_code == status
    assert (
        f"{code}: ".encode() in answer.content
        if heads["content-type"] == PROTOBUF["content-type"]
        else (answer.json()["error"] == code)
    )
    assert (await send(api, b"{}", JSON)).status_code == 200, "everything else goes on"


MISTYPED: list[tuple[Any, str]] = [
    ([], "the body is no object"),
    (7, "the body is no object"),
    ({"resourceSpans": 7}, "resourceSpans is no list"),
    ({"resourceSpans": {}}, "resourceSpans is no list"),
    ({"resourceSpans": [7]}, "resourceSpans[0] is no object"),
    ({"resourceSpans": [{}, None]}, "resourceSpans[1] is no object"),
    ({"resourceSpans": [{"resource": []}]}, "resourceSpans[0].resource is no object"),
    ({"resourceSpans": [{"resource": {"attributes": {}}}]}, "resourceSpans[0].resource.attributes is no list"),
    ({"resourceSpans": [{"scopeSpans": 3}]}, "resourceSpans[0].scopeSpans is no list"),
    ({"resourceSpans": [{"scopeSpans": [""]}]}, "resourceSpans[0].scopeSpans[0] is no object"),
    ({"resourceSpans": [{"scopeSpans": [{"scope": {"name": 1}}]}]}, "scopeSpans[0].scope.name is no text"),
    ({"resourceSpans": [{"scopeSpans": [{"spans": "all"}]}]}, "scopeSpans[0].spans is no list"),
]


@pytest.mark.parametrize(("body", "said"), MISTYPED)
async def test_a_request_of_other_types_than_the_mapping_gives_is_refused_whole(
    api: World, body: object, said: str
) -> None:
    """An exporter that is told 200 for nothing never learns that nobody hears it."""
    answer = await send(api, json.dumps(body).encode(), JSON)
    told = answer.json()
    assert (answer.status_code, told["code"], told["error"]) == (400, 400, "otlp/json")
    assert said in told["message"]


async def test_a_refusal_is_a_status_in_the_encoding_that_was_sent(api: World) -> None:
    """Exporters of protobuf read the message out of it (OTLP 1.x, section "OTLP/HTTP Response")."""
    answer = await send(api, b"\x0a\xff", PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/x-protobuf")
    # `google.rpc.Status.message` has the number of `InstrumentationScope.version`, and is text like it.
    said = InstrumentationScope.FromString(answer.content).version
    assert said == "otlp/protobuf: the body is no ExportTraceServiceRequest, or ends early"
    answer = await send(api, b"\x0a\xff", PROTOBUF, "nonsense")
    assert InstrumentationScope.FromString(answer.content).version.startswith("token/")
    for size in (1, 127, 128, 16_384, 2_097_152):
        said = InstrumentationScope.FromString(status_of(TelemetryRefused("a", "x" * size))).version
        assert said == "a: " + "x" * size


async def test_what_agents_and_harnesses_send_counts_with_all_else_that_they_ask_for(tmp_path: Path) -> None:
    few = Limits(requests_per_s_max=0.01, requests_burst_max=3)
    body = json.dumps(told("bot", "t", 5)).encode()
    async with world(tmp_path, few) as api:
        bot, other, large = [await api.token("agent", name, user="req") for name in ("bot", "other", "sub")]
        harness = await api.token("harness", "coach")
        for _ in range(3):
            assert (await send(api, body, JSON, bot)).status_code == 200
        for heads in (JSON, PROTOBUF):
            refused = await send(api, b"x" * 10_000_000, heads, bot)
            assert (refused.status_code, refused.headers["content-type"]) == (429, heads["content-type"])
            assert b"limit/requests" in refused.content
            assert int(refused.headers["retry-after"]) > 0
        assert (await api.ask("GET", "/status", bot)).status_code == 429, "one rate for both"
        assert (await send(api, b" " * 8_192, JSON, large)).status_code == 400
        assert (await send(api, b" " * 4_096, JSON, large)).status_code == 429, "a large one is several"
        assert (await send(api, body, JSON, other)).status_code == 200
        assert [(await send(api, body, JSON, harness)).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert [(await send(api, body, JSON)).status_code for _ in range(5)] == [200] * 5, "people's have none"


async def test_who_kept_discovery_busy_beyond_its_share_is_told_when_to_come_back(tmp_path: Path) -> None:
    few = Limits(telemetry_share_max=1e-6, telemetry_burst_s_max=1e-6)
    body = json.dumps(told("bot", "t", 5)).encode()
    async with world(tmp_path, few) as api:
        bot, other = [await api.token("agent", name, user="req") for name in ("bot", "other")]
        assert (await send(api, body, JSON, bot)).status_code == 200
        refused = await send(api, body, JSON, bot)
        assert (refused.status_code, refused.json()["error"]) == (429, "limit/telemetry")
        assert int(refused.headers["retry-after"]) > 0
        assert (await send(api, body, JSON, other)).status_code == 200
        assert [(await send(api, body, JSON)).status_code for _ in range(3)] == [200] * 3
        assert b'code="limit/telemetry"} 1.0' in (await api.http.get(f"{api.url}/metrics")).content


async def test_an_export_of_many_steps_is_taken_in_whole(api: World) -> None:
    spans = [span("w", number, 0, number) for number in range(1, 2 * STEP_SPANS + 8)]
    before = api.service.discoverer.discovery.counted["spans"]
    assert (await send(api, json.dumps(export(*spans)).encode(), JSON)).json() == {}
    assert api.service.discoverer.discovery.counted["spans"] == before + len(spans)


async def test_no_torn_bytes_are_an_error_of_ours(api: World) -> None:
    """Whatever is torn of an export, it is refused by name or told of as left out."""
    whole, luck = protobuf(told("torn", "t", 9_903)), random.Random(3)
    for _ in range(150):
        body = bytearray(whole[: luck.randint(1, len(whole))] if luck.random() < 0.3 else whole)
        for _ in range(luck.randint(1, 6)):
            body[luck.randrange(len(body))] = luck.randrange(256)
        assert (await send(api, bytes(body), PROTOBUF)).status_code in {200, 400}, bytes(body)


async def test_a_resource_is_parsed_once_however_many_scopes_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    real = otlp.Resource.FromString

    def counted(data: bytes) -> object:
        parsed.append(len(data))
        return real(data)

    monkeypatch.setattr(otlp, "Resource", SimpleNamespace(FromString=counted))
    inner = b"\x0a\x00" + b"\x12\x00" * 50
    assert not list(otlp.Export("application/x-protobuf", "", b"\x0a" + bytes([len(inner)]) + inner))
    assert len(parsed) == 1


async def test_the_path_asks_for_a_bearer_and_a_post(api: World) -> None:
    for token in ("", "nonsense"):
        headers = {**JSON, **({"authorization": f"Bearer {token}"} if token else {})}
        answer = await api.http.post(f"{api.url}/otlp/v1/traces", content=b"{}", headers=headers)
        assert answer.status_code == 401
    assert (await api.http.get(f"{api.url}/otlp/v1/traces")).status_code == 405
    twice = [*JSON.items(), *(("authorization", f"Bearer {one}") for one in ("nonsense", api.admin))]
    answer = await api.http.post(f"{api.url}/otlp/v1/traces", content=b"{}", headers=twice)
    assert (answer.status_code, answer.json()["error"]) == (400, "otlp/authorization")


async def test_hostile_names_and_odd_spans_are_shown_and_counted(api: World) -> None:
    odd: list[Any] = [
        span("\u202e<script>\x00", 1, gen_ai__agent__name="\u202eevil\x1b[2J\n" + "x" * 100_000),
        {"traceId": "zz", "spanId": "1", "name": 7},
        {"attributes": "none"},
        "no span",
        {**span("w", 2), "traceId": "00", "attributes": [{"key": "gen_ai.agent.name", "value": {"stringValue": []}}]},
        {**span("late", 9, gen_ai__agent__name="from-2099"), "endTimeUnixNano": "4102444800000000000"},
        {**span("huge", 10, gen_ai__agent__name="huge"), "endTimeUnixNano": "9" * 400},
        {**span("w", 11), "name": 7},
        {**span("w", 16), "parentSpanId": "ab" * 50_000},
        {**span("w", 12), "endTimeUnixNano": True},
        {**span("w", 13), "attributes": [{"key": "gen_ai.agent.name", "value": {"boolValue": "x"}}]},
        {**span("w", 14), "attributes": [7]},
        {**span("w", 15), "attributes": [{"key": "gen_ai.agent.name", "value": "planner"}]},
    ]
    answer = await send(api, json.dumps(export(*odd)).encode(), JSON)
    assert answer.json()["partialSuccess"]["rejectedSpans"] == "11"
    endless = {**span("w", 17), "parentSpanId": "ab" * 50_000}
    assert b"1 spans have no valid ids" in (await send(api, protobuf(export(endless)), PROTOBUF)).content
    nothing = {"resourceSpans": [{"resource": None, "scopeSpans": [{"scope": None, "spans": None}]}, {}], "more": 7}
    empties: list[dict[str, Any]] = [nothing, {"resourceSpans": None}, {"resourceSpans": []}]
    for empty in empties:
        assert (await send(api, json.dumps(empty).encode(), JSON)).json() == {}
    names = [one["name"] for one in (await api.told("GET", "/inventory?kind=agent"))["items"]]
    [evil] = [name for name in names if "evil" in name]
    assert evil.startswith("agent/otlp:\\u{202e}evil\\u{1b}[2J\\u{a}xxx")
    assert len(evil) < 200
    late = await entry(api, "agent/otlp:from-2099")
    assert late["last"] < "2099"


async def test_what_is_sent_again_after_a_restart_counts_once(api: World) -> None:
    body = json.dumps(told("again", "rm", 9_902)).encode()
    await send(api, body, JSON)

    async def counted() -> bool:
        await api.service.discoverer.turn()
        return (await entry(api, "agent/otlp:again"))["observed"] == 1

    await until(counted)
    await api.service.discoverer.turn()
    discovery = api.service.discoverer.discovery
    await discovery.run(discovery.reload)
    await send(api, body, JSON)
    await discovery.run(lambda: discovery.reconciler.due(time.time_ns() // 1_000_000 + 60_000))
    assert (await entry(api, "agent/otlp:again"))["observed"] == 1


async def test_what_was_taken_in_outlives_the_service(api: World) -> None:
    await send(api, json.dumps(told("kept", "t", 901)).encode(), JSON)
    await api.service.discoverer.turn()
    store = SqliteSightings(Path(api.workspace.parent / "data" / "sightings.db"))
    kept = store.load()
    store.close()
    discovery = api.service.discoverer.discovery
    assert await discovery.run(lambda: kept == discovery.inventory)


async def test_too_much_at_once_is_told_to_come_again(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remit.work.discovery.WAITING_MAX", 1)
    answers = await asyncio.gather(*(send(api, b"{}", JSON) for _ in range(20)))
    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 503}
    for answer in answers:
        if answer.status_code == 503:
            assert answer.headers["retry-after"] == "1"


async def test_what_one_agent_sends_keeps_nobody_from_being_heard(api: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would have nobody told of what it does around enforcement."""
    monkeypatch.setattr("remit.work.discovery.WAITING_MAX", 8)
    bot, other = [await api.token("agent", name) for name in ("bot", "other")]
    busy = threading.Event()
    held = asyncio.create_task(api.service.discoverer.discovery.run(lambda: busy.wait(WITHIN_S)))
    try:
        waiting = [asyncio.create_task(send(api, b"{}", JSON, bot)) for _ in range(6)]
        await eventually(lambda: sum(one.done() for one in waiting) >= 4)
        refused = [one.result() for one in waiting if one.done()]
        assert [answer.status_code for answer in refused] == [503] * 4
        assert "telemetry of bot" in refused[0].text
        waiting += [asyncio.create_task(send(api, b"{}", JSON, token)) for token in (other, api.admin)]
        await asyncio.wait(waiting[-2:], timeout=0.3)
    finally:
        busy.set()
    await held
    assert [(await one).status_code for one in waiting[-2:]] == [200, 200]


async def test_a_person_hands_over_sightings_and_accepts_what_an_agent_does(api: World) -> None:
    one = {
        "subject": "agent/host:mine",
        "source": "host:laptop",
        "evidence": "mcp.json:3",
        "first_ms": 5,
        "last_ms": 9,
        "owner": "ann",
        "edges": [{"verb": "uses", "to": "server/host:files"}],
        "confidence": "declared",
        "traits": {"version": "1"},
    }
    await api.told("POST", "/sightings", body={"sightings": [one]})
    found = await entry(api, "agent/host:mine")
    assert (found["owner"], found["links"][0]["to"]) == ("ann", "server/host:files")
    accepted = await api.told("POST", "/settled", body={"name": "agent/host:mine"})
    assert accepted["traits"][0]["key"] == "accepted"
    for wrong in ({"subject": "robot/x"}, {"confidence": "stated"}):
        answer = await api.ask("POST", "/sightings", api.admin, {"sightings": [{**one, **wrong}]})
        assert answer.status_code == 400
    for path, body in (
        ("/claims", {"one": "agent/host:mine", "other": "server/host:files", "same": True}),
        ("/claims", {"one": "agent/host:mine", "other": "agent/nobody", "same": True}),
        ("/settled", {"name": "agent/nobody"}),
    ):
        assert (await api.ask("POST", path, api.admin, body)).status_code in {400, 404}
    assert (await api.ask("GET", "/inventory/robot", api.admin)).status_code == 400
