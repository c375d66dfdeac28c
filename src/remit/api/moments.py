"""How moments are written in answers. Light to import."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MS: Final = timedelta(milliseconds=1)


def instant(at_ms: int) -> str:
    """`at_ms` as RFC 3339 in UTC with milliseconds."""
    seconds, millis = divmod(at_ms, 1000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59.999Z"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def moment_of(text: str) -> int:
    """The milliseconds since the epoch that `instant` wrote. Raises `ValueError`."""
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) - _EPOCH) // _MS
