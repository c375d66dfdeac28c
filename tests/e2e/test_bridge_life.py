"""How the bridge starts, with whose token, and how it ends."""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.bridge_world import (
    TOKEN,
    Asked,
    Bridge,
    Scripted,
    answering,
    event,
    token_file,
)
from tests.eventually import WITHIN_S


def test_one_server_is_named_in_the_path_and_nothing_else_is(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token, "--server", "git") as bridge:
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert service.until("POST", "tools/list").path == "/mcp/git"
    for wrong in ("../api", "a/b", "", "GIT"):
        with Bridge(service.url, "--token-file", token, "--server", wrong) as bridge:
            code, out, err = bridge.finish()
            assert (code, out) == (2, "")
            assert "next: remit get servers" in err


def test_the_end_of_input_lets_calls_finish_and_ends_what_only_stands(tmp_path: Path) -> None:
    closed, go = threading.Event(), threading.Event()

    def script(asked: Asked) -> None:
        if asked.says == "subscriptions/listen":
            asked.stream(event({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged"}))
            if asked.gone():
                closed.set()
        else:
            go.wait(WITHIN_S)
            answering(asked)

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "subscriptions/listen")
        bridge.heard()
        bridge.modern(2, "tools/call", name="x")
        service.until("POST", "tools/call")
        bridge.end_input()
        go.set()
        assert bridge.heard()["id"] == 2
        assert bridge.finish() == (0, "", "")
        assert closed.wait(WITHIN_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_and_cancels(tmp_path: Path, number: signal.Signals) -> None:
    closed = threading.Event()

    def script(asked: Asked) -> None:
        asked.stream(event({"jsonrpc": "2.0", "method": "notifications/message"}))
        if asked.gone():
            closed.set()

    with Scripted(script) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/call", name="x")
        bridge.heard()
        bridge.process.send_signal(number)
        assert bridge.process.wait(WITHIN_S) == 0
        assert closed.wait(WITHIN_S)


def test_a_client_that_no_longer_listens_ends_it(tmp_path: Path) -> None:
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token_file(tmp_path)) as bridge:
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert bridge.process.stdout is not None
        bridge.process.stdout.close()
        bridge.modern(2, "tools/list")
        assert bridge.process.wait(WITHIN_S) == 0


def test_a_renewed_token_needs_no_restart_and_none_is_ever_shown(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    with Scripted(answering) as service, Bridge(service.url, "--token-file", token) as bridge:
        said: list[Any] = []

        def ask() -> Any:
            bridge.modern(len(said), "tools/list")
            said.append(bridge.heard())
            return said[-1]

        assert "result" in ask()
        token.write_text("second-" + TOKEN)
        assert "result" in ask()
        token.chmod(0o640)
        assert f"chmod 600 {token}" in ask()["error"]["data"]["next"]
        token.chmod(0o600)
        for wrong in ("", "two tokens", "a\nb: c", "x" * 70_000):
            token.write_text(wrong)
            assert "does not hold one token" in ask()["error"]["message"]
        token.unlink()
        assert "no such file" in ask()["error"]["message"].lower()
        os.mkfifo(token, 0o600)
        assert "no regular file" in ask()["error"]["message"]
        token.unlink()
        token_file(tmp_path, "third-" + TOKEN)
        assert "result" in ask()
        tokens = [asked.headers["authorization"].removeprefix("Bearer ") for asked in service.all]
        assert tokens == [TOKEN, "second-" + TOKEN, "third-" + TOKEN]
        _, out, err = bridge.finish()
        assert "canary" not in json.dumps(said) + out + err


def test_an_unusable_token_file_is_told_at_once_and_mended_while_it_runs(tmp_path: Path) -> None:
    with (
        Scripted(answering) as service,
        Bridge(service.url, "--token-file", tmp_path / "token") as bridge,
    ):
        bridge.modern(1, "tools/list")
        assert "cannot use the token file" in bridge.heard()["error"]["message"]
        token_file(tmp_path)
        bridge.modern(2, "tools/list")
        assert "result" in bridge.heard()
        code, _, err = bridge.finish()
    assert code == 0
    assert err.startswith(f"error: cannot use the token file {tmp_path / 'token'}\n  why: ")
    assert "  next: remit token agent NAME" in err


def test_without_a_token_it_does_not_start(tmp_path: Path) -> None:
    with Bridge("http://127.0.0.1:1") as bridge:
        code, out, err = bridge.finish()
        assert (code, out) == (2, "")
        assert "--token-file" in err
    with Bridge("http://127.0.0.1:1", REMIT_TOKEN="a\r\nb") as bridge:
        assert bridge.finish()[0] == 2
    with (
        Scripted(answering) as service,
        Bridge(service.url, REMIT_TOKEN_FILE=str(token_file(tmp_path))) as bridge,
    ):
        bridge.modern(1, "tools/list")
        bridge.heard()
        assert service.all[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("url", ["ftp://x", "127.0.0.1:7070", "http://", "http://u:p@h/"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    with Bridge(url, "--token-file", token_file(tmp_path)) as bridge:
        code, out, err = bridge.finish()
        assert (code, out) == (2, "")
        assert "next: " in err
        assert "u:p" not in err
