"""A tool server on the MCP SDK, over streamable HTTP: `python tools.py PORT`. One tool, which says its text again."""

import sys

from mcp.server import MCPServer


def echo(text: str) -> str:
    """Say it again."""
    return text


def main() -> None:
    """Serve until the process is ended."""
    server = MCPServer("hand")
    server.add_tool(echo)
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))


if __name__ == "__main__":
    main()
