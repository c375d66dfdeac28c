"""Breakers: the table of their states, what each counts, when it trips and closes; denied before policy."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.action import Action, ActionKind
from remit.facts.agent import Agent, Mode
from remit.facts.breaker import (
    MOVES,
    Breaker,
    BreakerMove,
    BreakerState,
    BreakerSubject,
    Broken,
    On,
    Trip,
    name_of,
    whose,
)
from remit.facts.moment import instant
from remit.facts.record import RecordKind, Ref
from remit.pdp.decide import decide
from remit.pdp.deltas import Closed, Tripped
from remit.pdp.fold import fold
from remit.policy.verdict import Permit
from remit.protect import breaker_index, breaker_window, breakers
from remit.protect.breaker_index import BreakerIndex
from remit.protect.breaker_window import BreakerSamples, Sample
from remit.protect.breakers import BreakerChange, BreakerStates
from remit.trace.bodies import AdminBody, Event
from tests.core.deciding import NOW, action, bundle, catalog, codes, snapshot

PERMIT = '@id("all") permit (principal, action, resource);'


def breaker(on: On, over: BreakerSubject = BreakerSubject.AGENT, limit: int = 50, **more: object) -> Breaker:
    said: dict[str, object] = {"of": None, "of_least": 4}
    return Breaker(str(more.pop("name", on.value)), on, over, limit=limit, **{**said, **more})  # type: ignore[arg-type]


class Board:
    """Counts as enforcement does, and obeys what it records."""

    def __init__(self, *breakers: Breaker) -> None:
        self.panel, self.fuses, self.now_s, self.made = self.of(*breakers), BreakerStates(), 100.0, 0
        self.tripped: list[tuple[str, str]] = []

    @staticmethod
    def of(*breakers: Breaker) -> BreakerIndex:
        return BreakerIndex(replace(catalog(PERMIT), breakers={one.name: one for one in breakers}))

    def take(self, moved: Iterable[BreakerChange]) -> None:
        for key, evidence in moved:
            if evidence is None:
                self.fuses.close(key)
                self.tripped.append((key, "closed"))
            else:
                self.fuses.trip(key, Trip(NOW, evidence))
                self.tripped.append((key, str(evidence["text"])))

    def judge(self, asked: Action, *, denied: bool = False) -> str | None:
        """The record of an action that runs; None where a breaker, or policy (`denied`), does not let it pass."""
        self.made += 1
        record, broken = f"r1-1.{self.made}", self.fuses.blocking(self.panel, asked, self.now_s)
        ran = not broken and not denied
        self.take(
            self.fuses.count_judged(
                self.panel, asked, record, broken, self.now_s, denied=denied and not broken, ran=ran
            )
        )
        return record if ran else None

    def run(self, asked: Action, *, failed: bool = False, took_ms: float = 1.0) -> bool:
        record = self.judge(asked)
        if record is not None:
            self.end(asked, record, failed=failed, took_ms=took_ms)
        return record is not None

    def end(self, asked: Action, record: str, *, failed: bool = False, took_ms: float = 1.0) -> None:
        self.take(self.fuses.count_ended(self.panel, asked, record, self.now_s, failed=failed, took_ms=took_ms))

    def state(self, one: Breaker, named: str = "ada") -> BreakerState:
        return self.fuses.state(one, one.key(named), self.now_s)


def of(*chain: str, n: int = 1, kind: ActionKind = ActionKind.CALL_TOOL, name: str = "shop/refund") -> Action:
    return action(name, {"order_id": str(n), "to": "x"}, chain=chain or ("ada",), kind=kind)


def handed(*chain: str, to: str = "bot") -> Action:
    return action(to, {}, chain=chain or ("ada",), kind=ActionKind.DELEGATE)


@given(st.lists(st.sampled_from(list(BreakerMove)), max_size=20))
def test_every_walk_of_the_table_ends_where_a_breaker_can_stand(moves: list[BreakerMove]) -> None:
    one, board = breaker(On.ERRORS, of_least=1), Board(breaker(On.ERRORS, of_least=1))
    state, key = BreakerState.CLOSED, one.key("ada")
    for move in moves:
        if (state, move) not in MOVES:
            continue
        state = MOVES[state, move]
        match move:
            case BreakerMove.TRIP:
                board.run(of(), failed=True)
            case BreakerMove.REST:
                board.now_s += one.open_s
            case BreakerMove.SUCCEED:
                board.run(of())
            case BreakerMove.RESET:
                board.fuses.close(key)
        assert board.state(one) is state
        assert (board.judge(of(n=9)) is None) is (state is BreakerState.OPEN)
        board.fuses.drop_trial(f"r1-1.{board.made}")


def test_what_is_denied_says_which_breaker_and_observing_frees_nobody() -> None:
    one = breaker(On.ERRORS)
    made = catalog(PERMIT, agents=(Agent("obs", "uma", "is new", mode=Mode.OBSERVE),))
    running, asked = bundle(made), action(chain=("obs",))
    broken = Broken(
        one, one.key("obs"), BreakerState.OPEN, "errors of agent obs is open for 3 s more: why", rests_s=3.0
    )
    assert isinstance(decide(snapshot(running, asked), asked, NOW).verdict, Permit)
    denied = decide(replace(snapshot(running, asked), open_breakers=(broken,)), asked, NOW)
    assert codes(denied) == {"breaker/open"}
    assert denied.reasons[0].text == (
        f"the breaker errors of agent obs is open for 3 s more: why; it rests until {instant(NOW + 3000)}; "
        "remit breakers show errors"
    )
    tried = replace(snapshot(running, asked), open_breakers=(broken._replace(rests_s=0.0),))
    assert "it rests" not in decide(tried, asked, NOW).reasons[0].text
    assert denied.reasons[0].policy == "breaker:errors"


def test_a_share_trips_once_there_were_enough_within_the_window() -> None:
    one = breaker(On.ERRORS)
    board = Board(one)
    for failed in (False, True, False):
        assert board.run(of(), failed=failed)
    board.now_s += 61
    for failed in (False, False, True):
        assert board.run(of(), failed=failed)
    assert board.tripped == []
    assert board.run(of(), failed=True)
    assert board.tripped == [("errors agent:ada", "2 of 4 calls within 60 s failed")]
    assert not board.run(of())
    # Over others it stays closed, but for those it delegates to.
    assert board.run(of("bot"))
    assert not board.run(of("ada", "bot"))
    assert board.fuses.remaining_s(one, one.key("ada"), board.now_s + 10) == 20


def test_trials_are_as_many_as_it_says_and_close_it_together() -> None:
    one = breaker(On.SLOW, trials=2, of_least=1, slow_ms=5.0)
    board = Board(one)
    assert board.run(of(), took_ms=9)
    assert board.tripped[-1][1] == "1 of 1 calls within 60 s took longer than 5 ms"
    board.now_s += 30
    first, second = board.judge(of()), board.judge(of(n=2))
    assert first
    assert second
    [broken] = board.fuses.blocking(board.panel, of(), board.now_s)
    assert "half-open, its trial is under way" in broken.text
    board.end(of(), first)
    assert board.state(one) is BreakerState.HALF_OPEN
    third = board.judge(of(n=3))
    assert third
    board.end(of(), second, took_ms=6)
    assert board.tripped[-1] == ("slow agent:ada", f"its trial {second} took 6 ms")
    assert board.state(one) is BreakerState.OPEN
    board.end(of(), third)
    assert board.state(one) is BreakerState.OPEN
    board.now_s += 30
    for n in range(2):
        assert board.run(of(n=n))
    assert board.tripped[-1] == ("slow agent:ada", "closed")


def test_a_trial_of_a_sub_agent_that_fails_opens_it_again() -> None:
    board = Board(breaker(On.ERRORS, of_least=1, of="ada"))
    board.run(of(), failed=True)
    board.now_s += 30
    assert board.run(of("ada", "bot"), failed=True)
    assert board.tripped[-1][1].endswith("failed")
    assert not board.run(of())


def test_a_trial_of_which_nothing_is_known_says_nothing() -> None:
    one = breaker(On.ERRORS, of_least=1)
    board = Board(one)
    board.run(of(), failed=True)
    board.now_s += 30
    trial = board.judge(of())
    assert trial
    board.fuses.drop_trial(trial)
    assert board.state(one) is BreakerState.HALF_OPEN
    assert board.run(of())
    assert board.state(one) is BreakerState.CLOSED


def test_a_breaker_that_left_the_bundle_stops_nothing_and_is_not_closed() -> None:
    one, other = breaker(On.ERRORS, of_least=1), breaker(On.DENIALS, limit=1)
    board = Board(one)
    board.run(of(), failed=True)
    board.now_s += 30
    trial = board.judge(of())
    assert trial
    board.panel = Board.of(other)
    board.end(of(), trial)
    assert board.tripped[-1][0] == "errors agent:ada"
    assert board.run(of())


def test_denials_in_a_row_are_broken_by_what_is_permitted() -> None:
    one = breaker(On.DENIALS, limit=2)
    board = Board(one)
    board.judge(of(), denied=True)
    assert board.run(of())
    lists = replace(of(kind=ActionKind.READ_RESOURCE), name="")
    board.judge(of(), denied=True)
    board.judge(lists, denied=True)
    assert board.run(lists)
    assert board.tripped == [], "what a client is not shown as it connects is no denial, and what it is no permit"
    board.judge(of(), denied=True)
    assert board.tripped == [("denials agent:ada", "2 denials in a row, the last of shop/refund")]
    assert board.panel.tool_text(of(name="shop/as the agent wants")) == "call_tool"
    assert board.panel.tool_text(of(kind=ActionKind.READ_RESOURCE)) == "read_resource"
    assert not board.run(of())
    assert board.tripped == board.tripped[:1]
    board.now_s += 30
    board.judge(lists, denied=True)
    assert len(board.tripped) == 1
    board.judge(of(), denied=True)
    assert board.tripped[-1] == ("denials agent:ada", "its trial r1-1.9 was denied")
    board.now_s += 30
    assert board.run(of())
    assert board.state(one) is BreakerState.CLOSED


def test_the_same_call_is_the_same_tool_and_bytes_within_the_window() -> None:
    one = breaker(On.IDENTICAL, limit=3)
    board = Board(one)
    for n in (1, 2, 1, 2):
        assert board.run(of(n=n))
    assert board.run(of(n=1, name="shop/look"))
    assert not board.run(of(n=1))
    assert board.tripped == [("identical agent:ada", "the same call of shop/refund 3 times within 60 s")]
    assert not board.run(of(n=1))
    assert len(board.tripped) == 1
    board.now_s += 30
    assert board.run(of(n=7))
    assert board.state(one) is BreakerState.CLOSED
    lists = replace(of(kind=ActionKind.READ_RESOURCE), name="")
    for free in (lists, handed()):
        assert [board.run(free) for _ in range(4)] == [True] * 4
    assert [board.run(of(n=8)) for _ in range(2)] == [True] * 2
    board.now_s += 61
    assert board.run(of(n=8))


def test_depth_and_circles_are_told_from_the_chain_and_from_who_is_handed_to() -> None:
    board = Board(breaker(On.DEPTH, limit=1))
    assert board.judge(handed("ada"))
    assert board.judge(of("ada", "bot"))
    assert board.judge(handed("ada", "bot", to="eve")) is None
    assert board.tripped == [("depth agent:bot", "2 delegations deep, more than 1")]
    board = Board(breaker(On.CYCLES, limit=0))
    assert board.judge(handed("ada", to="bot"))
    assert board.judge(of("ada", "bot"))
    assert board.judge(handed("ada", "bot", to="ada")) is None
    assert board.tripped == [("cycles agent:bot", "a circle of delegations: ada > bot > ada")]
    board.now_s += 30
    assert board.judge(of("bot", "eve", "bot")) is None


def test_fan_out_counts_delegations_and_a_delegation_is_a_trial_at_once() -> None:
    one = breaker(On.FAN_OUT, limit=2)
    board = Board(one)
    assert [board.judge(handed(), denied=denied) is not None for denied in (True, False, False)] == [False, True, True]
    assert board.run(of())
    assert board.judge(handed()) is None
    assert board.tripped == [("fan-out agent:ada", "3 delegations within 60 s, more than 2")]
    board.now_s += 30
    assert board.judge(handed())
    assert board.state(one) is BreakerState.CLOSED


def test_a_cascade_rests_the_server_and_frees_the_agents() -> None:
    own, cascade = breaker(On.ERRORS, of_least=1), breaker(On.CASCADE, BreakerSubject.SERVER, limit=2)
    board = Board(own, cascade, breaker(On.CASCADE, BreakerSubject.SERVER, limit=2, of="web", name="webs"))
    board.run(of("ada"), failed=True)
    board.now_s += 61
    board.run(of("bot"), failed=True)
    assert [key for key, _ in board.tripped] == ["errors agent:ada", "errors agent:bot"]
    board.run(of("eve"), failed=True)
    assert board.tripped[3:] == [
        ("cascade server:shop", "failures of shop tripped 2 agents within 60 s"),
        ("errors agent:bot", "closed"),
        ("errors agent:eve", "closed"),
    ]
    assert board.state(cascade, "shop") is BreakerState.OPEN
    assert not board.run(of("bot"))
    board.now_s += 30
    assert board.run(of("bot"), failed=True)
    assert ("cascade server:shop by agent:bot", "its trial r1-1.5 failed") in board.tripped
    assert board.run(of("eve"))
    assert board.state(cascade, "shop") is BreakerState.CLOSED


@pytest.mark.parametrize("before", [True, False])
def test_one_agents_failures_take_no_server_from_others(*, before: bool) -> None:
    one = breaker(On.ERRORS, BreakerSubject.SERVER)
    board = Board(one)
    assert not before or board.run(of("bot"))
    for _ in range(4):
        assert board.run(of("ada", "eve"), failed=True)
    assert board.tripped == [("errors server:shop by agent:ada", "4 of 4 calls within 60 s failed")]
    assert whose(board.tripped[0][0]) == "server shop by agent ada"
    assert not board.run(of("ada"))
    assert not board.run(of("ada", "bot"))
    assert board.run(of("bot"))
    assert board.run(of("eve"))
    # It is the server, once it fails for others as well.
    for agent in ("bot", "eve", "bot", "eve"):
        board.run(of(agent), failed=True)
    assert board.state(one, "shop") is BreakerState.OPEN
    assert not board.run(of("cat"))


def test_what_was_under_way_when_it_tripped_for_one_trips_it_no_second_time() -> None:
    board = Board(breaker(On.ERRORS, BreakerSubject.SERVER))
    under_way = [board.judge(of("ada", n=n)) for n in range(6)]
    for record in under_way:
        assert record
        board.end(of("ada"), record, failed=True)
    assert [key for key, _ in board.tripped] == ["errors server:shop by agent:ada"]


def test_one_agent_holds_no_server_from_others_by_its_trials() -> None:
    one = breaker(On.ERRORS, BreakerSubject.SERVER)
    board = Board(one)
    for agent in ("ada", "bot") * 2:
        assert board.run(of(agent), failed=True)
    assert board.tripped == [("errors server:shop", "4 of 4 calls within 60 s failed")]
    board.now_s += 30
    # One that has no end holds but whose it is, and not for long.
    assert board.judge(of("eve"))
    assert not board.run(of("eve"))
    board.now_s += 30
    assert board.run(of("eve"), failed=True)
    assert board.tripped[1:] == [("errors server:shop by agent:eve", "its trial r1-1.7 failed")]
    assert not board.run(of("eve"))
    assert board.run(of("bot"))
    assert board.state(one, "shop") is BreakerState.CLOSED
    # What failed for it once counts no more when its trial went well.
    board.now_s += 30
    assert board.run(of("eve"))
    assert board.tripped[-1] == ("errors server:shop by agent:eve", "closed")
    assert board.run(of("eve"), failed=True)


def test_trials_that_fail_for_two_agents_have_it_rest_for_all_again() -> None:
    one = breaker(On.ERRORS, BreakerSubject.SERVER)
    board = Board(one)
    for agent in ("ada", "bot") * 2:
        assert board.run(of(agent), failed=True)
    board.now_s += 30
    for agent in ("ada", "bot"):
        assert board.run(of(agent), failed=True)
    assert not board.run(of("eve"))
    board.now_s += 30
    # Where it rests for all and for one, a trial of his is one for both.
    assert board.run(of("ada"), failed=True)
    assert board.run(of("eve"))
    assert board.state(one, "shop") is BreakerState.CLOSED
    assert board.state(one, "shop by agent:ada") is BreakerState.OPEN


def test_what_fails_for_one_that_others_pass_by_is_forgotten_with_its_trial() -> None:
    one = breaker(On.ERRORS, BreakerSubject.SERVER)
    board = Board(one)
    for _ in range(4):
        board.run(of("ada"), failed=True)
    late = board.judge(of("bot"))
    assert late
    board.now_s += 30
    assert board.run(of("ada"))
    assert board.tripped[-1] == ("errors server:shop by agent:ada", "closed")
    assert board.run(of("ada"), failed=True)
    board.end(of("bot"), late)
    assert board.run(of("ada"))


def test_what_counts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(breaker_window, "SAMPLES_MAX", 3)
    samples = BreakerSamples(10.0)
    for number in range(5):
        samples.add(Sample(float(number), number % 2, f"a{number}", f"r{number}"))
    assert (len(samples.samples), samples.counts) == (3, {0: 2, 1: 1})
    assert (samples.records(0), samples.records(0, "a4")) == (["r2", "r4"], ["r4"])
    assert samples.by_agent(1) == {"a2": (0, 1), "a3": (1, 1), "a4": (0, 1)}
    assert (samples.count(0, 12.5), samples.count(7, 12.5)) == (1, 0)
    monkeypatch.setattr(breaker_index, "_FOUND_MAX", 1)
    monkeypatch.setattr(breakers, "_KEYS_MAX", 1)
    one = breaker(On.ERRORS, of_least=2)
    board = Board(one)
    for agent in ("ada", "bot", "ada"):
        assert board.run(of(agent), failed=True)
    assert board.tripped == []
    board.panel = Board.of(replace(one, within_s=5.0))
    assert board.run(of("ada"), failed=True)
    assert board.tripped == []


def test_tools_and_servers_are_named_and_what_is_no_call_has_no_tool() -> None:
    tool, server = (
        breaker(On.ERRORS, BreakerSubject.TOOL, of_least=1),
        breaker(On.SLOW, BreakerSubject.SERVER, of="web"),
    )
    panel = Board.of(tool, server)
    assert [key for _, key in panel.counting(of())] == ["errors tool:shop/refund"]
    assert [key for _, key in panel.over(of())] == ["errors tool:shop/refund", "errors tool:shop/refund by agent:ada"]
    assert panel.over(handed()) == ()
    assert [key for _, key in panel.counting(action("web/x", {}, kind=ActionKind.READ_RESOURCE))] == ["slow server:web"]


def test_it_is_a_fold_of_the_records_and_reads_as_people_say_it() -> None:
    told = {"text": "why", "records": ["r1-1.2"]}
    [tripped] = fold(Ref("r1-1", 1), 7, RecordKind.ADMIN, AdminBody(Event.BREAKER_TRIPPED, "remit", "b agent:a", told))
    assert tripped == Tripped("b agent:a", Trip(7, told))
    assert isinstance(tripped, Tripped)
    assert (tripped.trip.text, tripped.trip.records) == ("why", ["r1-1.2"])
    assert (Trip(7, {}).text, Trip(7, {"records": 5}).records) == ("", [])
    assert fold(Ref("r1-1", 1), 7, RecordKind.ADMIN, AdminBody(Event.BREAKER_CLOSED, "ann", "b agent:a")) == (
        Closed("b agent:a"),
    )
    assert (name_of("b tool:shop/x"), whose("b tool:shop/x")) == ("b", "tool shop/x")
    said = breaker(On.SLOW, of="ada").to_json()
    assert (said["of"], said["slow_ms"], said["of_least"]) == ("ada", 10_000.0, 4)
    assert set(breaker(On.DEPTH).to_json()) == {"on", "over", "limit", "within_s", "open_s", "trials"}
