"""Logs and traces of a real service: what a line holds, what none ever holds, and how they rotate."""

import contextlib
import json
import logging
import shutil
import socket
import socketserver
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting
from proof.service import free_port
from remit.app.service import logs as subject
from remit.app.service.logs import FIELDS, Logs
from tests.e2e.raw import call_bytes, exchange, request
from tests.eventually import awaited

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CANARY = "canary-4711-secret"


class Tap(socketserver.ThreadingTCPServer):
    """Stands before a server and keeps what is sent to it."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, behind: int) -> None:
        self.behind, self.sent = behind, b""
        super().__init__(("127.0.0.1", port), Relay)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def passes(self, data: bytes) -> bytes:
        """What is sent on of `data`."""
        self.sent += data
        return data


class Relay(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        tap = self.server
        assert isinstance(tap, Tap)
        with socket.create_connection(("127.0.0.1", tap.behind)) as there:
            threading.Thread(target=self.back, args=(there,), daemon=True).start()
            while data := self.request.recv(65536):
                there.sendall(tap.passes(data))

    def back(self, there: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := there.recv(65536):
                self.request.sendall(data)


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("logs")) as running:
        yield running


def test_the_server_gets_the_trace_and_none_of_its_baggage(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    with Tap(counting.port, free_port()) as tap:
        # The service is told of the tap's port; the counter listens on the one behind it.
        counting.port = tap.behind
        with counting:
            port, token = counting.service.port, counting.service.agent("clerk")
            given = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "connection": "close"}
            exchange(port, call_bytes(port, token, "traced", given | {"baggage": CANARY, "tracestate": f"a={CANARY}"}))
            assert "traced" in counting.effects
            line = traced(counting, TRACE)
        tap.shutdown()
    assert f"00-{TRACE}-{line['span']}-01".encode() in tap.sent
    assert CANARY.encode() not in tap.sent


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "remit.jsonl").read_text("utf-8").splitlines()]


def traced(counting: Counting, trace: str) -> dict[str, Any]:
    """The line of the request of `trace`, once it is written."""

    def written() -> list[dict[str, Any]]:
        try:
            return [line for line in lines(counting.service.data / "logs") if line.get("trace") == trace]
        except FileNotFoundError:
            return []

    return awaited(written)[0]


def test_a_trace_goes_from_the_request_to_its_line_and_its_answer(counting: Counting) -> None:
    port, token = counting.service.port, counting.service.agent("clerk")
    given = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "connection": "close"}
    said = exchange(port, call_bytes(port, token, "traced", given))
    assert f"traceresponse: 00-{TRACE}-".encode() in said
    line = traced(counting, TRACE)
    assert line["event"] == "request"
    assert line["parent"] == "00f067aa0ba902b7"
    assert (line["room"], line["method"], line["status"], line["agent"]) == ("/mcp", "POST", 200, "clerk")
    assert f"traceresponse: 00-{TRACE}-{line['span']}-01".encode() in said


def test_the_message_names_its_own_trace(counting: Counting) -> None:
    port, token = counting.service.port, counting.service.agent("clerk")
    body = call_bytes(port, token, "meta").partition(b"\r\n\r\n")[2]
    message = json.loads(body)
    trace = "c" * 32
    message["params"]["_meta"]["traceparent"] = f"00-{trace}-{'d' * 16}-00"
    given = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "add"}
    given |= {"traceparent": f"00-{'e' * 32}-{'f' * 16}-01", "connection": "close"}
    said = exchange(port, request(port, token, "POST", json.dumps(message).encode(), given))
    assert f"traceresponse: 00-{trace}-".encode() in said
    assert traced(counting, trace)["parent"] == "d" * 16


@pytest.mark.parametrize("given", ["nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "ff-" + TRACE + "-1-1"])
def test_what_is_no_trace_begins_one(counting: Counting, given: str) -> None:
    port = counting.service.port
    head = f"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\ntraceparent: {given}\r\n\r\n"
    [found] = [line for line in exchange(port, head.encode()).split(b"\r\n") if line.startswith(b"traceresponse: ")]
    version, trace, span, flags = found[15:].decode("ascii").split("-")
    assert (version, len(trace), len(span), flags) == ("00", 32, 16, "02")
    assert trace != TRACE


def test_no_secret_argument_header_or_path_reaches_a_line_or_stderr(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    counting.service.flags = ("--log-level", "debug")
    with counting:
        service = counting.service
        port, token = service.port, service.agent("clerk")
        wrong = token[:-6] + "AAAAAA"
        closing = {"connection": "close", "x-canary": CANARY, "traceparent": CANARY, "cookie": CANARY}
        for bearer in (token, wrong, CANARY):
            exchange(port, call_bytes(port, bearer, CANARY, closing))
        exchange(port, request(port, token, "POST", b'{"jsonrpc": "' + CANARY.encode() + b'"', closing))
        for path in (f"/{CANARY}", f"/mcp/{CANARY}", f"/api/v1/why/{CANARY}", f"/api/v1/status?token={CANARY}"):
            exchange(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        exchange(port, f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX: {CANARY}\x01\r\n\r\n".encode("latin-1"))
        service.remit("get", "agents", token=CANARY)
        admin = service.admin
    written = (service.data / "logs" / "remit.jsonl").read_text("utf-8")
    spoken = "".join(line for line in service.log.splitlines(keepends=True) if not line.startswith("admin token"))
    assert '"room":"/mcp"' in written
    for secret in (CANARY, token, wrong, token.rsplit(".", 1)[1], admin):
        assert secret not in written
        assert secret not in spoken
    allowed = {"at", "level", "event", "logger", *FIELDS}
    assert all(set(line) <= allowed for line in lines(service.data / "logs"))
    assert {line["event"] for line in lines(service.data / "logs")} >= {"the service governs", "request"}


def test_the_files_are_their_owners_alone_and_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "FILE_BYTES_MAX", 2_000)
    logs = Logs(tmp_path / "logs", logging.INFO)
    log = logging.getLogger("remit.test")
    for number in range(200):
        log.info("counted", extra={"count": number, "secret": CANARY, "place": f"Bearer {CANARY}"})
    log.debug("too fine")
    logs.start()
    logs.close()
    files = sorted((tmp_path / "logs").iterdir())
    assert 1 < len(files) <= subject.FILES_MAX
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert stat.S_IMODE((tmp_path / "logs").stat().st_mode) == 0o700
    text = "".join(file.read_text("utf-8") for file in files)
    assert '"count":199' in text
    assert CANARY not in text
    assert "[redacted]" in text
    assert "too fine" not in text
    assert logs.dropped == 0


def test_an_error_is_told_by_type_and_place_and_a_librarys_message_without_what_it_holds(tmp_path: Path) -> None:
    logs = Logs(tmp_path, logging.INFO)
    try:
        raise ValueError(CANARY)
    except ValueError:
        logging.getLogger("asyncio").exception("it failed with %s", CANARY)
    logging.getLogger("asyncio").info("chatter")
    logs.start()
    logs.close()
    [line] = lines(tmp_path)
    assert (line["event"], line["error"]) == ("it failed with %s", "ValueError")
    assert line["place"].startswith("test_logs.py:")
    assert CANARY not in str(line)


def test_lines_that_do_not_fit_are_dropped_and_counted_and_nobody_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "LINES_MAX", 5)
    logs = Logs(tmp_path, logging.INFO)
    for _ in range(8):
        logging.getLogger("remit.test").info("much")
    assert logs.dropped == 3

    def full(*_: object) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr(RotatingFileHandler, "doRollover", full)
    monkeypatch.setattr(subject, "FILE_BYTES_MAX", 1)
    logs.start()
    logs.close()
    assert logs.dropped == 8


def test_logs_that_cannot_be_opened_or_take_no_more_fail_to_stderr_alone_which_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.symlink_to(tmp_path / "not-mounted")
    logs = Logs(folder, logging.INFO)
    logs.start()
    logging.getLogger("remit.test").warning("something is wrong")
    logs.close()
    why = f"{folder} is a link to {tmp_path / 'not-mounted'}, which is not there"
    assert logs.unwritten == why
    said = capsys.readouterr().err
    assert said.count(f"the logs cannot be written: {why}; warnings come here alone") == 1
    assert "something is wrong" in said

    folder.unlink()
    logs = Logs(folder, logging.INFO)
    logs.start()
    assert logs.unwritten is None

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(RotatingFileHandler, "doRollover", full)
    monkeypatch.setattr(subject, "FILE_BYTES_MAX", 1)
    for _ in range(3):
        logging.getLogger("remit.test").warning("something is wrong")
    logs.close()
    said = capsys.readouterr().err
    assert said.count("the logs cannot be written: [Errno 28] No space left on device") == 1
    assert said.count("something is wrong") == 3


def test_a_service_whose_logs_cannot_be_opened_runs_its_loops_and_doctor_says_so(tmp_path: Path) -> None:
    counting = Counting(tmp_path)
    service = counting.service
    service.data.mkdir(mode=0o700)
    (service.data / "logs").symlink_to(tmp_path / "not-mounted")
    with counting:
        service.says("the logs cannot be written: ")
        told = service.remit("doctor")
        assert told.returncode == 1
        assert "which is not there; warnings are on the service's stderr alone" in told.stdout
        assert f"next: mend {service.data / 'logs'}" in told.stdout
        assert "1 to mend" in told.stderr, "a loop of it does not run"


def test_a_file_that_others_move_or_remove_is_written_to_no_more(counting: Counting) -> None:
    service = counting.service
    folder, token = service.data / "logs", service.agent("clerk")

    def answered(trace: str) -> str:
        given = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01", "connection": "close"}
        exchange(service.port, call_bytes(service.port, token, "moved", given))
        return traced(counting, trace)["trace"]

    answered("1" * 32)
    (folder / "remit.jsonl").rename(folder / "by-logrotate")
    moved = (folder / "by-logrotate").read_text("utf-8")
    assert answered("2" * 32)
    assert stat.S_IMODE((folder / "remit.jsonl").stat().st_mode) == 0o600
    assert (folder / "by-logrotate").read_text("utf-8").startswith(moved)
    assert "2" * 32 not in (folder / "by-logrotate").read_text("utf-8")
    shutil.rmtree(folder)
    assert answered("3" * 32)
    assert "ok    logs: written in" in service.remit("doctor").stdout


def test_a_file_whose_place_is_gone_and_cannot_be_made_is_told_and_begun_once_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    logs = Logs(folder, logging.INFO)
    logs.start()
    log = logging.getLogger("remit.test")
    log.info("first")
    awaited(lambda: "first" in (folder / "remit.jsonl").read_text("utf-8"))
    folder.rename(tmp_path / "elsewhere")
    folder.touch()
    log.info("lost")
    awaited(lambda: logs.unwritten)
    folder.unlink()
    log.info("found")
    awaited(lambda: (folder / "remit.jsonl").exists() and "found" in (folder / "remit.jsonl").read_text("utf-8"))
    logs.close()
    assert (logs.dropped, logs.unwritten) == (1, None)
    assert capsys.readouterr().err.count("the logs cannot be written") == 1


def test_a_level_that_there_is_not_is_refused(counting: Counting) -> None:
    done = counting.service.remit("up", "--log-level", "loud")
    assert done.returncode == 2
    assert "debug, info, warning, error" in done.stderr


def test_what_logs_and_metrics_take_is_not_imported_before_the_service_answers() -> None:
    code = (
        "import sys, remit.app.cli, remit.app.service.process, remit.app.build; "
        "sys.exit(bool({'structlog', 'prometheus_client', 'rich.traceback'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
