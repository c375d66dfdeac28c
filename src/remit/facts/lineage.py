"""Where one value of an action came from, back to the call and the path where it was first seen."""

from dataclasses import dataclass
from typing import NamedTuple

from remit.facts.canonical import Json
from remit.facts.origin import Origin, Role
from remit.facts.results import steps


class LineageStep(NamedTuple):
    """A value was first seen at `at` in the result of `call` (a decision id) of `tool`, where that is known."""

    call: str
    tool: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Lineage:
    """One scalar of an action: `path` is as in `$.to[0]`.

    `origin` is None where no policy asked for it. `part` says which telling part has the worst origin, where the
    scalar has several; `steps` lead from where it was first seen to what that call itself hung on. `carries`: it holds
    an address, URL or account number, which is a target too where it leaves.
    """

    path: str
    value: Json
    origin: Origin | None = None
    role: Role | None = None
    part: str = ""
    established: bool = False
    steps: tuple[LineageStep, ...] = ()
    carries: bool = False

    @property
    def argument(self) -> str:
        """The argument that the value stands in: the first name of its path."""
        first = (steps(self.path) or (None,))[0] if self.path != "$" else None
        return first if isinstance(first, str) else self.path

    @property
    def suspect(self) -> bool:
        """Whether somebody else wrote it, or nobody, and no directory of the organisation holds it."""
        return self.origin is not None and self.origin > Origin.TRUSTED and not self.established
