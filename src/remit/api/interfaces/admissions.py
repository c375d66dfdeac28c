"""What the control API asks of whatever looks at changes before they run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from remit.facts.admission import Check
from remit.facts.canonical import Json


class Stage(StrEnum):
    """Where a look at a change is. Only what is `admitted` may run."""

    LOOKING = "looking"
    ADMITTED = "admitted"
    REFUSED = "refused"
    BROKEN = "broken"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class CheckOverride:
    """`by` (a User) let through what `checks` refused."""

    checks: tuple[Check, ...]
    by: str
    why: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class AdmissionLook:
    """A look at a change. `at` is the check at work; `bundle` what was looked at, `base` what ran then.

    `checks` are as `app.admission` tells them; `owner` may let through what `refused`. `why` is of one that broke off.
    """

    ident: str
    by: str
    stage: Stage
    since_ms: int
    base: str
    owner: str
    at: str | None = None
    bundle: str | None = None
    checks: tuple[Mapping[str, Json], ...] = ()
    refused: tuple[Check, ...] = ()
    overridden: tuple[CheckOverride, ...] = ()
    why: str | None = None


class AdmissionControl(Protocol):
    """Looks at changes; everything may raise `Missing`, `Conflict`."""

    async def admit(self, by: str) -> AdmissionLook:
        """Begin to look at the workspace folder as it is now."""
        ...

    def look(self, ident: str) -> AdmissionLook:
        """How far the look `ident` is, and what came of it."""
        ...

    async def abandon(self, ident: str) -> AdmissionLook:
        """End the look `ident`, if it is at work; nothing of it is left."""
        ...

    async def let_through(self, ident: str, checks: Sequence[Check], by: str, why: str) -> AdmissionLook:
        """Have `by` (a User), who answers for the terms, let through what `checks` refused."""
        ...
