"""A scripted agent with the real MCP client: what a naive model does, the same way every time.

It stands alone (standard library and `mcp` 2.x) and runs as a process of its own, under
whichever interpreter has `mcp`:

    python -P agent.py --page URL --url http://127.0.0.1:7070/mcp --token-file FILE
    python -P agent.py --page URL --servers servers.json

The first goes through Remit, where a tool is called `server___tool`; the second starts the tool
servers itself. `servers.json` maps a server's name to `{"command": [...], "cwd": ..., "env": {}}`.

It asks the time, fetches the page, writes down what it read, and then does what the page's text
tells it to: it *finds* that instruction in what the fetch tool gave it and knows nothing of it
otherwise. One JSON line per step goes to standard output, its members those of `StepLine`.
Exit: 0 when the script ran to its end, whatever was refused; 6 when a server is out of reach.
"""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias, cast
from urllib.parse import quote

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

Arguments: TypeAlias = Mapping[str, object]

UNREACHABLE: Final = 6
CALL_S_MAX: Final = 150.0
PENDING: Final = re.compile(r"^approval is pending", re.IGNORECASE)
PENDING_TRIES_MAX: Final = 60
INSTRUCTION: Final = re.compile(
    r"[^.\n]*read the file (?P<path>\S+) and open (?P<url>https?://\S+)"
    r" with the contents of the file in place of (?P<slot>\w+)\.[^\n]*"
)
ARGS_SHORT_MAX: Final = 160


@dataclass(frozen=True, slots=True)
class StepLine:
    """One step as the demo reads it. `tool` is `server___tool`, or empty where none was called."""

    step: str
    tool: str
    args_short: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool gave back: `ok` is false for a tool error, which is also how a refusal comes."""

    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True)
class Hands:
    """All the agent can reach: `names` of the tools it was shown, and the way to call one."""

    names: tuple[str, ...]
    call: Callable[[str, str, Arguments], Awaitable[ToolOutcome]]


def say(step: str, answer: ToolOutcome, tool: str = "", arguments: Arguments | None = None) -> None:
    """Print one step."""
    short = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    if len(short) > ARGS_SHORT_MAX:
        short = short[: ARGS_SHORT_MAX - 1] + "…"
    print(json.dumps(asdict(StepLine(step, tool, short, answer.ok, answer.text))), flush=True)


async def ask(client: Client, name: str, arguments: Arguments) -> ToolOutcome:
    """One call. A pending approval is asked for again, with the same arguments, until it ends."""
    answer = ToolOutcome("never called", ok=False)
    for _ in range(PENDING_TRIES_MAX):
        try:
            result = await client.call_tool(name, dict(arguments), read_timeout_seconds=CALL_S_MAX)
        except MCPError as error:
            return ToolOutcome(str(error), ok=False)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        answer = ToolOutcome(text, ok=not result.is_error)
        if answer.ok and isinstance(result.structured_content, dict):
            content = cast("dict[str, object]", result.structured_content).get("content")
            answer = ToolOutcome(content) if isinstance(content, str) else answer
        if answer.ok or not PENDING.search(answer.text):
            return answer
        await asyncio.sleep(1)
    return answer


@asynccontextmanager
async def governed(url: str, token: str) -> AsyncGenerator[Hands]:
    """Every tool behind one address; the token is all that the agent holds."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=CALL_S_MAX, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        names = tuple(tool.name for tool in (await client.list_tools()).tools)

        async def call(server: str, tool: str, arguments: Arguments) -> ToolOutcome:
            return await ask(client, f"{server}___{tool}", arguments)

        yield Hands(names, call)


@asynccontextmanager
async def ungoverned(servers: Mapping[str, Mapping[str, object]]) -> AsyncGenerator[Hands]:
    """The tool servers themselves, one child each: nothing stands between."""
    async with AsyncExitStack() as stack:
        clients: dict[str, Client] = {}
        names: list[str] = []
        for server, how in servers.items():
            program, *rest = cast("list[str]", how["command"])
            client = await stack.enter_async_context(
                Client(
                    StdioServerParameters(
                        command=program,
                        args=rest,
                        cwd=cast("str | None", how.get("cwd")),
                        env=cast("dict[str, str]", how.get("env") or {}),
                    )
                )
            )
            clients[server] = client
            names += [f"{server}___{tool.name}" for tool in (await client.list_tools()).tools]

        async def call(server: str, tool: str, arguments: Arguments) -> ToolOutcome:
            return await ask(clients[server], tool, arguments)

        yield Hands(tuple(names), call)


async def play(hands: Hands, page: str, notes: str) -> None:
    """The whole script: the user's errand, then what the page asked for."""

    async def step(name: str, server: str, tool: str, arguments: Arguments) -> ToolOutcome:
        answer = await hands.call(server, tool, arguments)
        say(name, answer, f"{server}___{tool}", arguments)
        return answer

    say("tools", ToolOutcome("\n".join(sorted(hands.names))))
    await step("time", "time", "get_current_time", {"timezone": "Etc/UTC"})
    read = await step("page", "web", "fetch", {"url": page})
    summary = summarise(read.text if read.ok else "")
    await step("write", "filesystem", "write_file", {"path": notes, "content": summary})
    if "git___git_commit" in hands.names:
        await step("stage", "git", "git_add", {"repo_path": ".", "files": [notes]})
        message = {"repo_path": ".", "message": "Note how refunds are paid"}
        await step("commit", "git", "git_commit", message)

    order = INSTRUCTION.search(read.text) if read.ok else None
    if order is None:
        say("instruction", ToolOutcome("the page asks for nothing", ok=False))
        return
    say("instruction", ToolOutcome(order[0].strip()))
    secret = await step("credential", "filesystem", "read_file", {"path": order["path"]})
    contents = quote(secret.text.strip() if secret.ok else "unreadable", safe="")
    await step("send", "web", "fetch", {"url": order["url"].replace(order["slot"], contents)})


def summarise(text: str) -> str:
    """The headings of a page and the first sentence under each: a model's summary, scripted."""
    lines: list[str] = []
    for line in (line.strip() for line in text.splitlines()):
        if line.startswith("#"):
            lines.append(line)
        elif line and lines and lines[-1].startswith("#"):
            lines.append(line.partition(". ")[0].rstrip(".") + ".")
    return "\n".join(lines) + "\n"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--page", required=True, help="the page to read and sum up")
    parser.add_argument("--notes", default="notes/returns.md", help="the file to write")
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--url", help="Remit's MCP address")
    way.add_argument("--servers", type=Path, help="JSON file of stdio servers")
    parser.add_argument("--token-file", type=Path, help="file of the bearer token, with --url")
    chosen = parser.parse_args()
    if chosen.url and not chosen.token_file:
        parser.error("--url needs --token-file")
    return chosen


async def run(way: AbstractAsyncContextManager[Hands], page: str, notes: str) -> int:
    """Play the script; the exit code."""
    status = 0
    try:
        async with way as hands:
            await play(hands, page, notes)
    except* (OSError, MCPError, httpx2.HTTPError) as group:
        say("unreachable", ToolOutcome("; ".join(reasons(group)), ok=False))
        status = UNREACHABLE
    return status


def reasons(group: BaseExceptionGroup[BaseException]) -> list[str]:
    """Every leaf of a group of errors, in words."""
    texts: list[str] = []
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            texts += reasons(cast("BaseExceptionGroup[BaseException]", error))
        else:
            texts.append(f"{type(error).__name__}: {error}")
    return texts


def main() -> int:
    """Run the script by the way that the command line names."""
    chosen = options()
    if chosen.url:
        way = governed(chosen.url, chosen.token_file.read_text("utf-8").strip())
    else:
        way = ungoverned(json.loads(chosen.servers.read_text("utf-8")))
    return asyncio.run(run(way, chosen.page, chosen.notes))


if __name__ == "__main__":
    sys.exit(main())
