"""Who acts, for whom, and through whom: agents, users, and the authority an action came with."""

from dataclasses import dataclass, field
from enum import StrEnum


class Harness(StrEnum):
    """Whether the program around the model may state the user's words (docs/how-to/tell-remit-the-users-words.md)."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Mode(StrEnum):
    """`observe` overrides policy verdicts only; nothing automatic moves an agent towards it."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


@dataclass(frozen=True, slots=True)
class Agent:
    """A program that chooses actions. `groups` are flattened: every group reachable upward."""

    name: str
    owner: str
    purpose: str
    groups: frozenset[str] = frozenset()
    harness: Harness = Harness.UNTRUSTED
    mode: Mode = Mode.ENFORCE


@dataclass(frozen=True, slots=True)
class User:
    """A human for whom an agent acts, or who decides a gate. `groups` are flattened.

    `person` is who that is, where one human has several names: he counts once, and is the requester under all.
    """

    name: str
    groups: frozenset[str] = frozenset()
    person: str | None = None

    @property
    def who(self) -> str:
        """The human behind the name."""
        return self.name if self.person is None else self.person


@dataclass(frozen=True, slots=True)
class Link:
    """One agent of a delegation chain and the session its part of the run belongs to."""

    agent: str
    sid: str


@dataclass(frozen=True, slots=True)
class Authority:
    """What a verified token says.

    The chain (the minted agent first, the acting one last), the user, and the token's own id and
    expiry in milliseconds since the epoch. `ancestors` are the ids of the tokens it came from:
    revoking one of them revokes this.

    `links` is never empty. Authority only shrinks along it: an action is permitted only where
    every link's would be. `agents` and `sids` are theirs, in their order.
    """

    links: tuple[Link, ...]
    user: str | None
    token: str
    expires_ms: int
    ancestors: tuple[str, ...] = ()
    agents: tuple[str, ...] = field(init=False, repr=False, compare=False)
    sids: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Take the links apart, once for all the actions of a token."""
        object.__setattr__(self, "agents", tuple([link.agent for link in self.links]))
        object.__setattr__(self, "sids", tuple([link.sid for link in self.links]))

    @property
    def acting(self) -> Link:
        """The agent that acts and its session."""
        return self.links[-1]
