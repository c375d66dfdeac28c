"""How moments are written where people read them, in reasons and in what is exported."""

from datetime import UTC, datetime


def instant(at_ms: int) -> str:
    """`at_ms` since the epoch as RFC 3339 in UTC, to the second; empty where no calendar has it."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""
