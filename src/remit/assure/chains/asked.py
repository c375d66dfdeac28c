"""The policies themselves, asked what they say of a call in every set of labels.

Laws
* Truth comes from the functions by which the service judges (`policy.compiled`), or from nothing: a call whose policies
  have none is told as not searched.
* A policy is asked once for each set of the labels that it mentions; of the others it cannot tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from remit.assure.chains.space import Space, subsets
from remit.assure.world import START_MS, Doing
from remit.facts.action import Action, ActionKind
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.label import closed
from remit.facts.novelty import Used
from remit.pdp.flow import flow_of
from remit.pdp.measure import impact, novelty
from remit.pdp.reached import reached_other
from remit.pdp.snapshot import Pin, Snapshot
from remit.policy.bundle import Bundle
from remit.policy.compiled.values import Entities, Entity, With
from remit.policy.context import Facts
from remit.policy.convert import overlaps
from remit.policy.form import chain_of, json_of
from remit.policy.reached import Reached
from remit.policy.schema import NAMESPACE
from remit.policy.slice import Policy, Slice
from remit.policy.uids import agent_uid
from remit.policy.weigh import Question, question_of

LABEL: Final = f"{NAMESPACE}::Label"
ASKED_TOGETHER: Final = 4
"""Policies that mention so many labels between them are asked together."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a session is like but for its labels: counters, age and the time."""

    calls: int = 0
    irreversible_calls: int = 0
    age_s: int = 0
    now_ms: int = START_MS


@dataclass(frozen=True, slots=True)
class Said:
    """In which states a call is permitted, escalated, and cannot be judged.

    `named` is by family of labels where some permit names it.
    """

    permit: int
    escalate: int
    errors: int = 0
    named: Mapping[str, int] = field(default_factory=dict[str, int])


NEVER: Final = Said(0, 0)


@dataclass(slots=True)
class Asker:
    """Asks the policies of `bundle` about states of `space`. `asked` counts; `wrong` are policies that failed."""

    bundle: Bundle
    space: Space
    asked: int = 0
    wrong: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    unjudged: set[str] = field(default_factory=set[str])
    _masks: dict[str, int] = field(default_factory=dict[str, int])

    def said(self, agents: tuple[str, ...], user: str | None, doing: Doing, moment: Moment) -> Said:
        """What policy says of the chain of `agents` doing this: the strictest link's word."""
        question, reached = self._question(agents, user, doing, moment)
        if question is None:
            return NEVER
        judged = [self._judged(agent, question, reached) for agent in dict.fromkeys(agents)]
        permit = escalate = self.space.all
        errors, named = 0, dict[str, int]()
        for one in judged:
            permit &= one.permit
            escalate &= one.permit | one.escalate
            errors |= one.errors
        for family in ("confidential", "untrusted"):
            named[family] = self.space.all
            for one in judged:
                named[family] &= one.named.get(family, 0)
        return Said(permit, escalate & ~permit, errors, named)

    def mask(self, policy: Policy) -> int:
        """The labels that `policy` can tell apart."""
        found = self._masks.get(policy.ident)
        if found is None:
            found = self._masks[policy.ident] = self.space.mask(mentioned(policy, self.bundle.labels))
        return found

    def _question(
        self, agents: tuple[str, ...], user: str | None, doing: Doing, moment: Moment
    ) -> tuple[Question | None, Reached]:
        links = tuple(Link(agent, f"s{at}") for at, agent in enumerate(agents))
        authority = Authority(links, user, "", moment.now_ms + 1)
        action = Action(doing.kind, doing.server, doing.name, canonical(doing.args), doing.args, authority)
        reached = reached_of(self.bundle, action)
        part = reached.slice
        snapshot = Snapshot(self.bundle, (), Pin.MATCHES, used=Used())
        flow = flow_of(snapshot, action, reached) if part.flow else None
        facts = Facts(
            user,
            agents,
            frozenset(),
            moment.calls,
            moment.irreversible_calls,
            moment.age_s * 1_000,
            action.size,
            moment.now_ms,
            flow,
        )
        if part.impact:
            facts = facts._replace(impact=impact(reached, action.input))
            if facts.impact is not None and not facts.impact.lost.isdisjoint(part.measures):
                return None, reached
        if part.novelty and flow is not None:
            facts = facts._replace(novelty=novelty(snapshot, action, reached, flow))
        question = question_of(reached, facts, action.input, self.bundle.labels)
        if question.inexact and overlaps(part.reads, question.inexact) is not None:
            return None, reached
        return question, reached

    def _judged(self, agent: str, question: Question, reached: Reached) -> Said:
        part, space = reached.slice, self.space
        judge = part.generated()
        if isinstance(judge, str):
            self.unjudged.add(reached.action[1])
            return NEVER
        true, wrong = [0] * len(part.ordered), 0
        entities: Entities = self.bundle.members
        if reached.within:
            entities = With(reached.resource, Entity(reached.within | {reached.resource}, {}, {}), entities)
        principal = agent_uid(agent)
        for mask, numbers in _together([self.mask(one) for one in part.ordered]):
            for value in subsets(mask):
                state = space.close(value)
                if state & mask != value:
                    # No session holds a label without those that it implies.
                    continue
                self.asked += 1
                context = dict(question.context)
                if "session" in context:
                    facts = question.facts._replace(labels=closed(space.labels_of(state)))
                    context.update(facts.cedar(self.bundle.labels, ("session",)))
                satisfied, failed = judge(entities, principal, reached.action, reached.resource, context)
                cube = -1
                for number in satisfied:
                    if number in numbers:
                        cube = space.cube(mask, value) if cube < 0 else cube
                        true[number] |= cube
                for number, why in failed:
                    if number in numbers:
                        self.wrong.setdefault((part.ordered[number].ident, reached.action[1]), why)
                        wrong |= space.cube(mask, value)
        return self._ruled(part, true, wrong)

    def _ruled(self, part: Slice, true: Iterable[int], wrong: int) -> Said:
        permits = hard = gates = 0
        named: dict[str, int] = dict.fromkeys(("confidential", "untrusted"), 0)
        for policy, states in zip(part.ordered, true, strict=True):
            if policy.forbids:
                if policy.gate is None:
                    hard |= states
                else:
                    gates |= states
                continue
            permits |= states
            if policy.obligation and policy.obligation.partition(":")[0] not in self.bundle.enforceable:
                # INVARIANT(deny-on-error): what nothing can enforce is not permitted.
                hard |= states
            for family in named:
                if names(policy, family):
                    named[family] |= states
        allowed = permits & ~hard & ~wrong
        return Said(allowed & ~gates, allowed & gates, wrong, named)


def names(policy: Policy, family: str) -> bool:
    """Whether `policy` names a label of `family`: its author has thought of such data."""
    return any(kind == LABEL and label.partition(":")[0] == family for kind, label in policy.form.entities)


def mentioned(policy: Policy, every: Iterable[str]) -> frozenset[str]:
    """The labels that `policy` can tell apart: those that it mentions, `every` one where that is not plain to see."""
    accesses = [one.path for one in policy.form.accesses if one.root == "context"]
    if not any(path[:1] in {(), ("session",)} and path[1:2] in {(), ("labels",)} for path in accesses):
        return frozenset()
    bodies = [one["body"] for one in cast("list[Mapping[str, Json]]", json_of(policy.statement)["conditions"])]
    if not all(_plain(body) for body in bodies):
        return frozenset(every)
    return frozenset(label for kind, label in policy.form.entities if kind == LABEL)


def _plain(node: Json) -> bool:
    """Whether labels are looked at only by asking for ones that are written there."""
    match node:
        case {"contains": {"left": left, "right": {"Value": {"__entity": _}}}} if _labels(left):
            return True
        case {"containsAll": {"left": left, "right": {"Set": list(parts)}}} | {
            "containsAny": {"left": left, "right": {"Set": list(parts)}}
        } if _labels(left):
            return all(isinstance(part, Mapping) and "Value" in part for part in parts)
        case _:
            pass
    chain = chain_of(node)
    if chain is not None:
        return not (chain[0] == "context" and (chain[1] in {(), ("session",)} or chain[1][:2] == ("session", "labels")))
    match node:
        case Mapping():
            return all(_plain(part) for name, part in node.items() if name not in {"attr", "pattern"})
        case list():
            return all(_plain(part) for part in node)
        case _:
            return True


def _labels(node: Json) -> bool:
    return chain_of(node) == ("context", ("session", "labels"))


def _together(masks: list[int]) -> list[tuple[int, frozenset[int]]]:
    """The numbers of policies that are asked together, with the labels that they mention between them."""
    groups: list[tuple[int, set[int]]] = []
    for number in sorted(range(len(masks)), key=lambda at: -masks[at].bit_count()):
        mine = masks[number]
        for at, (mask, numbers) in enumerate(groups):
            both = mask | mine
            if both == mask or both.bit_count() <= ASKED_TOGETHER:
                groups[at] = both, numbers
                numbers.add(number)
                break
        else:
            groups.append((mine, {number}))
    return [(mask, frozenset(numbers)) for mask, numbers in groups]


def reached_of(bundle: Bundle, action: Action) -> Reached:
    """What `action`, which the workspace knows, reaches."""
    if action.kind is ActionKind.CALL_TOOL:
        return bundle.reached(bundle.tools[action.server, action.name])
    return reached_other(bundle, action)
