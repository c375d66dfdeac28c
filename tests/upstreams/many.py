"""A server of the stateless era with 200 tools, one of them absurd: `many.py PORT`.

Every tool answers with its own name and the arguments it got.
"""

import json
import sys
from typing import Any

from aiohttp import web

ABSURD = "tool_137"


def schema(name: str) -> dict[str, Any]:
    if name != ABSURD:
        return {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    return {
        "type": "object",
        "properties": {"n": {"$ref": "#/$defs/loop"}, "far": {"$ref": "https://schemas.invalid/far.json"}},
        "$defs": {"loop": {"allOf": [{"$ref": "#/$defs/loop"}]}},
    }


TOOLS = [
    {"name": name, "description": f"Is {name}.", "inputSchema": schema(name)}
    for name in map("tool_{:03}".format, range(200))
]


async def post(request: web.Request) -> web.Response:
    message: Any = json.loads(await request.read())
    if "id" not in message:
        return web.Response(status=202)
    result: dict[str, Any] = {"resultType": "complete"}
    match message["method"]:
        case "server/discover":
            result |= {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        case "tools/list":
            result |= {"tools": TOOLS}
        case "tools/call":
            said = json.dumps([message["params"]["name"], message["params"]["arguments"]])
            result |= {"content": [{"type": "text", "text": said}], "isError": False}
        case _:
            error = {"code": -32601, "message": "no such method"}
            return web.json_response({"jsonrpc": "2.0", "id": message["id"], "error": error}, status=404)
    return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_post("/mcp", post)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
