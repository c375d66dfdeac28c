"""Incidents: gathered by what they are about, moved by the table alone, never more than there is room for."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.protect import incidents
from remit.protect.incidents import (
    DENIALS_MIN,
    DENIED_MS,
    MOVES,
    OVERFLOW,
    RECORDS_MAX,
    WINDOW_MS,
    Finding,
    Incident,
    IncidentAct,
    IncidentCause,
    IncidentMove,
    IncidentState,
    OpenIncidents,
    Resolution,
    Severity,
    assign,
    close,
    merge,
    open_incident,
    with_finding,
)


def drift(number: int, at: int = 0, agent: str = "bot", sid: str = "") -> Finding:
    return Finding(f"r1-1.{number}", at, IncidentCause.DRIFT, Severity.MEDIUM, "drifted", agent, sid)


def denied(number: int, at: int = 0, agent: str = "bot", sid: str = "s") -> Finding:
    gist = f"shop/t{number % 5} by no"
    return Finding(
        f"r1-1.{number}", at, IncidentCause.DENIALS, Severity.MEDIUM, f"denied {gist}", agent, sid, weak=True, gist=gist
    )


HALT = Finding("r1-1.90", 5, IncidentCause.HALT, Severity.HIGH, "agent bot stopped by ann", "bot", subject="agent:bot")
BEGUN = open_incident(drift(1), "agent:bot")
ACT = IncidentAct(7, "ann", "did it")


def test_findings_of_one_agent_within_the_window_are_one_incident_of_the_worst_severity() -> None:
    gathering = OpenIncidents()
    first = gathering.take(drift(1))
    assert first == BEGUN
    found = gathering.take(HALT)
    assert found is not None
    assert (found.ident, found.count, found.severity) == ("r1-1.1", 2, Severity.HIGH)
    assert (found.title, found.causes) == (
        "drifted; agent bot stopped by ann",
        {IncidentCause.DRIFT, IncidentCause.HALT},
    )
    later = gathering.take(drift(2, 6, sid="s9"))
    assert later is not None
    assert (later.title, later.sids, later.records) == (found.title, ("s9",), ("r1-1.1", "r1-1.90", "r1-1.2"))
    other = gathering.take(drift(3, 6, agent="sub"))
    assert other is not None
    assert other.ident == "r1-1.3"
    assert gathering.take(drift(2, 6)) == later, "the same once more changes nothing"


def test_a_title_tells_each_cause_and_what_is_worse_as_far_as_there_is_room() -> None:
    trip = Finding("r1-1.2", 1, IncidentCause.TRIP, Severity.MEDIUM, "breaker loops tripped", "bot")
    both = with_finding(BEGUN, trip)
    assert both.title == "drifted; breaker loops tripped", "as bad, and another cause"
    assert with_finding(both, replace(trip, record="r1-1.3")).title == both.title, "the same cause once more"
    worst = replace(HALT, severity=Severity.CRITICAL, title="everything stopped")
    after = with_finding(with_finding(both, HALT), worst)
    assert after.title == f"{both.title}; agent bot stopped by ann", "one that was taken in is not taken in again"
    after = with_finding(with_finding(both, HALT), replace(worst, record="r1-1.91"))
    assert after.title == f"{both.title}; agent bot stopped by ann; everything stopped"
    assert merge(BEGUN, after).title == merge(after, BEGUN).title == after.title
    long = replace(BEGUN, title="x" * incidents.TITLE_CHARS_MAX)
    assert with_finding(long, HALT).title == long.title


def test_denials_are_told_by_what_was_denied() -> None:
    gathering = OpenIncidents()
    few = [gathering.take(replace(denied(number), gist="shop/pay by never")) for number in range(DENIALS_MIN)][-1]
    many = [gathering.take(denied(number, agent="sub")) for number in range(DENIALS_MIN)][-1]
    assert few is not None
    assert many is not None
    assert few.title == "agent bot was denied again and again: shop/pay by never"
    told = "agent sub was denied again and again: shop/t0 by no, shop/t1 by no, shop/t2 by no and more"
    assert many.title == told


def test_what_happens_after_the_window_or_after_the_end_is_another_incident() -> None:
    gathering = OpenIncidents([BEGUN])
    again = gathering.take(drift(2, WINDOW_MS + 1))
    assert again is not None
    assert again.ident == "r1-1.2"
    gathering.put(close(again, Resolution.EXPECTED, "", ACT))
    third = gathering.take(drift(3, WINDOW_MS + 2))
    assert third is not None
    assert third.ident == "r1-1.3"
    gathering.put(close(again, Resolution.EXPECTED, "", ACT))
    gathering.put(replace(BEGUN, last_ms=1))
    assert gathering.take(drift(4, WINDOW_MS + 3)) is not None
    kept = gathering.take(drift(5, WINDOW_MS + 4))
    assert kept is not None
    assert kept.ident == "r1-1.3", "an earlier one does not take the place of a later one"


def test_denials_count_once_there_are_enough_of_one_session() -> None:
    gathering = OpenIncidents()
    few = [gathering.take(denied(number, number)) for number in range(DENIALS_MIN - 1)]
    assert few == [None] * (DENIALS_MIN - 1)
    assert gathering.take(denied(50, 3, sid="other")) is None
    found = gathering.take(denied(99, 9))
    assert found is not None
    assert (found.ident, found.count, found.sids) == ("r1-1.0", DENIALS_MIN, ("s",))
    more = gathering.take(denied(100, 10))
    assert more is not None
    assert (more.ident, more.count) == ("r1-1.0", DENIALS_MIN + 1)
    same = OpenIncidents()
    assert [same.take(denied(1)) for _ in range(DENIALS_MIN)] == [None] * DENIALS_MIN, "one read again is one"
    slow = OpenIncidents()
    assert [slow.take(denied(n, n * DENIED_MS)) for n in range(9)] == [None] * 9


def test_many_are_bounded_and_those_without_room_are_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incidents, "OPEN_MAX", 2)
    monkeypatch.setattr(incidents, "DENIAL_SESSIONS_MAX", 2)
    gathering = OpenIncidents()
    found = [gathering.take(drift(number, agent=f"a{number}")) for number in range(5)]
    assert [one.about for one in found if one is not None] == ["agent:a0", "agent:a1", OVERFLOW, OVERFLOW, OVERFLOW]
    assert found[-1] is not None
    assert found[-1].count == 3
    for number in range(DENIALS_MIN):
        for sid in ("x", "y", "z"):
            assert gathering.take(denied(number, sid=sid)) is None, "who was pushed out begins anew"
    long = BEGUN
    for number in range(2, 200):
        long = with_finding(long, drift(number, sid=f"s{number}"))
    assert (long.count, len(long.records), long.records[0], long.records[-1]) == (
        199,
        RECORDS_MAX,
        "r1-1.1",
        "r1-1.199",
    )
    assert len(long.sids) == incidents.SIDS_MAX


def moved(incident: Incident, move: IncidentMove) -> Incident:
    match move:
        case IncidentMove.SEE:
            return with_finding(incident, drift(7, 7))
        case IncidentMove.ASSIGN:
            return assign(incident, "ann", ACT)
        case IncidentMove.CLOSE:
            return close(incident, Resolution.RESOLVED, "mended", ACT)


@pytest.mark.parametrize(("state", "move"), list(product(IncidentState, IncidentMove)))
def test_an_incident_moves_by_the_table_alone(state: IncidentState, move: IncidentMove) -> None:
    before = replace(BEGUN, state=state)
    after = moved(before, move)
    assert after.state is MOVES.get((state, move), state)
    assert (after == before) == ((state, move) not in MOVES)


@given(st.lists(st.sampled_from([drift(n, n) for n in range(9)] + [HALT]), max_size=12))
def test_taking_in_what_is_further_on_again_and_in_part_loses_and_adds_nothing(findings: Sequence[Finding]) -> None:
    steps = [BEGUN]
    for one in findings:
        steps.append(with_finding(steps[-1], one))
    last = steps[-1]
    assert merge(last, last) == last
    for one in steps:
        assert merge(last, one).count == last.count
        assert merge(one, last) == replace(last, title=merge(one, last).title, records=merge(one, last).records)
    assert merge(close(BEGUN, Resolution.EXPECTED, "", ACT), last).state is IncidentState.CLOSED
    assert merge(close(BEGUN, Resolution.EXPECTED, "", ACT), last).count == 1


def test_what_was_of_an_incident_that_ended_is_of_no_other() -> None:
    gathering = OpenIncidents()
    ended = [gathering.take(denied(number, number)) for number in range(DENIALS_MIN)][-1]
    assert ended is not None
    assert gathering.take(denied(50, 5, agent="sub")) is None
    gathering.put(close(ended, Resolution.EXPECTED, "", ACT))
    again = [gathering.take(denied(number, number)) for number in range(10, 10 + DENIALS_MIN)]
    assert again[:-1] == [None] * (DENIALS_MIN - 1)
    assert again[-1] is not None
    assert again[-1].records == tuple(f"r1-1.{number}" for number in range(10, 10 + DENIALS_MIN))
    others = [gathering.take(denied(number, number, agent="sub")) for number in range(51, 50 + DENIALS_MIN)]
    assert others[-1] is not None, "what another did counts as before"
