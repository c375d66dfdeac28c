"""What the policies of a slice say of one request: by generated code, or by cedarpy, the reference.

Generated code is asked wherever there is any. A sample is compared with cedarpy; the first
difference ends the trust in all generated code of the bundle, and cedarpy's word counts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from remit.facts.canonical import Json
from remit.facts.label import Labels
from remit.policy import cedar
from remit.policy.bundle import Bundle
from remit.policy.compiled.function import Judge
from remit.policy.compiled.shadow import Difference
from remit.policy.compiled.values import Entities, Entity, Value, With, cedar_json
from remit.policy.context import Facts
from remit.policy.convert import Path, convert
from remit.policy.destination import Destination
from remit.policy.form import Uid
from remit.policy.past import zeros
from remit.policy.slice import Policy

_NUMBER: Final = re.compile(r"`-?\d+`")
_NUMBERED: Final = re.compile(r"error while evaluating policy `policy(\d+)`: ")


class ChainQuestion(NamedTuple):
    """An action as every link of its chain is asked about it.

    `context` holds what the slice of `destination` looks at, `inexact` are the argument paths that no policy
    of it may read. From `facts` and `arguments` comes all of the context, where somebody wants that.
    """

    destination: Destination
    context: dict[str, Value]
    inexact: tuple[Path, ...]
    facts: Facts
    arguments: Mapping[str, Json]

    def whole(self, nameable: Labels) -> dict[str, Value]:
        """The whole context, of which policies can name the labels `nameable`."""
        context = self.facts.cedar(nameable)
        if self.destination.finds:
            context.setdefault("sends", frozenset())
        if self.destination.past:
            # What no policy of the slice asks was not looked for, and is not told apart from nothing.
            context["past"] = {**zeros(self.destination.past), **(self.facts.past or {})}
        if self.destination.record is not None:
            context["input"] = convert(self.destination.record, self.arguments).input
        return context


def question_of(
    destination: Destination, facts: Facts, arguments: Mapping[str, Json], nameable: Labels
) -> ChainQuestion:
    """What every link of a chain is asked, whose policies can name the labels `nameable`.

    What no policy of the slice looks at is not made.
    """
    part = destination.slice
    context, inexact = facts.cedar(nameable, part.looks), ()
    if part.input and destination.converter is not None:
        context["input"], inexact = destination.converter(arguments)
    return ChainQuestion(destination, context, inexact, facts, arguments)


class Weighed(NamedTuple):
    """The satisfied policies, in the order of their ids, and what could not be evaluated.

    `errors` are policy ids with why; the id is empty where the whole request could not be judged.
    `permits` are told where no policy forbids, or gates alone.
    """

    forbids: Sequence[Policy]
    permits: Sequence[Policy]
    errors: Sequence[tuple[str, str]] = ()

    def __str__(self) -> str:
        parts = {
            "forbid": [policy.ident for policy in self.forbids],
            "permit": [policy.ident for policy in self.permits],
            "error": sorted(ident for ident, _ in self.errors),
        }
        return "; ".join(f"{word} {', '.join(idents)}" for word, idents in parts.items() if idents) or "nothing"


def weigh(bundle: Bundle, question: ChainQuestion, principal: Uid) -> Weighed:
    """What the policies say of `principal` doing this."""
    shadow = bundle.shadow
    judge = question.destination.slice.generated()
    if shadow.difference is not None or isinstance(judge, str):
        return by_cedar(bundle, question, principal)
    answer = by_code(bundle, question, principal, judge)
    if not shadow.due():
        return answer
    reference = by_cedar(bundle, question, principal)
    if str(answer) == str(reference):
        # The two put errors in other words, and whether one was compared is not to show in what is recorded.
        return answer
    shadow.difference = Difference(principal[1], question.destination.action[1], str(answer), str(reference))
    return reference


def by_code(bundle: Bundle, question: ChainQuestion, principal: Uid, judge: Judge) -> Weighed:
    """By the function of the slice."""
    destination = question.destination
    entities: Entities = bundle.members
    if destination.within:
        resource = Entity(destination.within | {destination.resource}, {}, {})
        entities = With(destination.resource, resource, entities)
    satisfied, failed = judge(entities, principal, destination.action, destination.resource, question.context)
    ordered = destination.slice.ordered
    forbids: list[Policy] = []
    permits: list[Policy] = []
    for number in satisfied:
        policy = ordered[number]
        (forbids if policy.forbids else permits).append(policy)
    if forbids and not _gates(forbids):
        permits.clear()
    return Weighed(forbids, permits, [(ordered[number].ident, why) for number, why in failed] if failed else ())


def by_cedar(bundle: Bundle, question: ChainQuestion, principal: Uid) -> Weighed:
    """By cedarpy, which names no permits where something forbids: they are asked alone then."""
    part = question.destination.slice
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
    # What overflowed may come from a secret argument, and errors are recorded.
    text = _NUMBER.sub("`…`", text)
    numbered = _NUMBERED.match(text)
    return ("", text) if numbered is None else (ordered[int(numbered[1])].ident, text[numbered.end() :])


def _ask(bundle: Bundle, question: ChainQuestion, principal: Uid, policies: cedar.PolicySet) -> cedar.CedarAnswer:
    entities, destination = bundle.entities, question.destination
    if destination.within:
        kind, ident = destination.resource
        parents: list[Json] = [{"type": parent[0], "id": parent[1]} for parent in sorted(destination.within)]
        entity: Json = {"uid": {"type": kind, "id": ident}, "attrs": {}, "parents": parents}
        entities = cedar.with_entity(entities, entity, bundle.schema)
    return cedar.ask(
        {
            "principal": {"type": principal[0], "id": principal[1]},
            "action": {"type": destination.action[0], "id": destination.action[1]},
            "resource": {"type": destination.resource[0], "id": destination.resource[1]},
            "context": cedar_json(question.whole(bundle.labels)),
        },
        policies,
        entities,
        bundle.schema,
    )
