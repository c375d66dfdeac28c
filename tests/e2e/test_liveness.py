"""A server that hangs, goes away or comes back is told of within seconds, and once each."""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from proof.counting import Counting, call
from tests.e2e.test_metrics import samples
from tests.eventually import WITHIN_S, awaited

UP = "remit_upstream_up{server=counter}"
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def counting(tmp_path: Path) -> Iterator[Counting]:
    with Counting(tmp_path, delay_s=1.0) as running:
        yield running


def told(counting: Counting) -> list[dict[str, Any]]:
    """What the service's own log says of servers."""
    path = counting.service.data / "logs" / "remit.jsonl"
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    return [line for line in lines if line["logger"] == "remit.app.service.liveness"]


def calling(counting: Counting, token: str, ident: str) -> threading.Thread:
    """A call that waits for whatever comes of it."""

    def run() -> None:
        with suppress(Exception):  # how it ends is not what this is about
            asyncio.run(call(counting.service, token, "add", {"id": ident}))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def state(counting: Counting) -> tuple[str, str]:
    status = counting.service.told("describe", "server", "counter")["status"]
    return status["state"], status["last_error"] or ""


def test_a_server_that_hangs_in_a_call_is_told_as_silent_and_once(counting: Counting) -> None:
    service = counting.service
    token = service.agent("clerk")
    assert counting.counter is not None
    calls = [calling(counting, token, "one")]
    awaited(lambda: counting.effects == ["one"])
    counting.counter.send_signal(signal.SIGSTOP)
    calls += [calling(counting, token, ident) for ident in ("two", "three")]
    awaited(lambda: samples(service.port)[UP] == 0)
    assert all(one.is_alive() for one in calls), "before they are given up"
    found, why = state(counting)
    assert found == "silent"
    assert "has answered nothing for" in why
    assert "silent" in service.remit("get", "servers").stdout
    doctor = service.remit("doctor")
    assert doctor.returncode == 1
    assert "FAIL  server counter: server 'counter' has answered nothing for" in doctor.stdout
    service.says("a server does not answer")
    counting.counter.send_signal(signal.SIGCONT)
    for one in calls:
        one.join(WITHIN_S)
    awaited(lambda: samples(service.port)[UP] == 1)
    service.says("a server answers again")
    awaited(lambda: len(told(counting)) == 2)
    away, again = told(counting)
    assert (away["server"], away["code"], away["level"]) == ("counter", "silent", "warning")
    assert (again["server"], again["level"]) == ("counter", "warning")
    assert again["ms"] > 0
    assert "server counter: 2 tools, all as pinned" in service.remit("doctor").stdout


def test_a_server_that_is_gone_is_told_by_its_cause_and_found_again_without_a_call(counting: Counting) -> None:
    service = counting.service
    token = service.agent("clerk")
    counting.stop_counter()
    for ident in ("one", "two"):
        calling(counting, token, ident).join(WITHIN_S)
    service.says("a server does not answer")
    awaited(lambda: samples(service.port)[UP] == 0)
    counting.start_counter()
    service.says("a server answers again")
    assert samples(service.port)[UP] == 1
    awaited(lambda: len(told(counting)) == 2)
    assert told(counting)[0]["code"] in {"unreachable", "disconnected"}


def test_a_call_that_takes_long_at_a_server_that_answers_is_no_silence(tmp_path: Path) -> None:
    with Counting(tmp_path, delay_s=8.0) as counting:
        token = counting.service.agent("clerk")
        one = calling(counting, token, "slow")
        awaited(lambda: counting.effects == ["slow"])
        while one.is_alive():
            assert samples(counting.service.port)[UP] == 1
            time.sleep(0.3)
        assert state(counting)[0] == "up"
        assert told(counting) == []
