"""A caller that costs little: HTTP/1.1 over one kept connection, requests as ready bytes, answers read by length."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TEXT: Final = "x" * 200
META: Final = (
    '{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},'
    '"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}'
)
BODY: Final = (
    '{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":'
    '{"name":"echo","arguments":{"text":"' + TEXT + '","times":1},"_meta":' + META + "}}"
)
_HEAD: Final = (
    "POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
    "Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n"
    "Mcp-Method: tools/call\r\nMcp-Name: echo\r\nAuthorization: Bearer {token}\r\nContent-Length: "
)
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Target:
    """Where calls go, and the process whose CPU they cost."""

    name: str
    port: int
    path: str
    pid: int
    token: str = "none"  # noqa: S105

    @property
    def head(self) -> bytes:
        """The request's head up to the length."""
        return _HEAD.format(path=self.path, port=self.port, token=self.token).encode()


class Caller:
    """One connection to one target."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target = target
        self._head = target.head
        self._reader = reader
        self._writer = writer
        self._ident = 0

    @classmethod
    async def to(cls, target: Target) -> Caller:
        """Connect."""
        return cls(target, *await asyncio.open_connection("127.0.0.1", target.port))

    async def call(self) -> float:
        """As `asked`, of a text that is said again."""
        return await self.asked(BODY, TEXT)

    async def asked(self, request: str, answer: str) -> float:
        """Make one call; how long it took in milliseconds. Raises when it did not do what was asked."""
        self._ident += 1
        body = (request % self._ident).encode()
        started = time.perf_counter_ns()
        self._writer.write(self._head + b"%d\r\n\r\n" % len(body) + body)
        head = await self._reader.readuntil(b"\r\n\r\n")
        data = await self._body(head.lower())
        elapsed = time.perf_counter_ns() - started
        if b" 200 " not in head[:20] or answer.encode() not in data or b'"isError":true' in data:
            raise RuntimeError(f"{self._target.name} answered {head[:60]!r} {data[:400]!r}")
        return elapsed / 1e6

    async def _body(self, head: bytes) -> bytes:
        _, found, after = head.partition(b"content-length:")
        if not found:
            raise RuntimeError(f"{self._target.name} answered without a length")
        return await self._reader.readexactly(int(after.split(b"\r\n", 1)[0]))

    async def close(self) -> None:
        """Disconnect."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


async def alone(target: Target, calls: int, seconds_max: float = 5.0) -> list[float]:
    """The durations of up to `calls` calls, one after the other, in milliseconds."""
    caller = await Caller.to(target)
    took: list[float] = []
    until = time.perf_counter() + seconds_max
    try:
        for _ in range(3):
            await caller.call()
        while len(took) < calls and time.perf_counter() < until:
            took.append(await caller.call())
        return took
    finally:
        await caller.close()


async def together(target: Target, callers: int, seconds: float) -> tuple[float, float, list[float]]:
    """`callers` at once for about `seconds`: seconds and CPU seconds of the process, and the durations in ms."""
    made = [await Caller.to(target) for _ in range(callers)]
    took: list[float] = []

    async def work(caller: Caller, until: float) -> None:
        while time.perf_counter() < until:
            took.append(await caller.call())

    try:
        warm = time.perf_counter() + min(0.5, seconds / 4)
        await asyncio.gather(*(work(caller, warm) for caller in made))
        took.clear()
        cpu, started = cpu_s(target.pid), time.perf_counter()
        await asyncio.gather(*(work(caller, started + seconds) for caller in made))
        elapsed, cpu = time.perf_counter() - started, cpu_s(target.pid) - cpu
    finally:
        for caller in made:
            await caller.close()
    return elapsed, cpu, took


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far, its threads included (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def listening(ports: Mapping[int, int], seconds: float) -> None:
    """Wait until each port is answered by the process that should; raises when one ended or takes too long."""
    import socket

    deadline = time.monotonic() + seconds
    for port, pid in ports.items():
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            if time.monotonic() > deadline or not Path(f"/proc/{pid}").exists():
                raise RuntimeError(f"nothing answers on port {port}")
            time.sleep(0.05)
