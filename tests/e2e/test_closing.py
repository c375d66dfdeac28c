"""A service closes all of its parts, whatever one of them raises."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from remit.adapters.sqlite import open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.build import Service, build
from remit.app.service.closure import close_all, close_service
from remit.app.settings import Settings
from remit.app.terminal.failure import CommandFailure
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft
from remit.trace.bodies import AdminBody, Event
from tests.e2e.api_world import write_workspace


class Part:
    """It notes that it was closed, and fails if it is told to."""

    def __init__(self, order: list[str], name: str, error: BaseException | None = None) -> None:
        self._order = order
        self._name = name
        self._error = error

    async def close(self) -> None:
        self._order.append(self._name)
        if self._error is not None:
            raise self._error


@pytest.mark.asyncio
async def test_each_is_closed_in_its_order_and_every_error_is_told() -> None:
    order: list[str] = []
    first, second = OSError("disk full"), ValueError("odd")
    parts = Part(order, "a", first), Part(order, "b"), Part(order, "c", second), Part(order, "ledger")
    with pytest.raises(ExceptionGroup) as caught:
        await close_all(*parts)
    assert order == ["a", "b", "c", "ledger"]
    assert caught.value.exceptions == (first, second)


@pytest.mark.asyncio
async def test_who_is_cancelled_while_it_closes_closes_the_rest() -> None:
    order: list[str] = []
    with pytest.raises(asyncio.CancelledError):
        await close_all(Part(order, "a", asyncio.CancelledError()), Part(order, "b", OSError()), Part(order, "c"))
    assert order == ["a", "b", "c"]


async def built(folder: Path) -> Service:
    if not (folder / "workspace").exists():
        write_workspace(folder / "workspace", folder)
    (folder / "data").mkdir(mode=0o700, exist_ok=True)
    return await build(Settings(data=folder / "data", workspace=folder / "workspace"), 7070)


@pytest.mark.asyncio
async def test_a_part_that_fails_costs_neither_outcomes_nor_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = await built(tmp_path)

    closes = service.discoverer.close

    async def fails() -> None:
        await closes()
        raise sqlite3.OperationalError("disk full")

    await service.outbox.outbox.mark()
    monkeypatch.setattr(service.discoverer, "close", fails)
    last = service.ledger.append(Draft(RecordKind.ADMIN, 5, "", "", AdminBody(Event.TOKEN_ISSUED, "ana", "t1", {})))
    await close_service(service)
    assert "while closing: OperationalError: disk full" in capsys.readouterr().err
    again = open_ledger(tmp_path / "data" / "ledger.sqlite3", SystemClock(), SystemEntropy())
    assert await again.entry(last.ref) is not None
    await again.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        await service.outbox.outbox.mark()


@pytest.mark.asyncio
async def test_a_start_that_is_refused_for_its_issuer_lets_the_data_go(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "issuer").touch()
    for _ in range(2):
        with pytest.raises(CommandFailure, match="does not say who signs"):
            await built(tmp_path)
