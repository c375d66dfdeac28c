"""The service ends as it is asked to: calls finish, streams end, the rest is cancelled and recorded."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from proof.child import child
from proof.counting import Counting
from proof.service import REMIT, Service, environment
from tests.e2e.raw import listen, post, rest
from tests.eventually import WITHIN_S, awaited

ANA = """\
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {}
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_closes_and_exits_zero(tmp_path: Path, number: signal.Signals) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n', "ana.yaml": ANA})
    with service, following(service) as follower:
        greeted = service.log
        assert follower.stdout is not None
        assert b"epoch" in follower.stdout.readline()
        service.user("ana")
        assert any(b"user ana" in line for line in follower.stdout), "it follows"
        assert service.process is not None
        service.process.send_signal(number)
        assert service.process.wait(WITHIN_S) == 0, service.log
        assert follower.wait(WITHIN_S) == 6
    assert not (service.data / "ledger.sqlite3-wal").exists(), "the ledger was not closed"
    assert service.log == greeted + "remit drained and ended\n", "an open event stream holds up no drain"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_service_that_is_asked_to_end_while_it_starts_shows_its_token_and_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    with started(service, REMIT) as process:
        awaited((service.data / "lock").exists)
        process.send_signal(number)
        assert process.wait(WITHIN_S) == 0, service.log
    assert "admin token (shown once" in service.log, "nobody would ever see it"
    assert service.log.endswith("remit drained and ended\n")
    service.start()
    service.stop()


def test_a_start_that_hangs_ends_at_the_second_signal(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    hangs = (
        "import asyncio, sys, remit.app.service.process as process\n"
        "async def build(*_):\n"
        "    print('hangs', flush=True)\n"
        "    await asyncio.sleep(3600)\n"
        "process.build = build\n"
        "from remit.app.cli import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    with started(service, sys.executable, "-c", hangs) as process:
        service.says("hangs")
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_when_all_is_done_makes_no_failure_of_it(tmp_path: Path, number: signal.Signals) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    late = (
        "import os, sys\n"
        "class AmongTheLast:\n"
        f"    def __del__(self, kill=os.kill, pid=os.getpid(), number={int(number)}):\n"
        "        print('late', file=sys.__stderr__, flush=True)\n"
        "        kill(pid, number)\n"
        "one = AmongTheLast()\n"
        "from remit.app.cli import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    with started(service, sys.executable, "-c", late) as process:
        awaited(service.ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0, service.log
    assert service.log.endswith("remit drained and ended\nlate\n")


@pytest.mark.parametrize("command", ["up", "get"])
def test_an_interrupt_among_the_imports_ends_a_command_without_a_traceback(command: str) -> None:
    interrupts = (
        "import signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'remit.app.cli':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "from remit.app.main import main\n"
        "sys.meta_path.insert(0, Finder())\n"
        "main()\n"
    )
    arguments = [sys.executable, "-c", interrupts, command]
    done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, timeout=WITHIN_S, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_what_cannot_be_closed_is_told_of_by_where_each_thread_stands_and_the_process_ends(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    hangs = (
        "import asyncio, sys, remit.app.service.process as process\n"
        "async def hang_while_closing(_): asyncio.get_running_loop().run_in_executor(None, input)\n"
        "process.CLOSED_S, process.close_service = 1.0, hang_while_closing\n"
        "from remit.app.cli import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    with started(service, sys.executable, "-c", hangs) as process:
        service.says("remit governs at")
        awaited(service.ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 1, service.log
    service.says("Timeout (0:00:01)!")
    service.says("concurrent/futures/thread.py")
    service.says("app/service/process.py")
    with pipe() as (_, writing), started(service, sys.executable, "-c", hangs, stderr=writing) as process:
        awaited(service.ready)
        fill(writing)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == -signal.SIGALRM, "and where nobody can be told of it, too"


def test_who_reads_its_stderr_no_more_holds_up_no_service_and_ends_none(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    with pipe() as (reading, writing), started(service, REMIT, stderr=writing) as process:
        awaited(service.ready)
        fill(writing)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0, "it has nothing to say that somebody has to read first"
        said = os.read(reading, 1 << 16)
        assert said.startswith(b"admin token (shown once")
        assert b"\nremit governs at " in said
    with pipe() as (reading, writing), started(service, REMIT, stderr=writing) as process:
        os.close(reading)
        awaited(service.ready)
        process.send_signal(signal.SIGTERM)
        assert process.wait(WITHIN_S) == 0


@contextmanager
def following(service: Service) -> Generator[subprocess.Popen[bytes]]:
    """`remit logs -f`."""
    env = environment() | {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin}
    with child(subprocess.Popen([REMIT, "logs", "-f"], env=env, stdout=subprocess.PIPE)) as process:
        yield process


@contextmanager
def started(service: Service, *command: str | Path, stderr: int | None = None) -> Generator[subprocess.Popen[bytes]]:
    """`service` as `COMMAND up …` starts it, which nobody waits for; it gets a pipe to read that stays open."""
    up = ("up", "--workspace", service.workspace, "--data", service.data, "--port", str(service.port))
    with (service.root / "service.log").open("ab") as log:
        out = log if stderr is None else stderr
        run = subprocess.Popen([*command, *up], env=environment(), stdin=subprocess.PIPE, stdout=out, stderr=out)
        with child(run) as process:
            yield process


@contextmanager
def pipe() -> Generator[tuple[int, int]]:
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        for end in (reading, writing):
            with suppress(OSError):
                os.close(end)


def fill(writing: int) -> None:
    """Put into a pipe what it takes."""
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x")
    os.set_blocking(writing, True)


def slow(root: Path, delay_s: float, *flags: str) -> Counting:
    """A counter whose effect is done at once and whose answer takes `delay_s`."""
    counting = Counting(root, delay_s=delay_s)
    counting.service.flags = flags
    return counting


def outcomes(counting: Counting) -> list[str]:
    """How the calls ended, by the ledger that the ended service left."""
    counting.service.start()
    lines = counting.service.remit("logs", "--limit", "100", "-o", "json").stdout.splitlines()
    items = [json.loads(line) for line in lines]
    return [item["body"]["status"] for item in items if item["kind"] == "outcome"]


def test_calls_in_flight_finish_streams_end_and_nothing_new_comes_in(tmp_path: Path) -> None:
    with slow(tmp_path, 2.0) as counting:
        service = counting.service
        token = service.agent("clerk")
        stream = listen(service.port, token)
        running = post(service.port, token, "in-flight")
        awaited(lambda: "in-flight" in counting.effects)
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        with stream:
            stream.settimeout(WITHIN_S)
            while stream.recv(65536):
                pass  # its end is what is waited for
        awaited(lambda: not listening(service.port))
        assert service.process.poll() is None, "the call in flight was not waited for"
        with running:
            said = rest(running)
        assert said.startswith(b"HTTP/1.1 200")
        assert "\ndraining: 1 call under way, with up to 10 s to end; Ctrl-C again cuts it off\n" in service.log
        assert b"in-flight" in said or b'"content"' in said
        assert b'"isError":true' not in said
        assert service.process.wait(WITHIN_S) == 0, service.log
        assert outcomes(counting) == ["ok"]


def test_what_does_not_finish_in_time_is_cancelled_and_recorded(tmp_path: Path) -> None:
    with slow(tmp_path, 30.0, "--limit", "drain_s_max=1") as counting:
        service = counting.service
        connection = post(service.port, service.agent("clerk"), "too-long")
        awaited(lambda: "too-long" in counting.effects)
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(WITHIN_S) == 0, service.log
        assert "1 request did not end in time: cancelled\n" in service.log, "of the ledger nothing is said yet"
        assert service.log.splitlines()[-1] == (
            "remit drained and ended; 1 call in doubt: start it again, then remit ledger in-doubt"
        )
        assert "Traceback" not in service.log
        with connection:
            said = rest(connection)
        assert said.startswith(b"HTTP/1.1 503")
        assert b"service/draining" in said
        assert outcomes(counting) == ["lost"]
        assert len(service.told("ledger", "in-doubt")) == 1
        assert service.remit("ledger", "verify").returncode == 0


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_hurries(tmp_path: Path, second: signal.Signals) -> None:
    with slow(tmp_path, 60.0, "--limit", "drain_s_max=50") as counting:
        service = counting.service
        connection = post(service.port, service.agent("clerk"), "long")
        awaited(lambda: "long" in counting.effects)
        assert service.process is not None
        service.process.send_signal(signal.SIGTERM)
        awaited(lambda: not listening(service.port))
        service.process.send_signal(second)
        assert service.process.wait(WITHIN_S) == 0, service.log
        connection.close()
        assert outcomes(counting) == ["lost"]


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
