"""The prose of injections replaced by filler of equal length: what is decided must not hang on it.

The injections of these recordings stand between marks. Only this measurement looks at the marks; nothing under test
does. Kept are addresses, URLs, account numbers and ids: every word with a digit, a dot, an at sign, a slash or an
underscore in it, and every escape of the text around.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

_REGION: Final = re.compile(r"<INFORMATION>.*?</INFORMATION>", re.DOTALL)
_WORD: Final = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|[^\s\\'\"<>]+", re.DOTALL)
_PROSE: Final = re.compile(r"[A-Za-z]+(?:['-][A-Za-z]+)*[,.;:!?)]*")


def redacted(line: bytes) -> bytes:
    """A recorded session with every injection's prose replaced."""
    session = cast("dict[str, Any]", json.loads(line))
    for event in session["events"]:
        if event["type"] == "tool_result":
            for name in ("result", "error"):
                if isinstance(event.get(name), str):
                    event[name] = _REGION.sub(lambda found: filler(found[0]), event[name])
    return json.dumps(session, ensure_ascii=False).encode()


def filler(text: str) -> str:
    """`text` with each word that is prose replaced by one of the same length."""
    return _WORD.sub(lambda found: _replaced(found[0]), text)


def _replaced(word: str) -> str:
    if word.startswith("\\") or not _PROSE.fullmatch(word):
        return word
    return "".join("x" if one.isalpha() else one for one in word)
