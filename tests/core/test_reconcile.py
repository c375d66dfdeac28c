"""What was seen passively, reconciled with the ledger: each action counted once, as governed or as observed only."""

import random

import pytest

from remit.discover import reconcile
from remit.discover.reconcile import (
    DETAIL_DAYS,
    EARLIER,
    GRACE_MS,
    OTHERS,
    RETAINED_DAYS,
    Activity,
    Passage,
    PassageCounts,
    Reconciler,
    bare_name,
    total,
)
from remit.discover.sighting import Kind, Subject
from remit.discover.telemetry import ObservedCall
from remit.facts.durations import DAY_MS

NOW = 1_700_000_000_000
DAY = NOW // DAY_MS
BOT, TELEMETRY_BOT = Subject(Kind.AGENT, "bot"), Subject(Kind.AGENT, "bot", "otlp")
READ, TOLD_READ = Subject(Kind.TOOL, "notes/read"), Subject(Kind.TOOL, "notes___read", "otlp")


def call(
    span: str = "s", trace: str = "t", scope: str = "openai", at: int = NOW, agent: Subject = TELEMETRY_BOT
) -> ObservedCall:
    return ObservedCall(trace, span, scope, agent, TOLD_READ, at, at + 5)


def passage(trace: str = "t", at: int = NOW + 2, agent: str = "bot") -> Passage:
    return Passage(f"r1-1.{at}", trace, agent, READ, frozenset({"read", "notes___read"}), at)


PASSED, OBSERVED = Activity(BOT, READ, DAY), Activity(TELEMETRY_BOT, TOLD_READ, DAY)


def counts(known: Reconciler) -> tuple[int, int]:
    return total(known.counts.values())


def test_a_call_that_nothing_accounts_for_is_observed_after_a_while() -> None:
    known = Reconciler()
    assert known.take_call(call(), NOW) is None
    known.due(NOW + GRACE_MS - 1)
    assert counts(known) == (0, 0)
    known.due(NOW + GRACE_MS)
    assert known.counts == {OBSERVED: PassageCounts(0, 1)}
    assert known.changed == {OBSERVED}
    known.due(NOW + 2 * GRACE_MS)
    assert counts(known) == (0, 1)


@pytest.mark.parametrize("order", ["ledger first", "telemetry first", "late"])
def test_the_same_call_through_the_gateway_is_governed_once(order: str) -> None:
    known = Reconciler()
    if order == "ledger first":
        assert known.take_passage(passage()) is None
        paired = known.take_call(call(), NOW)
    else:
        assert known.take_call(call(), NOW) is None
        if order == "late":
            known.due(NOW + GRACE_MS)
            assert counts(known) == (0, 1)
        paired = known.take_passage(passage())
    assert paired is not None
    assert (paired.call, paired.passage) == (call(), passage())
    known.due(NOW + GRACE_MS)
    assert counts(known) == (1, 0)
    assert known.counts[PASSED] == PassageCounts(1, 0)


def test_several_instrumentations_and_repeated_exports_tell_of_one_call() -> None:
    known = Reconciler()
    for _ in range(2):
        known.take_call(call("a", scope="openai"), NOW)
        known.take_call(call("b", scope="mcp"), NOW)
    known.due(NOW + GRACE_MS)
    assert counts(known) == (0, 1)
    known.take_call(call("c", scope="mcp"), NOW)
    known.take_passage(passage())
    known.due(NOW + 2 * GRACE_MS)
    assert counts(known) == (1, 1), "two calls, one of which passed"
    known.take_passage(passage(at=NOW + 3))
    assert counts(known) == (2, 0)
    assert known.take_passage(passage(at=NOW + 4)) is None, "nobody told of a third"
    assert counts(known) == (3, 0)


def test_where_traces_are_not_passed_on_name_agent_and_moment_tell() -> None:
    known = Reconciler()
    known.take_passage(passage("other"))
    known.take_passage(passage("far", at=NOW + 60_000))
    known.take_passage(passage("another's", agent="eve"))
    for number in range(2):
        known.take_call(call(str(number)), NOW)
    known.due(NOW + GRACE_MS)
    assert counts(known) == (3, 1), "each passage accounts for one call"
    stranger = Subject(Kind.AGENT, "planner", "otlp")
    known.take_call(call(trace="u", agent=stranger), NOW)
    known.due(NOW + 2 * GRACE_MS)
    assert counts(known) == (3, 2)
    known.take_passage(passage("third", at=NOW + 1))
    known.known_as = {stranger: "bot"}
    known.take_call(call(trace="v", agent=stranger), NOW)
    known.due(NOW + 3 * GRACE_MS)
    assert counts(known) == (4, 2)


def test_what_was_counted_before_is_not_counted_again_and_can_be_paired() -> None:
    known = Reconciler({PASSED: PassageCounts(1, 0)})
    known.take_passage(passage(), counted=False)
    assert known.take_call(call(), NOW) is not None
    known.due(NOW + GRACE_MS)
    assert counts(known) == (1, 0)


def test_what_is_kept_is_bounded_and_what_is_forgotten_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "KEPT_MAX", 3)
    known = Reconciler()
    for number in range(5):
        known.take_passage(passage(f"t{number}", at=NOW + number * 10))
    assert known.take_call(call(trace="t0", at=NOW - 20), NOW) is None
    assert known.late == 1
    assert known.take_call(call(trace="t4", at=NOW + 40), NOW) is not None
    for number in range(10):
        known.take_call(call(trace=f"u{number}", at=NOW + 5_000), NOW)
    assert counts(known) == (5, 7), "those that made room were judged"
    known.due(NOW + GRACE_MS)
    assert counts(known) == (5, 10)


def test_who_called_what_is_told_apart_of_so_many_and_of_who_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "OBSERVED_MAX", 3)
    known = Reconciler()
    stranger, planner = Subject(Kind.AGENT, "x", "otlp"), Subject(Kind.AGENT, "planner", "otlp")
    for number in range(9):
        agent = Subject(Kind.AGENT, f"made-up-{number}", "otlp")
        known.take_call(call(trace=f"t{number}", agent=agent), NOW)
    known.due(NOW + GRACE_MS)
    assert len(known.counts) == 4
    assert counts(known) == (0, 9), "none is lost"
    [(others, number)] = [(key, one.observed) for key, one in known.counts.items() if key.agent.name == OTHERS]
    assert (others.object.name, others.agent.space, number) == (OTHERS, "otlp", 6)
    known.known_as = {planner: "bot"}
    for number, agent in enumerate((stranger, planner, Subject(Kind.AGENT, "bot"))):
        known.take_call(call(trace=f"u{number}", agent=agent), NOW)
    known.due(NOW + 2 * GRACE_MS)
    assert {"planner", "bot"} < {key.agent.name for key in known.counts}
    assert stranger not in {key.agent for key in known.counts}
    again = Reconciler(known.counts)
    again.take_call(call(trace="v", agent=stranger), NOW)
    again.due(NOW + GRACE_MS)
    assert stranger not in {key.agent for key in again.counts}, "also after a start"
    again.take_passage(passage("w"))
    assert PASSED in again.counts, "what passed is always told apart"


def test_spans_that_can_be_paired_are_bounded_over_all_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "SPANS_KEPT_MAX", 5)
    known = Reconciler()
    for trace in ("a", "b", "c"):
        for span in range(3):
            known.take_call(call(str(span), trace=trace), NOW)
    assert counts(known) == (0, 3), "the oldest had to be judged at once"
    known.due(NOW + GRACE_MS)
    assert counts(known) == (0, 9)
    known.due(NOW + DETAIL_DAYS * DAY_MS)
    for span in range(5):
        known.take_call(call(str(span), trace="d", at=NOW + DETAIL_DAYS * DAY_MS), NOW)
    known.take_call(call("0", trace="e", at=NOW + DETAIL_DAYS * DAY_MS), NOW)
    assert counts(known) == (0, 9), "what was forgotten takes no room"


def test_what_is_sent_again_after_a_restart_is_the_same_call() -> None:
    known = Reconciler()
    known.take_call(call("a"), NOW)
    known.take_call(call("b"), NOW)
    known.due(NOW + GRACE_MS)
    known.take_call(call("c"), NOW + GRACE_MS)
    assert counts(known) == (0, 2)
    assert len(known.judged) == 2, "what nobody judged yet has to be told again"
    again = Reconciler(known.counts, known.judged)
    for span in ("a", "b", "c"):
        again.take_call(call(span), NOW)
    again.take_call(call("a", trace="u"), NOW)
    again.due(NOW + GRACE_MS)
    assert counts(again) == (0, 4)
    again.take_call(call("d"), NOW)
    again.due(NOW + 3 * GRACE_MS)
    assert counts(again) == (0, 5)
    assert len(again.judged) == 3


def test_counts_lose_their_objects_and_then_their_days() -> None:
    model = Subject(Kind.MODEL, "m")
    kept = {
        Activity(BOT, READ, DAY - DETAIL_DAYS + 1): PassageCounts(1, 0),
        Activity(BOT, READ, DAY - DETAIL_DAYS): PassageCounts(2, 1),
        Activity(BOT, TOLD_READ, DAY - DETAIL_DAYS): PassageCounts(0, 4),
        Activity(BOT, model, DAY - DETAIL_DAYS): PassageCounts(0, 8),
        Activity(BOT, READ, DAY - RETAINED_DAYS): PassageCounts(16, 0),
        Activity(BOT, Subject(Kind.TOOL, EARLIER), DAY - RETAINED_DAYS): PassageCounts(32, 0),
    }
    known = Reconciler(kept)
    known.due(NOW)
    rolled = {
        Activity(BOT, READ, DAY - DETAIL_DAYS + 1): PassageCounts(1, 0),
        Activity(BOT, Subject(Kind.TOOL, EARLIER), DAY - DETAIL_DAYS): PassageCounts(2, 5),
        Activity(BOT, Subject(Kind.MODEL, EARLIER), DAY - DETAIL_DAYS): PassageCounts(0, 8),
    }
    assert known.counts == rolled
    assert known.changed == {*kept, *rolled} - {Activity(BOT, READ, DAY - DETAIL_DAYS + 1)}
    known.changed.clear()
    known.due(NOW + 1)
    assert not known.changed, "once a day"
    known.due(NOW + DAY_MS)
    assert len(known.counts) == 3, "of the first one the object is not told any more, and nothing is lost"
    assert counts(known) == (3, 13)


def test_a_call_that_is_no_longer_told_apart_is_not_taken_back() -> None:
    known = Reconciler()
    known.take_call(call(), NOW)
    known.due(NOW + GRACE_MS)
    known.due(NOW + DETAIL_DAYS * DAY_MS)
    assert known.take_passage(passage()) is None
    assert counts(known) == (1, 1)


def test_in_any_order_the_same_is_governed() -> None:
    for seed in range(20):
        draw = random.Random(seed)
        known = Reconciler()
        events: list[ObservedCall | Passage] = [call(str(n), f"t{n}", draw.choice("ab")) for n in range(30)]
        events += [passage(f"t{n}", at=NOW + 10**7 + n) for n in range(20)]
        draw.shuffle(events)
        for event in events:
            if isinstance(event, ObservedCall):
                known.take_call(event, NOW)
            else:
                known.take_passage(event)
            if draw.random() < 0.1:
                known.due(NOW + GRACE_MS)
        known.due(NOW + GRACE_MS)
        assert counts(known) == (20, 10)


def test_a_tool_is_called_by_its_bare_name() -> None:
    assert bare_name(Subject(Kind.TOOL, "s/t", "otlp")) == "t"
    assert bare_name(Subject(Kind.DATA, "file:///a/b", "otlp")) == "file:///a/b"


class LookedAt(int):
    """A moment that counts how often it was compared."""

    looks = 0

    def __lt__(self, other: int) -> bool:
        LookedAt.looks += 1
        return int(self) < other

    def __le__(self, other: int) -> bool:
        LookedAt.looks += 1
        return int(self) <= other

    def __ge__(self, other: int) -> bool:
        LookedAt.looks += 1
        return int(self) >= other


def test_what_a_call_costs_hangs_on_no_number_of_passages() -> None:
    known = Reconciler()
    for number in range(2_000):
        known.take_passage(passage(f"t{number}", at=LookedAt(NOW + 10**7 + number)))
        known.take_passage(passage(f"o{number}", at=LookedAt(NOW + 10**7 + number), agent="other"))
    LookedAt.looks = 0
    for number in range(10):
        known.take_call(call(str(number), f"c{number}"), NOW)
    known.due(NOW + GRACE_MS)
    assert counts(known)[1] == 10
    assert LookedAt.looks < 10 * 50, "whoever sends telemetry chooses names and moments"
    known.take_call(call("late", "c-late", at=NOW + 10**7 + 1_999 + reconcile.NEAR_MS), NOW)
    known.due(NOW + 10**7)
    assert counts(known)[1] == 10, "the one that is near accounts for it"


def test_each_passage_of_a_trace_accounts_for_one_call_of_its_name() -> None:
    known = Reconciler()
    both = [passage("t", at=NOW + number) for number in (1, 2)]
    assert [known.take_passage(one) for one in both] == [None, None]
    found = [known.take_call(call(span), NOW) for span in "abc"]
    assert [one.passage if one is not None else None for one in found] == [*both, None]
    known.due(NOW + GRACE_MS)
    assert counts(known) == (2, 1)
