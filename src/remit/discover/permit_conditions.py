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

    used: Usage
    brings: tuple[Carried, ...] = ()
    lost: tuple[Carried, ...] = ()

    @property
    def obligations(self) -> frozenset[str]:
        """What they oblige to, together."""
        return frozenset(one.obligation for one in self.brings if one.obligation is not None)


def carried(policy: Policy) -> Carried:
    """What `policy`, a permit, asks for."""
    clauses = () if policy.form.unconditional else clauses_of(policy.statement.text)
    return Carried(policy.ident, policy.where, clauses, policy.obligation)


def clauses_of(text: str) -> tuple[str, ...] | None:
    """The `when` and `unless` of a permit, each as it stands in `text`; None where they are not found."""
    told = TOKEN.sub(lambda token: " " if token[0].startswith("//") else token[0], text)
    # What is in strings has brackets of its own.
    bare = TOKEN.sub(lambda token: " " * len(token[0]) if token[0].startswith('"') else token[0], told)
    scope = _SCOPE.match(bare)
    end = None if scope is None else _closed(bare, scope.end() - 1)
    found: list[str] = []
    while end is not None and (start := bare.find("{", end)) >= 0:
        begun, end = end, _closed(bare, start)
        if end is not None:
            found.append(told[begun:end].strip())
    return tuple(found) or None


def _closed(bare: str, at: int) -> int | None:
    """After the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(bare)):
        depth += (bare[index] in _OPENING) - (bare[index] in _CLOSING)
        if depth == 0:
            return index + 1
    return None


def ways(by: Mapping[frozenset[str], Usage], inside: Mapping[str, Carried]) -> tuple[PermittedUsage, ...]:
    """What was done one way or another; `by` has it by the ids of the permits that let it, as far as they are named.

    `inside` are the permits that may let it today.
    """
    told: dict[frozenset[str], Usage] = {}
    untold = Usage()
    for named, used in by.items():
        known = named & inside.keys()
        if known:
            told.setdefault(frozenset(ident for ident in known if inside[ident]), Usage()).join(used)
        else:
            untold.join(used)
    if not told:
        asking = [one for one in inside.values() if one]
        if not asking or len(asking) < len(inside):
            return (PermittedUsage(untold),)
        return (_way(untold, asking),) if len(asking) == 1 else (PermittedUsage(untold, (), tuple(asking)),)
    order = sorted(told, key=lambda one: (len(one), sorted(one)))
    told[order[0]].join(untold)
    found: dict[frozenset[str], PermittedUsage] = {}
    for idents in order:
        made = _way(told[idents], (inside[ident] for ident in sorted(idents)))
        less = next((one for kept, one in found.items() if kept < idents and made.obligations <= one.obligations), None)
        if less is None:
            found[idents] = made
        else:
            less.used.join(made.used)
    return tuple(found.values())


def _way(used: Usage, permits: Iterable[Carried]) -> PermittedUsage:
    kept, lost = list[Carried](), list[Carried]()
    for one in permits:
        (lost if one.clauses is None else kept).append(one)
    return PermittedUsage(used, tuple(kept), tuple(lost))
