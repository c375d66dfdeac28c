"""A server of the stateless era whose tools do nothing but note that they were called: `dry.py PORT TOOLS CALLS`.

`TOOLS` is a file of tool definitions; each call is a line of `CALLS`: its tool and arguments.
"""

import json
import sys
from pathlib import Path
from typing import Any

from aiohttp import web


def answering(tools: list[Any], calls: Path) -> web.Application:
    async def post(request: web.Request) -> web.Response:
        message: Any = json.loads(await request.read())
        if "id" not in message:
            return web.Response(status=202)
        result: dict[str, Any] = {"resultType": "complete"}
        match message["method"]:
            case "server/discover":
                result |= {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            case "tools/list":
                result |= {"tools": tools}
            case "tools/call":
                said = [message["params"]["name"], message["params"]["arguments"]]
                with calls.open("a") as log:
                    log.write(json.dumps(said) + "\n")
                result |= {"content": [{"type": "text", "text": "dry run"}], "isError": False}
            case _:
                error = {"code": -32601, "message": "no such method"}
                return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=404)
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    app = web.Application()
    app.router.add_post("/mcp", post)
    return app


if __name__ == "__main__":
    listed = json.loads(Path(sys.argv[2]).read_text("utf-8"))
    web.run_app(answering(listed, Path(sys.argv[3])), host="127.0.0.1", port=int(sys.argv[1]), print=None)
