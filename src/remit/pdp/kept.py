"""What a record changes of what monitors and guarantees keep, and of what owners of guarantees let run."""

from dataclasses import dataclass
from typing import NamedTuple

from remit.facts.guarantee import SignOff
from remit.facts.mark import Mark


class PastMarked(NamedTuple):
    """`mark`, of a record of `at_ms`, changes what is kept of `scope` (`facts.mark`)."""

    scope: str
    mark: Mark
    at_ms: int


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The owner of a guarantee let run what breaks it by its scopes; the last word on it counts."""

    sign_off: SignOff
