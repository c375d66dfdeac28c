"""Text from outside: what may stand in an identifier, and how free text is shown.

Invisible and bidirectional characters make one name look like another (Unicode TR 36, TR 39;
"Trojan Source", CVE-2021-42574): refused in identifiers, escaped where people read.
"""

import re
import unicodedata
from itertools import groupby
from typing import Final

_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_IGNORED: Final = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x2800, 0x2800), (0x3164, 0x3164), (0xFE00, 0xFE0F)),
    *((0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
IGNORED: Final = frozenset(chr(code) for first, last in _IGNORED for code in range(first, last + 1))
"""What draws nothing (Unicode's Default_Ignorable_Code_Point), and the blank of Braille."""
_SHOWN: Final = frozenset("\n\t")
_HALFWIDTH: Final = (("\uff9e", "\u3099"), ("\uff9f", "\u309a"))
"""The only letters that stand for marks, and the marks."""
_MARKS: Final = re.compile(r"[^\u0000-\u02ff\w\s]{31,}")
"""More characters than any language sets upon one letter (Unicode TR 15, "stream-safe"), all of which may be marks."""

GROWTH_MAX: Final = 18
"""As many characters may one be in form NFKC."""
_PIECE_CHARS: Final = 4_096


def composed(text: str) -> str:
    """`text` in Unicode's form NFKC, in time that grows with its length alone.

    The standard library puts marks in order by inserting one after the other, which takes the square of their number
    where a letter bears many. Here they are in order before.
    """
    if text.isascii():
        return text
    for letter, mark in _HALFWIDTH:
        text = text.replace(letter, mark)
    return unicodedata.normalize("NFKC", _MARKS.sub(_ordered, text))


def gained(text: str, most: int) -> int:
    """How many characters more than `text` its form NFKC has; some number above `most` where they are more than that.

    One character may become eighteen (U+FDFA). It is told piece by piece, so that no more is made than has to be.
    """
    gain = 0
    for at in range(0, 0 if text.isascii() else len(text), _PIECE_CHARS):
        piece = text[at : at + _PIECE_CHARS]
        gain += max(len(unicodedata.normalize("NFKC", _MARKS.sub(_ordered, piece))) - len(piece), 0)
        if gain > most:
            break
    return gain


def _ordered(match: re.Match[str]) -> str:
    # Each by itself: some marks stand for two.
    apart = "".join(unicodedata.normalize("NFKD", char) for char in match[0])
    runs = groupby(apart, lambda char: unicodedata.combining(char) > 0)
    return "".join("".join(sorted(run, key=unicodedata.combining) if marks else run) for marks, run in runs)


def identifier_problem(text: str) -> str | None:
    """Why `text` may not name anything, or None.

    Refused: nothing at all, control and format characters (zero width, bidi), private and
    unassigned ones, characters that draw nothing, variation selectors, spaces at an end or
    other than U+0020.
    """
    if not text:
        return "it is empty"
    if text != text.strip():
        return "it begins or ends with a space"
    for char in text:
        if _invisible(char) or (char != " " and unicodedata.category(char) == "Zs"):
            return f"it holds the invisible character U+{ord(char):04X}"
    return None


def escaped(text: str, *, chars_max: int = 2_000) -> str:
    r"""`text` for a terminal or a page: invisible and control characters as `\u{…}`.

    Newlines and tabs stay; what is longer than `chars_max` is cut, and says so.
    """
    if len(text) <= chars_max and text.isascii() and text.isprintable():
        return text
    start = "".join(
        f"\\u{{{ord(char):x}}}" if _invisible(char) and char not in _SHOWN else char for char in text[:chars_max]
    )
    rest = len(text) - chars_max
    return f"{start}… ({rest} more characters)" if rest > 0 else start


def one_line(text: str, *, chars_max: int = 2_000) -> str:
    r"""`escaped(text)` where a line break would end what it stands in: newlines and tabs as `\u{…}` too."""
    return escaped(text, chars_max=chars_max).replace("\n", "\\u{a}").replace("\t", "\\u{9}")


def control_problem(name: str) -> str | None:
    """Why `name`, which need be no identifier, may not name an argument, or None: it breaks lines or commands."""
    odd = next((char for char in name if unicodedata.category(char) in {"Cc", "Zl", "Zp"}), None)
    return None if odd is None else f"holds the control character U+{ord(odd):04X}"


def _invisible(char: str) -> bool:
    if " " <= char <= "~":
        return False
    return (
        unicodedata.category(char) in _REFUSED
        or char in _BLANK
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )
