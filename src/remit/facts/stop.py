"""A stop: a person's word that something may act no more. It wins over everything that was permitted before."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """Session `sid` was stopped by `by` at `at_ms`, with a preset `reason`."""

    sid: str
    by: str
    at_ms: int
    reason: str
