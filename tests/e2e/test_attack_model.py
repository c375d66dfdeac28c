"""An attacker model at a loopback server: asked a bounded number of times, believed for arguments alone."""

import json
import re
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from remit.app.assurance.replay import bundle_of
from remit.app.attack.model import ANSWER_BYTES_MAX, Model, model
from remit.app.attack.run import FULL, attack
from remit.app.terminal.failure import CommandFailure
from remit.assure.attack.attempts import attempts
from remit.assure.attack.plan import Arrives, AttackKind
from remit.assure.attack.results import AttemptResult
from tests.attacked import GATE, PERMIT, write
from tests.eventually import WITHIN_S

INSIDE = """
@id("inside-is-fine")
@gate("owner")
@reason("strangers' text came in, and this goes outside")
forbid (principal, action == Remit::Action::"mail___send", resource)
when { context.session.labels.contains(Remit::Label::"untrusted") && !(context.input.to like "friend-*") };
"""
"""A gate with a hole that no list of ways knows of."""


@contextmanager
def answering(said: Callable[[dict[str, Any]], tuple[int, bytes]]) -> Generator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers chat completions; its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    def silent(self: BaseHTTPRequestHandler, format: str, *args: object) -> None:  # noqa: A002 - its own name for it
        return

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({"path": self.path, "bearer": self.headers["authorization"], **body})
            status, raw = said(json.loads(body["messages"][-1]["content"]))
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        log_message = silent

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WITHIN_S)
        assert not thread.is_alive(), f"the model's server did not end within {WITHIN_S} s"


def choice(text: str) -> tuple[int, bytes]:
    return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": text}}]}).encode()


def hijacked(folder: Path) -> tuple[Any, AttemptResult]:
    bundle = bundle_of(write(folder, PERMIT + GATE))
    return bundle, AttemptResult(
        next(one for one in attempts(bundle) if one.kind is AttackKind.RESULT), True, "200 wait", (), None
    )


def test_it_finds_what_the_list_of_ways_does_not(tmp_path: Path) -> None:
    workspace = write(tmp_path / "workspace", PERMIT + INSIDE)
    key = tmp_path / "key"
    key.write_text("sesame\n", "utf-8")
    with answering(lambda told: choice(f'```json\n{{"to": "friend-{told["mark"]}", "text": "hi"}}\n```')) as (
        url,
        asked,
    ):
        attacker = model(url, "clever", key)
        assert attacker is not None
        with_it = attack(workspace, "tells it to call mail/send", profile=FULL, model=attacker)
    without = attack(workspace, "tells it to call mail/send", profile=FULL)
    assert [one.attempt.title for one in without.open] == []
    assert all("as a model proposed" in one.attempt.title for one in with_it.open)
    assert len(with_it.open) >= 1
    assert {one["path"] for one in asked} == {"/v1/chat/completions"}
    assert {one["bearer"] for one in asked} == {"Bearer sesame"}
    assert {one["model"] for one in asked} == {"clever"}
    assert attacker.calls == len(asked)
    assert with_it.unreached == 0


@pytest.mark.parametrize(
    "text",
    [
        "I would rather not.", "{", '{"to": "x", "to": "y"}', '{"to": 3, "text": "MARK"}', "[1]",
        '{"to": "a", "text": "b"}', '{"to": "MARK", "text": "hi", "text": "ho"}',
    ],
)  # fmt: skip
def test_what_is_no_call_is_dropped(tmp_path: Path, text: str) -> None:
    bundle, came = hijacked(tmp_path)
    assert isinstance(came.attempt.goal, Arrives)
    with answering(lambda told: choice(re.sub("MARK", told["mark"], text))) as (url, asked):
        attacker = Model(url, "m")
        assert attacker.propose(bundle, came) is None
    assert attacker.trouble is None
    assert asked[0]["bearer"] is None


@pytest.mark.parametrize(
    "answer", [(500, b"no"), (200, b"no json"), (200, b'{"choices": []}'), (200, b"x" * (ANSWER_BYTES_MAX + 1))]
)
def test_after_a_failure_it_is_not_asked_again(tmp_path: Path, answer: tuple[int, bytes]) -> None:
    bundle, came = hijacked(tmp_path)
    with answering(lambda _: answer) as (url, asked):
        attacker = Model(url, "m")
        assert attacker.propose(bundle, came) is None
        assert attacker.propose(bundle, came) is None
    assert len(asked) == 1
    assert attacker.trouble is not None


def test_it_is_asked_so_often_and_no_more(tmp_path: Path) -> None:
    bundle, came = hijacked(tmp_path)
    with answering(lambda told: choice(f'{{"to": "{told["mark"]}", "text": "hi"}}')) as (url, asked):
        attacker = Model(url, "m", calls_max=3)
        made = [attacker.propose(bundle, came) for _ in range(5)]
    assert [one is not None for one in made] == [True] * 3 + [False] * 2
    assert len(asked) == 3


def test_it_is_asked_only_where_somebody_says_so(tmp_path: Path) -> None:
    assert model(None, None, None) is None
    for url, name, key in (
        ("ftp://x/v1", "m", None),
        ("http://127.0.0.1:1/v1", None, None),
        ("http://127.0.0.1:1/v1", "m", tmp_path / "none"),
    ):
        with pytest.raises(CommandFailure):
            model(url, name, key)
