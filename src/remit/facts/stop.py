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


class StopKind(StrEnum):
    """What a stop is over. A group's is over each agent and user in it."""

    AGENT = "agent"
    GROUP = "group"
    USER = "user"
    SESSION = "session"
    SERVER = "server"
    TOOL = "tool"
    RESOURCE = "resource"
    EVERYTHING = "everything"


class StopScope(StrEnum):
    """What a stop holds: all, or what is quarantined may still read, or act, alone."""

    ALL = "all"
    ACTING = "acting"
    READING = "reading"


StopTarget: TypeAlias = tuple[StopKind, str]
"""What is stopped: its kind and name; a tool's is `SERVER/TOOL`, a resource's `SERVER/URI`, everything's empty."""

EVERYTHING: StopTarget = (StopKind.EVERYTHING, "")
_FROM: Final = {StopScope.ALL: "", StopScope.ACTING: " from acting", StopScope.READING: " from reading"}
_KINDS: Final = {kind.value: kind for kind in StopKind}


@dataclass(frozen=True, slots=True)
class Stop:
    """`name`, of this `kind`, was stopped by `by` at `at_ms` with a `reason`; `scope` says from what."""

    kind: StopKind
    name: str
    by: str
    at_ms: int
    reason: str
    scope: StopScope = StopScope.ALL

    @property
    def target(self) -> StopTarget:
        """What is stopped."""
        return self.kind, self.name

    def __str__(self) -> str:
        """As people say it."""
        return f"{named(self.target)} was stopped{_FROM[self.scope]} by {self.by}: {self.reason}"


def named(subject: StopTarget) -> str:
    """`subject` as people name it: `agent clerk`, `everything`."""
    return f"{subject[0].value} {subject[1]}".rstrip()


def typed(subject: StopTarget) -> str:
    """`subject` as people type it after a command, which a shell takes as it stands."""
    kind, name = subject
    return f"{kind.value} {shlex.quote(name)}" if name else kind.value


def subject(target: StopTarget) -> str:
    """`target` as records name it: `agent:clerk`, `everything`."""
    kind, name = target
    return f"{kind.value}:{name}" if name else kind.value


def read_subject(text: str) -> StopTarget | None:
    """What `text`, as `subject` says it, names; None for what nothing can be stopped by."""
    prefix, _, name = text.partition(":")
    kind = _KINDS.get(prefix)
    return None if kind is None or bool(name) is (kind is StopKind.EVERYTHING) else (kind, name)


def stops_over(
    stops: Mapping[StopTarget, Stop], subjects: Iterable[StopTarget], holds: frozenset[StopScope]
) -> tuple[Stop, ...]:
    """Those of `stops` that are over one of `subjects` and hold one of `holds`."""
    found = [stops[what] for what in subjects if what in stops]
    return tuple([stop for stop in found if stop.scope in holds])
