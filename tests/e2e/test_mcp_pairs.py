"""Every feature of the protocol through a real service, client and upstream in all four pairs of eras."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest
from mcp.shared.exceptions import MCPError, UrlElicitationRequiredError
from mcp.shared.subscriptions import PromptsListChanged, ResourceUpdated
from mcp_types import (
    BlobResourceContents,
    CreateMessageResult,
    ElicitResult,
    EmptyResult,
    InputRequiredResult,
    InputResponses,
    ListRootsResult,
    PromptReference,
    ResourceTemplateReference,
    Root,
    SetLevelRequest,
    SetLevelRequestParams,
    SubscribeRequest,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
)

from tests.e2e.pairs import NEW, OLD, Pairs, in_all_pairs, pairs, text, texts

if TYPE_CHECKING:
    from collections.abc import Generator

    from mcp import Client

NOTE = "note://today"


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Generator[Pairs]:
    with pairs(tmp_path_factory.mktemp("pairs")) as made:
        yield made


@in_all_pairs
async def test_tools_are_listed_and_called(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        assert client.protocol_version == era
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert listed["echo"].description == "Say it back."
        assert text(await client.call_tool("echo", {"text": "größe"})) == "größe"
        failed = await client.call_tool("fail", {})
        assert failed.is_error
        assert "Error executing tool fail" in text(failed)


@pytest.mark.asyncio
async def test_a_structured_answer_that_is_no_object_is_a_text_to_the_handshake_era(both: Pairs) -> None:
    async with both.client(NEW, NEW) as client:
        assert (await client.call_tool("numbers", {})).structured_content == [1, 2]
    async with both.client(OLD, NEW) as client:
        told = await client.call_tool("numbers", {})
        assert (text(told), told.structured_content) == ("[1,2]", None)


@in_all_pairs
async def test_integers_of_any_length_arrive_as_they_are(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        told = (await client.call_tool("weigh", {})).structured_content
        assert told == {"sums": [2**64 - 1, 2**64, -(2**63) - 1, 10**40], "half": 0.5}
        assert all(type(one) is int for one in told["sums"])


@in_all_pairs
async def test_resources_are_listed_and_read(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        assert [one.uri for one in (await client.list_resources()).resources] == [NOTE, "picture://dot"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [one.uri_template for one in templates] == ["person://{name}"]
        [person] = (await client.read_resource("person://berta")).contents
        assert isinstance(person, TextResourceContents)
        assert (person.uri, person.text, person.mime_type) == ("person://berta", "this is berta", "text/plain")
        [dot] = (await client.read_resource("picture://dot")).contents
        assert isinstance(dot, BlobResourceContents)
        assert base64.b64decode(dot.blob) == b"\x89PNG\x00\xff"


@in_all_pairs
async def test_what_is_not_there_is_the_servers_own_error(both: Pairs, era: str, upstream: str) -> None:
    async def refused(client: Client) -> list[tuple[int, str, Any]]:
        found: list[tuple[int, str, Any]] = []
        asked = (client.read_resource("note://yesterday"), client.get_prompt("insult", {}), client.get_prompt("greet"))
        for one in asked:
            with pytest.raises(MCPError) as caught:
                await one
            found.append((caught.value.error.code, caught.value.error.message, caught.value.error.data))
        return found

    async with both.client(era, upstream) as client, both.direct(upstream) as straight:
        told = await refused(client)
        assert told == await refused(straight)
        assert told[0] == (-32602, "Unknown resource: note://yesterday", {"uri": "note://yesterday"})


@in_all_pairs
async def test_prompts_are_listed_and_got(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        [listed] = (await client.list_prompts()).prompts
        assert listed.name == "greet"
        assert [(one.name, one.required) for one in listed.arguments or ()] == [("name", True)]
        [message] = (await client.get_prompt("greet", {"name": "berta"})).messages
        assert isinstance(message.content, TextContent)
        assert message.content.text == "Say hello to berta."


@in_all_pairs
async def test_arguments_are_completed(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        prompt = PromptReference(type="ref/prompt", name="greet")
        found = await client.complete(prompt, {"name": "name", "value": "al"})
        assert found.completion.values == ["alba", "alma"]
        template = ResourceTemplateReference(type="ref/resource", uri="person://{name}")
        found = await client.complete(template, {"name": "name", "value": "b"})
        assert found.completion.values == ["berta"]


@in_all_pairs
async def test_progress_arrives_before_the_answer(both: Pairs, era: str, upstream: str) -> None:
    seen: list[tuple[float, float | None, str | None]] = []

    async def report(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, total, message))

    async with both.client(era, upstream) as client:
        done = await client.call_tool("count", {"steps": 3}, progress_callback=report)
        assert text(done) == "counted"
        assert seen == [(1.0, 3.0, "step 1"), (2.0, 3.0, "step 2"), (3.0, 3.0, "step 3")]


@in_all_pairs
async def test_logs_arrive_at_the_level_asked_for(both: Pairs, era: str, upstream: str) -> None:
    seen: list[Any] = []

    async def log(params: Any) -> None:
        seen.append((params.level, params.data))

    async with both.client(era, upstream, logging_callback=log, log_level="warning") as client:
        if era == OLD:
            await client.session.send_request(
                SetLevelRequest(params=SetLevelRequestParams(level="warning")), EmptyResult
            )
        assert text(await client.call_tool("chat", {"words": "w"})) == "chatted"
        assert seen == [("warning", "warning w")]


@in_all_pairs
async def test_logs_that_nobody_asked_for_do_not_arrive(both: Pairs, era: str, upstream: str) -> None:
    if era == OLD:
        return
    seen: list[Any] = []

    async def log(params: Any) -> None:
        seen.append(params)

    async with both.client(era, upstream, logging_callback=log) as client:
        assert text(await client.call_tool("chat", {"words": "w"})) == "chatted"
        assert seen == []


@in_all_pairs
@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_a_tool_asks_the_user(both: Pairs, era: str, upstream: str, action: Any) -> None:
    asked: list[str] = []

    async def answer(_: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content={"colour": "red"} if action == "accept" else None)

    async with both.client(era, upstream, elicitation_callback=answer) as client:
        painted = await client.call_tool("paint", {})
        assert text(painted) == ("painted red" if action == "accept" else "not painted: decline")
        assert asked == ["Which colour?"]


@pytest.mark.asyncio
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_a_tool_asks_the_user_to_open_an_address(both: Pairs, era: str) -> None:
    async def answer(_: Any, params: Any) -> ElicitResult:
        assert (params.mode, params.url) == ("url", "https://login.example/")
        return ElicitResult(action="accept")

    async with both.client(era, OLD, elicitation_callback=answer) as client:
        assert text(await client.call_tool("visit", {})) == "accept"


@pytest.mark.asyncio
async def test_an_address_to_open_before_the_call_is_the_protocols_own_error_to_who_opens_addresses(
    both: Pairs,
) -> None:
    async def answer(_: Any, params: Any) -> ElicitResult:
        raise AssertionError(f"nobody is asked in mid-call: {params}")

    async with both.client(OLD, OLD, elicitation_callback=answer) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("unlock", {"times": 2})
        error = UrlElicitationRequiredError.from_error(caught.value.error)
        assert error.error.message == "Login required"
        assert [(one.url, one.message, one.elicitation_id) for one in error.elicitations] == [
            (f"https://login.example/{at}", "Log in first", f"e-{at}") for at in range(2)
        ]
    async with both.client(OLD, OLD) as client:
        assert "Login required\nLog in first: https://login.example/0" in texts(await client.call_tool("unlock", {}))


@pytest.mark.asyncio
async def test_who_has_no_such_error_is_asked_to_open_the_address_and_the_call_waits_until_that_is_done(
    both: Pairs,
) -> None:
    asked: list[Any] = []
    action: Any = "accept"

    async def answer(_: Any, params: Any) -> ElicitResult:
        asked.append((params.mode, params.url, params.message))
        return ElicitResult(action=action)

    async with both.client(NEW, OLD, elicitation_callback=answer) as client:
        assert texts(await client.call_tool("unlock_once", {})) == "unlocked"
        assert asked == [("url", "https://login.example/once", "Log in first")]
        action = "decline"
        assert "Login required\nLog in first: https://login.example/0" in texts(await client.call_tool("unlock", {}))
        assert asked[1:] == [("url", "https://login.example/0", "Log in first")]
    async with both.client(NEW, OLD) as client:
        assert "Login required\nLog in first: https://login.example/0" in texts(await client.call_tool("unlock", {}))
        assert len(asked) == 2


@in_all_pairs
async def test_answers_that_are_missing_are_asked_for_again(both: Pairs, era: str, upstream: str) -> None:
    """In the stateless era, which answers by a request made anew; before it each question has its own response."""

    async def answer(_: Any, params: Any) -> ElicitResult:
        del params
        return ElicitResult(action="accept", content={"colour": "red"})

    async with both.client(era, upstream, elicitation_callback=answer) as client:
        if era == OLD:
            assert text(await client.call_tool("paint", {})) == "painted red"
            return
        first = await client.session.call_tool("paint", {}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult)
        again = await client.session.call_tool(
            "paint", {}, request_state=first.request_state, allow_input_required=True
        )
        assert isinstance(again, InputRequiredResult)
        assert again.input_requests == first.input_requests
        assert again.request_state != first.request_state
        answers: InputResponses = {key: await answer(None, None) for key in again.input_requests or ()}
        painted = await client.session.call_tool(
            "paint", {}, input_responses=answers, request_state=again.request_state
        )
        assert text(painted) == "painted red"


@in_all_pairs
async def test_a_tool_asks_no_user_whom_the_client_does_not_offer(both: Pairs, era: str, upstream: str) -> None:
    async with both.client(era, upstream) as client:
        if era == NEW:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("paint", {})
            assert caught.value.error.code == -32021
            assert caught.value.error.data == {"requiredCapabilities": {"elicitation": {"form": {}}}}
        else:
            assert (await client.call_tool("paint", {})).is_error


@in_all_pairs
async def test_a_tool_asks_the_clients_model(both: Pairs, era: str, upstream: str) -> None:
    async def answer(_: Any, params: Any) -> CreateMessageResult:
        assert params.messages[0].content.text == "What is the capital of France?"
        return CreateMessageResult(role="assistant", model="m", content=TextContent(type="text", text="Paris"))

    async with both.client(era, upstream, sampling_callback=answer) as client:
        assert text(await client.call_tool("think", {})) == "thought Paris"


@in_all_pairs
async def test_a_tool_asks_for_the_clients_roots(both: Pairs, era: str, upstream: str) -> None:
    async def answer(_: Any) -> ListRootsResult:
        return ListRootsResult.model_validate({"roots": [Root.model_validate({"uri": "file:///srv/work"})]})

    async with both.client(era, upstream, list_roots_callback=answer) as client:
        assert text(await client.call_tool("look", {})) == "saw file:///srv/work"


@pytest.mark.asyncio
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_a_tool_asks_outside_of_its_call(both: Pairs, era: str) -> None:
    """On the standing stream of its session; a server of the stateless era has none, so that it fails directly, too."""

    async def answer(_: Any) -> ListRootsResult:
        return ListRootsResult.model_validate({"roots": [Root.model_validate({"uri": "file:///srv/work"})]})

    async with both.client(era, OLD, list_roots_callback=answer) as client:
        assert text(await client.call_tool("look_aside", {})) == "saw file:///srv/work"


@pytest.mark.asyncio
@pytest.mark.parametrize("era", [OLD, NEW])
async def test_tools_that_ask_outside_of_their_calls_are_called_side_by_side(both: Pairs, era: str) -> None:
    """The first time nobody can tell whose question it is; from then on one waits for the other."""

    async def roots(_: Any) -> ListRootsResult:
        return ListRootsResult.model_validate({"roots": [{"uri": "file:///work"}]})

    async with both.client(era, OLD, list_roots_callback=roots) as client:
        said = {""}
        for _ in range(5):
            if said == {"saw file:///work"}:
                break
            said = {texts(one) for one in await asyncio.gather(*(client.call_tool("look_aside", {}) for _ in range(3)))}
        assert said == {"saw file:///work"}


@in_all_pairs
async def test_who_subscribed_hears_of_an_update(both: Pairs, era: str, upstream: str) -> None:
    seen: list[str] = []

    async def hear(message: Any) -> None:
        seen.append(message.method)

    async with both.client(era, upstream, message_handler=hear) as client:
        if era == OLD:
            await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=NOTE)), EmptyResult)
            # Where the stream for it is opened after the answer, a change in between is not heard of.
            while "notifications/resources/updated" not in seen:
                await client.call_tool("write", {"text": f"{era} {upstream}"})
        else:
            async with client.listen(resource_subscriptions=[NOTE]) as heard:
                await client.call_tool("write", {"text": f"{era} {upstream}"})
                assert await anext(heard) == ResourceUpdated(uri=NOTE)
        [note] = (await client.read_resource(NOTE)).contents
        assert isinstance(note, TextResourceContents)
        assert note.text == f"{era} {upstream}"


@in_all_pairs
async def test_who_listens_hears_that_prompts_changed(both: Pairs, era: str, upstream: str) -> None:
    """Of a list that it has read."""
    seen: list[str] = []

    async def hear(message: Any) -> None:
        seen.append(message.method)

    async with both.client(era, upstream, message_handler=hear) as client:
        capability = client.server_capabilities.prompts
        assert capability is not None
        assert capability.list_changed
        assert (await client.list_prompts()).prompts
        if era == OLD:
            while "notifications/prompts/list_changed" not in seen:
                await client.call_tool("write", {"text": "changed"})
        else:
            async with client.listen(prompts_list_changed=True) as heard:
                await client.call_tool("write", {"text": "changed"})
                assert await anext(heard) == PromptsListChanged()


@in_all_pairs
async def test_who_listens_for_something_else_hears_nothing(both: Pairs, era: str, upstream: str) -> None:
    if era == OLD:
        return
    async with both.client(era, upstream) as client, client.listen(tools_list_changed=True) as heard:
        await client.call_tool("write", {"text": "quiet"})
        await client.call_tool("echo", {"text": "after it"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(heard), 0.2)
