"""The detectors there are, and how much of a result they look at.

Laws
* A detector adds labels and incidents; it permits nothing and takes no label away.
* Work is bounded: of what is larger than `SCANNED_CHARS_MAX` the rest counts as if all had been found in it.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.finding import Find
from remit.protect.detect.hidden import hidden
from remit.protect.detect.personal import emails, personal
from remit.protect.detect.secrets import secrets
from remit.protect.detect.span import Detector

SCANNED_CHARS_MAX: Final = 128 * 1024
LEAST_CHARS: Final = 8
"""As so many a shorter text counts: it takes as long to look at."""
TOO_LONG: Final = "text longer than is looked at"

DETECTORS: Final[Mapping[Find, Detector]] = MappingProxyType(
    {Find.HIDDEN: hidden, Find.SECRET: secrets, Find.PII: personal, Find.EMAIL: emails}
)


Findings: TypeAlias = Mapping[Find, Mapping[str, int]]
"""By detector, how often it found what."""
NOTHING: Final[Findings] = MappingProxyType({})


def detected(finds: Collection[Find], value: Json) -> Findings:
    """How often each of `finds` finds what in the texts of `value`; a detector that finds nothing is left out."""
    findings: dict[Find, dict[str, int]] = {}
    room = SCANNED_CHARS_MAX
    for text, _ in texts(value):
        room -= max(len(text), LEAST_CHARS)
        if room < 0:
            for find in finds:
                findings.setdefault(find, {})[TOO_LONG] = 1
            break
        for find in finds:
            for span in DETECTORS[find](text):
                counts = findings.setdefault(find, {})
                counts[span.kind] = counts.get(span.kind, 0) + 1
    return findings


Place: TypeAlias = tuple["Place | None", str | int]
"""Where in a value something stands: in which place, and by which name or as which element."""


def texts(value: Json) -> Iterator[tuple[str, Place | None]]:
    """The texts in `value`, and where: each value, numbers too, after the name of its member, and names by themselves.

    What a member says of encoded bytes is left out.
    """
    pending: list[tuple[str, Json, Place | None]] = [("", value, None)]
    while pending:
        name, item_value, at = pending.pop()
        if isinstance(item_value, Mapping):
            yield from ((inner, (at, inner)) for inner, item in item_value.items() if _is_apart(inner, item))
            items = reversed([*item_value.items()])
            pending.extend((inner, item, (at, inner)) for inner, item in items if not _is_encoded(item_value, inner))
        elif isinstance(item_value, (list, tuple)):
            pending.extend((name, item_value[number], (at, number)) for number in reversed(range(len(item_value))))
        elif item_value is not None and not isinstance(item_value, bool):
            yield (f"{name}: {item_value}" if name and name not in _SHAPED else str(item_value)), at


def _is_apart(name: str, item: Json) -> bool:
    """Whether `name` is read by itself: it is read before each value that it names."""
    return name not in _SHAPED and (item is None or isinstance(item, bool | Mapping | list | tuple))


_SHAPED: Final = frozenset({"text", "content", "structuredContent", "type"})
"""Names that the protocol gives, and that tell nothing of what they hold."""


def _is_encoded(of: Mapping[str, Json], name: str) -> bool:
    """Whether member `name` holds the bytes of a picture, a sound or a file: no text that anybody reads."""
    return name == "blob" or (name == "data" and of.get("type") in {"image", "audio"})
