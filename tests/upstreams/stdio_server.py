"""A hand-written stdio server, by `stdio_server.py ERAS FOLDER`: well-behaved but for what a tool's name asks.

Every line it reads is appended to `stdio.log` there, as is what it was started with. `notes.json`
holds tools to list besides, as of when they are listed, and how to misbehave outside calls, as of the start.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import catalogue

ERAS, FOLDER = sys.argv[1], Path(sys.argv[2])
HUGE_BYTES = 50 * 1024 * 1024


def notes() -> dict[str, Any]:
    return json.loads((FOLDER / "notes.json").read_text())


NOTES = notes()


def log(entry: Any) -> None:
    with (FOLDER / "stdio.log").open("a") as file:
        file.write(json.dumps(entry) + "\n")


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def write_bytes(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def say(message: Any) -> None:
    write(json.dumps(message) + "\n")


def half(_: int) -> None:
    write('{"jsonrpc":"2.0","id":')
    sys.exit(0)


def huge(ident: int) -> None:
    write(f'{{"jsonrpc":"2.0","id":{ident},"result":{{"content":[{{"type":"text","text":"')
    block = "x" * (1024 * 1024)
    for _ in range(HUGE_BYTES // len(block)):
        write(block)
    write('"}]}}\n')


def wrong_id(ident: int) -> None:
    for wrong in (True, str(ident), ident + 1000, None, float(ident)):
        say({"jsonrpc": "2.0", "id": wrong, "result": {"content": [{"type": "text", "text": "not yours"}]}})


def chatty(_: int) -> None:
    say({"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "hey"}})
    say({"jsonrpc": "2.0", "id": 1, "method": "ping"})
    say({"jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": {}})


def burst(_: int) -> None:
    for _ in range(20_000):
        write('{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n')


def stubborn(_: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "1000"], stdin=subprocess.DEVNULL)
    log({"grandchild": child.pid})
    linger()


def linger() -> None:
    while True:
        time.sleep(1000)


def blab(ident: int) -> None:
    said = f"it is {os.environ['KEY']}, thank you"
    print(said, file=sys.stderr, flush=True)
    say({"jsonrpc": "2.0", "id": ident, "result": {"content": [{"type": "text", "text": said}]}})


MISBEHAVIOUR: dict[str, Callable[[int], object]] = {
    "die": lambda _: sys.exit(3),
    "half": half,
    "huge": huge,
    "crowded": lambda ident: write(catalogue.crowded(ident) + "\n"),
    "foreign": lambda ident: write_bytes(catalogue.foreign(ident) + b"\n"),
    "garbage": lambda _: write("Loading...\n\n[1,2]\nnull\n"),
    "wrong_id": wrong_id,
    "chatty": chatty,
    "slow": lambda _: time.sleep(0.3),
    "changed": lambda _: say({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}),
    "burst": burst,
    "blab": blab,
    "stubborn": stubborn,
}
"""What comes before the answer, or instead of it."""


def main() -> None:
    log({"start": os.getpid(), "env": dict(os.environ), "cwd": str(Path.cwd())})
    print("starting up", file=sys.stderr, flush=True)
    if NOTES.get("exit_at_start"):
        sys.exit("cannot go on: no configuration")
    time.sleep(NOTES.get("start_s", 0))
    for line in sys.stdin:
        log({"line": line.rstrip("\n")})
        message: Any = json.loads(line)
        name: Any = message.get("params", {}).get("name", "")
        if NOTES.get("hang_at") == message.get("method") or name == "hang":
            continue
        if name in MISBEHAVIOUR:
            MISBEHAVIOUR[name](message["id"])
        reply = catalogue.answer(message, ERAS, catalogue.tools(notes().get("tools", [])))
        if reply is not None:
            say(reply)
    if NOTES.get("stay"):
        linger()


if __name__ == "__main__":
    main()
