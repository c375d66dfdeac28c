"""A hand-written stdio server, by `stdio_server.py ERAS FOLDER`: well-behaved but for what a tool's name asks.

Every line it reads is appended to `stdio.log` there, as is what it was started with. `notes.json`
holds tools to list besides, and how to misbehave outside calls.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import catalogue

ERAS, FOLDER = sys.argv[1], Path(sys.argv[2])
NOTES: dict[str, Any] = json.loads((FOLDER / "notes.json").read_text())
HUGE_BYTES = 50 * 1024 * 1024


def log(entry: Any) -> None:
    with (FOLDER / "stdio.log").open("a") as file:
        file.write(json.dumps(entry) + "\n")


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def say(message: Any) -> None:
    write(json.dumps(message) + "\n")


def misbehave(name: str, message: Any) -> None:
    """What comes before the answer, or instead of it."""
    match name:
        case "hang":
            raise TimeoutError
        case "die":
            sys.exit(3)
        case "half":
            write('{"jsonrpc":"2.0","id":')
            sys.exit(0)
        case "huge":
            write('{"jsonrpc":"2.0","id":%d,"result":{"content":[{"type":"text","text":"' % message["id"])
            block = "x" * (1024 * 1024)
            for _ in range(HUGE_BYTES // len(block)):
                write(block)
            write('"}]}}\n')
        case "garbage":
            write("Loading...\n\n[1,2]\nnull\n")
        case "wrong_id":
            for wrong in (True, str(message["id"]), message["id"] + 1000, None, float(message["id"])):
                say({"jsonrpc": "2.0", "id": wrong, "result": {"content": [{"type": "text", "text": "not yours"}]}})
        case "chatty":
            say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hey"}})
            say({"jsonrpc": "2.0", "id": 1, "method": "ping"})
            say({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {}})
        case "slow":
            time.sleep(0.3)
        case "changed":
            say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        case "burst":
            for _ in range(20_000):
                write('{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n')
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            child = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)  # noqa: S607
            log({"grandchild": child.pid})
            while True:
                time.sleep(1000)
        case _:
            return


def main() -> None:
    log({"start": os.getpid(), "env": dict(os.environ), "cwd": str(Path.cwd())})
    print("starting up", file=sys.stderr, flush=True)
    if NOTES.get("exit_at_start"):
        sys.exit("cannot go on: no configuration")
    listed = catalogue.tools(NOTES.get("tools", []))
    for line in sys.stdin:
        log({"line": line.rstrip("\n")})
        message = json.loads(line)
        if NOTES.get("hang_at") == message.get("method"):
            continue
        params = message.get("params") or {}
        try:
            if message.get("method") == "tools/call":
                misbehave(params.get("name", ""), message)
        except TimeoutError:
            continue
        reply = catalogue.answer(message, ERAS, listed)
        if reply is not None:
            say(reply)
    if NOTES.get("stay"):
        while True:
            time.sleep(1000)


if __name__ == "__main__":
    main()
