"""Where tokens may go, the relay's and those of commands: over https alone, unless a person says otherwise."""

from __future__ import annotations

import pytest

from remit.app.bridge.start import start
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit

AWAY = (
    "http://remit.example:7070",
    "http://10.1.2.3",
    "http://[fe80::1]:7070",
    "http://localhost.example",
    "http://0.0.0.0",
)
HERE = (
    "http://127.0.0.1:7070",
    "http://127.9.9.9",
    "http://localhost:7070",
    "http://[::1]:7070",
    "https://remit.example",
)


@pytest.fixture(autouse=True)
def without_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REMIT_TOKEN", "REMIT_TOKEN_FILE", "REMIT_URL", "REMIT_IN_THE_OPEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("url", AWAY)
def test_no_token_travels_in_the_open(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandFailure, match="the token would travel in the open to") as refused:
        start(None, url, None)
    assert refused.value.exit is Exit.USAGE
    monkeypatch.setenv("REMIT_URL", url)
    with pytest.raises(CommandFailure, match="in the open"):
        start(None, None, None)
    # Where a person says so, it goes on, and lacks the token.
    with pytest.raises(CommandFailure, match="no token to speak with"):
        start(None, url, None, in_the_open=True)


@pytest.mark.parametrize("url", HERE)
def test_this_machine_and_https_are_spoken_to(url: str) -> None:
    with pytest.raises(CommandFailure, match="no token to speak with"):
        start(None, url, None)


@pytest.mark.parametrize("url", AWAY)
def test_no_command_sends_its_token_in_the_open(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMIT_URL", url)
    with pytest.raises(CommandFailure, match="the token would travel in the open to") as refused:
        ServiceClient("token")
    assert refused.value.exit is Exit.USAGE
    assert "REMIT_IN_THE_OPEN=1" in str(refused.value)
    monkeypatch.setenv("REMIT_IN_THE_OPEN", "1")
    ServiceClient("token")
    with pytest.raises(CommandFailure, match="no token to speak with"):
        start(None, None, None)


@pytest.mark.parametrize("url", HERE)
def test_commands_speak_to_this_machine_and_over_https(url: str) -> None:
    ServiceClient("token", url)
