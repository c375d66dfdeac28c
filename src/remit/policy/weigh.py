"""What the policies of a slice say of one request: by generated code, or by cedarpy, the reference.

Generated code is asked wherever there is any. A sample is compared with cedarpy; the first
difference ends the trust in all generated code of the bundle, and cedarpy's word counts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import Json
from remit.policy import cedar
from remit.policy.bundle import Bundle, Policy, Slice
from remit.policy.compiled.function import Judge
from remit.policy.compiled.shadow import Difference
from remit.policy.compiled.values import Entities, Entity, Value, With, cedar_json
from remit.policy.convert import Path
from remit.policy.form import Effect, Uid

_FORBID: Final = Effect.FORBID
_NUMBERED: Final = re.compile(r"error while evaluating policy `policy(\d+)`: ")


@dataclass(frozen=True, slots=True)
class Question:
    """An action as every link of its chain is asked about it.

    `shown` is how people name the action; `inexact` are the argument paths that no policy of the
    slice may read; `within` what a resource that the catalog does not hold is in.
    """

    shown: str
    action: Uid
    resource: Uid
    context: dict[str, Value]
    inexact: tuple[Path, ...]
    slice: Slice
    within: frozenset[Uid] = frozenset()


@dataclass(frozen=True, slots=True)
class Weighed:
    """The satisfied policies, in the order of their ids, and what could not be evaluated.

    `errors` are policy ids with why; the id is empty where the whole request could not be judged.
    `permits` are told where no policy forbids, or gates alone.
    """

    forbids: tuple[Policy, ...]
    permits: tuple[Policy, ...]
    errors: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        parts = {
            "forbid": [policy.ident for policy in self.forbids],
            "permit": [policy.ident for policy in self.permits],
            "error": sorted(ident for ident, _ in self.errors),
        }
        return "; ".join(f"{word} {', '.join(idents)}" for word, idents in parts.items() if idents) or "nothing"


def weigh(bundle: Bundle, question: Question, principal: Uid) -> Weighed:
    """What the policies say of `principal` doing this."""
    shadow = bundle.shadow
    judge = question.slice.generated()
    if shadow.difference is not None or isinstance(judge, str):
        return by_cedar(bundle, question, principal)
    found = by_code(bundle, question, principal, judge)
    if not shadow.due():
        return found
    reference = by_cedar(bundle, question, principal)
    if str(found) != str(reference):
        shadow.difference = Difference(principal[1], question.action[1], str(found), str(reference))
    return reference


def by_code(bundle: Bundle, question: Question, principal: Uid, judge: Judge) -> Weighed:
    """By the function of the slice."""
    entities: Entities = bundle.members
    if question.within:
        resource = Entity(question.within | {question.resource}, {}, {})
        entities = With(question.resource, resource, entities)
    satisfied, failed = judge(entities, principal, question.action, question.resource, question.context)
    ordered = question.slice.ordered
    forbids: list[Policy] = []
    permits: list[Policy] = []
    for number in satisfied:
        policy = ordered[number]
        (forbids if policy.form.effect is _FORBID else permits).append(policy)
    if forbids and not _gates(forbids):
        permits.clear()
    errors = tuple([(ordered[number].ident, why) for number, why in failed])
    return Weighed(tuple(forbids), tuple(permits), errors)


def by_cedar(bundle: Bundle, question: Question, principal: Uid) -> Weighed:
    """By cedarpy, which names no permits where something forbids: they are asked alone then."""
    part = question.slice
    answer = _ask(bundle, question, principal, part.everything())
    errors = tuple(_error(part.ordered, text) for text in answer.errors)
    if answer.outcome is cedar.Outcome.NO_DECISION:
        return Weighed((), (), errors or (("", "the request does not fit the schema"),))
    determining = tuple(part.policies[ident] for ident in answer.ids)
    if answer.outcome is cedar.Outcome.ALLOW:
        return Weighed((), determining, errors)
    if not determining or not _gates(determining):
        return Weighed(determining, (), errors)
    behind = _ask(bundle, question, principal, part.permits())
    return Weighed(determining, tuple(part.policies[ident] for ident in behind.ids), errors)


def _gates(forbids: Sequence[Policy]) -> bool:
    return all(policy.gate is not None for policy in forbids)


def _error(ordered: tuple[Policy, ...], text: str) -> tuple[str, str]:
    numbered = _NUMBERED.match(text)
    return ("", text) if numbered is None else (ordered[int(numbered[1])].ident, text[numbered.end() :])


def _ask(bundle: Bundle, question: Question, principal: Uid, policies: cedar.PolicySet) -> cedar.Answer:
    entities = bundle.entities
    if question.within:
        kind, ident = question.resource
        parents: list[Json] = [{"type": parent[0], "id": parent[1]} for parent in sorted(question.within)]
        added: Json = {"uid": {"type": kind, "id": ident}, "attrs": {}, "parents": parents}
        entities = cedar.with_entity(entities, added, bundle.schema)
    return cedar.ask(
        {
            "principal": {"type": principal[0], "id": principal[1]},
            "action": {"type": question.action[0], "id": question.action[1]},
            "resource": {"type": question.resource[0], "id": question.resource[1]},
            "context": cedar_json(question.context),
        },
        policies,
        entities,
        bundle.schema,
    )
