"""Records for a person at a screen: none wider than it, each under its day, with nothing but milliseconds left out.

A program, and `-o wide`, get one line each, with the whole moment and the record's kind.
"""

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from remit.facts.text import escaped

_BETWEEN: Final = "  "
_TEXT_MIN: Final = 24
"""Characters of a line's text, however narrow the screen: words are read by no fewer."""
_LINES_MAX: Final = 6
"""Lines of one record; all of it: `remit why`."""


class LogLines:
    """Lines for a screen of `width` characters; None where no screen is."""

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._day = ""

    def of(self, item: Mapping[str, Any], *, sid: bool = False) -> Iterator[str]:
        """The lines of the record `item`; `sid`: with its session."""
        # What others wrote stands in the text: a line break in it must not start a record.
        text = escaped(item["text"]).replace("\n", "\\n")
        if self._width is None:
            session = f"{_BETWEEN}{item['sid'] or '-':<32}" if sid else ""
            yield f"{item['at']}{_BETWEEN}{item['id']}{session}{_BETWEEN}{item['kind']:<8}{_BETWEEN}{text}"
            return
        day, _, time = str(item["at"]).partition("T")
        if day != self._day:
            self._day = day
            yield f"{day}, UTC"
        head = f"{time[:8]}{_BETWEEN}{item['id']}{_BETWEEN}"
        room = max(_TEXT_MIN, self._width - len(head))
        lines = textwrap.wrap(text, room, break_on_hyphens=False, max_lines=_LINES_MAX, placeholder=" …")
        yield f"{head}{lines[0] if lines else ''}"
        for line in lines[1:]:
            yield f"{' ' * len(head)}{line}"
