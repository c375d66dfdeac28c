"""A real MCP server of both eras for the gateway's tests: `python -m tests.e2e.gateway_upstream PORT FOLDER`.

Each effect is one line in `FOLDER/effects`, outside the process. While `FOLDER/drift` exists, a tool describes itself
in other words.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError


def make(folder: Path) -> MCPServer[Any]:
    server: MCPServer[Any] = MCPServer("shop", log_level="ERROR")

    def note(line: str) -> None:
        with (folder / "effects").open("a") as file:
            file.write(line + "\n")

    @server.tool()
    def echo(text: str) -> str:
        """Say it again."""
        return text

    @server.tool()
    def pay(amount: int, to: str) -> dict[str, int]:
        """Pay somebody."""
        note(f"pay {amount} {to}")
        return {"paid": amount}

    @server.tool()
    async def slow(seconds: float) -> str:
        """Take long, unless cancelled."""
        note("slow began")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            note("slow cancelled")
            raise
        note("slow ended")
        return "done"

    @server.tool()
    def broken() -> str:
        """Fail."""
        raise ToolError("the till is stuck")

    return server


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    app = make(folder).streamable_http_app()
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main()
