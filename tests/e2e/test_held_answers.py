"""Large answers that nobody reads take the room of the agent who asked for them, and of nobody else."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.e2e.notes_world import Noting
from tests.e2e.raw import exchange, rest, tool_bytes
from tests.e2e.test_metrics import samples
from tests.eventually import WITHIN_S, awaited

CHARS = 6_000_000
"""More than the system keeps of an answer for a client that does not read; MCP servers say it twice."""
ROOM = 16_000_000


@pytest.fixture(scope="module")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Noting]:
    made = Noting(tmp_path_factory.mktemp("held"), policies="")
    made.service.flags = ("--limit", f"held_bytes_per_agent_max={ROOM}")
    (made.root / "kept.json").write_text(json.dumps({"/large": "x" * CHARS, "/small": "hello"}), "utf-8")
    with made as running:
        yield running


def loads(noting: Noting, token: str, path: str) -> bytes:
    return tool_bytes(noting.service.port, token, "notes", "load", {"path": path}, {"connection": "close"})


def held(noting: Noting) -> float:
    return samples(noting.service.port)["remit_held_bytes{}"]


def until(noting: Noting, *, least: float, most: float) -> None:
    awaited(lambda: least <= held(noting) <= most)


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/event-stream"])
def test_what_is_not_read_takes_the_room_of_its_agent_alone(noting: Noting, accept: str) -> None:
    port, clerk, scout = noting.service.port, noting.service.agent("clerk"), noting.service.agent("scout")
    large = loads(noting, clerk, "large").replace(b"application/json, text/event-stream", accept.encode())
    with socket.socket() as dawdler:
        dawdler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        dawdler.connect(("127.0.0.1", port))
        dawdler.sendall(large)
        until(noting, least=2 * CHARS, most=ROOM)
        said = exchange(port, loads(noting, clerk, "large"))
        assert b"held_bytes_per_agent_max" in said
        assert len(said) < 10_000
        assert b"hello" in exchange(port, loads(noting, clerk, "small"))
        assert len(exchange(port, loads(noting, scout, "large"))) > 2 * CHARS
        until(noting, least=2 * CHARS, most=ROOM)
        dawdler.settimeout(WITHIN_S)
        answered = rest(dawdler)
    assert len(answered) > 2 * CHARS
    assert answered.count(b"x" * CHARS) == 2, "whole, though in pieces"
    until(noting, least=0, most=0)
    assert len(exchange(port, loads(noting, clerk, "large"))) > 2 * CHARS


def test_who_goes_away_lets_go(noting: Noting) -> None:
    port, clerk = noting.service.port, noting.service.agent("clerk")
    with socket.socket() as dawdler:
        dawdler.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        dawdler.connect(("127.0.0.1", port))
        dawdler.sendall(loads(noting, clerk, "large"))
        until(noting, least=2 * CHARS, most=ROOM)
    until(noting, least=0, most=0)
