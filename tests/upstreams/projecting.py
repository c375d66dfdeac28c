"""A server of both eras that shows an array it returns to clients of 2025 as a member, over pipes.

As servers by the TypeScript SDK from 2.0 on do it.
"""

import json
import sys
from typing import Any

ARRAY: Any = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "array",
    "items": {"$ref": "#/$defs/number"},
    "$defs": {"number": {"type": "number"}},
}
MEMBER: Any = {
    "$schema": ARRAY["$schema"],
    "type": "object",
    "properties": {"result": {**ARRAY, "items": {"$ref": "#/properties/result/$defs/number"}}},
    "required": ["result"],
}


def main() -> None:
    """Answer line by line until stdin ends, in the era of the first line."""
    modern = False
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        match message["method"]:
            case "server/discover":
                modern = True
                _say(message, supportedVersions=["2026-07-28"], capabilities={"tools": {}})
            case "initialize":
                told: Any = {"capabilities": {"tools": {}}, "serverInfo": {"name": "projecting", "version": "1"}}
                _say(message, protocolVersion="2025-11-25", **told)
            case "tools/list":
                more = {"title": "Counter", "annotations": {"title": "Counts"}, "_meta": {"a": 1}}
                shown = {"outputSchema": ARRAY if modern else MEMBER, **more}
                _say(message, tools=[{"name": "count", "inputSchema": {"type": "object"}, **shown}])
            case _:
                text = {"type": "text", "text": "[1,2]"}
                _say(message, content=[text], structuredContent=[1, 2] if modern else {"result": [1, 2]})


def _say(message: Any, **result: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    main()
