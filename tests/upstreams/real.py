"""A tool server by the MCP SDK, which speaks both eras: `real.py stdio` or `real.py PORT_FILE`."""

import socket
import sys
from pathlib import Path

import uvicorn
from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("real", version="1.0", log_level="CRITICAL")


@server.tool()
def echo(text: str) -> str:
    """Say it back."""
    return text


@server.tool()
async def progress(ctx: Context, steps: int) -> str:
    """Report `steps` times, then answer."""
    for step in range(steps):
        await ctx.report_progress(step, steps)
    return "done"


@server.tool()
def fail() -> str:
    """Fail always."""
    raise ValueError("as asked")


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
