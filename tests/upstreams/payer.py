"""A real MCP server that knows what it was asked before: `python payer.py PORT FOLDER DELAY_S`.

`pay(id, amount)` writes a line to `FOLDER/effects`, `id amount key`, then takes `DELAY_S`. It has no second effect for
a key (`shop.example/request-key` of `_meta`) that it knows. `give(id, amount)` keeps no keys.
"""

import asyncio
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer

KEY = "shop.example/request-key"


def main() -> None:
    port, folder, delay_s = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    server = MCPServer("payer")
    effects = folder / "effects"

    def told(line: str) -> None:
        with effects.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    @server.tool(description="Pays once for each key.")
    async def pay(id: str, amount: int, ctx: Context) -> str:  # noqa: A002
        key = str((ctx.request_context.meta or {}).get(KEY))
        before = effects.read_text("utf-8").split() if effects.exists() else []
        if key != "None" and key in before:
            return f"paid {amount} already"
        told(f"{id} {amount} {key}")
        await asyncio.sleep(delay_s)
        return f"paid {amount}"

    @server.tool(description="Gives, each time that it is asked.")
    async def give(id: str, amount: int) -> str:  # noqa: A002
        told(f"{id} {amount} none")
        await asyncio.sleep(delay_s)
        return f"gave {amount}"

    asyncio.run(server.run_streamable_http_async(port=port))


if __name__ == "__main__":
    main()
