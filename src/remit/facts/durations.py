"""Lengths of time that have names, as numbers of seconds and of milliseconds."""

from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


def spelled(seconds: int) -> str:
    """`seconds` by its two largest units: `2 d 3 h`, `7 h 56 min`, `4 min 10 s`, `8 s`."""
    for large, long_s, small, short_s in (("d", DAY_S, "h", HOUR_S), ("h", HOUR_S, "min", MINUTE_S)):
        if seconds >= long_s:
            return f"{seconds // long_s} {large} {seconds % long_s // short_s} {small}"
    minutes, rest = divmod(seconds, MINUTE_S)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
