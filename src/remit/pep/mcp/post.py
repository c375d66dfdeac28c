"""One authenticated POST on its way to an era, and the work both eras share."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from remit.facts.agent import Authority
from remit.facts.catalog import Tool
from remit.pep.account import Account
from remit.pep.answer import listed
from remit.pep.driver import Driver
from remit.pep.mcp import words
from remit.pep.mcp.envelope import ToolCall
from remit.pep.mcp.wire import Heads, Receive, Send
from remit.policy.verdict import Code
from remit.ports.upstream import Era

SERVED: Final = "this enforcement point serves tools/list and tools/call"


@dataclass(frozen=True, slots=True)
class Post:
    """A request whose sender is known. `server` is the path's, None for all servers."""

    authority: Authority
    server: str | None
    head: Heads
    receive: Receive
    send: Send
    may_stream: bool
    account: Account = field(default_factory=Account)


async def called(driver: Driver, post: Post, era: Era, call: ToolCall) -> bytes:
    """Have `call` judged and, where allowed, run: the tool result as a JSON object."""
    if post.server is None:
        server, tool = driver.resolve(call.name)
    else:
        server, tool = post.server, call.name
    answer = await driver.call_tool(post.authority, era, server, tool, call.input, call.arguments)
    return words.result_of(answer)


def tools_of(driver: Driver, post: Post) -> bytes:
    """The tools that `post` may see, as the `tools` member's JSON array."""
    tools: Sequence[Tool] = driver.list_tools(post.authority, post.server)
    return orjson.dumps([listed(tool, exposed=post.server is None) for tool in tools])


def unknown_method(method: str) -> str:
    """The reason for refusing `method`."""
    return f"{Code.UNKNOWN_METHOD.value}: {method} is not served; {SERVED}"
