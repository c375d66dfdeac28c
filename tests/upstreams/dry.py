"""A server of the stateless era that does nothing but note what it was asked for: `dry.py PORT TOOLS CALLS`.

`TOOLS` is a file of tool definitions; each call is a line of `CALLS`: its tool and arguments. It has every resource and
prompt that is asked for, and notes the name of it.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from aiohttp import web

OFFERS: Final[dict[str, dict[str, Any]]] = {"tools": {}, "resources": {}, "prompts": {}}
TEXT: Final = {"type": "text", "text": "dry run"}


def answering(tools: list[Any], calls: Path) -> web.Application:
    def note(name: str, arguments: Any) -> None:
        with calls.open("a") as log:
            log.write(json.dumps([name, arguments]) + "\n")

    async def post(request: web.Request) -> web.Response:
        message: Any = json.loads(await request.read())
        if "id" not in message:
            return web.Response(status=202)
        result: dict[str, Any] = {"resultType": "complete"}
        match message["method"]:
            case "server/discover":
                result |= {"supportedVersions": ["2026-07-28"], "capabilities": OFFERS}
            case "tools/list":
                result |= {"tools": tools}
            case "tools/call":
                note(message["params"]["name"], message["params"]["arguments"])
                result |= {"content": [TEXT], "isError": False}
            case "resources/read":
                note(uri := message["params"]["uri"], {})
                result |= {"contents": [{"uri": uri, "text": TEXT["text"]}]}
            case "prompts/get":
                note(message["params"]["name"], message["params"].get("arguments", {}))
                result |= {"messages": [{"role": "user", "content": TEXT}]}
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
