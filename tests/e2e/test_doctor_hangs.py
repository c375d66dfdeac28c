"""`remit doctor` against a service that takes connections and says nothing, as a process does that stands still."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.adapters.sqlite.lock import FolderLock
from remit.app.cli import run
from remit.app.cli import service as commands
from remit.app.terminal.failure import Exit


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Something takes connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("REMIT_URL", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.setattr(commands, "_AWAKE_S", 0.1)
        yield


@pytest.mark.usefixtures("silent")
def test_doctor_says_which_process_holds_the_data_of_a_service_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        assert run(["doctor", *words]) == Exit.TIMEOUT
        told = capsys.readouterr().err
        assert "does not answer" in told
        return told

    monkeypatch.delenv("REMIT_DATA", raising=False)
    assert "next: remit doctor --data DIR" in said()
    assert f"no process is known that holds the data in {tmp_path}" in said("--data", str(tmp_path))
    lock = FolderLock(tmp_path)
    try:
        monkeypatch.setenv("REMIT_DATA", str(tmp_path))
        for told in (said(), said("--data", str(tmp_path))):
            assert f"process {os.getpid()} holds the data in {tmp_path}, and said nothing for 0.1 s" in told
            assert f"next: ps -o pid,stat,wchan:20,etime,cmd -p {os.getpid()} " in told
    finally:
        lock.release()
    assert "no process is known" in said()
