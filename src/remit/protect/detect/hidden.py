r"""Characters that people do not see and models read: invisible, bidirectional, and those that steer a terminal.

Sources: Unicode TR 36 and TR 39; "Trojan Source" (CVE-2021-42574); tag characters as in "ASCII smuggling". What
languages and emoji need is no find: joiners beside letters that join, a variation selector after what it varies, tags
of a flag, balanced isolates in a line that holds letters written from right to left.
"""

import re
import unicodedata
from typing import Final

from remit.protect.detect.span import DetectedSpan

_SUSPECT: Final = re.compile(
    "["
    "\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f"
    "\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e01ef"
    "]+"
)
_FLAG: Final = re.compile("[\U000e0030-\U000e0039\U000e0061-\U000e007a]{2,6}\U000e007f")
_JOINERS: Final = frozenset("\u200c\u200d")
_MARKS: Final = frozenset("\u200e\u200f\u061c")
_OPENING: Final = frozenset("\u2066\u2067\u2068\u202a\u202b")
_CLOSING: Final = frozenset("\u2069\u202c")
_SELECTORS: Final = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d]")
_BLACK_FLAG: Final = "\U0001f3f4"


def hidden(text: str) -> list[DetectedSpan]:
    """Runs of characters that nobody sees. Of what is balanced and needed by the language, nothing."""
    if text.isascii() and text.isprintable():
        return []
    lines = _Lines(text)
    return [
        DetectedSpan(match.start(), match.end(), _kind_of(match[0]))
        for match in _SUSPECT.finditer(text)
        if not _is_needed(text, match.start(), match.end(), lines)
    ]


def _kind_of(run: str) -> str:
    if any("\U000e0000" <= char <= "\U000e007f" for char in run):
        return "tag characters"
    if not _OPENING.isdisjoint(run) or not _CLOSING.isdisjoint(run) or "\u202d" in run or "\u202e" in run:
        return "bidirectional control"
    if any(unicodedata.category(char) == "Cc" for char in run):
        return "control character"
    return "invisible character"


def _is_needed(text: str, start: int, end: int, lines: "_Lines") -> bool:
    run = text[start:end]
    before = text[start - 1] if start else ""
    after = text[end] if end < len(text) else ""
    if before == _BLACK_FLAG and _FLAG.fullmatch(run):
        return True
    if run == "\ufeff" and not start:
        return True
    if len(run) == 1:
        if _SELECTORS.fullmatch(run):
            return bool(before) and (not before.isascii() or before in "#*0123456789")
        if run in _JOINERS or run in _MARKS:
            return _joins(before) or _joins(after)
    if len(run) == 2 and run[0] == "\ufe0f" and run[1] == "\u200d":
        return bool(before) and not before.isascii()
    if (run[0] in _OPENING or run[0] in _CLOSING) and len(set(run)) == 1:
        return lines.balanced(start)
    return False


def _joins(char: str) -> bool:
    """Whether `char` is of a script, or a picture, whose characters are joined or have a direction."""
    return bool(char) and ord(char) >= 0x0590 and char.isprintable() and not char.isspace()


class _Lines:
    """The lines of a text, each looked at once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = -1
        self._is_balanced = False

    def balanced(self, at: int) -> bool:
        """Whether the line around `at` closes what it opens, and has letters written from right to left."""
        if at >= self._end:
            begin, end = self._text.rfind("\n", 0, at) + 1, self._text.find("\n", at)
            self._end = len(self._text) if end < 0 else end
            self._is_balanced = _is_balanced(self._text[begin : self._end])
        return self._is_balanced


def _is_balanced(line: str) -> bool:
    depth = 0
    for char in line:
        if char in _OPENING:
            depth += 1
        elif char in _CLOSING:
            depth -= 1
            if depth < 0:
                return False
    return depth == 0 and any(unicodedata.bidirectional(char) in {"R", "AL"} for char in line)
