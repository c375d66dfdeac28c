"""Resources, prompts and completion at the edge: names under `/mcp`, headers beside bodies, errors, hints."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from remit.facts.catalog import PolicySource
from remit.facts.record import RecordKind
from remit.facts.stop import StopKind, StopScope
from remit.facts.tool import Definition, Tool
from remit.ports.upstream import Failure, Result
from tests.e2e.edge_world import Wire, edge
from tests.e2e.gateway_world import compiled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LONG = "p" * 70


def wired(test: Any) -> Any:
    async def run(tmp_path: Path) -> None:
        async with edge(tmp_path) as w:
            policies = '@id("all") permit (principal in Remit::Group::"staff", action, resource);'
            source = replace(w.bench.bundle.catalog, policies=(PolicySource("all.cedar", policies),))
            w.bench.bundle = compiled(source)
            await test(w)

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return pytest.mark.asyncio(run)


def say(w: Wire, **value: Any) -> None:
    w.bench.upstream.other = Result(value, is_error=False)


async def under_mcp(w: Wire, method: str, params: Mapping[str, Any]) -> Any:
    full: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": full}}
    head = {**w.known(None), "mcp-protocol-version": "2026-07-28", "mcp-method": method}
    named = params.get("uri" if method == "resources/read" else "name")
    if named is not None:
        head["mcp-name"] = named
    async with w.send("POST", body, head, "/mcp") as answer:
        return await answer.response.json()


@wired
async def test_lists_and_reads_carry_hints_of_ours(w: Wire) -> None:
    say(w, resources=[{"uri": "note://a", "name": "a"}])
    _, said = await w.ask("resources/list")
    result = said["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (5_000, "private")
    assert result["resources"] == [{"uri": "note://a", "name": "a"}]
    say(w, contents=[{"uri": "note://a", "text": "hi"}])
    _, said = await w.ask("resources/read", {"uri": "note://a"})
    result = said["result"]
    assert (result["ttlMs"], result["cacheScope"], result["contents"][0]["text"]) == (0, "private", "hi")
    say(w, messages=[])
    _, said = await w.ask("prompts/get", {"name": "greet"})
    assert "ttlMs" not in said["result"]
    status, said = await w.ask("resources/list", {"cursor": "abc"})
    assert (status, said["error"]["code"]) == (400, -32602)


@wired
async def test_names_in_headers_and_bodies_agree(w: Wire) -> None:
    say(w, contents=[])
    for uri, header in (
        ("note://a", "note://a"),
        ("note://línea", "=?base64?" + base64.b64encode("note://línea".encode()).decode() + "?="),
    ):
        status, _ = await w.ask("resources/read", {"uri": uri}, head={"mcp-name": header})
        assert status == 200
    for header in ("note://b", "", "=?base64?bm90ZTovL2E?="):
        status, said = await w.ask("resources/read", {"uri": "note://a"}, head={"mcp-name": header})
        assert (status, said["error"]["code"]) == (400, -32020)
    status, said = await w.ask("prompts/get", {"name": "greet"}, head={"mcp-name": "insult"})
    assert (status, said["error"]["code"]) == (400, -32020)


@wired
async def test_under_mcp_names_say_which_server(w: Wire) -> None:
    say(w, resources=[{"uri": "note://a", "name": "a"}])
    said = await under_mcp(w, "resources/list", {})
    assert said["result"]["resources"] == [{"uri": "remit+shop:note://a", "name": "a"}]
    say(w, contents=[{"uri": "note://a", "text": "hi"}])
    said = await under_mcp(w, "resources/read", {"uri": "remit+shop:note://a"})
    assert said["result"]["contents"][0]["text"] == "hi"
    assert 'asked resources/read {"uri":"note://a"}' in w.bench.trace
    for odd in ("note://a", "remit+", "remit+SHOP:note://a", "remit+shop", "remit+shop:"):
        said = await under_mcp(w, "resources/read", {"uri": odd})
        assert said["error"]["code"] == -32602
    said = await under_mcp(w, "resources/read", {"uri": "remit+other:note://a"})
    assert said["error"]["code"] == -32003
    say(w, prompts=[{"name": "greet"}, {"name": LONG}])
    said = await under_mcp(w, "prompts/list", {})
    plain, short = [one["name"] for one in said["result"]["prompts"]]
    assert plain == "shop___greet"
    assert len(short) <= 64
    say(w, messages=[])
    for name, own in ((plain, "greet"), (short, LONG)):
        assert "result" in await under_mcp(w, "prompts/get", {"name": name})
        assert f'asked prompts/get {{"name":"{own}"}}' in w.bench.trace
    say(w, completion={"values": ["x"]})
    ref = {"type": "ref/prompt", "name": plain}
    said = await under_mcp(w, "completion/complete", {"ref": ref, "argument": {"name": "who", "value": "a"}})
    assert said["result"]["completion"]["values"] == ["x"]
    ref = {"type": "ref/resource", "uri": "remit+shop:note://{id}"}
    said = await under_mcp(w, "completion/complete", {"ref": ref, "argument": {"name": "id", "value": "a"}})
    assert said["result"]["completion"]["values"] == ["x"]
    assert '"uri":"note://{id}"' in w.bench.trace[-1] or any('"uri":"note://{id}"' in line for line in w.bench.trace)


@wired
async def test_a_server_that_does_not_answer_is_left_out_of_a_list(w: Wire) -> None:
    w.bench.upstream.other = Failure("unreachable", "gone", sent=False)
    said = await under_mcp(w, "resources/list", {})
    assert said["result"]["resources"] == []
    assert said["result"]["_meta"]["remit.dev/missing"] == {"shop": "it did not answer with a list"}
    assert "io.modelcontextprotocol/serverInfo" in said["result"]["_meta"]
    assert said["result"]["ttlMs"] == 0, "what is missing may be there in a moment"


@wired
async def test_a_server_that_is_stopped_is_missing_to_who_may_see_something_of_it_alone(w: Wire) -> None:
    await w.bench.driver.halts.halt((StopKind.SERVER, "shop"), "ann", "odd", StopScope.READING)
    said = await under_mcp(w, "resources/list", {})
    assert said["result"]["_meta"]["remit.dev/missing"] == {"shop": "it was refused (stop/halted)"}
    w.token = w.another("guest")
    said = await under_mcp(w, "resources/list", {})
    assert (said["result"]["resources"], "remit.dev/missing" in said["result"]["_meta"]) == ([], False)


@wired
async def test_errors_of_a_server_are_said_in_each_eras_way(w: Wire) -> None:
    sid = await w.initialize()
    for theirs, new, old in ((-32002, -32602, -32002), (-32602, -32602, -32602), (-32700, -32603, -32603)):
        w.bench.upstream.other = Failure("error", "no", sent=True, upstream_text="there is no such note", code=theirs)
        status, said = await w.ask("resources/read", {"uri": "note://x"})
        assert said["error"]["code"] == new
        assert status == (400 if new == -32602 else 200)
        if new == -32602:
            assert said["error"] == {"code": new, "message": "there is no such note", "data": {"uri": "note://x"}}
        async with w.on(sid, "resources/read", {"uri": "note://x"}) as answer:
            assert answer.response.status == 200
            assert (await answer.message())["error"]["code"] == old


@wired
async def test_what_policy_refuses_says_so_and_lists_are_empty(w: Wire) -> None:
    tools = '@id("t") permit (principal, action in Remit::Action::"call_tool", resource);'
    w.bench.bundle = compiled(replace(w.bench.bundle.catalog, policies=(PolicySource("t.cedar", tools),)))
    for method, params in (
        ("resources/read", {"uri": "note://a"}),
        ("prompts/get", {"name": "greet"}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "g"}, "argument": {"name": "a", "value": ""}}),
    ):
        status, said = await w.ask(method, params)
        assert (status, said["error"]["code"]) == (200, -32003)
        assert said["error"]["data"]["reason"] == "policy/none"
        assert f"remit why {said['error']['data']['decision']}" in said["error"]["message"]
    for method, member in (("resources/list", "resources"), ("prompts/list", "prompts")):
        _, said = await w.ask(method)
        assert said["result"][member] == []
    assert await w.bench.records(RecordKind.INTENT) == []


@wired
async def test_parameters_that_are_none_are_refused(w: Wire) -> None:
    argument = {"name": "a", "value": ""}
    odds: list[tuple[str, dict[str, Any]]] = [
        ("resources/read", {}),
        ("resources/read", {"uri": 5}),
        ("resources/read", {"uri": "x" * 5_000}),
        ("prompts/get", {"name": "greet", "arguments": {"a": 5}}),
        ("prompts/get", {"name": "greet", "arguments": []}),
        ("prompts/get", {"name": "gr\u202eeet"}),
        ("completion/complete", {"argument": argument}),
        ("completion/complete", {"ref": {"type": "ref/tool", "name": "x"}, "argument": argument}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": 5}}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "x"}, "argument": argument, "context": {"arguments": {"a": 1}}},
        ),
    ]
    sid = await w.initialize()
    for method, params in odds:
        async with w.on(sid, method, params) as answer:
            assert (await answer.message())["error"]["code"] == -32602, (method, params)
    assert not any(line.startswith("asked") for line in w.bench.trace)


@wired
async def test_arguments_mirrored_in_headers_agree_with_the_body(w: Wire) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "text": {"type": "string", "x-mcp-header": "Text"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
        },
    }
    definition = Definition("echo", "echo something", schema, None, {})
    tools = dict(w.bench.bundle.catalog.tools)
    tools["shop", "echo"] = Tool("shop", definition, definition.pin(), catalogued=True)
    w.bench.bundle = compiled(replace(w.bench.bundle.catalog, tools=tools))
    w.bench.upstream.live = tuple(tool.definition for tool in tools.values())
    call: dict[str, Any] = {"name": "echo", "arguments": {"text": "hi", "count": 2}}
    good = {"Mcp-Param-Text": "hi", "mcp-param-count": "2.0", "mcp-param-other": "passed over"}
    status, said = await w.ask("tools/call", call, head=good)
    assert (status, said["result"].get("isError")) == (200, None)
    encoded = {**good, "Mcp-Param-Text": "=?base64?aGk=?="}
    assert (await w.ask("tools/call", call, head=encoded))[0] == 200
    bad: list[dict[str, str]] = [
        {},
        {"mcp-param-text": "hi"},
        {**good, "Mcp-Param-Text": "ho"},
        {**good, "mcp-param-count": "3"},
        {**good, "Mcp-Param-Text": "=?base64?aGk?="},
    ]
    for head in bad:
        status, said = await w.ask("tools/call", call, head=head)
        assert (status, said["error"]["code"]) == (400, -32020), head
    status, said = await w.ask("tools/call", {"name": "echo", "arguments": {}}, head={"mcp-param-text": "hi"})
    assert (status, said["error"]["code"]) == (400, -32020)
    assert sum(line.startswith("called") for line in w.bench.trace) == 2


@wired
async def test_a_tool_that_is_not_shown_tells_nothing_of_its_schema(w: Wire) -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {"text": {"type": "string", "x-mcp-header": "Text"}, "kind": {"enum": ["draft", "final"]}},
        "required": ["text"],
    }
    definition = Definition("echo", "echo something", schema, None, {})
    tools = dict(w.bench.bundle.catalog.tools)
    tools["shop", "echo"] = Tool("shop", definition, definition.pin(), catalogued=True)
    permit = '@id("all") permit (principal in Remit::Group::"staff", action, resource);'
    forbid = '@id("none") forbid (principal, action == Remit::Action::"shop___echo", resource);'
    calls: list[tuple[dict[str, Any], str]] = [({}, "required"), ({"text": "a", "kind": "x"}, "final")]
    for policies, shown in ((permit, True), (permit + forbid, False)):
        source = (PolicySource("all.cedar", policies),)
        w.bench.bundle = compiled(replace(w.bench.bundle.catalog, tools=tools, policies=source))
        w.bench.upstream.live = tuple(tool.definition for tool in tools.values())
        _, listed = await w.ask("tools/list")
        assert ("echo" in [tool["name"] for tool in listed["result"]["tools"]]) is shown
        for given, told in calls:
            call = {"name": "echo", "arguments": given}
            _, said = await w.ask("tools/call", call, head={"mcp-param-text": given["text"]} if given else {})
            words = said["result"]["content"][0]["text"]
            assert "arg/invalid" in words
            assert (told in words) is shown, words
        status, said = await w.ask("tools/call", {"name": "echo", "arguments": {"text": "a"}})
        assert (status, "error" in said) == ((400, True) if shown else (200, False))
    assert not any(line.startswith("called") for line in w.bench.trace)
