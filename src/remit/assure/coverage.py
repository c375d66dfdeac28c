"""What cases touched of a bundle: policies that spoke, conditions that were seen both ways, tools that were judged.

A bundle is watched where its policies are judged, by the functions that judge them, so that what counts is what
`decide` itself asked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from remit.assure.parts import asking, atoms, scope_of, shown
from remit.facts.canonical import Json
from remit.policy.bundle import Bundle
from remit.policy.compiled.function import Judge, Outcomes, function_of
from remit.policy.compiled.shadow import Shadow
from remit.policy.compiled.values import Entities, Value
from remit.policy.form import Uid, json_of
from remit.policy.once import Once
from remit.policy.schema import OTHER_ACTIONS, action_groups
from remit.policy.slice import Policy, Slice


@dataclass(slots=True)
class ConditionCoverage:
    """How one condition of a policy was seen: `true`, `false`, both or never."""

    text: str
    true: bool = False
    false: bool = False


@dataclass(slots=True)
class CaseCoverage:
    """What was touched so far. `unseen` are policies whose conditions cannot be looked into."""

    policies: dict[str, int] = field(default_factory=dict[str, int])
    conditions: dict[str, tuple[ConditionCoverage, ...]] = field(
        default_factory=dict[str, tuple[ConditionCoverage, ...]]
    )
    tools: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    unseen: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that no case touched: a `policy`, a `condition` of one, or a `tool`; and what is missing of it."""

    kind: str
    name: str
    where: str
    text: str


def with_coverage(bundle: Bundle, coverage: CaseCoverage) -> Bundle:
    """A bundle that judges as `bundle` does, and notes in `coverage` what it is asked."""
    judges = {ident: _condition_judge(policy, coverage) for ident, policy in bundle.policies.items()}
    keys = {form.tool.exposed: key for key, form in bundle.tools.items()}
    groups = {tool.exposed: action_groups(tool) for tool in bundle.catalog.tools.values()}
    slices = {
        name: _with_coverage(bundle.slice(name, groups.get(name, ())), keys.get(name), judges, coverage)
        for name in (*groups, *OTHER_ACTIONS)
    }
    return replace(bundle, shadow=Shadow(0), _slices=slices, _destinations={})


def _condition_judge(policy: Policy, coverage: CaseCoverage) -> Judge | None:
    """The function that says whether the scope of `policy` fits, and which of its conditions are true."""
    form: Mapping[str, Json] = json_of(policy.statement)
    conditions = atoms(form)
    coverage.policies[policy.ident] = 0
    coverage.conditions[policy.ident] = tuple(ConditionCoverage(shown(condition)) for condition in conditions)
    judge = function_of([scope_of(form), *(asking(form, condition) for condition in conditions)])
    if isinstance(judge, str):
        coverage.unseen.add(policy.ident)
        return None
    return judge


def _with_coverage(
    part: Slice, key: tuple[str, str] | None, judges: Mapping[str, Judge | None], coverage: CaseCoverage
) -> Slice:
    made = part.generated()
    if isinstance(made, str):
        coverage.unseen.update(part.policies)
        return part
    judge, idents = made, [policy.ident for policy in part.ordered]

    def noting(entities: Entities, principal: Uid, action: Uid, resource: Uid, context: dict[str, Value]) -> Outcomes:
        outcomes = judge(entities, principal, action, resource, context)
        if key is not None:
            coverage.tools.add(key)
        for number in outcomes[0]:
            coverage.policies[idents[number]] += 1
        for ident in idents:
            condition_judge = judges[ident]
            if condition_judge is not None:
                _note(coverage.conditions[ident], condition_judge(entities, principal, action, resource, context))
        return outcomes

    return replace(part, generated=Once(lambda: noting))


def _note(conditions: tuple[ConditionCoverage, ...], outcomes: Outcomes) -> None:
    satisfied, failed = outcomes
    if 0 not in satisfied:
        # The scope does not fit: nobody would have looked at the conditions.
        return
    wrong = {number for number, _ in failed}
    for number, condition in enumerate(conditions, 1):
        if number in satisfied:
            condition.true = True
        elif number not in wrong:
            condition.false = True


def gaps(bundle: Bundle, coverage: CaseCoverage) -> Iterator[Gap]:
    """Everything that was not touched."""
    for ident, policy in bundle.policies.items():
        if not coverage.policies[ident]:
            yield Gap("policy", ident, policy.where, "no case makes it speak")
        if ident in coverage.unseen:
            yield Gap("policy", ident, policy.where, "its conditions cannot be looked into")
            continue
        for condition in coverage.conditions[ident]:
            if not (condition.true and condition.false):
                text = (
                    "never looked at"
                    if condition.true == condition.false
                    else "never false"
                    if condition.true
                    else "never true"
                )
                yield Gap("condition", ident, policy.where, f"{text}: {condition.text}")
    for server, name in sorted(bundle.tools.keys() - coverage.tools):
        yield Gap("tool", f"{server}/{name}", "remit.lock", "no case calls it")


def shares(bundle: Bundle, coverage: CaseCoverage) -> Mapping[str, tuple[int, int]]:
    """Of policies, conditions and tools, how many were touched, and how many there are."""
    conditions = [condition for listed in coverage.conditions.values() for condition in listed]
    return {
        "policies": (sum(count > 0 for count in coverage.policies.values()), len(bundle.policies)),
        "conditions": (sum(condition.true and condition.false for condition in conditions), len(conditions)),
        "tools": (len(coverage.tools & bundle.tools.keys()), len(bundle.tools)),
    }
