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


class AttackKind(StrEnum):
    """What is tried, in the order in which it is.

    Last comes what leaves something behind: people asked too much, a breaker that tripped, a tool that is taken
    for another one until the service looks again.
    """

    RESULT = "words in a result"
    ERROR = "words in an error"
    PROGRESS = "words while a call is under way"
    RESOURCE = "words in a resource"
    LOOKALIKE = "a target that looks like the named one"
    LEAK = "a secret sent out"
    WRITING = "a secret in another writing"
    PIECES = "a secret in pieces"
    MALFORMED = "arguments that the tool does not take"
    TOKEN = "a token that is none"  # noqa: S105 - a name
    INVENTED = "words, a session or labels that it invents"
    HIDDEN = "a tool that it is not shown"
    DELEGATED = "through a sub-agent"
    LAUNDERED = "through a store"
    FOLDER = "a file in the workspace"
    LEDGER = "a changed ledger"
    BUNDLE = "a changed bundle"
    YES_ELSEWHERE = "a yes for something else"
    YES_AGAIN = "a yes used again"
    RACE = "a race for one yes"
    LOOP = "the same call again and again"
    DRIP = "many small calls, each another"
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
    EXPIRED = "an expired token"
    FOREIGN = "a token that another service signed"
    ORPHAN = "a token that a revoked one was handed on as"
    ENDED = "the token of a session that was ended"


class Carrier(StrEnum):
    """What an attacker's words come in."""

    RESULT = "result"
    ERROR = "error"
    PROGRESS = "progress"


class Tampering(StrEnum):
    """What is done to a copy of the ledger."""

    BYTE = "one byte is changed"
    GONE = "some records in the middle are taken out"
    CUT = "the last records are cut off, beside a checkpoint kept elsewhere"


@dataclass(frozen=True, slots=True)
class Calls:
    """`agent` calls SERVER/TOOL `times` times, in the session that this attempt calls `session`.

    `via` is the agent that delegates to it, in a session of the same name. `meta` and `headers` go along. `carrier` is
    what an untrusted answer has an attacker's words in; what comes in progress comes while the steps that follow are
    done. `at_once`: all times at the same moment.
    """

    agent: str
    server: str
    tool: str
    arguments: Mapping[str, Json]
    bearer: Bearer = Bearer.OWN
    session: str = "first"
    via: str | None = None
    times: int = 1
    at_once: bool = False
    carrier: Carrier = Carrier.RESULT
    meta: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Reads:
    """`agent` reads the resource `uri` of SERVER, in which an attacker's words are."""

    agent: str
    server: str
    uri: str
    session: str = "first"


@dataclass(frozen=True, slots=True)
class Approves:
    """Whoever may say yes to the last question does; without a question the attempt is about nothing."""


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
    """A copy of the ledger is changed; verification should see it."""

    how: Tampering = Tampering.BYTE


@dataclass(frozen=True, slots=True)
class Edits:
    """What the service keeps of the bundle that runs is edited; it should not be shown."""


Step: TypeAlias = Calls | Reads | Approves | Redescribes | Opens | Tampers | Edits


@dataclass(frozen=True, slots=True)
class Arrives:
    """`times` calls of SERVER/TOOL that hold `mark` reached the server."""

    server: str
    tool: str
    mark: str
    times: int = 1


@dataclass(frozen=True, slots=True)
class Gathers:
    """Each of `marks` reached SERVER/TOOL, in whichever calls."""

    server: str
    tool: str
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """More than `approvals_max` approvals wait for people at once."""

    approvals_max: int


@dataclass(frozen=True, slots=True)
class Passes:
    """Verification finds nothing, or what was changed is shown."""


Goal: TypeAlias = Arrives | Gathers | Waits | Passes


@dataclass(frozen=True, slots=True)
class AttackAttempt:
    """One attack. `title` says it in one line; `ident` is stable for one workspace.

    `words` is what the user said, where that matters; `twists` is what a search changed of the attempt it began with.
    """

    ident: str
    actor: Actor
    kind: AttackKind
    risk: Risk
    techniques: tuple[Technique, ...]
    title: str
    steps: tuple[Step, ...]
    goal: Goal
    words: str = ""
    twists: tuple[str, ...] = ()
