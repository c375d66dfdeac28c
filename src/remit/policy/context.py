"""The `context` of one action: what policies read, and what the record keeps of it."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple, cast

from remit.facts.budget import Draw, Measure
from remit.facts.canonical import Json
from remit.facts.confidence import UNSAID, Confidence
from remit.facts.finding import Find, labels_of
from remit.facts.impact import Impact, shown
from remit.facts.label import NONE, Labels, closed
from remit.facts.novelty import Novelty
from remit.facts.origin import Flow, Origin, OriginCounts
from remit.policy.compiled.extensions import Datetime, Decimal
from remit.policy.compiled.values import Key, Value
from remit.policy.schema import NAMESPACE

_KEPT_MAX: Final = 1_024
"""How many sets of labels, and how many chains, are kept in the form that policies read."""

_WHOLE: Final = frozenset({bool, int})
_USER: Final = f"{NAMESPACE}::User"
_SOURCE: Final = f"{NAMESPACE}::Source"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, and no offset to write


class Facts(NamedTuple):
    """Everything but `input` that a policy may look at (docs/reference/policies.md).

    `chain` are the agents, the minted one first; `input_bytes` the size of the canonical
    arguments; `age_ms` the age of the oldest session of the chain; `now_ms` since the epoch. `flow` is where
    the values came from, None where no policy asks, and so with `impact` and `novelty`; `confidence` is how sure the
    chain is said to be; `draws` what the action would take from
    budgets, where a policy looks at that; `past` what the monitors say that a policy asks; `sends` what
    detectors found in what it sends, and how often each thing, None where nothing is looked for.
    """

    user: str | None
    chain: tuple[str, ...]
    labels: Labels
    calls: int
    irreversible_calls: int
    age_ms: int
    input_bytes: int
    now_ms: int
    flow: Flow | None = None
    confidence: Confidence = UNSAID
    impact: Impact | None = None
    novelty: Novelty | None = None
    draws: tuple[Draw, ...] = ()
    past: dict[str, Value] | None = None
    sends: Mapping[Find, Mapping[str, int]] | None = None

    @property
    def sent_labels(self) -> Labels:
        """The labels of what it sends, as far as detectors tell."""
        return labels_of(self.sends) if self.sends else NONE

    def recorded(self) -> Mapping[str, Json]:
        """The plain form that records keep: names instead of entities, no input."""
        context: dict[str, Json] = {"inputSize": self.input_bytes}
        if self.user is not None:
            context["onBehalfOf"] = self.user
        context["session"] = {
            "labels": sorted(self.labels),
            "calls": self.calls,
            "irreversibleCalls": self.irreversible_calls,
            "ageSeconds": self.age_s,
            **({"confidence": _confidence_members(self.confidence)} if self.confidence else {}),
        }
        context["delegation"] = {"depth": len(self.chain) - 1, "chain": list(self.chain)}
        context["system"] = {"now": self._now()}
        if self.flow is not None:
            context |= _flow_members(self.flow)
        if self.impact is not None:
            context["impact"] = self.impact.recorded()
        if self.novelty is not None:
            context["novelty"] = dict(self.novelty.recorded())
        if self.sends:
            context["sends"] = {find.value: dict(counts) for find, counts in sorted(self.sends.items())}
        if self.draws:
            context["budget"] = _budgets_recorded(self.draws)
        if self.past:
            plainly = _WHOLE.issuperset(map(type, self.past.values()))
            context["past"] = (
                cast("dict[str, int]", self.past)
                if plainly
                else {name: _plain(value) for name, value in self.past.items()}
            )
        return context

    def cedar(self, nameable: Labels, looks: Iterable[str] | None = None) -> dict[str, Value]:
        """The Cedar context but for `input`: all of it, or those of the `ATTRIBUTES` that are looked at."""
        context: dict[str, Value] = {}
        for name in ATTRIBUTES if looks is None else looks:
            value = _PARTS[name](self, nameable)
            if value is not None:
                context[name] = value
        return context

    @property
    def age_s(self) -> int:
        """The age in whole seconds; a clock that was set back makes nothing younger than new."""
        return max(0, self.age_ms) // 1000

    def _now(self) -> str:
        second, ms = divmod(self.now_ms, 1000)
        return f"{_second(second)}.{ms:03}Z"


@lru_cache(maxsize=_KEPT_MAX)
def _args(names: frozenset[str]) -> frozenset[Key]:
    return frozenset((f"{NAMESPACE}::Arg", name) for name in names)


def _counts(counts: OriginCounts) -> dict[str, Value]:
    return {
        "count": counts.all,
        "grounded": counts.grounded,
        "derived": counts.derived,
        "trusted": counts.trusted,
        "untrusted": counts.untrusted,
        "unseen": counts.unseen,
    }


def _targets(flow: Flow) -> dict[str, Value]:
    return {**_counts(flow.targets), "established": flow.established, "strangers": flow.strangers}


_NONE: Final = OriginCounts()
NO_FLOW: Final = Flow(_NONE, _NONE, _NONE, _NONE, 0, 0, {}, intended=False, traces=())
"""Stands where nothing was computed: the schema demands the attributes, and no policy looks at them."""


def _on(attribute: Callable[[Flow], Value]) -> "Callable[[Facts, Labels], Value | None]":
    return lambda facts, _: attribute(NO_FLOW if facts.flow is None else facts.flow)


def _all_args(flow: Flow) -> Value:
    return {origin.word: _args(flow.args.get(origin, frozenset())) for origin in Origin}


def _flow_members(flow: Flow) -> dict[str, Json]:
    """The counts that are not zero, and how each scalar was judged."""
    members: dict[str, Json] = {}
    for name, counts in (
        ("targets", _targets(flow)),
        ("content", _counts(flow.content)),
        ("credentials", _counts(flow.credentials)),
        ("carried", _counts(flow.carried)),
    ):
        members[name] = {word: cast("int", number) for word, number in counts.items() if number}
    members["args"] = {origin.word: sorted(names) for origin, names in flow.args.items() if names}
    members["asked"] = flow.intended
    members["origins"] = [one.to_json() for one in flow.traces]
    return members


@lru_cache(maxsize=4)
def _second(since_epoch: int) -> str:
    return (_EPOCH + timedelta(seconds=since_epoch)).isoformat()


@lru_cache(maxsize=_KEPT_MAX)
def _labels(labels: Labels, nameable: Labels) -> frozenset[Key]:
    """The labels that policies can name.

    A session may hold a label that no tool brings any more. No policy can name it, and what it
    implies is always nameable, so leaving it out switches nothing off.
    """
    return frozenset((f"{NAMESPACE}::Label", label) for label in closed(labels) & nameable)


@lru_cache(maxsize=_KEPT_MAX)
def _agents(chain: tuple[str, ...]) -> frozenset[Key]:
    return frozenset((f"{NAMESPACE}::Agent", agent) for agent in chain)


def _session(facts: Facts, nameable: Labels) -> Value:
    session: dict[str, Value] = {
        "labels": _labels(facts.labels, nameable),
        "calls": facts.calls,
        "irreversibleCalls": facts.irreversible_calls,
        "ageSeconds": facts.age_s,
    }
    confidence = facts.confidence
    if confidence is not UNSAID and confidence:
        session["confidence"] = {"value": Decimal(confidence.units), "source": (_SOURCE, confidence.source)}
    return session


def _confidence_members(confidence: Confidence) -> Json:
    return {"value": shown(confidence.units), "source": confidence.source}


_NO_IMPACT: Final = Impact(reversible=True, external=False)
_NO_NOVELTY: Final = Novelty(tool=False, target=False)


def _plain(value: Value) -> Json:
    """What a monitor says, as a record keeps it."""
    if isinstance(value, int):
        return value
    if isinstance(value, Decimal):
        return shown(value.units)
    # Who did it last: entities.
    return {name: one[1] for name, one in cast("Mapping[str, tuple[str, str]]", value).items()}


def _impact(facts: Facts, _: Labels) -> Value:
    """Numbers that there are, and are exact: `evaluate` denies where a policy reads one that is not."""
    impact = facts.impact or _NO_IMPACT
    attributes: dict[str, Value] = {"reversible": impact.reversible, "external": impact.external}
    if impact.units is not None:
        attributes["amount"] = Decimal(impact.units)
    if impact.records is not None:
        attributes["records"] = impact.records
    if impact.recipients is not None:
        attributes["recipients"] = impact.recipients
    return attributes


def _novelty(facts: Facts, _: Labels) -> Value:
    novelty = facts.novelty or _NO_NOVELTY
    return {"tool": novelty.tool, "target": novelty.target}


def _nearest(draws: tuple[Draw, ...]) -> dict[str, Draw]:
    """Of each budget the account of which the most would be used up."""
    nearest: dict[str, Draw] = {}
    for draw in draws:
        before = nearest.get(draw.budget.name)
        if before is None or draw.percent > before.percent:
            nearest[draw.budget.name] = draw
    return nearest


def _budget(facts: Facts, _: Labels) -> Value:
    return {
        name: {
            "left": Decimal(draw.remaining) if draw.budget.measure is Measure.AMOUNT else draw.remaining,
            "percent": draw.percent,
            "soft": draw.escalates,
        }
        for name, draw in _nearest(facts.draws).items()
    }


def _budgets_recorded(draws: tuple[Draw, ...]) -> Json:
    return {
        name: {"left": draw.budget.text_of(draw.remaining), "percent": draw.percent, "soft": draw.escalates}
        for name, draw in _nearest(draws).items()
    }


_PARTS: Final[Mapping[str, Callable[[Facts, Labels], "Value | None"]]] = {
    "onBehalfOf": lambda facts, _: None if facts.user is None else (_USER, facts.user),
    "inputSize": lambda facts, _: facts.input_bytes,
    "session": _session,
    "delegation": lambda facts, _: {"depth": len(facts.chain) - 1, "chain": _agents(facts.chain)},
    "system": lambda facts, _: {"now": Datetime(facts.now_ms)},
    "targets": _on(_targets),
    "content": _on(lambda flow: _counts(flow.content)),
    "credentials": _on(lambda flow: _counts(flow.credentials)),
    "carried": _on(lambda flow: _counts(flow.carried)),
    "args": _on(_all_args),
    "asked": _on(lambda flow: flow.intended),
    "impact": _impact,
    "novelty": _novelty,
    "budget": _budget,
    "past": lambda facts, _: facts.past,
    "sends": lambda facts, nameable: None if facts.sends is None else _labels(facts.sent_labels, nameable),
}
"""How each attribute is made; nothing for one that is absent."""

ATTRIBUTES: Final = tuple(_PARTS)
"""The attributes of `context` but for `input`, which each tool types for itself."""
