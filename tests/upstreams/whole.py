"""A server by the MCP SDK with everything that the protocol has, in one era or in both: `whole.py ERA PORT_FILE`.

ERA is `2026-07-28`, `2025-11-25` or `both`. What a tool asks, it asks by the SDK's resolvers, which do so in the way of
the era: within a result, or by a request of its own in mid-call.
"""

import asyncio
import socket
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from mcp.server import NotificationOptions, ServerRequestContext
from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    ListRoots,
    MCPServer,
    Resolve,
    Sample,
)
from mcp.server.mcpserver.resources import TextResource
from mcp.shared.exceptions import UrlElicitationRequiredError
from mcp_types import (
    CallToolResult,
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageResult,
    ElicitRequestURLParams,
    EmbeddedResource,
    EmptyResult,
    ListRootsResult,
    PromptReference,
    ResourceLink,
    ResourceTemplateReference,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import BaseModel, Field

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from proof.conformance.one_era import one_era

NOTE = "note://today"
SISTER = "note://sister"
NAMES = ("alba", "alma", "berta")
server = MCPServer("whole", version="1.0", instructions="Everything is here.", log_level="CRITICAL")
state = {"note": "nothing yet"}
subscribed: Counter[str] = Counter()
opening: list[asyncio.Task[None]] = []


class Colour(BaseModel):
    colour: str


def ask_colour() -> Elicit[Colour]:
    return Elicit("Which colour?", Colour)


def ask_model() -> Sample:
    question = SamplingMessage(role="user", content=TextContent(type="text", text="What is the capital of France?"))
    return Sample([question], max_tokens=20)


def ask_roots() -> ListRoots:
    return ListRoots()


@server.tool()
def echo(text: str) -> str:
    """Say it back."""
    return text


@server.tool()
def fail() -> str:
    """Fail always."""
    raise ValueError("as asked")


@server.tool()
def where(region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})], near: str = "") -> str:
    """Say where; the region travels as a header too, which the SDK compares in the stateless era."""
    return f"{region} {near}".strip()


@server.tool()
def numbers() -> CallToolResult:
    """A structured answer that is no object, and no text beside it, as only the stateless era has it."""
    return CallToolResult(content=[], structured_content=[1, 2])


@server.tool()
def weigh() -> CallToolResult:
    """Integers of more bits than most programs have for them."""
    return CallToolResult(
        content=[], structured_content={"sums": [2**64 - 1, 2**64, -(2**63) - 1, 10**40], "half": 0.5}
    )


@server.tool()
def pointers() -> CallToolResult:
    """Point at a resource, and bring another."""
    inside = TextResourceContents(uri="person://alba", text="this is alba", mime_type="text/plain")
    link = ResourceLink(type="resource_link", uri=NOTE, name="today")
    return CallToolResult(content=[link, EmbeddedResource(type="resource", resource=inside)])


@server.tool()
async def count(ctx: Context, steps: int) -> str:
    """Report progress `steps` times."""
    for step in range(steps):
        await ctx.report_progress(step + 1, steps, f"step {step + 1}")
    return "counted"


@server.tool()
async def chat(ctx: Context, words: str) -> str:
    """Log a word of each weight."""
    await ctx.debug(f"debug {words}")  # pyright: ignore[reportDeprecated]
    await ctx.warning(f"warning {words}")  # pyright: ignore[reportDeprecated]
    return "chatted"


@server.tool()
async def paint(answer: Annotated[ElicitationResult[Colour], Resolve(ask_colour)]) -> str:
    """Ask the user for a colour."""
    match answer:
        case AcceptedElicitation(data=data):
            return f"painted {data.colour}"
        case _:
            return f"not painted: {answer.action}"


@server.tool()
async def think(answer: Annotated[CreateMessageResult, Resolve(ask_model)]) -> str:
    """Ask the client's model."""
    return f"thought {answer.content.text if isinstance(answer.content, TextContent) else '?'}"


@server.tool()
async def look(answer: Annotated[ListRootsResult, Resolve(ask_roots)]) -> str:
    """Ask for the client's roots."""
    return f"saw {', '.join(str(root.uri) for root in answer.roots)}"


@server.tool()
async def visit(ctx: Context) -> str:
    """Ask the user to open an address, in the handshake era."""
    return (await ctx.elicit_url("Log in there", "https://login.example/", "an-elicitation")).action


@server.tool()
def unlock(times: int = 1) -> str:
    """Refuse until the user has opened addresses, in the way of the handshake era."""
    params = [
        ElicitRequestURLParams(message="Log in first", url=f"https://login.example/{at}", elicitation_id=f"e-{at}")
        for at in range(times)
    ]
    raise UrlElicitationRequiredError(params, "Login required")


@server.tool()
async def unlock_once(ctx: Context, says: bool = True) -> str:
    """Refuse until the user has opened an address, which he is done with a moment after; tell so, where `says`."""
    if state.pop("opened", None) is not None:
        return "unlocked"

    async def open_it(session: Any) -> None:
        await asyncio.sleep(0.3)
        state["opened"] = "e-once"
        if says:
            await session.send_elicit_complete("e-once")

    opening.append(asyncio.create_task(open_it(ctx.session)))
    param = ElicitRequestURLParams(message="Log in first", url="https://login.example/once", elicitation_id="e-once")
    raise UrlElicitationRequiredError([param], "Login required")


@server.tool()
async def look_aside(ctx: Context) -> str:
    """Ask for the client's roots on the standing stream, where the SDK asks in the handshake era."""
    found = await ctx.session.list_roots()  # pyright: ignore[reportDeprecated]
    return f"saw {', '.join(str(root.uri) for root in found.roots)}"


@server.tool()
async def write(ctx: Context, text: str) -> str:
    """Write the note of today and tell who listens."""
    state["note"] = text
    await ctx.notify_resource_updated(NOTE)
    await ctx.notify_prompts_changed()
    if ctx.session.protocol_version != "2026-07-28":
        await ctx.session.send_resource_updated(NOTE)
        await ctx.session.send_prompt_list_changed()
    return "written"


@server.tool()
async def reshape(ctx: Context, shape: str) -> str:
    """Give clay another description and today's note a sister of that name, or none; tell who listens."""
    server.remove_tool("clay")
    server.add_tool(clay, description=f"Is {shape or 'clay'}.")
    server._resource_manager._resources.pop(SISTER, None)  # pyright: ignore[reportPrivateUsage]
    if shape:
        server.add_resource(TextResource(uri=SISTER, name=shape, text=shape))
    await ctx.notify_tools_changed()
    await ctx.notify_resources_changed()
    if ctx.session.protocol_version != "2026-07-28":
        await ctx.session.send_tool_list_changed()
        await ctx.session.send_resource_list_changed()
    return "reshaped"


@server.tool(description="Is clay.")
def clay() -> str:
    return "soft"


@server.tool()
def followed() -> str:
    """Say which resources are followed, by `resources/subscribe` where that is the way."""
    return " ".join(sorted(uri for uri, times in subscribed.items() if times > 0))


@server.tool()
async def complete_elsewhere(ctx: Context, of: str = "an-elicitation") -> str:
    """Say that a question by address was answered, on both streams, whether anybody asked it or not."""
    await ctx.session.send_elicit_complete(of, related_request_id=ctx.request_id)
    await ctx.session.send_elicit_complete(of)
    return "said"


@server.resource(NOTE, name="today", mime_type="text/plain")
def today() -> str:
    """The note of today."""
    return state["note"]


@server.resource("picture://dot", name="dot", mime_type="image/png")
def dot() -> bytes:
    """Some bytes."""
    return b"\x89PNG\x00\xff"


@server.resource("person://{name}", name="person", mime_type="text/plain")
def person(name: str) -> str:
    """Somebody by name."""
    return f"this is {name}"


@server.prompt()
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Say hello to {name}."


@server.completion()
async def complete(
    ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, context: CompletionContext | None
) -> Completion:
    del ref, context
    return Completion(values=[name for name in NAMES if name.startswith(argument.value)], has_more=False)


async def set_level(_: ServerRequestContext, params: SetLevelRequestParams) -> EmptyResult:
    del params
    return EmptyResult()


async def subscribe(_: ServerRequestContext, params: SubscribeRequestParams) -> EmptyResult:
    subscribed[params.uri] += 1
    return EmptyResult()


async def unsubscribe(_: ServerRequestContext, params: UnsubscribeRequestParams) -> EmptyResult:
    subscribed[params.uri] -= 1
    return EmptyResult()


def handshake_methods() -> None:
    """What the SDK leaves to its low level, and that lists change; the updates above go to whoever is connected."""
    low: Any = server._lowlevel_server  # pyright: ignore[reportPrivateUsage]
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, set_level)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)
    changing = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
    low.create_initialization_options = partial(low.create_initialization_options, changing)


def main(era: str, port_file: Path) -> None:
    handshake_methods()
    app: Any = server.streamable_http_app()
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    port_file.with_suffix(".new").write_text(str(listening.getsockname()[1]))
    port_file.with_suffix(".new").rename(port_file)
    config = uvicorn.Config(app if era == "both" else one_era(app, era), log_level="critical")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
