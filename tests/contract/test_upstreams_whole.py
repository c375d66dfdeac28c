"""The whole protocol with the SDK's server: both ways and both eras, in one suite."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping
from types import MappingProxyType
from typing import Any

import pytest
import pytest_asyncio

from remit.adapters.upstreams.build import AnyUpstream, build_upstream
from remit.adapters.upstreams.exchange import open_http_session
from remit.adapters.upstreams.requests import meta
from remit.facts.canonical import Json
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.limits import DEFAULT
from remit.ports.upstream import (
    Era,
    Failure,
    InputRequired,
    ListChanged,
    Log,
    Notice,
    Offer,
    Progress,
    Ready,
    Reply,
    ResourceUpdated,
    Result,
    UpstreamContext,
)
from tests.upstreams.rig import FOLDER, ManualClock, http_process

ASKABLE: Mapping[str, Json] = {"elicitation": {"form": {}}, "sampling": {}, "roots": {}}
eras = pytest.mark.parametrize("era", list(Era))


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["http", "stdio"])
async def upstream(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[AnyUpstream]:
    """The same upstream for all: a child takes seconds to start."""
    folder = tmp_path_factory.mktemp("rich")
    with http_process("rich.py", folder) as port:
        command = (sys.executable, str(FOLDER / "rich.py"), "stdio")
        transport = Http(f"http://127.0.0.1:{port}/mcp") if request.param == "http" else Stdio(command)
        async with open_http_session() as session:
            server = Server("rich", transport, call_s=20.0)
            found = build_upstream(server, session=session, limits=DEFAULT, clock=ManualClock(), state_dir=folder)
            yield found
            await found.close()


def text_of(reply: Reply) -> str:
    assert isinstance(reply, Result), reply
    content: Any = reply.value["content"]
    return content[0]["text"]


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_a_server_introduces_itself(upstream: AnyUpstream, era: Era) -> None:
    said = await upstream.introduce("a", era)
    assert said.instructions == "Be kind to rich."
    assert {"tools", "resources", "prompts", "completions"} <= said.capabilities.keys()


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_resources_prompts_and_completion(upstream: AnyUpstream, era: Era) -> None:

    async def ask(method: str, **params: Any) -> Any:
        reply = await upstream.ask("a", era, method, params)
        assert isinstance(reply, Result), reply
        assert not {"_meta", "resultType", "ttlMs", "cacheScope"} & reply.value.keys()
        return reply.value

    assert [one["uri"] for one in (await ask("resources/list"))["resources"]] == ["note://one"]
    templates = (await ask("resources/templates/list"))["resourceTemplates"]
    assert [one["uriTemplate"] for one in templates] == ["note://by/{name}"]
    (read,) = (await ask("resources/read", uri="note://by/größe"))["contents"]
    assert read["text"] == "note of größe"
    assert [one["name"] for one in (await ask("prompts/list"))["prompts"]] == ["greet"]
    (message,) = (await ask("prompts/get", name="greet", arguments={"name": "Ann"}))["messages"]
    assert message["content"]["text"] == "Hello Ann"
    ref = {"type": "ref/prompt", "name": "greet"}
    found = await ask("completion/complete", ref=ref, argument={"name": "name", "value": "A"})
    assert found["completion"]["values"] == ["Aa", "Ab"]
    absent = await upstream.ask("a", era, "resources/read", {"uri": "note://absent"})
    assert isinstance(absent, Failure)
    assert (absent.cause, absent.sent) == ("error", True)
    assert absent.code is not None


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_progress_and_logs_reach_who_asked_in_order(upstream: AnyUpstream, era: Era) -> None:
    heard: list[Notice] = []
    reply = await upstream.call(
        "a", era, "work", b'{"steps":4}', UpstreamContext(hear=heard.append, log_level="info", trace="00-" + "1" * 32)
    )
    assert text_of(reply) == "worked"
    assert [one for one in heard if isinstance(one, Progress)] == [
        Progress(step, 4, f"step {step}") for step in range(4)
    ]
    assert [one for one in heard if isinstance(one, Log)] == [Log("info", "worker", f"did {step}") for step in (1, 3)]
    heard.clear()
    assert (
        text_of(await upstream.call("a", era, "work", b'{"steps":2}', UpstreamContext(hear=heard.append))) == "worked"
    )
    assert not any(isinstance(one, Log) for one in heard)
    heard.clear()
    assert text_of(await upstream.call("a", era, "work", b'{"steps":2}')) == "worked"
    assert heard == []


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_questions_within_a_call_are_asked_and_answered(upstream: AnyUpstream, era: Era) -> None:
    answers: dict[str, tuple[str, Json, bytes, str]] = {
        "book": ("elicitation/create", {"action": "accept", "content": {"day": "Monday"}}, b'{"room":"x"}', "x on M"),
        "think": (
            "sampling/createMessage",
            {"role": "assistant", "model": "m", "content": {"type": "text", "text": "hm"}},
            b"{}",
            "hm",
        ),
        "look": ("roots/list", {"roots": [{"uri": "file:///x"}]}, b"{}", "file:///x"),
    }
    along = UpstreamContext(capabilities=ASKABLE)
    for tool, (method, answer, arguments, said) in answers.items():
        asked = await upstream.call("a", era, tool, arguments, along)
        assert isinstance(asked, InputRequired), asked
        ((key, question),) = asked.questions.items()
        assert question.method == method
        reply = await upstream.resume(asked.continuation, {key: answer}, along)
        assert text_of(reply).startswith(said)
        again = await upstream.resume(asked.continuation, {key: answer}, along)
        assert isinstance(again, Failure)
        assert again.cause == "expired"


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_a_question_that_is_refused_ends_the_tool_not_the_server(upstream: AnyUpstream, era: Era) -> None:
    along = UpstreamContext(capabilities=ASKABLE)
    asked = await upstream.call("a", era, "book", b'{"room":"x"}', along)
    assert isinstance(asked, InputRequired)
    reply = await upstream.resume(asked.continuation, dict.fromkeys(asked.questions), along)
    assert isinstance(reply, Result)
    assert reply.is_error
    dropped = await upstream.call("a", era, "book", b'{"room":"x"}', along)
    assert isinstance(dropped, InputRequired)
    await upstream.drop(dropped.continuation)
    assert isinstance(await upstream.resume(dropped.continuation, {}, along), Failure)
    assert text_of(await upstream.call("a", era, "work", b'{"steps":0}', along)) == "worked"


@eras
@pytest.mark.asyncio(loop_scope="module")
async def test_who_declared_nothing_is_asked_nothing(upstream: AnyUpstream, era: Era) -> None:
    reply = await upstream.call("a", era, "book", b'{"room":"x"}')
    match reply:
        case Result(value, is_error):
            assert is_error
            assert "Which day" not in json.dumps(value)
        case Failure(cause):
            assert cause in {"error", "undeclared"}
        case _:
            raise AssertionError(reply)


@pytest.mark.asyncio(loop_scope="module")
async def test_changes_are_heard_while_watched(upstream: AnyUpstream) -> None:
    watch = upstream.watch("a", Era.STATELESS, frozenset({Offer.PROMPTS}), frozenset({"note://one"}))
    assert await anext(watch) == Ready()
    for uri in ("note://other", "note://one"):
        assert text_of(await upstream.call("a", Era.STATELESS, "touch", json.dumps({"uri": uri}).encode()))
    assert {await anext(watch), await anext(watch)} == {ResourceUpdated("note://one"), ListChanged(Offer.PROMPTS)}
    await watch.aclose()


def test_what_goes_along_is_read_from_any_mapping() -> None:
    along = UpstreamContext(capabilities=MappingProxyType({"roots": {}}))
    found = json.loads(meta(Era.STATELESS, 7, along))
    assert found["io.modelcontextprotocol/clientCapabilities"] == {"roots": {}}
