"""Where a value came from, and what an argument is for (docs/reference/origins.md)."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from remit.facts.canonical import Json


class Origin(IntEnum):
    """Where a value came from, the better ones first: the worst of several is their maximum.

    `grounded`: the user's own words, or configuration. `derived`: reached from grounded values by a rule.
    `trusted`: only in results, or parts of them, without integrity labels. `untrusted`: in others too.
    `unseen`: in none.
    """

    GROUNDED = 0
    DERIVED = 1
    TRUSTED = 2
    UNTRUSTED = 3
    UNSEEN = 4

    @property
    def word(self) -> str:
        """The name as policies and records spell it."""
        return _WORDS[self]


_WORDS: Final = tuple(origin.name.lower() for origin in Origin)


class Role(StrEnum):
    """What an argument is for.

    `target`: whom or what the action reaches. `content`: what it carries there. `credential`: what it opens
    something with. `key`: which record of a store, or what a directory is asked for.
    """

    TARGET = "target"
    CONTENT = "content"
    CREDENTIAL = "credential"
    KEY = "key"


class OriginTrace(NamedTuple):
    """One scalar of an action's input: where it stands, what it is for, and where it was first seen.

    `path` is as in `$.to[0]`. `role` is None for what counts nowhere. `part` says which telling part has the
    worst origin, where the scalar has several. `call` is the decision id of the call whose result held it, and
    `at` the path there; both are empty for the user's words, for configuration and for what was never seen.
    `established` says that a directory of the organisation holds it.
    """

    path: str
    role: Role | None
    origin: Origin
    part: str = ""
    call: str = ""
    at: str = ""
    established: bool = False

    def to_json(self) -> dict[str, Json]:
        """As a record keeps it; what is empty left out."""
        members: dict[str, Json] = {
            "arg": self.path,
            "role": self.role and self.role.value,
            "origin": _WORDS[self.origin],
        }
        more: dict[str, Json] = {"part": self.part, "call": self.call, "at": self.at, "established": self.established}
        return members | {name: value for name, value in more.items() if value}


class OriginCounts(NamedTuple):
    """How many scalars there are of each origin, in the order of `Origin`."""

    grounded: int = 0
    derived: int = 0
    trusted: int = 0
    untrusted: int = 0
    unseen: int = 0

    @property
    def all(self) -> int:
        """How many there are of any origin."""
        return sum(self)


class Flow(NamedTuple):
    """Where what an action would use came from: what policies read, and what explains it.

    `carried` are the addresses, URLs and account numbers inside content; they count among `targets` too where the
    sink is external. `established` of the targets are held by a directory of the organisation; `strangers` are
    neither held by one nor grounded, derived or trusted. `args` are the names of the arguments that hold a scalar
    of each origin. `intended`: the user's words ask for a tool of this kind. `traces` explains each scalar.
    """

    targets: OriginCounts
    content: OriginCounts
    credentials: OriginCounts
    carried: OriginCounts
    established: int
    strangers: int
    args: Mapping[Origin, frozenset[str]]
    intended: bool
    traces: tuple[OriginTrace, ...]
