"""Pieces of text that say whose they are: the words of the catalog and of Remit, and what an agent chose.

Laws
* What an agent chose is always in a piece of its own, marked `given` or by its origin.
* What is cut says how many characters are missing. The part of a value that its origin is due to is never cut away.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from remit.facts.canonical import Json
from remit.facts.lineage import Lineage
from remit.facts.origin import Origin
from remit.facts.template import Slot, pieces

GIVEN: Final = "given"
"""The mark of what an agent chose where nobody asked for its origin, and of what is around a marked part."""
RUNS: Final = "it runs once: with the call that still waits, or when the agent makes the same call again"
"""What comes of an action that people approved."""
_NAMED_MAX: Final = 3
_PEOPLE_MAX: Final = 10
_MARKED_MAX: Final = 8
"""How many occurrences of a part are marked in one value."""


class TextSpan(NamedTuple):
    """A piece of text. `mark` is empty for words of the catalog and of Remit, else `given` or the origin's word."""

    text: str
    mark: str = ""


def mark_of(value: Lineage) -> str:
    """The mark of `value`."""
    return GIVEN if value.origin is None else value.origin.word


def shortened(text: str, chars_max: int) -> str:
    """`text`; where it is longer, its beginning and its end, and how much is missing between."""
    if len(text) <= chars_max:
        return text
    head = chars_max * 2 // 3
    tail = chars_max - head
    return f"{text[:head]} … ({len(text) - chars_max} more characters) … {text[len(text) - tail :]}"


def is_short(text: str, chars_max: int) -> bool:
    """Whether `shortened` leaves `text` as it is."""
    return len(text) <= chars_max


def spelled(value: Json) -> str:
    """A scalar as a person reads it: text as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def marked(value: Lineage, chars_max: int) -> tuple[TextSpan, ...]:
    """`value` with the part marked that its origin is due to; all of it where that is no part of its text."""
    text = spelled(value.value)
    mark = mark_of(value)
    places = _places(text, value.part) if value.origin is not None and value.origin > Origin.TRUSTED else []
    if not places:
        return (TextSpan(shortened(text, chars_max), mark),)
    each = chars_max if is_short(text, chars_max) else max(8, chars_max // (len(places) + 1))
    spans: list[TextSpan] = []
    at = 0
    for start, end in places:
        spans += _between(text[at:start], each)
        spans.append(TextSpan(shortened(text[start:end], chars_max), mark))
        at = end
    spans += _between(text[at:], each)
    return tuple(spans)


def _places(text: str, part: str) -> list[tuple[int, int]]:
    """Where `part`, which is in lower case, stands in `text`; nowhere where that cannot be told."""
    lower = text.lower()
    if not part or len(part) >= len(text) or len(lower) != len(text):
        return []
    places: list[tuple[int, int]] = []
    at = lower.find(part)
    while at >= 0 and len(places) < _MARKED_MAX:
        places.append((at, at + len(part)))
        at = lower.find(part, at + len(part))
    return places


def _between(text: str, chars_max: int) -> list[TextSpan]:
    return [TextSpan(shortened(text, chars_max), GIVEN)] if text else []


def filled(template: str, values: Sequence[Lineage], chars_max: int) -> tuple[TextSpan, ...]:
    """`template` with its slots filled: `{name}` by the values of that argument, `{name.count}` by their number."""
    by_argument: dict[str, list[Lineage]] = {}
    for value in values:
        by_argument.setdefault(value.argument, []).append(value)
    spans: list[TextSpan] = []
    for piece in pieces(template):
        spans += (TextSpan(piece),) if isinstance(piece, str) else _filling(piece, by_argument, chars_max)
    return tuple(spans)


def _filling(slot: Slot, by_argument: Mapping[str, Sequence[Lineage]], chars_max: int) -> Iterator[TextSpan]:
    values = by_argument.get(slot.name, ())
    if slot.counted:
        yield TextSpan(str(len(values)))
    elif not values:
        yield TextSpan("(nothing)")
    else:
        yield from listed(values, chars_max, _NAMED_MAX)


def listed(values: Sequence[Lineage], chars_max: int, values_max: int) -> Iterator[TextSpan]:
    """`values` one after the other, the suspect ones first; of more than `values_max`, how many more."""
    ordered = sorted(values, key=lambda value: not value.suspect)
    for number, value in enumerate(ordered[:values_max]):
        if number:
            yield TextSpan(", ")
        yield from marked(value, chars_max)
    if len(values) > values_max:
        yield TextSpan(f" and {len(values) - values_max} more")


def route_standing(route: str, count: int, by: Sequence[str], may: Sequence[str] | None, short: int) -> str:
    """How a route stands: who said yes, and, where people are asked, who `may` and how many are `short` of enough."""
    standing = f"route {route}: {len(by)} of {count} said yes" + (f" ({', '.join(by)})" if by else "")
    if may is None or len(by) >= count:
        return standing
    more = f" and {len(may) - _PEOPLE_MAX} more" if len(may) > _PEOPLE_MAX else ""
    standing += f"; {', '.join(may[:_PEOPLE_MAX]) or 'nobody else'}{more} may"
    return standing if not short else f"{standing}, which leaves it {short} short: it waits until it expires"


def grant_standing(ident: str, by: Sequence[str], until: str, uses: tuple[int, int], ended: str | None) -> str:
    """How the grant `ident` stands, which `by` gave until then, for so many of so many `uses`."""
    given = f"{', '.join(by)} granted more with it ({ident})"
    if ended is not None:
        return f"{given}, and that lifts nothing: {ended}"
    return f"{given}, until {until}, used {uses[0]} of {uses[1]} times; to end it: remit grants revoke {ident}"
