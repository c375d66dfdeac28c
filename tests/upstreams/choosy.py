"""A server that shows a tool to such clients alone as may be asked something: `choosy.py [2026]`, over pipes.

Of 2025, as the protocol's own example server in TypeScript does it, or of 2026, where each request says so.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Answer line by line until stdin ends."""
    able: dict[str, Any] = {}
    modern = sys.argv[1:] == ["2026"]
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        if modern:
            able = message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        match message["method"]:
            case "server/discover" if modern:
                _say(message, result={"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
            case "initialize" if not modern:
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
