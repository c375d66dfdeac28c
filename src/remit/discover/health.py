"""How a source does, as a condition that people read: it was never seen, it is well, or it fails."""

from dataclasses import dataclass

from remit.discover.entry import ConditionStatus
from remit.discover.sighting import clipped


@dataclass(frozen=True, slots=True)
class SourceState:
    """Whether `name` is healthy: UNKNOWN before it was first looked at, or sent anything.

    `reason` is one word for programs, `message` a sentence; `at_ms` when it last went well (ms since the epoch), None:
    never.
    """

    name: str
    status: ConditionStatus
    reason: str
    message: str
    at_ms: int | None


def unseen(name: str, message: str) -> SourceState:
    """Nothing is known of it yet."""
    return SourceState(clipped(name), ConditionStatus.UNKNOWN, "NothingYet", message, None)


def well(name: str, at_ms: int, seen: str, left_out: int) -> SourceState:
    """It was looked at, and saw what `seen` says; `left_out` parts of it could not be taken."""
    if not left_out:
        return SourceState(clipped(name), ConditionStatus.TRUE, "Seen", seen, at_ms)
    parts = "1 part" if left_out == 1 else f"{left_out} parts"
    return SourceState(clipped(name), ConditionStatus.TRUE, "SeenInPart", f"{seen}; {parts} could not be taken", at_ms)


def failing(name: str, why: str, at_ms: int | None) -> SourceState:
    """Nothing of it can be seen now."""
    return SourceState(clipped(name), ConditionStatus.FALSE, "Failed", clipped(why), at_ms)
