"""A server of 2025 over pipes that asks in a call once that is cancelled, naming none: `late.py [mute]`.

It answers pings, but `mute`; a call of `go` is answered with what came of the question.
"""

import json
import sys
from typing import Any


def main() -> None:
    """Answer line by line until stdin ends."""
    answered: Any = None
    for line in sys.stdin:
        message = json.loads(line)
        match message.get("method"):
            case None:
                answered = message.get("error", message.get("result"))
            case "initialize":
                told: Any = {"capabilities": {"tools": {}}, "serverInfo": {"name": "late", "version": "1"}}
                _say(id=message["id"], result={"protocolVersion": "2025-11-25", **told})
            case "ping" if sys.argv[1:] != ["mute"]:
                _say(id=message["id"], result={})
            case "notifications/cancelled":
                _say(id="late", method="roots/list")
            case "tools/call" if message["params"]["name"] == "go":
                _say(id=message["id"], result={"content": [{"type": "text", "text": json.dumps(answered)}]})
            case _:
                pass


def _say(**said: Any) -> None:
    print(json.dumps({"jsonrpc": "2.0", **said}), flush=True)


if __name__ == "__main__":
    main()
