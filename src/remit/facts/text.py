"""Text from outside: what may stand in an identifier, and how free text is shown.

Invisible and bidirectional characters make one name look like another (Unicode TR 36, TR 39;
"Trojan Source", CVE-2021-42574): refused in identifiers, escaped where people read.
"""

import unicodedata
from typing import Final

_REFUSED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0")
_SHOWN: Final = frozenset("\n\t")


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
    shown = "".join(
        f"\\u{{{ord(char):x}}}" if _invisible(char) and char not in _SHOWN else char for char in text[:chars_max]
    )
    left = len(text) - chars_max
    return f"{shown}… ({left} more characters)" if left > 0 else shown


def _invisible(char: str) -> bool:
    if " " <= char <= "~":
        return False
    return (
        unicodedata.category(char) in _REFUSED
        or char in _BLANK
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )
