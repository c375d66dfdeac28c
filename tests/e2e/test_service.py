"""The service as an operator meets it on a bad day: what it refuses, and that nothing is lost."""

import asyncio
import errno
import json
import re
import resource
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting, call
from proof.service import REMIT, Service, environment, free_port
from remit.app.service.process import unbound
from tests.contract.ledger_world import log_end


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("service")) as running:
        yield running


def text(result: Any) -> str:
    return "".join(part.text for part in result.content)


def up(root: Path, port: int, *, host: str = "127.0.0.1", **extra: Any) -> subprocess.CompletedProcess[str]:
    """`remit up` that is expected to end by itself."""
    command = [REMIT, "up", "--workspace", root / "workspace", "--data", root / "data", "--port", str(port)]
    command += ["--host", host]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False, **extra)


def test_a_port_in_use_is_named_with_the_next_command(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (tmp_path / "workspace").mkdir()
        done = up(tmp_path, port)
    assert done.returncode == 6
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "next: remit up --port" in done.stderr


@pytest.mark.parametrize("host", ["203.0.113.7", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_no_port_in_use(host: str, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    done = up(tmp_path, 0, host=host)
    assert done.returncode == 6
    assert f"why:  {host} is no address of this machine" in done.stderr
    assert "next: remit up --host 127.0.0.1, with what else you gave it\n" in done.stderr


def test_a_port_that_the_system_withholds_is_not_offered_by_the_next_number() -> None:
    refused = unbound("127.0.0.1", 80, PermissionError(errno.EACCES, "Permission denied"))
    assert refused == (
        "the system leaves that port to its administrator",
        "remit up --port 7070, with what else you gave it",
    )
    assert "--port 7071" in unbound("::1", 65_535, OSError(errno.EADDRINUSE, "Address already in use"))[1]


def test_a_second_service_on_the_same_data_is_refused_and_the_first_goes_on(counting: Counting) -> None:
    done = up(counting.root, 0)
    assert done.returncode == 1
    assert "is in use" in done.stderr
    assert counting.service.process is not None
    assert str(counting.service.process.pid) in done.stderr
    assert not asyncio.run(call(counting.service, counting.service.agent("clerk"), "add", {"id": "first"})).is_error


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("bad.yaml", "apiVersion: remit.dev/v1alpha1\nkind: Agent\nmetadata: {name: x\n", "bad.yaml:"),
        ("bad.yaml", "apiVersion: remit.dev/v1alpha1\nkind: Agnet\nmetadata: {name: x}\nspec: {}\n", "did you mean"),
        ("bad.cedar", '@id("x")\npermit (principal, action, resource) when { context.nope };\n', "bad.cedar:2:"),
        ("bad.cedar", '@id("x")\npermit (principal, action, resource', "bad.cedar:"),
    ],
)
def test_a_workspace_with_an_error_changes_nothing_and_says_where(
    counting: Counting, name: str, content: str, expected: str
) -> None:
    service = counting.service
    before = service.apply(dry_run=True)["bundle"]
    service.write({name: content})
    try:
        for command in ("apply", "diff"):
            done = service.remit(command)
            assert done.returncode == 3, done.stdout
            assert expected in done.stderr
            assert "next:" in done.stderr
        agent = service.agent("clerk")
        assert not asyncio.run(call(service, agent, "add", {"id": f"still-{expected}"})).is_error
    finally:
        (service.workspace / name).unlink()
    assert service.apply()["bundle"] == before


def test_a_workspace_with_an_error_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "x.yaml").write_text("kind: [")
    done = up(tmp_path, 0)
    assert done.returncode == 3
    assert "x.yaml:" in done.stderr
    assert "remit init" in done.stderr


def test_a_folder_without_a_workspace_is_told_apart_from_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    done = up(tmp_path, 0)
    assert done.returncode == 3
    assert "remit init" in done.stderr
    assert "admin token" not in done.stderr


def test_tokens_outlive_a_change_of_port(tmp_path: Path) -> None:
    with Counting(tmp_path / "moved") as counting:
        service = counting.service
        agent = service.agent("clerk")
        service.stop()
        service.port = free_port()
        service.start()
        assert not asyncio.run(call(service, agent, "add", {"id": "moved"})).is_error
        shown = service.remit("logs", "--limit", "1000").stdout
        assert "token.issued" in shown, "what happened before the restart is not shown"


def test_a_lost_admin_token_is_replaced_while_nothing_runs(tmp_path: Path) -> None:
    with Counting(tmp_path / "lost") as counting:
        service = counting.service
        running = service.remit("token", "admin", "--data", str(service.data))
        assert running.returncode == 1
        assert "is in use" in running.stderr
        service.stop()
        made = service.remit("token", "admin", "--data", str(service.data))
        assert made.returncode == 0, made.stderr
        lost, service.admin = service.admin, made.stdout.strip()
        service.start()
        assert service.remit("get", "agents").returncode == 0
        assert service.remit("get", "agents", token=lost).returncode == 4


def test_a_newer_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "all.cedar").write_text('@id("all")\npermit (principal, action, resource);\n')
    (tmp_path / "data").mkdir()
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite3") as newer:
        newer.execute("PRAGMA user_version = 999")
        newer.execute("CREATE TABLE x (y)")
    done = up(tmp_path, 0)
    assert done.returncode == 1
    assert "next:" in done.stderr


def test_a_full_disk_denies_every_call_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with Counting(tmp_path / "full") as counting:
        service = counting.service
        agent = service.agent("clerk", "ana")
        assert not asyncio.run(call(service, agent, "add", {"id": "before"})).is_error
        assert service.process is not None
        # No file of the service may be written beyond this: the next pages of the ledger do not fit.
        end = log_end(service.data / "ledger.sqlite3-wal") // 2
        resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (end, end))
        answers = [asyncio.run(call(service, agent, "add", {"id": f"full-{n}", "amount": n})) for n in range(3)]
        assert all(answer.is_error for answer in answers)
        assert all("ledger/unwritable" in text(answer) for answer in answers)
        assert counting.effects == ["before"]
        assert not service.ready()
        service.says("the ledger takes no records from now on; every action is denied; next: remit doctor")
        service.logs("the ledger takes no records from now on")
        doctor = service.remit("doctor")
        assert doctor.returncode == 1
        assert re.match(r"FAIL  ledger: takes no records: .*, since 20\d\d-.*Z; every action is denied", doctor.stdout)
        assert "next: free the cause (space on the disk, permissions of the folder), then start" in doctor.stdout
        can = service.remit("can", "clerk", "counter/add", '{"id": "x"}', "--user", "ana")
        assert (can.returncode, "ledger/unwritable" in can.stdout + can.stderr) == (1, True), can.stdout + can.stderr
        service.kill()
        assert service.remit("ledger", "verify").returncode == 0
        service.start()
        assert not asyncio.run(call(service, agent, "add", {"id": "after"})).is_error
        assert counting.effects == ["before", "after"]


def test_the_host_header_is_checked_on_loopback(counting: Counting) -> None:
    import http.client

    for path, host in (("/readyz", "evil.example"), ("/mcp", "evil.example"), ("/api/v1/status", "evil.example:80")):
        connection = http.client.HTTPConnection("127.0.0.1", counting.service.port, timeout=60)
        connection.request("GET", path, headers={"host": host})
        assert connection.getresponse().status in {403, 421}, path
        connection.close()


@pytest.mark.parametrize("bearer", [None, "", "x", "remit_admin_" + "0" * 48, "a.b.c"])
def test_an_unknown_bearer_is_challenged(counting: Counting, bearer: str | None) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", counting.service.port, timeout=60)
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    connection.request("POST", "/mcp", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), headers)
    answer = connection.getresponse()
    assert answer.status == 401
    assert str(answer.getheader("www-authenticate")).startswith("Bearer ")
    connection.close()


def test_one_byte_of_a_copy_flipped_is_found(counting: Counting, tmp_path: Path) -> None:
    asyncio.run(call(counting.service, counting.service.agent("clerk"), "add", {"id": "proof"}))
    copy = tmp_path / "copy.sqlite3"
    with sqlite3.connect(counting.service.data / "ledger.sqlite3") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    assert subprocess.run([REMIT, "ledger", "verify", copy], check=False, capture_output=True).returncode == 0
    data = bytearray(copy.read_bytes())
    at = data.rfind(b"clerks may count")
    assert at > 0
    data[at] ^= 1
    copy.write_bytes(data)
    found = subprocess.run([REMIT, "ledger", "verify", copy], check=False, capture_output=True, text=True)
    assert found.returncode == 1
    assert "WRONG" in found.stdout


def test_unexpected_arguments_are_usage_errors() -> None:
    for text, following in (
        ("nonsense", "remit --help"),
        ("up --port high", "remit up --help"),
        ("can", "remit can --help"),
        ("token agent x --ttl soon", "write it like 90s, 15m, 8h or 7d"),
        ("replay --jobs", "remit replay --help"),
        ("token agent x --ttl", "remit token agent --help"),
        ("policy --nope test", "remit policy --help"),
        ("--nope replay", "remit --help"),
    ):
        arguments = text.split()
        done = subprocess.run([REMIT, *arguments], check=False, capture_output=True, text=True, env=environment())
        assert done.returncode == 2, (arguments, done.stderr)
        assert done.stderr.endswith(f"next: {following}\n"), (arguments, done.stderr)


def test_without_a_service_commands_say_how_to_start_one(tmp_path: Path) -> None:
    service = Service(tmp_path)
    done = service.remit("sessions", "ls")
    assert done.returncode == 6
    assert "remit up" in done.stderr


def test_a_start_that_fails_leaves_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.yaml").write_text("kind: [", "utf-8")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "theirs").touch()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for workspace, port, data, code in (
            ("empty", 0, "new", 3),
            ("nowhere", 0, "new", 3),
            ("broken", 0, "new", 3),
            ("broken", taken.getsockname()[1], "new", 6),
            ("empty", 0, "kept", 3),
        ):
            command = [REMIT, "up", "--workspace", workspace, "--data", data, "--port", str(port)]
            done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment(), cwd=tmp_path)
            assert done.returncode == code, done.stderr
            assert sorted(path.name for path in tmp_path.iterdir()) == ["broken", "empty", "kept"]
    assert (tmp_path / "kept" / "theirs").exists()


def test_version_and_help_need_nothing(tmp_path: Path) -> None:
    version = subprocess.run([REMIT, "--version"], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert version.stdout.startswith("remit ")
    shown = subprocess.run([REMIT, "--help"], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert "approvals" in shown.stdout
