"""Cases: small sessions with the verdict that is expected of each action. What packs and policies are tested with.

A case is `{name, agent?, user?, guarantees?, events: […]}`; with `guarantees: false` policies alone
decide. An event is one of
  `{user: TEXT}`            the user's own words
  `{sure: NUMBER}`          how sure the agent says it is
  `{given: {labels?, calls?, irreversible_calls?, age_s?, past?, used?}}`   what the session holds by now, whyever; what
                            monitors say from now on (of those that are not named nothing happened), and whether
                            agents did the like before, so that nothing is new to them
  `{call: SERVER/TOOL or TOOL, args?, …}`, `{read: URI, server, …}`, `{prompt: NAME, server, …}`, `{delegate: AGENT, …}`
An action has `expect: permit|escalate|deny`, and may have `by`, policies or codes of reasons that must have spoken;
`obligations`, all that it owes; `result` or `error`, what came back; `back: anything`, every label that it can bring;
`with_last`, chosen in the same message as the one before; `times`, made so often. An event is of the case's agent,
unless it says `as: AGENT`, or `as: AGENT/SUB-AGENT`, a chain of delegation; `AGENT#2` is another session of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, cast

from remit.assure.world import Chain
from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.facts.confidence import units_of
from remit.facts.label import LABEL, Labels

EVENTS_MAX: Final = 1_000
TIMES_MAX: Final = 10_000
_NO_ARGS: Final[Mapping[str, Json]] = {}
_VERDICTS: Final = frozenset({"permit", "escalate", "deny"})
_KINDS: Final[Mapping[str, ActionKind]] = {
    "call": ActionKind.CALL_TOOL,
    "read": ActionKind.READ_RESOURCE,
    "prompt": ActionKind.GET_PROMPT,
    "delegate": ActionKind.DELEGATE,
}
_ACTION: Final = frozenset(
    {"args", "as", "back", "by", "error", "expect", "obligations", "result", "server", "times", "with_last"}
)
_GIVEN: Final = frozenset({"labels", "calls", "irreversible_calls", "age_s", "past", "used"})


class MalformedCases(ValueError):
    """A value that holds no cases; the text says why."""


@dataclass(frozen=True, slots=True)
class CaseWords:
    """The user's own words."""

    chain: Chain
    text: str


@dataclass(frozen=True, slots=True)
class CaseConfidence:
    """How sure the agent says it is, in units of the fourth decimal place."""

    chain: Chain
    units: int


@dataclass(frozen=True, slots=True)
class CaseState:
    """What a session holds by now, whyever; a number that is None stays as it is, and so does the `past`.

    `precedent` says whether agents did the like of all that follows before, so that nothing is new to them.
    """

    chain: Chain
    labels: Labels
    calls: int | None
    irreversible_calls: int | None
    age_s: int | None
    past: Mapping[str, Json] | None = None
    precedent: bool | None = None


@dataclass(frozen=True, slots=True)
class CaseAnswer:
    """What came back of an action: `anything`, or a `result`, or an `error` in the tool's own words."""

    anything: bool
    result: Json
    error: str | None


@dataclass(frozen=True, slots=True)
class ExpectedVerdict:
    """The verdict that an action must have, policies that must have spoken, and all that it owes, if it matters."""

    verdict: str
    by: frozenset[str]
    obligations: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class CaseAction:
    """One action `times` made by the last of `chain`, what came back each time, and what is expected of it."""

    number: int
    chain: Chain
    kind: ActionKind
    server: str | None
    name: str
    args: Mapping[str, Json]
    answer: CaseAnswer | None
    expected: ExpectedVerdict
    with_last: bool
    times: int


Event: TypeAlias = CaseWords | CaseConfidence | CaseState | CaseAction


@dataclass(frozen=True, slots=True)
class Case:
    """Sessions for `user`, and what is expected of their actions. `suite` is the server of tools named alone.

    `guarded` is whether guarantees are held, and not policies alone.
    """

    name: str
    suite: str | None
    user: str | None
    events: tuple[Event, ...]
    guarded: bool = True


def cases(value: Json, suite: str | None = None, agent: str = "", user: str | None = None) -> tuple[Case, ...]:
    """The cases that `value`, a list, holds. They are by `agent` and for `user` unless they say otherwise."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise MalformedCases("cases are a list")
    return tuple(_case(case, suite, agent, user) for case in value)


def _case(value: Json, suite: str | None, agent: str, user: str | None) -> Case:
    if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
        raise MalformedCases("a case has a name and events")
    name, listed = str(value["name"]), value.get("events")
    odd = value.keys() - {"name", "agent", "user", "guarantees", "events"}
    if odd:
        raise MalformedCases(f"{name}: a case has no {min(odd)}")
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise MalformedCases(f"{name}: events is not a list")
    if len(listed) > EVENTS_MAX:
        raise MalformedCases(f"{name}: it has {len(listed)} events, more than {EVENTS_MAX}")
    acting_agent, acted_for = value.get("agent", agent), value.get("user", user)
    if not isinstance(acting_agent, str) or not isinstance(acted_for, str | None):
        raise MalformedCases(f"{name}: agent and user are names")
    guarded = value.get("guarantees", True)
    if not isinstance(guarded, bool):
        raise MalformedCases(f"{name}: guarantees is true or false")
    try:
        events = tuple(_event(event, number, acting_agent) for number, event in enumerate(listed, 1))
    except MalformedCases as error:
        raise MalformedCases(f"{name}: {error}") from None
    return Case(name, suite, acted_for, events, guarded)


def _event(event: Json, number: int, agent: str) -> Event:
    if not isinstance(event, Mapping):
        raise MalformedCases(f"event {number} is not an object")
    agents = event.get("as", agent)
    if not isinstance(agents, str) or not all(agents.split("/")):
        raise MalformedCases(f"event {number} says neither who acts, nor does its case")
    chain = tuple(agents.split("/"))
    if isinstance(text := event.get("user"), str):
        return CaseWords(chain, text)
    if (units := units_of(event.get("sure"))) is not None:
        return CaseConfidence(chain, units)
    if isinstance(state := event.get("given"), Mapping):
        return _state(state, number, chain)
    kinds = [word for word in _KINDS if word in event]
    if len(kinds) != 1 or not isinstance(event[kinds[0]], str) or event.get("expect") not in _VERDICTS:
        raise MalformedCases(f"event {number} is neither user nor call, args and expect")
    odd = event.keys() - _ACTION - {*kinds}
    if odd:
        raise MalformedCases(f"event {number} has an unknown {min(odd)}")
    return _action(event, number, chain, kinds[0])


def _action(event: Mapping[str, Json], number: int, chain: Chain, word: str) -> CaseAction:
    args, server, times = event.get("args"), event.get("server"), event.get("times", 1)
    args = _NO_ARGS if args is None else args
    if not isinstance(args, Mapping):
        raise MalformedCases(f"args of event {number} is not an object")
    if not isinstance(server, str | None) or (server is None and word in {"read", "prompt"}):
        raise MalformedCases(f"event {number} does not name its server")
    if isinstance(times, bool) or not isinstance(times, int) or not 0 < times <= TIMES_MAX:
        raise MalformedCases(f"times of event {number} is not from 1 to {TIMES_MAX}")
    obligations = event.get("obligations")
    expected = ExpectedVerdict(
        str(event["expect"]),
        frozenset(_texts(event.get("by"), number, "by")),
        None if obligations is None else frozenset(_texts(obligations, number, "obligations")),
    )
    back: CaseAnswer | None = None
    if event.get("back") == "anything":
        back = CaseAnswer(anything=True, result=None, error=None)
    elif "back" in event:
        raise MalformedCases(f"back of event {number} is not anything")
    elif "result" in event or event.get("error") is not None:
        error = event.get("error")
        back = CaseAnswer(anything=False, result=event.get("result"), error=None if error is None else str(error))
    with_last = event.get("with_last") is True
    return CaseAction(number, chain, _KINDS[word], server, str(event[word]), args, back, expected, with_last, times)


def _state(state: Mapping[str, Json], number: int, chain: Chain) -> CaseState:
    odd = state.keys() - _GIVEN
    if odd:
        raise MalformedCases(f"event {number}: a session is given no {min(odd)}")
    labels = _texts(state.get("labels"), number, "labels")
    if wrong := [label for label in labels if not LABEL.fullmatch(label)]:
        raise MalformedCases(f"event {number}: {wrong[0][:64]!r} is no label")
    numbers = [state.get(name) for name in ("calls", "irreversible_calls", "age_s")]
    if any(
        isinstance(number_given, bool) or not isinstance(number_given, int | None) or (number_given or 0) < 0
        for number_given in numbers
    ):
        raise MalformedCases(f"event {number}: calls, irreversible_calls and age_s are whole numbers from 0")
    calls, irreversible, age_s = cast("list[int | None]", numbers)
    past = state.get("past")
    if not isinstance(past, Mapping | None):
        raise MalformedCases(f"event {number}: past is by the name of the monitor")
    used = state.get("used")
    if not isinstance(used, bool | None):
        raise MalformedCases(f"event {number}: used is true or false")
    return CaseState(chain, frozenset(labels), calls, irreversible, age_s, past, used)


def _texts(value: Json, number: int, name: str) -> tuple[str, ...]:
    listed = () if value is None else (value,) if isinstance(value, str) else value
    if not isinstance(listed, Sequence) or not all(isinstance(text, str) for text in listed):
        raise MalformedCases(f"{name} of event {number} is no list of names")
    return tuple(map(str, listed))
