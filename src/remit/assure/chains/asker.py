"""The policies themselves, asked what they say of a call in every set of labels.

Laws
* Truth comes from the code by which the service judges (`policy.compiled`), or from nothing: a call whose policies have
  none is told as not searched.
* A policy is asked once for each set of the labels that it mentions, and once for all calls that look the same to it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias, cast

from remit.assure.chains.literals import literals
from remit.assure.chains.question import Moment, question_about, reached_of
from remit.assure.chains.space import Space, subsets
from remit.assure.chains.vocabulary import FAMILIES, mentioned, names
from remit.assure.parts import form, unscoped
from remit.assure.supposition import ComparedValues, Supposition, suppositions
from remit.assure.world import ProposedAction
from remit.facts.label import closed
from remit.facts.obligation import problem
from remit.policy.bundle import Bundle
from remit.policy.compiled.function import Judge, function_of
from remit.policy.compiled.values import Entities, Entity, With
from remit.policy.context import ATTRIBUTES
from remit.policy.convert import Path
from remit.policy.destination import Destination
from remit.policy.slice import Policy
from remit.policy.uids import agent_uid, group_uids
from remit.policy.weigh import ChainQuestion


@dataclass(frozen=True, slots=True)
class VerdictStates:
    """In which states a call is permitted, escalated, and cannot be judged.

    `by_family` is by family of labels where some permit holds for its label alone.
    """

    permit: int
    escalate: int
    errors: int = 0
    by_family: Mapping[str, int] = field(default_factory=dict[str, int])


NEVER: Final = VerdictStates(0, 0)
_PAST: Final = ((), ("past",))
"""Where numbers stand that what monitors say may be compared with."""


Truth: TypeAlias = tuple[int, int]
"""The states in which the conditions of a policy are true, and those in which they cannot be evaluated."""


class _Sum(NamedTuple):
    """What some policies say together of one agent: the states of permits, forbids, gates and errors."""

    permits: int
    hard: int
    gates: int
    errors: int
    named: tuple[int, int]


_ZERO: Final = _Sum(0, 0, 0, 0, (0, 0))


class _Part(NamedTuple):
    """A policy, and what its conditions look at: labels, paths of the input, attributes of the context, the scope.

    One that is `plain` looks at the session alone, so that it says the same of every call.
    """

    policy: Policy
    judge: Judge
    mask: int
    reads: tuple[Path, ...]
    looks: tuple[str, ...]
    scoped: bool
    plain: bool
    names: tuple[bool, bool]


@dataclass(slots=True)
class Asker:
    """Asks the policies of `bundle` about states of `space`. `queries` counts; `failures` are policies that failed."""

    bundle: Bundle
    space: Space
    queries: int = 0
    failures: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    unjudged: set[str] = field(default_factory=set[str])
    narrowed: set[str] = field(default_factory=set[str])
    """Actions whose monitors can come out in more ways than were tried."""
    _pasts: dict[tuple[object, ...], tuple[Supposition, ...]] = field(
        default_factory=dict[tuple[object, ...], "tuple[Supposition, ...]"]
    )
    _parts: dict[str, _Part | None] = field(default_factory=dict[str, "_Part | None"])
    _truths: dict[tuple[object, ...], Truth] = field(default_factory=dict[tuple[object, ...], Truth])
    _why: dict[tuple[object, ...], str] = field(default_factory=dict[tuple[object, ...], str])
    _whole: dict[int, bool] = field(default_factory=dict[int, bool])
    _questions: dict[tuple[object, ...], ChainQuestion | None] = field(
        default_factory=dict[tuple[object, ...], "ChainQuestion | None"]
    )
    _sums: dict[tuple[object, ...], _Sum] = field(default_factory=dict[tuple[object, ...], _Sum])
    _fits: dict[tuple[object, ...], tuple[_Part, ...]] = field(
        default_factory=dict[tuple[object, ...], tuple[_Part, ...]]
    )
    _said: dict[tuple[object, ...], VerdictStates] = field(default_factory=dict[tuple[object, ...], VerdictStates])

    def said(self, agents: tuple[str, ...], user: str | None, doing: ProposedAction, moment: Moment) -> VerdictStates:
        """What policy says of the chain of `agents` doing this: the strictest link's word."""
        key = agents, user, id(doing), moment
        states = self._said.get(key)
        if states is None:
            states = self._said[key] = self._asked(agents, user, doing, moment)
        return states

    def pasts(self, user: str | None, doing: ProposedAction) -> tuple[Supposition, ...]:
        """What the monitors that policies on `doing` ask can say, as far as policies tell it apart."""
        destination = reached_of(self.bundle, doing)
        if not destination.queries:
            return ((),)
        names = tuple(monitor.name for monitor in destination.queries)
        key = id(destination.slice), names, user
        pasts = self._pasts.get(key)
        if pasts is None:
            literals_read = literals(form(policy.statement) for policy in destination.slice.ordered)
            numbers = {
                path[1] if path else "": numbers_there
                for path, numbers_there in literals_read.numbers.items()
                if path[:1] in _PAST
            }
            monitors = [self.bundle.catalog.monitors[name] for name in names]
            agents = sorted(self.bundle.catalog.agents)
            pasts, whole = suppositions(monitors, ComparedValues(numbers, literals_read.decimals), agents, user)
            self._pasts[key] = pasts
            if not whole:
                self.narrowed.add(destination.action[1])
        return pasts

    def habits(self, doing: ProposedAction) -> tuple[bool, ...]:
        """Whether the agent did the like of `doing` before, as far as policies tell it apart."""
        return (False, True) if reached_of(self.bundle, doing).slice.novelty else (False,)

    def _asked(self, agents: tuple[str, ...], user: str | None, doing: ProposedAction, moment: Moment) -> VerdictStates:
        destination = reached_of(self.bundle, doing)
        part = destination.slice
        # Policies that look at neither are told the same, whoever it is that acts.
        key = agents if part.flow or "delegation" in part.looks else None, user, id(doing), moment
        if key not in self._questions:
            self._questions[key] = question_about(self.bundle, agents, user, doing, moment, destination)
        question = self._questions[key]
        if question is None or not self._judged(destination):
            return NEVER
        states = [self._of_agent(agent, question, destination, moment) for agent in dict.fromkeys(agents)]
        if len(states) == 1:
            return states[0]
        permit = either = self.space.all
        errors, named = 0, dict[str, int]()
        for link_states in states:
            permit &= link_states.permit
            either &= link_states.permit | link_states.escalate
            errors |= link_states.errors
        for family in FAMILIES:
            named[family] = self.space.all
            for link_states in states:
                named[family] &= link_states.by_family.get(family, 0)
        return VerdictStates(permit, either & ~permit, errors, named)

    def _judged(self, destination: Destination) -> bool:
        key = id(destination.slice)
        judgeable = self._whole.get(key)
        if judgeable is None:
            judgeable = self._whole[key] = all(self._part(policy) is not None for policy in destination.slice.ordered)
        if not judgeable:
            self.unjudged.add(destination.action[1])
        return judgeable

    def _of_agent(self, agent: str, question: ChainQuestion, destination: Destination, moment: Moment) -> VerdictStates:
        """What policy says of `agent` as one link."""
        part, resource = destination.slice, destination.resource
        key = id(part), agent, resource, "input" in question.context, moment
        total = self._sums.get(key)
        if total is None:
            plain = self._fitting(agent, destination, plain=True)
            total = self._sums[key] = self._sum(_ZERO, plain, agent, question, destination)
        combined = self._sum(total, self._fitting(agent, destination, plain=False), agent, question, destination)
        allowed = combined.permits & ~combined.hard & ~combined.errors
        named: dict[str, int] = dict(zip(FAMILIES, combined.named, strict=True))
        return VerdictStates(allowed & ~combined.gates, allowed & combined.gates, combined.errors, named)

    def _fitting(self, agent: str, destination: Destination, *, plain: bool) -> tuple[_Part, ...]:
        """The policies of a slice whose scope fits, those that look at the session alone or the others."""
        key = id(destination.slice), agent, destination.resource, plain
        parts = self._fits.get(key)
        if parts is None:
            principal = agent_uid(agent)
            groups = group_uids(self.bundle.catalog.agents[agent])
            parts = self._fits[key] = tuple(
                part
                for policy in destination.slice.ordered
                if (part := self._part(policy)) is not None
                and part.plain is plain
                and policy.form.principal.matches(principal, groups)
                and policy.form.resource.matches(destination.resource, destination.within)
            )
        return parts

    def _sum(
        self, before: _Sum, parts: Iterable[_Part], agent: str, question: ChainQuestion, destination: Destination
    ) -> _Sum:
        permits, hard, gates, errors, (confidential, untrusted) = before
        for part in parts:
            policy, key = part.policy, self._key(part, question, destination, agent)
            truth = self._truths.get(key)
            if truth is None:
                truth = self._truths[key] = self._truth(part, question, destination, agent, key)
            true, wrong = truth
            if wrong:
                errors |= wrong
                self.failures.setdefault((policy.ident, destination.action[1]), self._why[key])
            if policy.forbids:
                if policy.gate is None:
                    hard |= true
                else:
                    gates |= true
                continue
            permits |= true
            if policy.obligation and problem(policy.obligation) is not None:
                # INVARIANT(deny-on-error): what nothing can enforce is not permitted.
                hard |= true
            if part.names[0]:
                confidential |= self._meant(true, FAMILIES[0])
            if part.names[1]:
                untrusted |= self._meant(true, FAMILIES[1])
        return _Sum(permits, hard, gates, errors, (confidential, untrusted))

    def _meant(self, true: int, family: str) -> int:
        """Where a permit that is `true` somewhere is so for a label of `family` alone: its author means such data."""
        space = self.space
        bits = [bit for label, bit in space.number.items() if label.partition(":")[0] == family]
        without = true
        for bit in bits:
            without &= ~space.held[bit]
        for bit in bits:
            without |= (without & ~space.held[bit]) << (1 << bit)
        return true & ~without

    def _part(self, policy: Policy) -> _Part | None:
        if policy.ident in self._parts:
            return self._parts[policy.ident]
        policy_form = form(policy.statement)
        judge = function_of([unscoped(policy_form)])
        part: _Part | None = None
        if not isinstance(judge, str):
            roots = {access.root for access in policy.form.accesses}
            paths = {access.path for access in policy.form.accesses if access.root == "context"}
            looks = tuple(sorted({path[0] for path in paths if path} - {"input"})) if () not in paths else ATTRIBUTES
            reads = tuple(sorted(policy.form.reads))
            mask = self.space.mask(mentioned(policy, self.bundle.labels))
            scoped = bool(roots - {"context"})
            plain = not scoped and not reads and set(looks) <= {"session"}
            named_families = names(policy, FAMILIES[0]), names(policy, FAMILIES[1])
            part = _Part(policy, judge, mask, reads, looks, scoped, plain, named_families)
        self._parts[policy.ident] = part
        return part

    def _key(self, part: _Part, question: ChainQuestion, destination: Destination, agent: str) -> tuple[object, ...]:
        """What the truth of a policy's conditions can hang on, but for labels."""
        context, facts = question.context, question.facts
        key: list[object] = [part.policy.ident, "input" in context]
        if part.scoped:
            key += [agent, destination.action, destination.resource]
        for name in part.looks:
            if name == "session":
                key += [facts.calls, facts.irreversible_calls, facts.age_ms]
            else:
                key.append(repr(context.get(name)))
        for path in part.reads:
            key.append(repr(_at(context.get("input"), path)))
        return tuple(key)

    def _truth(
        self, part: _Part, question: ChainQuestion, destination: Destination, agent: str, key: tuple[object, ...]
    ) -> Truth:
        space, mask = self.space, part.mask
        entities: Entities = self.bundle.members
        if destination.within:
            entities = With(destination.resource, Entity(destination.within | {destination.resource}, {}, {}), entities)
        principal, true, wrong = agent_uid(agent), 0, 0
        for value in subsets(mask):
            state = space.close(value)
            if state & mask != value:
                # No session holds a label without those that it implies.
                continue
            self.queries += 1
            context = dict(question.context)
            if "session" in context:
                facts = question.facts._replace(labels=closed(space.labels_of(state)))
                context.update(facts.cedar(self.bundle.labels, ("session",)))
            satisfied, failed = part.judge(entities, principal, destination.action, destination.resource, context)
            if satisfied:
                true |= space.cube(mask, value)
            if failed:
                wrong |= space.cube(mask, value)
                self._why.setdefault(key, failed[0][1])
        return true, wrong


def _at(value: object, path: Path) -> object:
    for name in path:
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, object]", value).get(name)
    return value
