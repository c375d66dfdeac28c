"""What a record changes of what monitors and guarantees keep, and of what owners of guarantees let run."""

from dataclasses import dataclass

from remit.facts.guarantee import SignOff
from remit.facts.mark import Mark


@dataclass(frozen=True, slots=True)
class PastMarked:
    """`mark` changes what is kept at `place` (`facts.mark`)."""

    place: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class SignedOff:
    """The owner of a guarantee let run what breaks it by its scopes; the last word on it counts."""

    sign_off: SignOff
