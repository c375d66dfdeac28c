"""Telling parts that stand in several pieces of a text: numbers of accounts and telephones in groups, dates in words.

Laws
* What is found is what one search from left to right finds. It is looked for only around what each of them holds: two
  digits before a group, a year at the end; so that most of a text is passed over.
"""

import re
from collections.abc import Iterator
from typing import Final, TypeAlias

GroupedToken: TypeAlias = tuple[str, tuple[str, ...]]
"""A token, and the pieces that it stands in."""

ISO: Final = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:t\d\d(?::?\d\d(?::?\d\d(?:[.]\d{1,9})?)?)?(?:z|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE,
)
_GROUPED: Final = re.compile(
    r"\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?\b|\b\d{2,4}(?:[ -]\d{2,4}){1,5}[ -]\d{2,8}\b"
    r"|\b0\d{1,3}[ -]\d{5,8}\b"
)
GROUPS: Final = re.compile(r"\d\d[ -](?:[A-Z\d]{2,4}[ -][A-Z\d]{2,4}|\d{5})")
"""What `_GROUPED` finds begins with this, at most two characters before it."""
_SPELT: Final = re.compile(
    r"\b(?:(\d{1,2})(?:st|nd|rd|th)?(?: of)? )?"
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
    r" (?:(\d{1,2})(?:st|nd|rd|th)?,? )?(\d{4})\b",
    re.IGNORECASE,
)
YEAR: Final = re.compile(r" (?<!\d{3} )\d{4}\b")
"""What `_SPELT` finds ends with this, at most `_BEFORE` characters after it began."""
_BEFORE: Final = 30
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH_WORDS: Final = frozenset(
    (
        *_MONTHS,
        "sept",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    )
)


def grouped_numbers(text: str) -> Iterator[GroupedToken]:
    """Account numbers in groups."""
    end = 0
    hint = GROUPS.search(text)
    while hint is not None:
        at = hint.start()
        match = next(filter(None, (_GROUPED.match(text, begin) for begin in range(max(end, at - 2), at + 1))), None)
        if match is not None:
            joined = match[0].replace(" ", "").replace("-", "").casefold()
            if len(joined) >= 8 and not ISO.match(match[0]):
                lower = match[0].casefold()
                yield joined, (lower, *lower.replace("-", " ").split())
            end = match.end()
        hint = GROUPS.search(text, max(end, at + 1))


def spelled_dates(text: str) -> Iterator[GroupedToken]:
    """Dates in words."""
    end = 0
    for hint in YEAR.finditer(text):
        match = _SPELT.search(text, max(end, hint.start() - _BEFORE), hint.end())
        if match is None:
            continue
        end = match.end()
        before, month, after, year = match.groups()
        day = before or after
        if day is not None:
            number_of = _MONTHS.index(month.casefold()[:3]) + 1
            pieces = tuple(piece.strip(",.") for piece in match[0].casefold().split())
            yield f"{year}-{number_of:02}-{int(day):02}", pieces
