"""A server by the MCP SDK that has everything, in both eras: `rich.py stdio` or `rich.py PORT_FILE`.

It asks the client (elicitation, sampling, roots), reports progress, logs, has resources, a template,
prompts and completion, and tells of changes.
"""

import socket
import sys
from pathlib import Path
from typing import Annotated, Any

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.resolve import Elicit, ListRoots, Resolve, Sample
from mcp_types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    CreateMessageResult,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)
from pydantic import BaseModel

server = MCPServer("rich", version="1.0", instructions="Be kind to rich.", log_level="CRITICAL")


class Day(BaseModel):
    day: str


def which_day() -> Elicit[Day]:
    return Elicit("Which day?", Day)


def thought() -> Sample:
    return Sample([SamplingMessage(role="user", content=TextContent(type="text", text="think"))], max_tokens=5)


def roots() -> ListRoots:
    return ListRoots()


@server.tool()
def book(day: Annotated[Day, Resolve(which_day)], room: str) -> str:
    """Book a room on the day that the user names."""
    return f"{room} on {day.day}"


@server.tool()
def think(answer: Annotated[CreateMessageResult, Resolve(thought)]) -> str:
    """Ask the client's model."""
    return answer.content.text if isinstance(answer.content, TextContent) else "?"


@server.tool()
def look(found: Annotated[ListRootsResult, Resolve(roots)]) -> str:
    """Ask for the client's roots."""
    return " ".join(str(root.uri) for root in found.roots)


@server.tool()
async def work(ctx: Context[Any], steps: int) -> str:
    """Report every step, and log it."""
    for step in range(steps):
        await ctx.report_progress(step, steps, f"step {step}")
        await ctx.log(  # pyright: ignore[reportDeprecated] - servers will go on doing it
            "info" if step % 2 else "debug", f"did {step}", logger_name="worker"
        )
    return "worked"


@server.tool()
async def touch(ctx: Context[Any], uri: str) -> str:
    """Say that a resource and the list of prompts changed."""
    await ctx.notify_resource_updated(uri)
    await ctx.notify_prompts_changed()
    return "touched"


@server.resource("note://one", mime_type="text/plain")
def one() -> str:
    """The first note."""
    return "first"


@server.resource("note://by/{name}")
def named(name: str) -> str:
    """A note by its name."""
    return f"note of {name}"


@server.prompt()
def greet(name: str) -> str:
    """Greet someone."""
    return f"Hello {name}"


@server.completion()
async def complete(ref: Any, argument: CompletionArgument, context: CompletionContext | None) -> Completion:
    return Completion(values=[argument.value + ending for ending in ("a", "b")], has_more=False)


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port_file = Path(sys.argv[1])
        port_file.with_suffix(".new").write_text(str(listening.getsockname()[1]))
        port_file.with_suffix(".new").rename(port_file)
        config = uvicorn.Config(server.streamable_http_app(), log_level="critical")
        uvicorn.Server(config).run(sockets=[listening])
