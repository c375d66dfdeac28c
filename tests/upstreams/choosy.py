"""A server of 2025 that shows a tool to such clients alone as may be asked something: `choosy.py`, over pipes.

As the protocol's own example server in TypeScript does.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Answer line by line until stdin ends."""
    able: dict[str, Any] = {}
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        match message["method"]:
            case "initialize":
                able = message["params"]["capabilities"]
                told: Any = {"capabilities": {"tools": {}}, "serverInfo": {"name": "choosy", "version": "1"}}
                _say(message, result={"protocolVersion": "2025-11-25", **told})
            case "tools/list":
                names = ["plain", *(["asking"] if "elicitation" in able else [])]
                _say(message, result={"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]})
            case "tools/call":
                # As servers do whose clients take it: what has a structure may say nothing else.
                _say(message, result={"structuredContent": {"called": message["params"]["name"]}})
            case _:
                _say(message, error={"code": -32601, "message": "no"})


def _say(message: Any, **said: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **said}), flush=True)


if __name__ == "__main__":
    main()
