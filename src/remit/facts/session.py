"""The state of one run of an agent for a user: labels that only grow, counters that only rise."""

from collections.abc import Iterable
from dataclasses import dataclass

from remit.facts.confidence import UNSAID, Confidence, least
from remit.facts.durations import HOUR_MS
from remit.facts.label import NONE, Labels


class TooManyWords(Exception):
    """A session has taken all of its user's words that it takes."""


@dataclass(frozen=True, slots=True)
class Session:
    """One session as `decide` sees it.

    Counters include intents in flight. `started_ms` is milliseconds since the epoch;
    `ended_ms` is set once a person ended it or it grew too old. `confidence` is how sure its agent is said to be.
    """

    sid: str
    agent: str
    user: str | None
    started_ms: int
    labels: Labels = NONE
    calls: int = 0
    irreversible_calls: int = 0
    ended_ms: int | None = None
    confidence: Confidence = UNSAID


def outlived(session: Session, hours_max: float, now_ms: int) -> bool:
    """Whether `session` has run for longer than `hours_max`."""
    return now_ms - session.started_ms > hours_max * HOUR_MS


def join(sessions: Iterable[Session]) -> tuple[Labels, int, int, int]:
    """Effective `(labels, calls, irreversible_calls, started_ms)` of a delegation chain.

    Labels unite; counters take the largest, start the earliest: every call of a sub-agent also
    counts in the sessions above it, so delegating resets nothing.
    INVARIANT(authority-only-shrinks)
    """
    chain = tuple(sessions)
    if len(chain) == 1:
        (only,) = chain
        return only.labels, only.calls, only.irreversible_calls, only.started_ms
    return (
        frozenset[str]().union(*(session.labels for session in chain)),
        max(session.calls for session in chain),
        max(session.irreversible_calls for session in chain),
        min(session.started_ms for session in chain),
    )


def confidence(sessions: tuple[Session, ...]) -> Confidence:
    """The effective confidence of a delegation chain: the least of any session.

    INVARIANT(authority-only-shrinks)
    """
    return sessions[0].confidence if len(sessions) == 1 else least([session.confidence for session in sessions])
