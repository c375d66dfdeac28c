"""Cases: small sessions with the verdict that is expected of each call. What packs and policies are tested with.

A case is `{name, agent?, events: […]}`; an event is `{user: TEXT}`, `{sure: NUMBER}`, which the agent says of itself,
or `{call: SERVER/TOOL or TOOL, args, expect, by?, result?, error?, with_last?, times?}`. `by` names policies that must
have spoken; a call `with_last` was chosen in the same message as the one before; one with `times` is made so often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remit.assure.recorded import Answered, Called, Event, Recorded, Said, Sure
from remit.assure.replay import Cast, replay
from remit.facts.canonical import Json
from remit.facts.confidence import units_of
from remit.policy.bundle import Bundle


class Unreadable(ValueError):
    """A value that holds no cases; the text says why."""


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict that a call must have, and policies that must have spoken."""

    verdict: str
    by: frozenset[str]


@dataclass(frozen=True, slots=True)
class Case:
    """One session and what is expected of its calls, by call id."""

    name: str
    session: Recorded
    expected: Mapping[str, Expected]


def cases(value: Json, suite: str, agent: str) -> tuple[Case, ...]:
    """The cases that `value`, a list, holds. Calls are of server `suite` and by `agent` unless they say otherwise."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise Unreadable("cases are a list")
    return tuple(_case(one, suite, agent) for one in value)


def failures(bundle: Bundle, case: Case, user: str | None = None) -> tuple[str, ...]:
    """What of `case` is not as expected, each in one sentence; nothing where it holds."""
    found: list[str] = []
    for judged in replay(bundle, case.session, Cast(user=user)):
        wanted = case.expected[judged.call_id]
        said = frozenset(reason.policy for reason in judged.reasons if reason.policy is not None)
        if judged.verdict != wanted.verdict:
            why = "; ".join(reason.text for reason in judged.reasons)
            found.append(f"{case.name}: {judged.call_id} is {judged.verdict}, not {wanted.verdict} ({why})")
        elif not wanted.by <= said:
            missing = ", ".join(sorted(wanted.by - said))
            found.append(f"{case.name}: {judged.call_id} is {judged.verdict} without a word of {missing}")
    return tuple(found)


def _case(value: Json, suite: str, agent: str) -> Case:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise Unreadable("a case has a name and events")
    name, listed = str(value["name"]), value.get("events")
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise Unreadable(f"{name}: events is not a list")
    events: list[Event] = []
    expected: dict[str, Expected] = {}
    turn = 0
    for number, one in enumerate(listed, 1):
        if not isinstance(one, Mapping):
            raise Unreadable(f"{name}: event {number} is not an object")
        if isinstance(said := one.get("user"), str):
            events.append(Said(turn, said))
            continue
        if (units := units_of(one.get("sure"))) is not None:
            events.append(Sure(turn, "agent", units))
            continue
        tool, args, verdict, by = (one.get(key) for key in ("call", "args", "expect", "by"))
        args = _NO_ARGS if args is None else args
        by = () if by is None else by
        if not isinstance(tool, str) or not isinstance(args, Mapping) or verdict not in _VERDICTS:
            raise Unreadable(f"{name}: event {number} is neither user nor call, args and expect")
        times, error = one.get("times", 1), one.get("error")
        if isinstance(times, bool) or not isinstance(times, int) or not 0 < times <= _TIMES_MAX:
            raise Unreadable(f"{name}: times of event {number} is not from 1 to {_TIMES_MAX}")
        wanted = Expected(str(verdict), frozenset(map(str, by if isinstance(by, list | tuple) else (by,))))
        for time in range(times):
            turn += 0 if one.get("with_last") is True else 1
            ident = f"call {number}.{time + 1} ({tool})"
            events.append(Called(turn, ident, tool, args))
            expected[ident] = wanted
            if "result" in one or error is not None:
                events.append(Answered(turn, ident, one.get("result"), None if error is None else str(error)))
    acting = value.get("agent", agent)
    return Case(name, Recorded(name, suite, str(acting), tuple(events)), expected)


_TIMES_MAX = 10_000
_NO_ARGS: Mapping[str, Json] = {}
_VERDICTS = frozenset({"permit", "escalate", "deny"})
