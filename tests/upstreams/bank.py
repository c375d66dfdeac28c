"""A real MCP server by the SDK: `python bank.py PORT FOLDER`. Each effect is a line of `FOLDER/done`.

`identify` says whether somebody is who he says (nobody called mallory is, and `slow` takes its time); `pay`, `draft`,
`release` and `export` do as they are called; `wire` asks its caller first.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel


class Identity(BaseModel):
    """What `identify` answers."""

    verified: bool


class Sure(BaseModel):
    """What who wires is asked."""

    sure: bool


def asked() -> Elicit[Sure]:
    """Whether he means it."""
    return Elicit("Sure?", Sure)


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    server = MCPServer("bank")

    def done(*what: str) -> str:
        with (folder / "done").open("a", encoding="utf-8") as file:
            file.write(" ".join(what) + "\n")
        return "done"

    @server.tool(description="Says whether somebody is who he says.")
    async def identify(person: str) -> Identity:
        if person == "slow":
            # Until somebody says that it is enough.
            done("identify", person)
            while not (folder / "enough").exists():  # noqa: ASYNC110 - another process says it
                await asyncio.sleep(0.02)
        return Identity(verified=person != "mallory")

    @server.tool(description="Pays.")
    async def pay(to: str) -> str:
        return done("pay", to)

    @server.tool(description="Drafts a document.")
    async def draft(document: str) -> str:
        return done("draft", document)

    @server.tool(description="Releases a document.")
    async def release(document: str) -> str:
        return done("release", document)

    @server.tool(description="Exports a table.")
    async def export(table: str) -> str:
        return done("export", table)

    @server.tool(description="Wires money once its caller says that he means it.")
    async def wire(to: str, answer: Annotated[Sure, Resolve(asked)]) -> str:
        return done("wire", to) if answer.sure else "not done"

    server.run("streamable-http", port=port)


if __name__ == "__main__":
    main()
