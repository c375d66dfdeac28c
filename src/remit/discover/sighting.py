"""One observation that something exists: what every source hands over, and all that the inventory is made of.

Laws
* A sighting is valid once constructed. `subject` and `clipped` make a valid one of any text that a source may have met;
  the constructors raise `ValueError`.
* It never holds a secret's value, nor content: names, where they stood, and digests of what they stood for.
* It says what was seen and by whom, and decides nothing: `discover.inventory` folds sightings in any order.
* Two subjects are one only where a sighting claims it (`Verb.SAME`), so that it can be explained and undone.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, NamedTuple

from remit.facts.limits import INTEGER_MAX
from remit.facts.text import identifier_problem, one_line

NAME_CHARS_MAX: Final = 160
"""A name, with its space. Longer ones end in a digest of the whole."""
TEXT_CHARS_MAX: Final = 400
"""Evidence, an owner, the value of a trait."""
EDGES_MAX: Final = 200
TRAITS_MAX: Final = 32
_DIGEST_CHARS: Final = 12
_EDGES: Final = ("", " ")
SPACES: Final = frozenset({"otlp", "host", "repo", "import"})
"""Whose names need not mean what the same name means elsewhere."""
_BEFORE_COLON: Final = SPACES | {""}
"""What before the first colon of a written subject is a space. `model/:otlp:x` is a model that has such a name."""


FILES: Final = "import"
WORKSPACE: Final = "workspace"
"""The source that tells what is registered, which is no sight of it."""


class Kind(StrEnum):
    """What there is to find."""

    AGENT = "agent"
    MODEL = "model"
    SERVER = "server"
    TOOL = "tool"
    PROMPT = "prompt"
    DATA = "data"


class Verb(StrEnum):
    """What one subject does with another. SAME and APART say whether two subjects are one (`discover.identity`)."""

    USES = "uses"
    READS = "reads"
    WRITES = "writes"
    DELEGATES = "delegates"
    SAME = "same"
    APART = "apart"


class SourceConfidence(IntEnum):
    """How well a source knows what it says; the inventory shows the best there is."""

    GUESSED = 1
    """By a name or a habit of writing."""
    DECLARED = 2
    """Configuration or code says so; nobody saw it run."""
    REPORTED = 3
    """A program said of itself that it did so (telemetry)."""
    ENFORCED = 4
    """It passed an enforcement point, or is registered."""
    STATED = 5
    """A person said so."""


class Subject(NamedTuple):
    """Something that exists: `name` as it is called in `space`.

    `space` is empty for names that mean the same everywhere: of registered resources, models, urls. Else it says whose
    name it is: one of `SPACES`. A registered server's tool is `server/tool`.
    """

    kind: Kind
    name: str
    space: str = ""

    def __str__(self) -> str:
        """`agent/otlp:planner`; `parsed` reads it back."""
        plain = not self.space and self.name.partition(":")[0] not in _BEFORE_COLON
        return f"{self.kind.value}/{self.name}" if plain else f"{self.kind.value}/{self.space}:{self.name}"


class Edge(NamedTuple):
    """The sighting's subject does `verb` with `to`."""

    verb: Verb
    to: Subject


class Trait(NamedTuple):
    """Something of a subject whose change is drift: `description`, `schema`, `version`, `permission` … and its value.

    A value that is long, or not for everybody's eyes, is given by its digest (`sha256:…`).
    """

    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """`source` saw `subject` between `first_ms` and `last_ms` (since the epoch), `count` times.

    `evidence` is one line that tells a person where to look: a span's attribute, `…/mcp.json:12`. `owner` is a user's
    or team's name, where the source knows one. `edges` go out from the subject.
    """

    subject: Subject
    source: str
    evidence: str
    first_ms: int
    last_ms: int
    confidence: SourceConfidence = SourceConfidence.REPORTED
    owner: str | None = None
    edges: tuple[Edge, ...] = ()
    traits: tuple[Trait, ...] = ()
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse what no source may hand over."""
        if not 0 <= self.first_ms <= self.last_ms <= INTEGER_MAX or not 1 <= self.count <= INTEGER_MAX:
            raise ValueError(f"the times or the count of a sighting of {self.subject} are out of bounds")
        if len(self.edges) > EDGES_MAX or len(self.traits) > TRAITS_MAX:
            raise ValueError(f"a sighting of {self.subject} says too much at once: split it")
        for one in (self.subject, *(edge.to for edge in self.edges)):
            check(one)
        texts = (self.source, self.evidence, self.owner or "", *(part for trait in self.traits for part in trait))
        if not self.source or any(len(text) > TEXT_CHARS_MAX for text in texts):
            raise ValueError(f"a sighting of {self.subject} has no source, or too long a text")


def from_file(source: str) -> bool:
    """Whether `source` is a file that somebody made (`discover.file_import`): it tells of what others saw elsewhere."""
    return source.startswith(f"{FILES}:")


def of_another(source: str, subject: Subject) -> bool:
    """Whether `source` is the token of an agent that tells of another one, `subject`: of which it may say anything."""
    space, _, bearer = source.partition(":")
    return space == "otlp" and bool(bearer) and bearer != subject.name


def at_second_hand(source: str, subject: Subject) -> bool:
    """Whether what `source` tells of `subject` is new again when somebody sees it, or it tells of it itself."""
    return from_file(source) or of_another(source, subject)


def check(subject: Subject) -> None:
    """Raise `ValueError` unless `subject` may stand in the inventory."""
    name, space = subject.name, subject.space
    if len(name) > NAME_CHARS_MAX or not (_plain(name) or identifier_problem(name) is None):
        raise ValueError(f"not a name that the inventory takes: {one_line(name, chars_max=80)!r}")
    if space and space not in SPACES:
        raise ValueError(
            f"no space of names: {one_line(space, chars_max=80)!r} (there are {', '.join(sorted(SPACES))})"
        )


def subject(kind: Kind, name: str, space: str = "") -> Subject:
    """The subject that any text `name` stands for.

    What may not name anything is shown as far as it goes, hidden characters escaped, and ends in a digest of the whole.
    """
    if len(name) <= NAME_CHARS_MAX and (_plain(name) or identifier_problem(name) is None):
        return Subject(kind, name, space)
    if not name or name.isspace():
        return Subject(kind, "(unnamed)", space)
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
    shown = one_line(name[:NAME_CHARS_MAX])[: NAME_CHARS_MAX - _DIGEST_CHARS - 1].strip()
    if identifier_problem(shown) is not None:
        shown = "(hidden)"
    return Subject(kind, f"{shown}~{mark}", space)


def _plain(name: str) -> bool:
    return name.isascii() and name.isprintable() and name[:1] not in _EDGES and name[-1] not in _EDGES


def clipped(text: str) -> str:
    """Any text as evidence, owner or a trait's value: on one line, hidden characters shown, and not too long."""
    if len(text) <= TEXT_CHARS_MAX and text.isascii() and text.isprintable():
        return text
    return one_line(text, chars_max=TEXT_CHARS_MAX)[:TEXT_CHARS_MAX]


def parsed(text: str) -> Subject:
    """The subject written as `text`, `kind/name` or `kind/space:name`. Raises `ValueError`."""
    kind, slash, rest = text.partition("/")
    if not slash or kind not in set(Kind):
        raise ValueError(f"no subject: {one_line(text, chars_max=80)} (they look like agent/otlp:planner)")
    space, colon, name = rest.partition(":")
    found = Subject(Kind(kind), name, space) if colon and space in _BEFORE_COLON else Subject(Kind(kind), rest)
    check(found)
    return found
