"""A loopback model: answers as OpenAI's chat completions do, and asks for one tool call before it ends.

`python model.py` prints its port on a line. The first answer of a conversation calls the tool that the last user
message names (`call NAME {…}`); later ones say `done`. Standard library only.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """The completion of `asked`, a request body of `POST /v1/chat/completions`."""
    messages: list[dict[str, Any]] = asked["messages"]
    wanted = next((str(one["content"]) for one in reversed(messages) if one["role"] == "user"), "")
    word, _, rest = wanted.partition(" ")
    message: dict[str, Any] = {"role": "assistant", "content": "done"}
    finish = "stop"
    if word == "call" and not any(one["role"] == "tool" for one in messages):
        name, _, arguments = rest.partition(" ")
        called = {"name": name, "arguments": arguments or "{}"}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": called}],
        }
        finish = "tool_calls"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": asked["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a completion."""
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        data = json.dumps(answer(json.loads(body))).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def main() -> None:
    """Serve until the process is ended."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
