"""What is read of a text when it is read again, as it is in recordings: the same task, the same tool's same answer.

Laws
* What is kept is what reading the text gave; it hangs on nothing but the text, the tool and the labels.
* It is bounded. The service keeps none of it: there a text is somebody's, and is read once.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from remit.facts.canonical import Json
from remit.facts.label import Labels
from remit.facts.tool import Tool
from remit.protect.hashing import TokenHasher
from remit.protect.index import WORDS, Delta, Index
from remit.protect.origins import words_tokens
from remit.protect.reading import Reading, read
from remit.protect.token_places import NOWHERE, TokenPlaces

READINGS_MAX: Final = 1_024
HASHES_MAX: Final = 200_000
CHARS_MAX: Final = 64 * 1024
"""A longer text is read each time."""


class Remembered:
    """What hashes under one key, and remembers what it hashed."""

    def __init__(self, under: TokenHasher) -> None:
        self._under = under
        self._known: dict[str, int] = {}

    def hashes(self, tokens: Collection[str]) -> list[int]:
        """As `TokenHasher` says."""
        known = self._known
        try:
            return [known[token] for token in tokens]
        except KeyError:
            found = self._under.hashes(tokens)
        if len(known) > HASHES_MAX:
            known.clear()
        known.update(zip(tokens, found, strict=True))
        return found


def words(index: Index, text: str) -> Delta:
    """As `remit.protect.origins.words_delta`."""
    return index.delta_of("", _said(text) if len(text) <= CHARS_MAX else _said.__wrapped__(text))


@lru_cache(maxsize=READINGS_MAX)
def _said(text: str) -> TokenPlaces:
    gathered = TokenPlaces()
    gathered.add(words_tokens(text), WORDS, "", NOWHERE)
    return gathered


class Readings:
    """Results as they were read, the ones last used."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, Labels, str, Labels], tuple[Tool | None, Reading]] = OrderedDict()

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    def read(self, tool: Tool | None, worst: Labels, result: Json, stored: Labels) -> Reading:
        """As `remit.protect.reading.read`; one that is kept is nobody's to change."""
        text = _text(result)
        if text is None:
            return read(tool, worst, result, stored)
        known = id(tool), worst, text, stored
        found = self._kept.get(known)
        if found is None:
            # The tool is kept as well, so that no other has its identity.
            found = self._kept[known] = tool, read(tool, worst, result, stored)
            if len(self._kept) > READINGS_MAX:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(known)
        return found[1]


def _text(result: Json) -> str | None:
    """The one text that `result` is; None where it is anything else, or long."""
    if not isinstance(result, Mapping) or set(result) != {"content", "isError"}:
        return None
    match result["content"]:
        case [{"type": "text", "text": str(text)}] if len(text) <= CHARS_MAX:
            return text
        case _:
            return None
