"""Paths that reach further than their words say: with a glob, with `..`, from the root or from somebody's home.

Laws
* Each is a token of its own beside the words in it, so that `notes/*` is vouched for by `notes/*` alone.
* Nothing is cut, and the time is linear.
"""

import re
from collections.abc import Iterator
from typing import Final

CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_BETWEEN: Final = str.maketrans(dict.fromkeys(',;|()<>"`“”„«»' + CONTROLS, " "))
_AROUND: Final = "'’\u2018!"
_MAYBE: Final = re.compile(r"[*~\\\[{]|\.\.|(?<!\w)/|/\?")
"""What reaches further holds one of these."""
_GLOB: Final = re.compile(r"\*|[\w/\\][\[{]|[/\\]\?(?!\w{0,64}=)")
_ENDS: Final = ".:?"


def reaching(text: str) -> Iterator[str]:
    """The tokens of such paths in `text`, which is `plain`."""
    if _MAYBE.search(text) is None:
        return
    for piece in text.lower().translate(_BETWEEN).split():
        word = piece.strip(_AROUND)
        if word and _reaches(word):
            yield f"/{word}"


def ended(token: str) -> str:
    """The token of a path that ends a sentence, without what ends that."""
    return token[:-1].rstrip(_AROUND) if token[-1] in _ENDS else token


def _reaches(word: str) -> bool:
    return word[0] in "/~\\" or _GLOB.search(word) is not None or (".." in word and ".." in re.split(r"[/\\]", word))
