"""Policies changed a little: for each change some case should fail, or nobody would notice it.

A mutant is a policy left out, without one of its conditions, with a wider scope, without one of the actions that it is
for, or without its gate or obligation.
Only what would be accepted at apply counts: a mutant that does not validate is none.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from remit.assure.cases import Case
from remit.assure.parts import shown, text_of
from remit.assure.trials import failures
from remit.facts.canonical import Json
from remit.policy.bundle import Bundle
from remit.policy.checks import NOTHING, CheckCache
from remit.policy.compile import compile_bundle
from remit.policy.form import json_of
from remit.policy.slice import Policy

MUTANTS_MAX: Final = 2_000
"""How many are tried of one bundle; the rest is counted as left out."""
_ALL: Final[Mapping[str, Json]] = {"op": "All"}
_WIDER: Final = {"principal": "for every agent", "action": "for every action", "resource": "for every resource"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """The policy `ident` with `change`; `text` is what stands in its place, nothing where it is left out."""

    ident: str
    where: str
    change: str
    text: str


@dataclass(frozen=True, slots=True)
class MutantResult:
    """What became of a mutant: `killer` is the case that fails with it, None where none does."""

    mutant: Mutant
    killer: str | None


def mutants(policy: Policy) -> Iterator[Mutant]:
    """The mutants of `policy`."""
    told = json_of(policy.statement)
    yield Mutant(policy.ident, policy.where, "left out", "")
    for change, changed in _changed(told):
        yield Mutant(policy.ident, policy.where, change, f"{text_of(changed).rstrip()}\n")


def _changed(told: Mapping[str, Json]) -> Iterator[tuple[str, Mapping[str, Json]]]:
    for part, said in _WIDER.items():
        if told[part] != _ALL:
            yield said, {**told, part: _ALL}
    action = cast("Mapping[str, Json]", told["action"])
    several = cast("Sequence[Mapping[str, str]]", action.get("entities", ()))
    for one in several if len(several) > 1 else ():
        rest_of: Json = [other for other in several if other != one]
        yield f'not for {one["type"]}::"{one["id"]}"', {**told, "action": {**action, "entities": rest_of}}
    conditions = cast("list[Mapping[str, Json]]", told["conditions"])
    for at, condition in enumerate(conditions):
        around = conditions[:at], conditions[at + 1 :]
        for said, body in _without(condition["body"]):
            kept = [] if body is None else [{**condition, "body": body}]
            listed = cast("Json", [*around[0], *kept, *around[1]])
            yield f"without {condition['kind']} {said}", {**told, "conditions": listed}
    annotations = cast("Mapping[str, Json]", told.get("annotations") or {})
    for name in ("gate", "obligation"):
        if name in annotations:
            rest: Json = {key: value for key, value in annotations.items() if key != name}
            yield f"without its {name}", {**told, "annotations": rest}


def _without(body: Json) -> Iterator[tuple[str, Json]]:
    """`body` without one of what it is joined from, and how that is written; None where nothing is left."""
    match body:
        case {"&&": {"left": left, "right": right}} | {"||": {"left": left, "right": right}}:
            word = next(iter(cast("Mapping[str, Json]", body)))
            for mine, others, place in ((left, right, "left"), (right, left, "right")):
                for said, rest in _without(mine):
                    other = "right" if place == "left" else "left"
                    joined: Json = {word: {place: rest, other: others}}
                    yield said, others if rest is None else joined
        case _:
            yield shown(body), None


def fates(
    bundle: Bundle, given: Sequence[Case], user: str | None = None, memory: CheckCache = NOTHING
) -> Iterator[MutantResult | None]:
    """What becomes of each mutant of each policy of `bundle`; None for one that would not be accepted.

    `given` are cases that hold on `bundle`. Nothing beyond `MUTANTS_MAX` is tried.
    """
    compiled = compile_bundle(bundle.catalog, memory=memory, shadow_every=0)
    found = (one for policy in bundle.policies.values() for one in mutants(policy))
    for number, mutant in enumerate(found):
        if number >= MUTANTS_MAX:
            return
        changed = _bundle(bundle, mutant, compiled.memory)
        if changed is None:
            yield None
            continue
        killer = next((case.name for case in given if failures(changed, case, user)), None)
        yield MutantResult(mutant, killer)


def _bundle(bundle: Bundle, mutant: Mutant, memory: CheckCache) -> Bundle | None:
    """`bundle` with the mutant in its policy's place; None where that does not compile."""
    old = bundle.policies[mutant.ident].statement
    policies = tuple(
        replace(one, text=one.text.replace(old.text, mutant.text, 1)) if one.path == old.file else one
        for one in bundle.catalog.policies
    )
    catalog = replace(bundle.catalog, policies=policies)
    made = compile_bundle(catalog, memory=memory, shadow_every=0).result
    return made if isinstance(made, Bundle) else None
