"""What the API answers of breakers."""

from remit.api.answers import Answer


class BreakerAnswer(Answer):
    """A breaker that tripped: over whom, where it stands, why, by which records; open for `left_s` seconds more."""

    name: str
    whose: str
    state: str
    left_s: float
    tripped: str
    why: str
    records: list[str]


class PastTripAnswer(Answer):
    """One trip, by the record `id` of it. `closed` and `by` are null where it is open, or tripped again first."""

    id: str
    name: str
    whose: str
    tripped: str
    closed: str | None
    by: str | None
    why: str
    records: list[str]


class BreakersAnswer(Answer):
    """Those that are not closed; with `past` the last trips too, the latest first."""

    items: list[BreakerAnswer]
    past: list[PastTripAnswer] | None


class BreakerResetAnswer(Answer):
    """Over whom `breaker` is closed again, and the records that say so."""

    breaker: str
    reset: list[str]
    records: list[str]
