"""What reaches further than its words say: paths with a glob, with `..`, from the root; hidden files and options.

Laws
* Each is a token of its own beside the words in it, so that `notes/*` is vouched for by `notes/*` alone.
* Nothing is cut, and the time is linear: what reaches holds a mark, and each piece with one is looked at once.
"""

import re
from collections.abc import Iterator
from typing import Final

CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
SPACES: Final = "\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What `str.split` splits at beyond the space and controls."""
_BETWEEN: Final = str.maketrans(dict.fromkeys(',;|()<>"`“”„«»' + CONTROLS + SPACES, " "))
_AROUND: Final = "'’\u2018!"
MARKS: Final = ("/", "..", "*", "~", "[", "{", "\\")
"""What reaches further holds one of these."""
_GLOB: Final = re.compile(r"\*|[\w/\\][\[{]|[/\\]\?(?!\w{0,64}=)|[\w:]\\\w")
_ENDS: Final = ".:?"
_AFTER: Final = ".:?/"
_OPENING: Final = re.escape('\\,;|()[]{}<>"`*“”„«» ' + _AROUND + CONTROLS + SPACES)
_LED: Final = re.compile(rf"[-.+:%$^=](?<![^{_OPENING}][-.+:%$^=])[^{_OPENING}]+")
_LEADING: Final = re.compile(r"\.+(?=[^\W\d])|[-.]*-(?=[.\w])|[+:%$^=]+(?=[^\W\d])")
_FILLED: Final = re.compile(r"\$?\{{1,2}\s{0,4}[^\W\d][\w.-]{0,64}\s{0,4}\}{1,2}|[$%]\([^\W\d][\w.-]{0,64}\)")
"""A name that something else is put in the place of: `${home}`, `{{ home }}`, `$(home)`."""
_BEHIND: Final = "%^~"
"""What makes more of the name before it: a wildcard of SQL, who came before a revision."""
_SPLITTING: Final = re.compile(rf"[{_OPENING}]+")


def path_tokens(text: str) -> Iterator[str]:
    """The tokens of such paths in `text`, which is `normalized`, in their order."""
    return (token for token, _ in cased_path_tokens(text))


def cased_path_tokens(text: str) -> Iterator[tuple[str, str]]:
    """The tokens that `path_tokens` finds, each with the same in its own letters."""
    marks = [mark for mark in MARKS if mark in text]
    if not marks:
        return
    written = text.translate(_BETWEEN)
    apart = text.lower().translate(_BETWEEN)
    if len(apart) != len(written):
        written = apart
    ends: dict[int, int] = {}
    for mark in marks:
        at = apart.find(mark)
        while at >= 0:
            begin = apart.rfind(" ", 0, at) + 1
            end = apart.find(" ", at)
            if end < 0:
                end = len(apart)
            ends[begin] = end
            at = apart.find(mark, end)
    for begin in sorted(ends):
        word = apart[begin : ends[begin]].strip(_AROUND)
        if word and _is_far_reaching(word):
            yield f"/{word}", f"/{written[begin : ends[begin]].strip(_AROUND)}"


def signed_names(text: str) -> Iterator[str]:
    """The tokens of names in `text`, which is `normalized`, with a sign that says more than the name.

    `.git` is not `git`, nor `--force` the word; `+main` does more to a branch, `main^` is another revision, and `$home`
    is what that stands for. A value that ends in `?` may be a pattern; a text of several words that does is a question.
    """
    for piece in _LED.finditer(text):
        if (match := _LEADING.match(piece[0])) is not None:
            yield f"/{match[0]}{piece[0][match.end() :].rstrip(_AFTER)}"
    if any(sign in text for sign in _BEHIND):
        for word in _SPLITTING.split(text):
            trimmed = word.rstrip(_AFTER)
            name = trimmed.rstrip(_BEHIND)
            if name != trimmed and name[-1:].isalpha():
                yield f"/{trimmed}"
    if "{" in text or "(" in text:
        yield from (f"/{''.join(name[0].split())}" for name in _FILLED.finditer(text))
    if text[-1:] == "?" and text[-2:-1].isalnum() and ":" not in text and " " not in text:
        yield f"/{text}"


def without_full_stop(token: str) -> str:
    """The token of a path that ends a sentence, without what ends that."""
    return token[:-1].rstrip(_AROUND) if token[-1] in _ENDS else token


def _is_far_reaching(word: str) -> bool:
    return word[0] in "/~\\" or _GLOB.search(word) is not None or (".." in word and ".." in re.split(r"[/\\]", word))
