"""Monitors, guarantees and obligations, switched off one check at a time."""

from __future__ import annotations

from typing import Any, Final

from remit.facts.monitor import When
from remit.facts.obligation import problem
from remit.pdp import decide, guarantees, obligations, past
from remit.pep import outcomes, questions, tasks
from remit.pep.guarantee_status import GuaranteeStatus
from remit.pep.notices import Notices
from remit.policy import evaluate
from remit.policy.verdict import Permit
from remit.protect import monitors
from remit.protect.argument_obligations import Unchanged
from remit.protect.past import Cell, Past
from tests.sim.mutants.planting import Mutant, Planted, nothing, of_trade
from tests.sim.trades import CLERKING


def _never_taken_back() -> Planted:
    return Cell, "back", nothing


def _failures_count_as_successes() -> Planted:
    real: Any = monitors._happened  # pyright: ignore[reportPrivateUsage]

    def happened(happening: Any, end: Any) -> Any:
        return end.sent if happening.when is When.SUCCEEDED else real(happening, end)

    return monitors, "_happened", happened


def _in_doubt_taken_back() -> Planted:
    real: Any = monitors._happened  # pyright: ignore[reportPrivateUsage]

    def happened(happening: Any, end: Any) -> Any:
        return real(happening, end._replace(ok=bool(end.ok)))

    return monitors, "_happened", happened


def _one_key_for_all() -> Planted:
    def canonical(named: Any) -> bytes:
        return real([named[0], None])

    real = monitors.canonical
    return monitors, "canonical", canonical


def _past_not_read_at_start() -> Planted:
    real = Past.load

    def load(past: Past, sid: str, _slots: Any) -> None:
        real(past, sid, {})

    return Past, "load", load


def _fleet_not_read_at_start() -> Planted:
    async def load(*_: Any) -> None:
        return None

    return GuaranteeStatus, "load", load


def _guarantees_not_asked() -> Planted:
    def unheld(_snapshot: Any, _action: Any, judged: Any, _now_ms: int) -> Any:
        return judged

    return decide, "with_guarantees", unheld


def _flows_freely() -> Planted:
    return guarantees, "_flow", nothing


def _rates_not_kept() -> Planted:
    return _without("rate")


def _duties_not_kept() -> Planted:
    return _without("separate")


def _powers_not_kept() -> Planted:
    return _without("powers")


def _without(kind: str) -> Planted:
    real: Any = guarantees._breach  # pyright: ignore[reportPrivateUsage]

    def broken(snapshot: Any, action: Any, judged: Any, guard: Any, now_ms: int) -> Any:
        return None if guard.guarantee.kind == kind else real(snapshot, action, judged, guard, now_ms)

    return guarantees, "_breach", broken


def _powers_of_the_last_alone() -> Planted:
    real = monitors.start_marks

    def started(feeds: Any, *rest: Any) -> Any:
        return real([one._replace(each="acting" if one.each else "") for one in feeds], *rest)

    return past, "start_marks", started


def _unknown_obligation_dropped() -> Planted:
    real: Any = evaluate._permit  # pyright: ignore[reportPrivateUsage]

    def permit(permits: Any) -> Permit:
        return Permit(tuple(one for one in real(permits).obligations if problem(one) is None))

    return evaluate, "_permit", permit


def _arguments_as_asked() -> Planted:
    def settle(*_: Any) -> Unchanged:
        return Unchanged()

    return obligations, "apply_to_arguments", settle


def _results_bare() -> Planted:
    def shown(_owed: Any, shown: Any, _tool: Any, **_: Any) -> Any:
        return shown

    return outcomes, "redact_shown", shown


def _questions_bare() -> Planted:
    def question(_owed: Any, question: Any) -> Any:
        return question

    return questions, "redact_question", question


def _tasks_bare() -> Planted:
    def text(_owed: Any, text: str) -> str:
        return text

    return tasks, "cover_text", text


def _progress_bare() -> Planted:
    def bare(_self: Notices, notice: Any) -> Any:
        return notice

    return Notices, "_covered", bare


_clerking: Final = of_trade(CLERKING)
HAPPENED, HOLDS, MET = "past-is-what-happened", "guarantee-holds", "obligation-met"
PAST: Final = (
    Mutant(HAPPENED, "what did not happen is not taken back", _never_taken_back, _clerking),
    Mutant(HAPPENED, "what is in doubt is taken back", _in_doubt_taken_back, _clerking),
    Mutant(HAPPENED, "a failure counts as a success", _failures_count_as_successes, _clerking),
    Mutant(HAPPENED, "a monitor by an argument looks at all values as one", _one_key_for_all, _clerking),
    Mutant(HAPPENED, "what a run did before a restart is not read again", _past_not_read_at_start, _clerking),
    Mutant(HOLDS, "what all did before a restart is not read again", _fleet_not_read_at_start, _clerking),
    Mutant(HOLDS, "guarantees are not asked", _guarantees_not_asked, _clerking),
    Mutant(HOLDS, "what is confidential flows without a gate", _flows_freely, _clerking),
    Mutant(HOLDS, "rates are not kept", _rates_not_kept, _clerking),
    Mutant(HOLDS, "duties are not kept apart", _duties_not_kept, _clerking),
    Mutant(HOLDS, "three powers come together", _powers_not_kept, _clerking),
    Mutant(HOLDS, "powers are counted to the last of a chain alone", _powers_of_the_last_alone, _clerking),
    Mutant(MET, "an obligation that nobody knows is dropped", _unknown_obligation_dropped, _clerking),
    Mutant(MET, "arguments are sent as they were asked for", _arguments_as_asked, _clerking),
    Mutant(MET, "results are shown as they came", _results_bare, _clerking),
    Mutant(MET, "questions are asked as they came", _questions_bare, _clerking),
    Mutant(MET, "words of tasks are told as they come", _tasks_bare, _clerking),
    Mutant(MET, "progress is told as it comes", _progress_bare, _clerking),
)
