"""What a suggestion keeps of the permits that let an agent act: their conditions, and what they oblige to.

Laws
* What an agent did is told apart by the permits that let it, as the ledger names them and the bundle has them now.
  Where some of it needed less, that is enough for all: what a permit without conditions let through keeps none.
* Conditions are kept as they stand, but for comments and for what use itself says already.
* What cannot be kept is named (`PermittedUsage.lost`), never left out in silence.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from remit.discover.usage import Usage
from remit.policy.parse import TOKEN
from remit.policy.slice import Policy

_SCOPE: Final = re.compile(r"(?:\s*@\s*\w+(?:\s*\(\s*\))?)*\s*permit\s*\(")
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True)
class Carried:
    """What of a permit goes with what it let through. `clauses` are None where they cannot be told from its text."""

    ident: str
    where: str
    clauses: tuple[str, ...] | None = ()
    obligation: str | None = None

    def __str__(self) -> str:
        """As people look for it: `id (file:line)`."""
        return f"{self.ident} ({self.where})"

    def __bool__(self) -> bool:
        """Whether it asks for anything at all."""
        return self.clauses != () or self.obligation is not None


class PermittedUsage(NamedTuple):
    """What was done as one set of permits let it, with what they ask for. `lost` are those that cannot be kept."""

    usage: Usage
    carried: tuple[Carried, ...] = ()
    lost: tuple[Carried, ...] = ()

    @property
    def obligations(self) -> frozenset[str]:
        """What they oblige to, together."""
        return frozenset(permit.obligation for permit in self.carried if permit.obligation is not None)


def carried_by(policy: Policy) -> Carried:
    """What `policy`, a permit, asks for."""
    clauses = () if policy.form.unconditional else clauses_of(policy.statement.text)
    return Carried(policy.ident, policy.where, clauses, policy.obligation)


def clauses_of(text: str) -> tuple[str, ...] | None:
    """The `when` and `unless` of a permit, each as it stands in `text`; None where they are not found."""
    uncommented = TOKEN.sub(lambda token: " " if token[0].startswith("//") else token[0], text)
    # What is in strings has brackets of its own.
    bare = TOKEN.sub(lambda token: " " * len(token[0]) if token[0].startswith('"') else token[0], uncommented)
    scope = _SCOPE.match(bare)
    end = None if scope is None else _closed(bare, scope.end() - 1)
    clauses: list[str] = []
    while end is not None and (start := bare.find("{", end)) >= 0:
        begin, end = end, _closed(bare, start)
        if end is not None:
            clauses.append(uncommented[begin:end].strip())
    return tuple(clauses) or None


def _closed(bare: str, at: int) -> int | None:
    """After the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(bare)):
        depth += (bare[index] in _OPENING) - (bare[index] in _CLOSING)
        if depth == 0:
            return index + 1
    return None


def ways(
    usage_by_permits: Mapping[frozenset[str], Usage], permits: Mapping[str, Carried]
) -> tuple[PermittedUsage, ...]:
    """What was done one way or another.

    `usage_by_permits` has it by the ids of the permits that let it, as far as they are named; `permits` are those that
    may let it today.
    """
    attributed: dict[frozenset[str], Usage] = {}
    unattributed = Usage()
    for names, used in usage_by_permits.items():
        known_names = names & permits.keys()
        if known_names:
            attributed.setdefault(frozenset(ident for ident in known_names if permits[ident]), Usage()).join(used)
        else:
            unattributed.join(used)
    if not attributed:
        conditional = [one for one in permits.values() if one]
        if not conditional or len(conditional) < len(permits):
            return (PermittedUsage(unattributed),)
        return (
            (_permitted_usage(unattributed, conditional),)
            if len(conditional) == 1
            else (PermittedUsage(unattributed, (), tuple(conditional)),)
        )
    order = sorted(attributed, key=lambda one: (len(one), sorted(one)))
    attributed[order[0]].join(unattributed)
    usages: dict[frozenset[str], PermittedUsage] = {}
    for idents in order:
        permitted = _permitted_usage(attributed[idents], (permits[ident] for ident in sorted(idents)))
        lesser = next(
            (one for smaller, one in usages.items() if smaller < idents and permitted.obligations <= one.obligations),
            None,
        )
        if lesser is None:
            usages[idents] = permitted
        else:
            lesser.usage.join(permitted.usage)
    return tuple(usages.values())


def _permitted_usage(used: Usage, permits: Iterable[Carried]) -> PermittedUsage:
    kept, lost = list[Carried](), list[Carried]()
    for permit in permits:
        (lost if permit.clauses is None else kept).append(permit)
    return PermittedUsage(used, tuple(kept), tuple(lost))
