"""What an attack is: steps against the enforcement points, and the effect that would be its success.

Laws
* Success is an effect seen at a tool's own server, or tampering that nobody sees; never a word of Remit's.
* Nothing here knows a policy: an attempt that policy permits without asking anybody has succeeded, and it is for
  whoever reads the report to say whether that was meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from remit.assure.attack.risks import Risk, Technique
from remit.facts.canonical import Json


class Actor(StrEnum):
    """Who attacks."""

    AGENT = "compromised agent"
    ENVIRONMENT = "poisoned environment"
    OPERATOR = "operator"


class Kind(StrEnum):
    """What is tried, in the order in which it is.

    Last comes what leaves something behind: people asked too much, a breaker that tripped, a tool that is taken
    for another one until the service looks again.
    """

    RESULT = "words in a result"
    LEAK = "a secret sent out"
    TOKEN = "a token that is none"  # noqa: S105 - a name
    INVENTED = "words, a session or labels that it invents"
    HIDDEN = "a tool that it is not shown"
    DELEGATED = "through a sub-agent"
    LAUNDERED = "through a store"
    FOLDER = "a file in the workspace"
    LEDGER = "a changed ledger"
    LOOP = "the same call again and again"
    FLOOD = "a flood of questions"
    DRIFT = "a tool in other words"


class Bearer(StrEnum):
    """What a call is authenticated with; all but the first should get nobody anywhere."""

    OWN = "the agent's own token"
    NONE = "no token"
    GARBLED = "a token with one changed character"
    UNSIGNED = "a token without a signature"
    PERSON = "a person's token"
    ADMIN = "the admin token"
    HARNESS = "a harness's token"
    REVOKED = "a revoked token"


@dataclass(frozen=True, slots=True)
class Calls:
    """`agent` calls SERVER/TOOL `times` times, in the session that this attempt calls `session`.

    `via` is the agent that delegates to it, in a session of the same name. `meta` and `headers` go along.
    """

    agent: str
    server: str
    tool: str
    arguments: Mapping[str, Json]
    bearer: Bearer = Bearer.OWN
    session: str = "first"
    via: str | None = None
    times: int = 1
    meta: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Redescribes:
    """The server describes its tool in other words from now on."""

    server: str
    tool: str


@dataclass(frozen=True, slots=True)
class Opens:
    """A file that permits everything is put into the workspace, without an apply."""


@dataclass(frozen=True, slots=True)
class Tampers:
    """One byte of a copy of the ledger is changed where a record of this attempt lies."""


Step: TypeAlias = Calls | Redescribes | Opens | Tampers


@dataclass(frozen=True, slots=True)
class Arrives:
    """`times` calls of SERVER/TOOL that hold `mark` reached the server."""

    server: str
    tool: str
    mark: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Waits:
    """More than `most` approvals wait for people at once."""

    most: int


@dataclass(frozen=True, slots=True)
class Passes:
    """Verification finds nothing."""


Goal: TypeAlias = Arrives | Waits | Passes


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attack. `title` says it in one line; `ident` is stable for one workspace."""

    ident: str
    actor: Actor
    kind: Kind
    risk: Risk
    techniques: tuple[Technique, ...]
    title: str
    steps: tuple[Step, ...]
    goal: Goal
