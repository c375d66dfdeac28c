"""An agent played by hand: `python act.py TOKEN_FILE SERVER/TOOL ARGUMENTS` at `REMIT_URL` prints what it is told."""

import asyncio
import json
import os
import sys
from pathlib import Path

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def act(token: str, tool: str, arguments: dict[str, object]) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    url = os.environ.get("REMIT_URL", "http://127.0.0.1:7070") + "/mcp"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=300) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool(tool.replace("/", "___"), arguments, read_timeout_seconds=300)
        return "\n".join(part.text for part in result.content if part.type == "text")


if __name__ == "__main__":
    file, named, given = sys.argv[1:]
    print(asyncio.run(act(Path(file).read_text("utf-8").strip(), named, json.loads(given))))
