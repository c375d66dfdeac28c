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
class Touched:
    """What was touched so far. `unseen` are policies whose conditions cannot be looked into."""

    spoke: dict[str, int] = field(default_factory=dict[str, int])
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


def watched(bundle: Bundle, touched: Touched) -> Bundle:
    """A bundle that judges as `bundle` does, and notes in `touched` what it is asked."""
    asked = {ident: _asked(policy, touched) for ident, policy in bundle.policies.items()}
    keys = {form.tool.exposed: key for key, form in bundle.tools.items()}
    groups = {tool.exposed: action_groups(tool) for tool in bundle.catalog.tools.values()}
    slices = {
        name: _watched(bundle.slice(name, groups.get(name, ())), keys.get(name), asked, touched)
        for name in (*groups, *OTHER_ACTIONS)
    }
    return replace(bundle, shadow=Shadow(0), _slices=slices, _destinations={})


def _asked(policy: Policy, touched: Touched) -> Judge | None:
    """The function that says whether the scope of `policy` fits, and which of its conditions are true."""
    told: Mapping[str, Json] = json_of(policy.statement)
    found = atoms(told)
    touched.spoke[policy.ident] = 0
    touched.conditions[policy.ident] = tuple(ConditionCoverage(shown(one)) for one in found)
    made = function_of([scope_of(told), *(asking(told, one) for one in found)])
    if isinstance(made, str):
        touched.unseen.add(policy.ident)
        return None
    return made


def _watched(part: Slice, key: tuple[str, str] | None, asked: Mapping[str, Judge | None], touched: Touched) -> Slice:
    made = part.generated()
    if isinstance(made, str):
        touched.unseen.update(part.policies)
        return part
    judge, idents = made, [policy.ident for policy in part.ordered]

    def noting(entities: Entities, principal: Uid, action: Uid, resource: Uid, context: dict[str, Value]) -> Outcomes:
        found = judge(entities, principal, action, resource, context)
        if key is not None:
            touched.tools.add(key)
        for number in found[0]:
            touched.spoke[idents[number]] += 1
        for ident in idents:
            looking = asked[ident]
            if looking is not None:
                _note(touched.conditions[ident], looking(entities, principal, action, resource, context))
        return found

    return replace(part, generated=Once(lambda: noting))


def _note(seen: tuple[ConditionCoverage, ...], found: Outcomes) -> None:
    satisfied, failed = found
    if 0 not in satisfied:
        # The scope does not fit: nobody would have looked at the conditions.
        return
    wrong = {number for number, _ in failed}
    for number, one in enumerate(seen, 1):
        if number in satisfied:
            one.true = True
        elif number not in wrong:
            one.false = True


def gaps(bundle: Bundle, touched: Touched) -> Iterator[Gap]:
    """Everything that was not touched."""
    for ident, policy in bundle.policies.items():
        if not touched.spoke[ident]:
            yield Gap("policy", ident, policy.where, "no case makes it speak")
        if ident in touched.unseen:
            yield Gap("policy", ident, policy.where, "its conditions cannot be looked into")
            continue
        for seen in touched.conditions[ident]:
            if not (seen.true and seen.false):
                text = "never looked at" if seen.true == seen.false else "never false" if seen.true else "never true"
                yield Gap("condition", ident, policy.where, f"{text}: {seen.text}")
    for server, name in sorted(bundle.tools.keys() - touched.tools):
        yield Gap("tool", f"{server}/{name}", "remit.lock", "no case calls it")


def shares(bundle: Bundle, touched: Touched) -> Mapping[str, tuple[int, int]]:
    """Of policies, conditions and tools, how many were touched, and how many there are."""
    seen = [one for listed in touched.conditions.values() for one in listed]
    return {
        "policies": (sum(count > 0 for count in touched.spoke.values()), len(bundle.policies)),
        "conditions": (sum(one.true and one.false for one in seen), len(seen)),
        "tools": (len(touched.tools & bundle.tools.keys()), len(bundle.tools)),
    }
