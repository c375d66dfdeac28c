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


class BreakersAnswer(Answer):
    """Those that are not closed."""

    items: list[BreakerAnswer]


class BreakerResetAnswer(Answer):
    """Over whom `breaker` is closed again, and the records that say so."""

    breaker: str
    reset: list[str]
    records: list[str]
