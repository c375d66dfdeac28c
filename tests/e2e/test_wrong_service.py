"""Where another program has the address, that is said, and not that something of Remit is missing."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit


@pytest.fixture(
    params=[(404, b"<!doctype html>"), (200, b"hello"), (404, b"[]"), (403, b'{"message": "no"}'), (302, b"")]
)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    status, body = request.param

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base calls it so
            del format, args

    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            serving.join(30)


def test_what_is_not_remit_is_said_not_to_be(url: str) -> None:
    with pytest.raises(CommandFailure) as failed:
        ServiceClient("token", url).get("/status")
    assert failed.value.what == f"what answers at {url} is not Remit"
    assert failed.value.why.endswith("without JSON of the control API")
    assert failed.value.next == "set REMIT_URL to the address that remit up printed"
    assert failed.value.exit is Exit.UNREACHABLE
