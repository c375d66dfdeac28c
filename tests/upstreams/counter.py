"""A real MCP server by the SDK whose effects can be counted from outside.

`python counter.py PORT FOLDER [DELAY_S]`: `add(id, amount)` appends a line to `FOLDER/effects`
after the delay, so that an effect is matched to its call by id; `peek` reads how many there are.
The description of `add` is what `FOLDER/description` says at the moment, `DESCRIPTION` without; once it is,
`FOLDER/described` says the same. Where that is empty, there is no `add`.
"""

import asyncio
import sys
from pathlib import Path

from mcp.server.mcpserver import MCPServer

DESCRIPTION = "Adds an amount to the counter."


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    delay_s = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    server = MCPServer("counter")
    effects = folder / "effects"

    async def add(id: str, amount: int = 1) -> str:  # noqa: A002
        with effects.open("a", encoding="utf-8") as file:
            file.write(f"{id} {amount}\n")
        await asyncio.sleep(delay_s)
        return f"added {amount}"

    @server.tool(description="Counts the effects so far.")
    async def peek() -> int:
        return len(effects.read_text("utf-8").splitlines()) if effects.exists() else 0

    changed = folder / "description"

    async def follow() -> None:
        said = DESCRIPTION
        server.add_tool(add, description=said)
        while True:
            if changed.exists() and (now := changed.read_text("utf-8").strip()) != said:
                if said:
                    server.remove_tool("add")
                said = now
                if said:
                    server.add_tool(add, description=said)
                (folder / "described").write_text(said, encoding="utf-8")
            await asyncio.sleep(0.05)

    async def serve() -> None:
        following = asyncio.create_task(follow())
        try:
            await server.run_streamable_http_async(port=port)
        finally:
            following.cancel()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
