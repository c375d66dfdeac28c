"""A server of 2025 over pipes that asks for roots once its session is open: `early.py [first]`.

A call says which roots it knows by then. `first`: it answers nothing, but pings, before it knows, or was told no.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Answer line by line until stdin ends."""
    known: Any = None
    waiting: list[Any] = []
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case None:
                known = message.get("result", message.get("error"))
                for one in waiting:
                    _answer(one, known)
                waiting.clear()
            case "initialize":
                told: Any = {"capabilities": {"tools": {}}, "serverInfo": {"name": "early", "version": "1"}}
                _say(id=message["id"], result={"protocolVersion": "2025-11-25", **told})
            case "notifications/initialized":
                _say(id="early", method="roots/list")
            case "ping":
                _say(id=message["id"], result={})
            case "tools/list" | "tools/call" if known is None and sys.argv[1:] == ["first"]:
                waiting.append(message)
            case "tools/list" | "tools/call":
                _answer(message, known)
            case "completion/complete":
                _say(id=message["id"], result={"completion": {"values": []}})
            case _:
                pass


def _answer(message: Any, known: Any) -> None:
    if message["method"] == "tools/call":
        _say(id=message["id"], result={"content": [{"type": "text", "text": json.dumps(known)}]})
        return
    tool = {"name": "roots", "description": "Which roots it knows.", "inputSchema": {"type": "object"}}
    _say(id=message["id"], result={"tools": [tool]})


def _say(**said: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **said}), flush=True)


if __name__ == "__main__":
    main()
