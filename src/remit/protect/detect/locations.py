"""Where detectors found something, for people: paths, and nothing of what stands there.

A name is told that is plain and in which nothing is found; of a text that is JSON the path in it as well.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

from remit.facts.canonical import Json
from remit.facts.finding import Find
from remit.facts.results import spelt
from remit.facts.strictjson import JsonRefused, parse
from remit.protect.detect.detectors import DETECTORS, LEAST_CHARS, SCANNED_CHARS_MAX, Place, texts

PLACES_MAX: Final = 5
"""Of each find; there may be more."""
_NAME_CHARS_MAX: Final = 40
_UNTOLD: Final = "*"
_JSON: Final = ("{", "[")


def located(finds: Collection[Find], value: Json) -> Mapping[Find, tuple[str, ...]]:
    """Where in `value` each of `finds` finds something: `$.content[0].text`, the first `PLACES_MAX` of each."""
    places_by_find: dict[Find, dict[str, None]] = {find: {} for find in finds}
    for find, place in _places(finds, value):
        places_by_find[find][place] = None
        if all(len(places) >= PLACES_MAX for places in places_by_find.values()):
            break
    return {find: tuple(places)[:PLACES_MAX] for find, places in places_by_find.items() if places}


def _places(finds: Collection[Find], value: Json, *, inner: bool = False) -> Iterator[tuple[Find, str]]:
    room = SCANNED_CHARS_MAX
    for text, at in texts(value):
        room -= max(len(text), LEAST_CHARS)
        if room < 0:
            return
        for find in finds:
            if DETECTORS[find](text):
                outer = _path_text(find, at)
                within = [] if inner or not text.startswith(_JSON) else [*_within(find, text)]
                yield from ((find, f"{outer} as JSON {place}") for place in within)
                if not within:
                    yield find, outer


def _within(find: Find, text: str) -> Iterator[str]:
    try:
        value = parse(text.encode("utf-8", "surrogatepass"))
    except JsonRefused:
        return
    yield from (place for _, place in _places((find,), value, inner=True))


def _path_text(find: Find, at: Place | None) -> str:
    path: list[str | int] = []
    while at is not None:
        at, step = at
        path.append(step if isinstance(step, int) or _plain(find, step) else _UNTOLD)
    return spelt(tuple(reversed(path))).replace(f"['{_UNTOLD}']", f".{_UNTOLD}")


def _plain(find: Find, name: str) -> bool:
    return len(name) <= _NAME_CHARS_MAX and name.isascii() and name.isidentifier() and not DETECTORS[find](name)
