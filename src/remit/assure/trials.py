"""Cases tried on a bundle: which of them hold, and what came of those that do not.

Laws
* A call can depend only on results of earlier messages: what came back in a call's own message is taken in after it.
* Results are taken in whatever the verdict on their action was: they are what the case says happened.
* One second passes between events. A verdict is what policy says: an agent that only observes is held to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from remit.assure.cases import Case, CaseAction, CaseAnswer, CaseConfidence, CaseState, CaseWords
from remit.assure.supposition import MonitorValue, parse_value
from remit.assure.world import Chain, ProposedAction, World, called, other_action
from remit.facts.action import Action, ActionKind
from remit.facts.canonical import Json, canonical
from remit.pdp.decision import Decision
from remit.pdp.guarantees import unguarded
from remit.policy.bundle import Bundle
from remit.policy.verdict import Code, Deny, word

_EVENT_MS: Final = 1_000
_LACKING: Final = frozenset(
    {
        Code.UNKNOWN_AGENT,
        Code.UNKNOWN_USER,
        Code.UNKNOWN_SERVER,
        Code.UNKNOWN_TOOL,
        Code.UNKNOWN_METHOD,
        Code.TOOL_MISSING,
        Code.ARG_INVALID,
    }
)
"""Said of what the workspace does not have, or its tool does not take."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of a case: `mismatches` says in a sentence each what is not as expected; nothing where it holds."""

    case: Case
    mismatches: tuple[str, ...]


@dataclass(slots=True)
class _Run:
    case: Case
    world: World
    waiting: list[tuple[Chain, str, Action, CaseAnswer]] = field(
        default_factory=list[tuple[Chain, str, Action, CaseAnswer]]
    )


def tried(bundle: Bundle, given: Iterable[Case], user: str | None = None) -> tuple[TrialResult, ...]:
    """Each of the cases on `bundle`; those that name no user are for `user`."""
    return tuple(TrialResult(case, failures(bundle, case, user)) for case in given)


def failures(bundle: Bundle, case: Case, user: str | None = None) -> tuple[str, ...]:
    """What of `case` is not as expected, each in one sentence; nothing where it holds."""
    found: list[str] = []
    judging = bundle if case.guarded else unguarded(bundle)
    run = _Run(case, World(judging, user if case.user is None else case.user))
    world = run.world
    for event in case.events:
        world.now_ms += _EVENT_MS
        match event:
            case CaseWords():
                world.hear(event.chain, event.text)
            case CaseConfidence():
                held = world.session(event.chain)
                world.change(event.chain, replace(held, confidence=held.confidence.stated("agent", event.units)))
            case CaseState():
                found.extend(f"{case.name}: {text}" for text in _give(world, event))
            case CaseAction():
                found.extend(_act(run, event))
            case _:
                assert_never(event)
    return tuple(found)


def _give(world: World, given: CaseState) -> Iterable[str]:
    world.give(given.chain, given.labels)
    held = world.session(given.chain)
    age = held.started_ms if given.age_s is None else world.now_ms - given.age_s * 1_000
    calls = held.calls if given.calls is None else given.calls
    irreversible = held.irreversible_calls if given.irreversible_calls is None else given.irreversible_calls
    world.change(given.chain, replace(held, started_ms=age, calls=calls, irreversible_calls=irreversible))
    if given.precedent is not None:
        world.practise(used=given.precedent)
    if given.past is None:
        return
    supposed: list[tuple[str, MonitorValue]] = []
    for name, value in given.past.items():
        monitor = world.bundle.catalog.monitors.get(name)
        said = None if monitor is None else parse_value(monitor, value)
        if said is None:
            what = "there is no such monitor" if monitor is None else f"it cannot say {canonical(value).decode()[:64]}"
            yield f"the monitor {name[:64]}: {what}"
        else:
            supposed.append((name, said))
    world.suppose(tuple(supposed))


def _act(run: _Run, act: CaseAction) -> Iterable[str]:
    world = run.world
    doing = _doing(world.bundle, act, run.case.suite)
    shown = f"{act.number} ({act.name})"
    if Code.ARG_INVALID not in act.expected.by and (stray := _stray(world.bundle, doing)):
        yield f"{run.case.name}: event {shown} gives {stray[0][:64]}, which the schema of the tool does not name"
    for time in range(act.times):
        if not (act.with_last and time == 0):
            _take_in(run)
        ident = (
            f"{act.kind.value.partition('_')[0]} {shown if act.times == 1 else f'{act.number}.{time + 1} ({act.name})'}"
        )
        action = world.action(act.chain, doing)
        decision = world.judge(act.chain, action)
        yield from _compared(run.case.name, ident, act, decision)
        if act.answer is not None:
            run.waiting.append((act.chain, ident, action, act.answer))


def _take_in(run: _Run) -> None:
    """Take in what came back of earlier messages."""
    for chain, ident, action, back in run.waiting:
        if back.anything:
            run.world.anything(chain, action)
        else:
            run.world.answer(chain, ident, action, _result(back), failed=back.error is not None)
    run.waiting.clear()


def _doing(bundle: Bundle, act: CaseAction, suite: str | None) -> ProposedAction:
    if act.kind is ActionKind.CALL_TOOL:
        server, name = (act.server, act.name) if act.server is not None else called(bundle, act.name, suite)
        return ProposedAction(act.kind, server, name, act.args)
    made = other_action(act.kind, act.server or "", act.name)
    return replace(made, args={**made.args, **act.args})


def _stray(bundle: Bundle, doing: ProposedAction) -> list[str]:
    """Arguments that the tool's schema does not name, and says nothing of: no policy sees what they hold."""
    form = bundle.tools.get((doing.server, doing.name)) if doing.kind is ActionKind.CALL_TOOL else None
    schema: Mapping[str, Json] = {} if form is None else form.tool.definition.input_schema
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or "additionalProperties" in schema:
        return []
    return sorted(doing.args.keys() - properties.keys())


def _compared(name: str, ident: str, act: CaseAction, decision: Decision) -> Iterable[str]:
    wanted = act.expected
    verdict = decision.verdict if decision.observed is None else decision.observed
    said = frozenset(reason.policy for reason in decision.reasons if reason.policy is not None)
    codes = {reason.code: reason.text for reason in decision.reasons}
    said |= {code.value for code in codes if code is not Code.POLICY}
    lacking = next((code for code in codes if code in _LACKING and code not in wanted.by), None)
    if word(verdict) != wanted.verdict:
        why = "; ".join(reason.text for reason in decision.reasons)
        yield f"{name}: {ident} is {word(verdict)}, not {wanted.verdict} ({why})"
    elif lacking is not None:
        # What is misspelt is denied whatever policy says: the case would hold by accident.
        yield f"{name}: {ident} is {word(verdict)} since {codes[lacking]}; a case that means that says: by: {lacking}"
    elif not wanted.by <= said:
        missing = ", ".join(sorted(wanted.by - said))
        yield f"{name}: {ident} is {word(verdict)} without a word of {missing}"
    elif wanted.obligations is not None:
        owed = frozenset[str]() if isinstance(verdict, Deny) else frozenset(verdict.obligations)
        if owed != wanted.obligations:
            listed = [", ".join(sorted(one)) or "nothing" for one in (owed, wanted.obligations)]
            yield f"{name}: {ident} owes {listed[0]}, not {listed[1]}"


def _result(back: CaseAnswer) -> Json:
    """What came back in the form in which a tool server says it."""
    texts = [one for one in (back.error, back.result) if isinstance(one, str) and one]
    content: list[Json] = [{"type": "text", "text": text} for text in texts]
    whole: dict[str, Json] = {"content": content, "isError": back.error is not None}
    if not isinstance(back.result, str | None):
        whole["structuredContent"] = back.result
    return whole


def counted(found: Iterable[TrialResult]) -> Mapping[str, int]:
    """How many cases hold, and how many do not."""
    kinds = ["failed" if one.mismatches else "held" for one in found]
    return {name: kinds.count(name) for name in ("held", "failed")}
