"""A stop: a person's word that something may act no more. It wins over everything that was permitted before.

Laws
* What is stopped stays so until a person resumes it; time does not.
* Looking whether an action is stopped takes as long for ten thousand stops as for one.
INVARIANT(stop-wins)
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias


class StopSubject(StrEnum):
    """What a stop is over. A group's is over each agent and user in it."""

    AGENT = "agent"
    GROUP = "group"
    USER = "user"
    SESSION = "session"
    SERVER = "server"
    TOOL = "tool"
    RESOURCE = "resource"
    EVERYTHING = "everything"


class Holds(StrEnum):
    """What a stop holds: all, or what is quarantined may still read, or act, alone."""

    ALL = "all"
    ACTING = "acting"
    READING = "reading"


Stopped: TypeAlias = tuple[StopSubject, str]
"""What is stopped: its kind and name; a tool's is `SERVER/TOOL`, a resource's `SERVER/URI`, everything's empty."""

EVERYTHING: Stopped = (StopSubject.EVERYTHING, "")
_FROM: Final = {Holds.ALL: "", Holds.ACTING: " from acting", Holds.READING: " from reading"}
_KINDS: Final = {over.value: over for over in StopSubject}


@dataclass(frozen=True, slots=True)
class Stop:
    """`name`, which is of kind `over`, was stopped by `by` at `at_ms`, with a `reason`, from what it `holds`."""

    over: StopSubject
    name: str
    by: str
    at_ms: int
    reason: str
    holds: Holds = Holds.ALL

    @property
    def what(self) -> Stopped:
        """What is stopped."""
        return self.over, self.name

    def __str__(self) -> str:
        """As people say it."""
        return f"{named(self.what)} was stopped{_FROM[self.holds]} by {self.by}: {self.reason}"


def named(subject: Stopped) -> str:
    """`subject` as people name it: `agent clerk`, `everything`."""
    return f"{subject[0].value} {subject[1]}".rstrip()


def typed(subject: Stopped) -> str:
    """`subject` as people type it after a command, which a shell takes as it stands."""
    over, name = subject
    return f"{over.value} {shlex.quote(name)}" if name else over.value


def subject(what: Stopped) -> str:
    """`what` as records name it: `agent:clerk`, `everything`."""
    over, name = what
    return f"{over.value}:{name}" if name else over.value


def read_subject(text: str) -> Stopped | None:
    """What `text`, as `subject` says it, names; None for what nothing can be stopped by."""
    kind, _, name = text.partition(":")
    over = _KINDS.get(kind)
    return None if over is None or bool(name) is (over is StopSubject.EVERYTHING) else (over, name)


def stops_over(stops: Mapping[Stopped, Stop], subjects: Iterable[Stopped], holds: frozenset[Holds]) -> tuple[Stop, ...]:
    """Those of `stops` that are over one of `subjects` and hold one of `holds`."""
    found = [stops[what] for what in subjects if what in stops]
    return tuple([stop for stop in found if stop.holds in holds])
