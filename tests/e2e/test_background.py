"""What a service does beside answering goes on whatever one of its steps and loops meets, and is told of."""

import asyncio
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from remit.api.services import Conflict, Invalid
from remit.app.service import loops as beside
from remit.app.service.loops import background
from remit.app.service.repeated_failures import AGAIN_S, RepeatedFailures
from remit.app.service.workspace_watch import WorkspaceWatcher, stamp
from remit.pep.tally import Tally
from remit.ports.ledger import LedgerUnwritable
from tests.eventually import eventually
from tests.upstreams.rig import ManualClock

pytestmark = pytest.mark.asyncio


class Turns:
    """Steps and turns, counted by their place; those in `fails` raise, each as often as it says."""

    def __init__(self, **fails: int) -> None:
        self.fails = {name.replace("__", "."): times for name, times in fails.items()}
        self.taken: Counter[str] = Counter()

    def service(self) -> Any:
        whole = Part(self, "")
        whole.tally = Tally()
        return whole


class Part:
    """A part of a service, with whatever parts; called, it takes its turn."""

    tally: Tally

    def __init__(self, turns: Turns, place: str) -> None:
        self._turns = turns
        self._place = place

    def __getattr__(self, name: str) -> "Part":
        return Part(self._turns, f"{self._place}.{name}".removeprefix("."))

    async def __call__(self) -> None:
        self._turns.taken[self._place] += 1
        if self._turns.taken[self._place] <= self._turns.fails.get(self._place, 0):
            raise RuntimeError(f"{self._place} failed")


SETTINGS: Any = SimpleNamespace(workspace=None, ledger=None, forward=("http://127.0.0.1:9", {}))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in vars(beside) if name.endswith("_S")]
    assert names
    for name in names:
        monkeypatch.setattr(beside, name, 0.001)
    # It would settle the collector of the tests' process.
    monkeypatch.setattr(beside, "settle_collector", lambda: None)

    def marking(*_: object) -> Part:
        return Part(Turns(), "marking")

    for name in ("Marking", "Liveness"):
        monkeypatch.setattr(beside, name, marking)


def logs(started: Callable[[], None]) -> Any:
    return SimpleNamespace(start=started)


async def test_a_step_or_a_turn_that_fails_is_told_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError("no space left")

    turns = Turns(load_api=1, proofs__erasures__finish=1, discoverer__start=1, discoverer__turn=2)
    task = asyncio.create_task(background(turns.service(), SETTINGS, logs(full), None))
    await eventually(lambda: turns.taken["discoverer.turn"] > 3 and turns.taken["lease.turn"] > 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = capsys.readouterr().err
    for name in turns.fails:
        assert f"in the background: RuntimeError: {name} failed" in told
    assert "in the background: OSError: no space left" in told
    taken = turns.taken.copy()
    await asyncio.sleep(0.05)
    assert turns.taken == taken, "what was cancelled runs on"


async def test_a_loop_that_ends_on_an_error_all_the_same_is_told_and_takes_its_siblings_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the loop itself")

    monkeypatch.setattr(beside, "forward_telemetry", broken)
    turns = Turns()
    await background(turns.service(), SETTINGS, logs(lambda: None), None)
    assert "in the background: RuntimeError: the loop itself" in capsys.readouterr().err
    taken = turns.taken.copy()
    await asyncio.sleep(0.05)
    assert turns.taken == taken, "its siblings run on"


async def test_what_fails_again_and_again_is_said_once_and_then_counted_until_it_goes_well(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    clock = ManualClock()
    clock.stop()
    loop = RepeatedFailures("incidents", clock)

    def fails(times: int, error: Exception) -> None:
        for _ in range(times):
            loop.failed(error)
            clock.pass_s(1.0)

    def told() -> list[tuple[str, Any]]:
        found = [(line.getMessage(), line.__dict__.get("count")) for line in caplog.records]
        caplog.clear()
        return [(event.removeprefix("a task in the background "), count) for event, count in found]

    fails(60, OSError("the disk is full"))
    assert told() == [("failed", None)]
    assert capsys.readouterr().err == "in the background: OSError: the disk is full\n"
    fails(1, ValueError("something else"))
    assert told() == [("failed", None)], "another error is said at once"
    fails(130, OSError("the disk is full"))
    assert told() == [("still fails", 60), ("still fails", 60), ("still fails", 60)]
    loop.went()
    assert told() == [], "one turn that goes well is not the end of it"
    clock.pass_s(AGAIN_S)
    for _ in range(2):
        loop.went()
    assert told() == [("goes on again", None)]
    fails(2, OSError("the disk is full"))
    assert told() == [("failed", None)]
    clock.pass_s(AGAIN_S)
    fails(1, OSError("the disk is full"))
    assert told() == [("failed", None)], "what nobody said to go well may have been quiet for a minute"


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Conflict("the Admission looks first", "remit apply --admit"), "the Admission looks first; next: remit apply"),
        (Invalid(("a.cedar:1: no such thing",)), "a.cedar:1: no such thing"),
        (LedgerUnwritable("the disk is full"), "in the background: LedgerUnwritable: the disk is full"),
    ],
)
async def test_watching_tells_of_what_failed_and_takes_the_next_change(
    error: Exception, says: str, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answers: list[Any] = [SimpleNamespace(digest="sha256:new"), error]

    async def apply(**_: object) -> Any:
        answer = answers.pop()
        if isinstance(answer, Exception):
            raise answer
        return answer

    runtime: Any = SimpleNamespace(apply=apply)
    watching = WorkspaceWatcher(tmp_path, runtime, stamp(tmp_path))
    (tmp_path / "below").mkdir()
    for number in range(2):
        (tmp_path / "below" / "a.cedar").write_text("x" * number)
        for _ in range(2):
            await beside.guarded(watching.turn, beside.tell)
    told = capsys.readouterr().err
    assert says in told
    assert told.index("the running bundle stays") < told.index("running bundle sha256:new")
    assert answers == [], "one change, one try"
