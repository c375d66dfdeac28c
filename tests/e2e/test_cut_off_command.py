"""A service that ends in the middle of a command: whoever asked for a change is told that it may have been made."""

import socket
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import pytest

from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit
from tests.eventually import WITHIN_S

HALF: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"


@contextmanager
def ending(said: bytes) -> Generator[str]:
    """The address of what takes one request, says `said`, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as serving:
        listening.settimeout(WITHIN_S)

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(WITHIN_S)
                got = b""
                while b"\r\n\r\n" not in got:
                    data = connection.recv(65536)
                    assert data, f"no whole request came: {got!r}"
                    got += data
                connection.sendall(said)

        served = serving.submit(serve)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        served.result(WITHIN_S)


@pytest.mark.parametrize("said", [b"", HALF], ids=["nothing", "half"])
def test_a_change_may_have_been_made(said: bytes) -> None:
    with ending(said) as url, pytest.raises(CommandFailure) as failed:
        ServiceClient("token", url).post("/approvals/r1-1.1/approve")
    assert failed.value.exit is Exit.UNREACHABLE
    assert failed.value.why.endswith("what was asked for may have been done all the same")
    assert failed.value.next.startswith(
        "see how it stands before you say it again; where it is down, start the service"
    )


@pytest.mark.parametrize("said", [b"", HALF], ids=["nothing", "half"])
def test_a_question_changes_nothing(said: bytes) -> None:
    with ending(said) as url, pytest.raises(CommandFailure) as failed:
        ServiceClient("token", url).get("/approvals")
    assert failed.value.next.startswith("start the service")


def test_what_never_listened_did_nothing(unused_tcp_port: int) -> None:
    with pytest.raises(CommandFailure) as failed:
        ServiceClient("token", f"http://127.0.0.1:{unused_tcp_port}").post("/approvals/r1-1.1/approve")
    assert failed.value.next.startswith("start the service")


def test_an_answer_that_is_late_may_be_of_something_that_was_done() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = ServiceClient("token", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(CommandFailure) as failed:
            client.post("/approvals/r1-1.1/approve", timeout_s=0.1)
    assert failed.value.exit is Exit.TIMEOUT
    assert "may have been done all the same" in failed.value.why
    assert failed.value.next == "see how it stands before you say it again, and look at the service: remit doctor"
