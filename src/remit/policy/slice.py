"""The policies that can apply to one action, with all that is said of each.

What a policy says is put together once, when its bundle is compiled, and not for every decision that follows from it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.facts.impact import MEASURES
from remit.policy import cedar
from remit.policy.compiled.function import Judge, function_of
from remit.policy.context import ATTRIBUTES
from remit.policy.convert import Path
from remit.policy.form import ParsedPolicy, PolicyEffect, kept_json
from remit.policy.once import Once
from remit.policy.parse import Statement
from remit.policy.role import PolicyRole, role_of
from remit.policy.schema import FLOW
from remit.policy.verdict import Code, Gate, Reason

ALL_PAST: Final = "*"
"""Stands for all monitors; none is called so."""
_REASONS_MAX: Final = 1_024
"""Of how many agents a policy keeps what it says of them."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy of a bundle with all that is said of it.

    `where` is `file:line`; `text` its `@reason`, or a sentence that names it; `gate` what people lift where
    it is one; `obligation` what enforcement must do where it permits.
    """

    ident: str
    statement: Statement
    form: ParsedPolicy
    forbids: bool
    where: str
    text: str
    gate: Gate | None
    obligation: str | None
    _reasons: dict[str, Reason] = field(default_factory=dict[str, Reason], repr=False)

    @property
    def role(self) -> PolicyRole:
        """What it does with an action that it fits."""
        return role_of(self.form)

    def reason(self, agent: str) -> Reason:
        """It as the reason of a verdict about `agent`."""
        reason = self._reasons.get(agent)
        if reason is None:
            if len(self._reasons) >= _REASONS_MAX:
                self._reasons.clear()
            reason = self._reasons[agent] = Reason(Code.POLICY, self.text, self.ident, self.where, agent)
        return reason

    def barring(self, agent: str) -> Reason:
        """It as a gate that `agent` stands before."""
        return Reason(Code.GATE, self.text, self.ident, self.where, agent)


def policy_of(ident: str, statement: Statement, form: ParsedPolicy) -> Policy:
    """The policy `ident`."""
    annotations = form.annotations
    forbids = form.effect is PolicyEffect.FORBID
    does = "permits this" if not forbids else "has people asked about this" if "gate" in annotations else "forbids this"
    return Policy(
        ident,
        statement,
        form,
        forbids,
        where=f"{statement.file}:{statement.line}",
        text=annotations.get("reason") or f"policy {ident} {does}",
        gate=Gate(ident, annotations["gate"], statement.text_hash) if "gate" in annotations else None,
        obligation=annotations.get("obligation"),
    )


@dataclass(frozen=True, slots=True)
class Slice:
    """The policies that can apply to one action.

    `ordered` are they by number, in the order of their ids, as generated code and cedarpy name them;
    `generated` is their function, or why there is none; `everything` and `permits` are they, and the
    permits among them, as cedarpy takes them. `looks` are the attributes of `context` that some policy looks at,
    `input` is whether one looks at that, and `reads` the paths below it that one depends on; `flow` is whether one
    looks at where the action's values came from, or what of them is new; `impact` and `novelty` whether one looks at
    that, and `measures` which numbers of the impact one depends on; `past` are the monitors that one asks.
    """

    policies: Mapping[str, Policy]
    ordered: tuple[Policy, ...]
    generated: Once[Judge | str]
    everything: Once[cedar.PolicySet]
    permits: Once[cedar.PolicySet]
    looks: tuple[str, ...]
    input: bool
    reads: frozenset[Path]
    flow: bool
    impact: bool = False
    novelty: bool = False
    measures: frozenset[str] = frozenset()
    past: frozenset[str] = frozenset()

    def asks(self, monitor: str) -> bool:
        """Whether one of its policies looks at what `monitor` says."""
        return monitor in self.past or ALL_PAST in self.past


def slice_of(policies: Mapping[str, Policy], generated: Once[Judge | str]) -> Slice:
    """The slice of `policies`, which are in the order of their ids."""
    ordered = tuple(policies.values())
    permits = [policy for policy in ordered if not policy.forbids]
    names, whole = _attributes_read(ordered)
    return Slice(
        policies=policies,
        ordered=ordered,
        generated=generated,
        everything=Once(lambda: _policy_set(ordered)),
        permits=Once(lambda: _policy_set(permits)),
        looks=tuple(name for name in ATTRIBUTES if whole or name in names),
        input=whole or "input" in names,
        reads=frozenset[Path]().union(*(policy.form.reads for policy in ordered)),
        flow=whole or not FLOW.isdisjoint(names) or "novelty" in names,
        impact=whole or "impact" in names,
        novelty=whole or "novelty" in names,
        measures=_measures(ordered),
        past=_past(ordered),
    )


def looks_at_flow(policies: Iterable[Policy]) -> bool:
    """Whether one of `policies` looks at where an action's values came from."""
    names, whole = _attributes_read(policies)
    return whole or not FLOW.isdisjoint(names) or "novelty" in names


def _attributes_read(policies: Iterable[Policy]) -> tuple[set[str], bool]:
    """The attributes of `context` that `policies` look at, and whether one looks at all of it."""
    accesses = [access.path for policy in policies for access in policy.form.accesses if access.root == "context"]
    return {path[0] for path in accesses if path}, () in accesses


def _measures(policies: Iterable[Policy]) -> frozenset[str]:
    """The numbers of the impact that one of `policies` depends on; asking whether one is there depends on it."""
    measures: set[str] = set()
    for access in (access for policy in policies for access in policy.form.accesses if access.root == "context"):
        if access.path[:1] in {(), ("impact",)}:
            measures.update(MEASURES if len(access.path) < 2 else access.path[1:2])
    return frozenset(measures).intersection(MEASURES)


def _past(policies: Iterable[Policy]) -> frozenset[str]:
    """The monitors that one of `policies` asks; `ALL_PAST` where one looks at all that there is."""
    paths = {access.path for policy in policies for access in policy.form.accesses if access.root == "context"}
    past_paths = [path for path in paths if path[:1] in {(), ("past",)}]
    return frozenset(path[1] if len(path) > 1 else ALL_PAST for path in past_paths)


def _policy_set(policies: Iterable[Policy]) -> cedar.PolicySet:
    return cedar.policies_of("\n".join(policy.statement.text for policy in policies))


def generated_of(policies: Iterable[Policy]) -> Judge | str:
    """The function of `policies`, or why there is none."""
    try:
        forms = [kept_json(policy.statement) for policy in policies]
    except RecursionError:
        # What was read when its bundle was compiled may not be where more calls are under way.
        return "its conditions are nested too deeply to be read here"
    # That their action fits is why they are in the slice.
    return function_of(forms, scope=("principal", "resource"))
