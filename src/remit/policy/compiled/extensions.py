"""Cedar's extension types: decimal, ip, datetime, duration. Source: Cedar's reference, "Extension functions".

Each is parsed from text by one function that raises `EvaluationFault`, is equal to its own kind alone, and
is `written` in Cedar's JSON form by the call that makes it again.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.durations import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

LONG_MIN: Final = -(2**63)
LONG_MAX: Final = 2**63 - 1
_PLACES: Final = 10_000

_DECIMAL: Final = re.compile(r"(-?)([0-9]+)\.([0-9]{1,4})")
_DURATION: Final = re.compile(r"(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?")
_UNITS_MS: Final = (DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, 1)
_DATETIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?"
)
_PREFIX: Final = re.compile(r"0|[1-9][0-9]{0,2}")
_DIGITS_MAX: Final = 20
_IP_CHARS_MAX: Final = 43
_MONTH_DAYS: Final = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_EPOCH_DAY: Final = 719_528
"""1970-01-01, counted from the first day of the year 0."""


class EvaluationFault(Exception):
    """Why a policy could not be evaluated: one lower-case sentence."""


@dataclass(frozen=True, slots=True)
class Decimal:
    """A number of four places: `units` are ten-thousandths."""

    units: int

    def written(self) -> Json:
        """Its form in Cedar's JSON."""
        whole, places = divmod(abs(self.units), _PLACES)
        return _extension("decimal", arg=f"{'-' if self.units < 0 else ''}{whole}.{places:04}")


@dataclass(frozen=True, slots=True)
class Datetime:
    """An instant: milliseconds since the epoch."""

    ms: int

    def written(self) -> Json:
        """Its form in Cedar's JSON: an offset, since most instants have no text."""
        return _extension("offset", args=[_extension("datetime", arg="1970-01-01"), Duration(self.ms).written()])


@dataclass(frozen=True, slots=True)
class Duration:
    """A span of time in milliseconds."""

    ms: int

    def written(self) -> Json:
        """Its form in Cedar's JSON."""
        return _extension("duration", arg=f"{self.ms}ms")


@dataclass(frozen=True, slots=True)
class Ip:
    """An address and how many of its leading bits name the network."""

    address: IPv4Address | IPv6Address
    prefix: int

    def written(self) -> Json:
        """Its form in Cedar's JSON."""
        return _extension("ip", arg=f"{self.address}/{self.prefix}")

    def bounds(self) -> tuple[int, int]:
        """The first and the last address of its network."""
        free = (1 << (self.address.max_prefixlen - self.prefix)) - 1
        first = int(self.address) & ~free
        return first, first | free


Extension: TypeAlias = Decimal | Datetime | Duration | Ip


def long(value: int) -> int:
    """`value`, where it fits Cedar's 64 bits."""
    if LONG_MIN <= value <= LONG_MAX:
        return value
    raise EvaluationFault("integer overflow")


def decimal(text: str) -> Decimal:
    """`12.5`: at most four places."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise EvaluationFault("what was given to decimal() is no decimal")
    sign, whole, places = found.groups()
    units = _count(whole) * _PLACES + int(places.ljust(4, "0"))
    return Decimal(long(-units if sign else units))


def _count(digits: str) -> int:
    """Not `int` alone, which refuses very long texts, even of zeros."""
    significant = digits.lstrip("0")
    if len(significant) > _DIGITS_MAX:
        raise EvaluationFault("integer overflow")
    return int(significant or "0")


def duration(text: str) -> Duration:
    """`-1d2h3m4s5ms`: units in this order, at least one."""
    found = _DURATION.fullmatch(text)
    if found is None or found.group().strip("-") == "":
        raise EvaluationFault("what was given to duration() is no duration")
    sign, *counts = found.groups()
    ms = sum(_count(count) * unit for count, unit in zip(counts, _UNITS_MS, strict=True) if count)
    return Duration(long(-ms if sign else ms))


def datetime(text: str) -> Datetime:
    """`2026-01-31`, or with time, milliseconds if any, and `Z` or an offset `+hhmm`."""
    found = _DATETIME.fullmatch(text)
    wrong = EvaluationFault("what was given to datetime() is no date and time")
    if found is None:
        raise wrong
    year, month, day, hour, minute, second, ms = (int(part or 0) for part in found.groups()[:7])
    sign, off_hours, off_minutes = found.group(8), int(found.group(9) or 0), int(found.group(10) or 0)
    if not 1 <= month <= 12 or not 1 <= day <= _days_of(year, month):
        raise wrong
    if max(hour, off_hours) > 23 or max(minute, second, off_minutes) > 59:
        raise wrong
    offset_ms = off_hours * HOUR_MS + off_minutes * MINUTE_MS
    at_ms = _day(year, month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS + ms
    return Datetime(at_ms + offset_ms if sign == "-" else at_ms - offset_ms)


def ip(text: str) -> Ip:
    """`10.0.0.0/8`, `::1`; no IPv4 inside IPv6, no zone."""
    wrong = EvaluationFault("what was given to ip() is no address")
    plain, slash, prefix = text.partition("/")
    if len(text) > _IP_CHARS_MAX or "%" in text or (":" in text and "." in text):
        raise wrong
    try:
        address = ip_address(plain)
    except ValueError:
        raise wrong from None
    bits = address.max_prefixlen
    if not slash:
        return Ip(address, bits)
    if _PREFIX.fullmatch(prefix) is None or int(prefix) > bits:
        raise wrong
    return Ip(address, int(prefix))


def is_ipv4(one: Ip) -> bool:
    """Whether it is of 32 bits."""
    return one.address.version == 4


def is_ipv6(one: Ip) -> bool:
    """Whether it is of 128 bits."""
    return one.address.version == 6


def is_loopback(one: Ip) -> bool:
    """Whether its whole network is."""
    return any(is_in_range(one, network) for network in _LOOPBACK)


def is_multicast(one: Ip) -> bool:
    """Whether its whole network is."""
    return any(is_in_range(one, network) for network in _MULTICAST)


def is_in_range(one: Ip, other: Ip) -> bool:
    """Whether `other` holds the whole of `one`."""
    if one.address.version != other.address.version:
        return False
    first, last = one.bounds()
    other_first, other_last = other.bounds()
    return other_first <= first and last <= other_last


_LOOPBACK: Final = (ip("127.0.0.0/8"), ip("::1"))
_MULTICAST: Final = (ip("224.0.0.0/4"), ip("ff00::/8"))


def _extension(function: str, **given: Json) -> Json:
    return {"__extn": {"fn": function, **given}}


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days_of(year: int, month: int) -> int:
    return 29 if month == 2 and _leap(year) else _MONTH_DAYS[month - 1]


def _day(year: int, month: int, day: int) -> int:
    """Days since the epoch; the year 0 exists, other than in Python's own dates."""
    before = year - 1
    leaps = before // 4 - before // 100 + before // 400 + 1
    days = year * 365 + leaps + sum(_days_of(year, other) for other in range(1, month)) + day - 1
    return days - _EPOCH_DAY
