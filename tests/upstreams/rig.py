"""Starts the test servers, builds upstreams to them, and reads what they were asked."""

import json
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from proof.child import child
from remit.adapters.upstreams.build import AnyUpstream, build_upstream
from remit.adapters.upstreams.exchange import open_http_session
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.limits import Limits
from tests.eventually import awaited, eventually

FOLDER = Path(__file__).parent
LIMITS = Limits(result_bytes_max=2 * 1024 * 1024)


@dataclass
class ManualClock:
    """Real time until `stop` freezes it; then it moves by `pass_s` only."""

    frozen_s: float | None = None

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    def monotonic_s(self) -> float:
        return time.monotonic() if self.frozen_s is None else self.frozen_s

    def stop(self) -> None:
        self.frozen_s = 1000.0

    def pass_s(self, seconds: float) -> None:
        assert self.frozen_s is not None
        self.frozen_s += seconds


@contextmanager
def http_process(program: str, folder: Path) -> Generator[int]:
    """Run one of the HTTP servers; its port."""
    port_file = folder / f"{program}.port"
    with child(subprocess.Popen([sys.executable, str(FOLDER / program), str(port_file)])) as process:
        awaited(lambda: port_file.exists() or process.poll() is not None)
        assert process.poll() is None, f"{program} did not start"
        yield int(port_file.read_text())


@dataclass
class Rig:
    """One upstream and the server behind it. `kind`: `http-…` or `stdio-…` with the eras it speaks."""

    kind: str
    upstream: AnyUpstream
    session: aiohttp.ClientSession
    base: str
    folder: Path
    clock: ManualClock
    seen: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def is_http(self) -> bool:
        return self.kind.startswith("http")

    async def log(self) -> list[dict[str, Any]]:
        """Everything the server noted so far."""
        if self.is_http:
            async with self.session.get(f"{self.base}/log") as response:
                self.seen += await response.json()
            return self.seen
        file = self.folder / "stdio.log"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    async def raws(self) -> list[str]:
        """The messages it was sent, as they came."""
        return [
            entry["raw" if self.is_http else "line"] for entry in await self.log() if {"raw", "line"} & entry.keys()
        ]

    async def messages(self, method: str | None = None) -> list[dict[str, Any]]:
        """The messages it was sent; of one method only where one is given, `""` for answers."""
        found = [json.loads(raw) for raw in await self.raws()]
        return [message for message in found if method is None or message.get("method", "") == method]

    async def until(self, key: str) -> dict[str, Any]:
        """The first log entry that has `key`, waited for."""

        async def having() -> list[dict[str, Any]]:
            return [entry for entry in await self.log() if key in entry]

        return (await eventually(having))[0]

    async def until_sent(self, method: str, times: int = 1) -> list[dict[str, Any]]:
        """The messages of `method`, once there are `times`."""

        async def enough() -> list[dict[str, Any]] | None:
            found = await self.messages(method)
            return found if len(found) >= times else None

        return await eventually(enough)

    async def notes(self, **values: Any) -> None:
        """How the server shall behave beside what tools' names ask; a running child takes `tools` alone."""
        if not self.is_http:
            note(self.folder, values)
            return
        async with self.session.put(f"{self.base}/notes", json=values) as response:
            assert response.status == 200


def note(folder: Path, notes: dict[str, Any]) -> None:
    """Have the stdio server find `notes` in its folder, whole at any moment."""
    (folder / "notes.new").write_text(json.dumps(notes))
    (folder / "notes.new").replace(folder / "notes.json")


def stdio_transport(eras: str, folder: Path, **notes: Any) -> Stdio:
    """The hand-written stdio server, which reads `notes` from its folder and logs there."""
    note(folder, notes)
    return Stdio((sys.executable, "-I", "-S", str(FOLDER / "stdio_server.py"), eras, str(folder)))


@asynccontextmanager
async def rig(
    kind: str,
    port: int,
    folder: Path,
    *,
    notes: dict[str, Any] | None = None,
    limits: Limits = LIMITS,
    shared: bool = False,
    verify_s: float = 1.0,
    call_s: float = 30.0,
) -> AsyncGenerator[Rig]:
    """A rig around one server with these options, closed at the end."""
    way, _, eras = kind.partition("-")
    base = f"http://127.0.0.1:{port}"
    transport = Http(f"{base}/{eras}") if way == "http" else stdio_transport(eras, folder, **(notes or {}))
    server = Server("hand", transport, shared, verify_s, call_s)
    clock = ManualClock()
    async with open_http_session() as session:
        upstream = build_upstream(server, session=session, limits=limits, clock=clock, state_dir=folder / "state")
        one = Rig(kind, upstream, session, base, folder, clock)
        if one.is_http:
            await one.log()
            one.seen.clear()
            await one.notes(**(notes or {}))
        try:
            yield one
        finally:
            await upstream.close()
