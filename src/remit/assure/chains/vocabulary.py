"""Which labels a policy can tell apart, and which kinds of data its author has thought of."""

from collections.abc import Iterable, Mapping
from typing import Final, cast

from remit.assure.parts import form
from remit.facts.canonical import Json
from remit.policy.form import chain_of
from remit.policy.schema import NAMESPACE
from remit.policy.slice import Policy

LABEL: Final = f"{NAMESPACE}::Label"
FAMILIES: Final = ("confidential", "untrusted")


def names(policy: Policy, family: str) -> bool:
    """Whether `policy` names a label of `family`: its author has thought of such data."""
    return any(kind == LABEL and label.partition(":")[0] == family for kind, label in policy.form.entities)


def mentioned(policy: Policy, every: Iterable[str]) -> frozenset[str]:
    """The labels that `policy` can tell apart: those that it mentions, `every` one where that is not plain to see."""
    accesses = [one.path for one in policy.form.accesses if one.root == "context"]
    if not any(path[:1] in {(), ("session",)} and path[1:2] in {(), ("labels",)} for path in accesses):
        return frozenset()
    bodies = [one["body"] for one in cast("list[Mapping[str, Json]]", form(policy.statement)["conditions"])]
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
        case {"has": {"left": left}} if (asked := chain_of(left)) is not None and asked[1][:1] != ("session",):
            # Whether something is there hangs on no label.
            return True
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
