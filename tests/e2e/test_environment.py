"""Where the machine refuses, each command says what, where, why and what to do: a full disk is no fault of Remit's.

No file may be larger than some bytes (`RLIMIT_FSIZE`), which is how a disk takes no more.
"""

import errno
import io
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest

from proof.counting import Counting
from proof.service import REMIT, Service, environment
from remit.adapters import keyring, private
from remit.app.cli import run
from remit.app.data.recovery import record
from remit.app.service.process import CLOSED_S
from remit.app.settings import LEDGER
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import say
from remit.trace.bodies import AdminBody, Event
from tests.e2e.api_world import world


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "data" / LEDGER
    many = [AdminBody(Event.CREDENTIAL, "ann", f"c{n}", {"hash": "x" * 10_000}) for n in range(40)]
    record(path, *many)
    return path


def limited(what: int, most: int, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [REMIT, *words], capture_output=True, text=True, timeout=120, check=False, env=environment(),
        preexec_fn=lambda: resource.setrlimit(what, (most, most)),
    )  # fmt: skip


def test_what_cannot_be_written_is_no_failure_of_remit_itself(ledger: Path, tmp_path: Path) -> None:
    data, copy = ledger.parent, tmp_path / "copies" / "one.sqlite3"
    copy.parent.mkdir()
    full = resource.RLIMIT_FSIZE
    backup = limited(full, 100_000, "ledger", "backup", copy, "--data", data)
    assert backup.returncode == Exit.NEGATIVE
    assert f"{copy.parent} takes no more: its disk is full" in backup.stderr
    assert f"next: free space on the disk of {copy.parent}, or name a file elsewhere" in backup.stderr
    assert subprocess.run([REMIT, "ledger", "backup", copy, "--data", data], check=False).returncode == 0
    (workspace := tmp_path / "workspace").mkdir()
    (workspace / "all.cedar").write_text('@id("all")\npermit (principal, action, resource);\n')
    up = ("up", "--port", "0", "--workspace", workspace, "--data")
    for words, most in (
        (("token", "admin", "--data", data), 1),
        (("token", "admin", "--data", data), 8_000),
        (("ledger", "restore", copy, "--data", data), 1),
        (("ledger", "restore", copy, "--data", data), 100_000),
        ((*up, tmp_path / "new"), 1),
        ((*up, data), 8_000),
    ):
        done = limited(full, most, *words)
        assert done.returncode == Exit.NEGATIVE, (words, done.stderr)
        assert "itself failed" not in done.stderr, (words, done.stderr)
        assert "REMIT_DEBUG" not in done.stderr
        assert "Traceback" not in done.stderr
        assert "  why:  " in done.stderr
        assert "  next: " in done.stderr


def test_a_service_that_ends_on_a_full_disk_says_so_and_fails_nowhere(tmp_path: Path) -> None:
    with Counting(tmp_path / "full") as counting:
        service = counting.service
        assert service.process is not None
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (16_384, 16_384))
        assert "the ledger" in service.remit("token", "agent", "clerk").stderr
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(CLOSED_S + 20) == Exit.OK, service.log
        assert "itself failed" not in service.log
        assert "Traceback" not in service.log
        assert "remit drained and ended" in service.log


def test_a_sentence_that_stderr_does_not_take_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    say("nobody hears this")


@pytest.mark.parametrize("name", ["bundles", "keys", "checkpoint-keys"])
def test_a_file_where_a_folder_has_to_be_is_named(name: str, tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    service.data.mkdir()
    (service.data / name).write_text("nonsense")
    up = [REMIT, "up", "--port", "0", "--workspace", service.workspace, "--data", service.data]
    done = subprocess.run(up, capture_output=True, text=True, timeout=120, check=False, env=environment())
    assert done.returncode == Exit.NEGATIVE
    assert f"error: {service.data / name} cannot be used\n  why:  something else has its name\n" in done.stderr
    assert "itself failed" not in done.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EMFILE])
def test_a_file_that_is_open_already_is_named_too(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: int) -> NoReturn:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(private.os, "fsync", refused)

    def rotate(*_: object, **__: object) -> None:
        private.write_private(tmp_path / "key", b"x")

    def commands_of(_: object) -> object:
        return rotate

    monkeypatch.setattr("remit.app.cli.commands_of", commands_of)
    assert run(["token", "rotate"]) == Exit.NEGATIVE
    told = capsys.readouterr().err
    assert f"error: {tmp_path / 'key'} cannot be used\n  why:  " in told
    assert "itself failed" not in told


@pytest.mark.asyncio
async def test_the_api_tells_the_machines_errors_from_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path) as api:

        async def rotated(number: int) -> Any:
            def refused(path: Path, _: bytes) -> NoReturn:
                raise OSError(number, os.strerror(number), str(path))

            monkeypatch.setattr(keyring, "write_private", refused)
            answer = await api.ask("POST", "/keys/rotate", api.admin, {})
            return answer.status_code, answer.json()

        status, told = await rotated(errno.ENOSPC)
        assert (status, told["title"]) == (503, "the service's machine does not let it do this")
        assert told["why"].endswith(".pem: its disk is full")
        assert told["next"].startswith("free space")
        status, told = await rotated(errno.EBADF)
        assert (status, told["title"]) == (500, "internal error")


def test_too_few_files_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    done = limited(resource.RLIMIT_NOFILE, 64, "up", "--data", tmp_path / "data", "--port", "0")
    assert done.returncode == Exit.NEGATIVE
    assert "error: only 64 files may be open at once (ulimit -n)" in done.stderr
    assert "why:  272 are needed" in done.stderr
    assert "next: ulimit -n 16640" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("data", "verb", "whys"),
    [
        ("/proc/remit", "made", ["no such file or directory"]),
        ("/dev/null", "written", ["something else has its name"]),
        ("/dev/null/remit", "made", ["something that is no folder has the name of one"]),
        # Root, whom no mode stops, may make none there either.
        ("/sys/remit", "made", ["permission is denied", "its disk can only be read"]),
        ("/proc/remit/data", "made", ["/proc/remit: no such file or directory"]),
    ],
)
def test_a_data_folder_that_cannot_be_had_is_named_with_what_mends_it(
    data: str, verb: str, whys: list[str], tmp_path: Path
) -> None:
    (tmp_path / "all.cedar").write_text('@id("all")\npermit (principal, action, resource);\n')
    command = [REMIT, "up", "--port", "0", "--workspace", tmp_path, "--data", data]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment())
    assert done.returncode == Exit.NEGATIVE
    error, why, following = done.stderr.splitlines()
    assert error == f"error: the data folder {data} cannot be {verb}"
    assert why.removeprefix("  why:  ") in whys
    assert following.startswith("  next: ")
    assert following.endswith("name another folder: remit up --data FOLDER, with what else you gave it")
