"""Clients that dawdle, vanish, smuggle, crowd or only listen, at a real service: others never notice."""

import json
import socket
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from proof import idle
from proof.counting import Counting
from remit.app.settings import limits_of
from remit.app.terminal.failure import CommandFailure
from remit.facts.limits import DEFAULT, Limits
from tests.e2e.raw import call_bytes, exchange, listen, post, request
from tests.e2e.test_metrics import samples
from tests.eventually import WITHIN_S, awaited

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "limits.md"
LIMITS = (
    *("head_s_max=1", "body_s_max=1", "streams_per_agent_max=2", "requests_per_s_max=20"),
    *("requests_burst_max=40", "connections_max=30", "drain_s_max=5"),
)


CLERKS = 32
CLERK = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {{name: clerk-{number}}}
spec: {{owner: platform, purpose: counts things, groups: [clerks]}}
"""


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    made = Counting(tmp_path_factory.mktemp("clients"))
    made.service.flags = tuple(word for limit in LIMITS for word in ("--limit", limit))
    made.service.write({"clerks.yaml": "---\n".join(CLERK.format(number=number) for number in range(CLERKS))})
    with made as running:
        yield running


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return iter(range(CLERKS))


@pytest.fixture(name="token")
def fresh(counting: Counting, numbers: Iterator[int]) -> str:
    """Of an agent whose share of requests nobody has used yet."""
    return counting.service.agent(f"clerk-{next(numbers)}")


def serves(counting: Counting, token: str, ident: str) -> bool:
    """Whether a call gets through, once."""
    said = exchange(counting.service.port, call_bytes(counting.service.port, token, ident, {"connection": "close"}))
    return b" 200 OK" in said and counting.effects.count(ident) == 1


def until_closed(connection: socket.socket) -> bytes:
    connection.settimeout(WITHIN_S)
    found = b""
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        found += b"(reset)"
    return found


def test_slow_heads_and_bodies_are_answered_and_closed_while_others_are_served(counting: Counting, token: str) -> None:
    port = counting.service.port
    whole = call_bytes(port, token, "slow")
    head, _, body = whole.partition(b"\r\n\r\n")
    for sent, reason in ((head[:20], b"limit/head-time"), (head + b"\r\n\r\n" + body[:10], b"limit/body-time")):
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(sent)
            assert serves(counting, token, f"beside-{reason.decode()[-9:]}")
            said = until_closed(slow)
        assert b"HTTP/1.1 408" in said
        assert reason in said
    assert "slow" not in counting.effects


@pytest.mark.parametrize(
    "headers",
    [
        {"transfer-encoding": "chunked"},
        {"x-a": "b\r\nContent-Length: 200"},
        {"x-a": "b\r\n folded: yes"},
        {"x-a": "b\nhost: evil"},
        {"x-a": "b\rhost: evil"},
        {"host": "127.0.0.1\r\nhost: evil"},
    ],
)
def test_a_request_with_two_readings_reaches_nobody(counting: Counting, token: str, headers: dict[str, str]) -> None:
    port = counting.service.port
    smuggled = call_bytes(port, token, "smuggled")
    said = exchange(port, call_bytes(port, token, "carrier", headers) + smuggled)
    assert said.startswith(b"HTTP/1.1 400")
    assert said.count(b"HTTP/1.1 4") == 1
    assert "error_description" in json.loads(said.partition(b"\r\n\r\n")[2])
    assert not {"smuggled", "carrier"} & set(counting.effects)


def test_a_client_that_vanishes_leaves_an_outcome_and_no_stream(counting: Counting, token: str) -> None:
    service = counting.service
    for ident in ("vanished", "reset"):
        gone = post(service.port, token, ident)
        if ident == "reset":
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        gone.close()
    for _ in range(3):
        # More than the agent may hold at once: each is given back as its client goes.
        listen(service.port, token).close()
        awaited(lambda: samples(service.port)["remit_streams{}"] == 0)
    assert serves(counting, token, "after-the-vanished")

    def all_ended() -> bool:
        lines = service.remit("logs", "--limit", "200", "-o", "json").stdout.splitlines()
        items = [json.loads(line) for line in lines]
        intents = {item["id"] for item in items if item["kind"] == "intent"}
        return intents <= {item["body"]["intent"] for item in items if item["kind"] == "outcome"}

    awaited(all_ended)


@pytest.mark.parametrize("is_large", [False, True], ids=["many", "large"])
def test_an_agent_beyond_its_share_is_told_which_and_when_to_come_back(
    counting: Counting, token: str, is_large: bool
) -> None:
    port = counting.service.port
    with listen(port, token), listen(port, token):
        said = exchange(port, request(port, token, "GET", headers={"mcp-session-id": "none", "connection": "close"}))
        assert said.startswith(b"HTTP/1.1 404")
        with pytest.raises(AssertionError, match="limit/streams-per-agent"):
            listen(port, token)
    # In one piece, small ones for a session that is not there: a slow machine takes as long over calls as the share is.
    small = [request(port, token, "GET", headers={"mcp-session-id": "none"})] * 200
    large = [call_bytes(port, token, f"large-{number}" + "x" * 64_000) for number in range(10)]
    last = request(port, token, "GET", headers={"connection": "close"})
    crowd = b"".join(large if is_large else small) + last
    _, refused, rest = exchange(port, crowd).partition(b"HTTP/1.1 429")
    assert refused, "all of them were taken"
    head, _, rest = rest.partition(b"\r\n\r\n")
    assert b"retry-after: 1" in head
    told, _ = json.JSONDecoder().raw_decode(rest.decode())
    assert told["error"]["data"] == {"reason": "limit/requests", "retry_after_s": 1}
    assert told["error"]["code"] == -32000


def test_idle_connections_make_room(counting: Counting, token: str) -> None:
    crowd = [socket.create_connection(("127.0.0.1", counting.service.port)) for _ in range(60)]
    assert serves(counting, token, "in-the-crowd")
    for one in crowd:
        one.close()


def test_idle_streams_cost_little_and_a_drain_ends_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert idle.main(["--streams", "200", "--quiet", "0.5"]) == 0, capsys.readouterr().out


def test_the_page_names_every_limit_with_its_default() -> None:
    text = PAGE.read_text("utf-8")
    for field in fields(Limits):
        value = getattr(DEFAULT, field.name)
        assert f"| `{field.name}` | {value:,} |" in text, field.name


@pytest.mark.parametrize("given", ["nothing=1", "streams_max", "streams_max=1.5", "call_s=x", "call_s=0", "call_s=nan"])
def test_a_limit_that_cannot_be_used_is_refused(given: str) -> None:
    with pytest.raises(CommandFailure, match="cannot be used"):
        limits_of([given])


def test_limits_come_from_flags_else_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMIT_LIMITS", "streams_max=7, call_s=1.5")
    assert (limits_of([]).streams_max, limits_of([]).call_s) == (7, 1.5)
    assert limits_of(["streams_max=8"]).streams_max == 8
    assert limits_of(["streams_max=8"]).call_s == DEFAULT.call_s


def test_who_leaves_in_the_midst_of_a_request_is_no_error_of_the_service(counting: Counting, token: str) -> None:
    service = counting.service
    head = (
        f"POST /api/v1/halts HTTP/1.1\r\nhost: 127.0.0.1:{service.port}\r\nauthorization: Bearer {service.admin}\r\n"
        "content-type: application/json\r\ncontent-length: 400\r\n\r\n{"
    )
    with socket.create_connection(("127.0.0.1", service.port)) as leaving:
        leaving.sendall(head.encode())
        assert serves(counting, token, "after-what-he-sent")
    assert serves(counting, token, "after-who-left")
    service.stop()  # a thread of its own writes the log, which is whole once the service ended
    assert "a request failed on an error of ours" not in service.log
    service.start()
