"""What a service does beside answering goes on whatever one of its steps and loops meets, and is told of."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from remit.api.services import Conflict, Invalid
from remit.app import background as beside
from remit.app.background import background
from remit.app.watching import Watching, stamp
from remit.pep.tally import Tally
from remit.ports.ledger import LedgerUnwritable
from tests.eventually import eventually

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [name for name in vars(beside) if name.endswith("_S")]
    assert len(names) == 8
    for name in names:
        monkeypatch.setattr(beside, name, 0.001)
    # It would settle the collector of the tests' process.
    monkeypatch.setattr(beside, "settle_collector", lambda: None)


class Turns:
    """Steps and turns, counted by name; those in `fails` raise, each as often as it says."""

    def __init__(self, **fails: int) -> None:
        self.fails = fails
        self.taken: dict[str, int] = {}

    def of(self, name: str) -> Callable[[], Any]:
        async def turn() -> None:
            self.taken[name] = self.taken.get(name, 0) + 1
            if self.taken[name] <= self.fails.get(name, 0):
                raise RuntimeError(f"{name} failed")

        return turn

    def service(self) -> Any:
        of = self.of
        turning = SimpleNamespace
        return SimpleNamespace(
            load_api=of("api"),
            proofs=turning(erasures=turning(finish=of("erasures")), checkpoints=turning(advance=of("checkpoints"))),
            discoverer=turning(start=of("discoverer"), turn=of("discovery")),
            driver=turning(control=turning(expire_due=of("expiry"))),
            lease=turning(turn=of("lease")),
            incidents=turning(turn=of("incidents")),
            outbox=turning(notifying=turning(turn=of("outbox"))),
            tally=Tally(),
        )


SETTINGS: Any = SimpleNamespace(workspace=None, forward=("http://127.0.0.1:9", {}))


def logs(started: Callable[[], None]) -> Any:
    return SimpleNamespace(start=started)


async def test_a_step_or_a_turn_that_fails_is_told_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def full() -> None:
        raise OSError("no space left")

    turns = Turns(api=1, erasures=1, discoverer=1, discovery=2)
    task = asyncio.create_task(background(turns.service(), SETTINGS, logs(full), None))
    await eventually(lambda: turns.taken.get("discovery", 0) > 3 and turns.taken.get("lease", 0) > 3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    told = capsys.readouterr().err
    for name in ("api", "erasures", "discoverer", "discovery"):
        assert f"in the background: RuntimeError: {name} failed" in told
    assert "in the background: OSError: no space left" in told
    taken = dict(turns.taken)
    await asyncio.sleep(0.05)
    assert turns.taken == taken, "what was cancelled runs on"


async def test_a_loop_that_ends_on_an_error_all_the_same_is_told_and_takes_its_siblings_along(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the loop itself")

    monkeypatch.setattr(beside, "passing_on", broken)
    turns = Turns()
    await background(turns.service(), SETTINGS, logs(lambda: None), None)
    assert "in the background: RuntimeError: the loop itself" in capsys.readouterr().err
    taken = dict(turns.taken)
    await asyncio.sleep(0.05)
    assert turns.taken == taken, "its siblings run on"


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
    watching = Watching(tmp_path, runtime, stamp(tmp_path))
    (tmp_path / "below").mkdir()
    for number in range(2):
        (tmp_path / "below" / "a.cedar").write_text("x" * number)
        for _ in range(2):
            await beside.guarded(watching.turn, beside.failed)
    told = capsys.readouterr().err
    assert says in told
    assert told.index("the running bundle stays") < told.index("running bundle sha256:new")
    assert answers == [], "one change, one try"
