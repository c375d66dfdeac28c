"""The soak's own measure: what the server delays delays nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from bench import soak
from bench.peers.load import Target
from bench.soak import CALLERS, Course, all_of, machine_s, paced, report

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


@pytest.mark.asyncio
async def test_a_call_that_the_server_delays_delays_no_other() -> None:
    came = answered = 0
    others = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal came, answered
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]))
            came += 1
            if came % 50 == 0:
                await others.wait()
            answered += 1
            if answered == 392:
                others.set()
            writer.write(ANSWER)

    def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> asyncio.Task[None]:
        task = asyncio.create_task(serve(reader, writer))
        task.add_done_callback(lambda done: (done.cancelled() or done.exception(), writer.close()))
        return task

    server = await asyncio.start_server(gone, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    async with server:
        course = await paced(Target("hand", port, "/", os.getpid()), 400.0, 1.0)
    # Two of a hundred were answered once all the others were.
    assert len(course.took) == answered == 400
    # The last of eight waits for nobody where it comes once all the others were answered.
    assert 8 <= course.connections < 400, "connections are used again"
    assert course.slope() is None, "nothing is said of memory after a second"


@pytest.mark.asyncio
async def test_nothing_is_measured_before_the_ledger_outgrew_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a call costs until then says nothing of later."""
    monkeypatch.setattr(soak, "FILL_MAX_S", 0.0)
    monkeypatch.setattr(soak, "CACHED_BYTES", 3)
    monkeypatch.setattr(soak, "PROBE_S", 0.5)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while head := await reader.readuntil(b"\r\n\r\n"):
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n", 1)[0]))
                await asyncio.sleep(0.01)
                writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    target = Target("hand", server.sockets[0].getsockname()[1], "/", os.getpid())
    async with server:
        with pytest.raises(RuntimeError, match="did not outgrow its cache"):
            await soak.most(target, tmp_path)
        (tmp_path / "ledger.db").write_bytes(b"four")
        assert 0 < await soak.most(target, tmp_path) <= CALLERS * 100


def test_what_others_take_is_what_the_machine_did_beside_us() -> None:
    before, ours = machine_s(), all_of(os.getpid())
    while all_of(os.getpid()) - ours < 0.5:
        sum(range(10_000))
    assert machine_s() - before >= 0.2


@pytest.mark.parametrize(
    ("first_ms", "last_ms", "grows_bytes", "code"),
    [
        (20.0, 21.0, 0.0, 0),
        (20.0, 23.0, 0.0, 1),
        (20.0, 17.0, 0.0, 1),
        (20.0, 20.0, 20_000.0, 1),
    ],
)
def test_a_p99_that_falls_is_not_steady_either(
    first_ms: float, last_ms: float, grows_bytes: float, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    course = Course(until_s=130.0)
    course.took = [(10 + at / 10, first_ms if at < 600 else last_ms) for at in range(1_200)]
    course.resident = [(float(at), 1e8 + at * grows_bytes) for at in range(131)]
    course.used = [(float(at), at / 10) for at in range(131)]
    assert report(course, 100.0, 0.0) == code
    assert f"p99 {first_ms:.1f} to {last_ms:.1f} ms" in capsys.readouterr().out


def test_too_little_seen_is_no_pass(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(Course(until_s=120.0), 100.0, 0.0) == 1
    assert "too little was seen" in capsys.readouterr().out
