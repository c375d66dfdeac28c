"""What libyaml stumbles over, in the words of those who write YAML: what is wrong, where, and what to do."""

from types import MappingProxyType
from typing import Final, NamedTuple

import yaml


class _Mistake(NamedTuple):
    """`what` may name the `{line}` on which it began; `there`: that line is the place, not where libyaml gave up."""

    what: str
    hint: str
    there: bool = False


_BRACKETS: Final = _Mistake(
    "what stands in brackets since line {line} lacks a comma or its end", "close it, or put a comma between its parts"
)
_QUOTES: Final = _Mistake("a text in quotes does not end", "end it with the quote that it begins with", there=True)
_TAB: Final = _Mistake("a tab indents this line", "indent with spaces")
_ESCAPE: Final = _Mistake("a backslash in double quotes begins no known escape", "double it, or use single quotes")
_MISTAKES: Final = MappingProxyType(
    {
        "mapping values are not allowed in this context": _Mistake(
            "a colon stands where no key can be",
            "put a text with ': ' in quotes; align keys that belong together; write a space after a key's colon",
        ),
        "could not find expected ':'": _Mistake(
            "this line is neither 'key: value' nor '- value'",
            "write a space after the key's colon; indent what goes on from the line before",
            there=True,
        ),
        "did not find expected key": _Mistake(
            "this is no key of the mapping that began on line {line}",
            "align it with the keys it belongs to; let nothing follow a text in quotes",
        ),
        "did not find expected '-' indicator": _Mistake(
            "this is no entry of the list that began on line {line}", "begin each entry with '- ', at the same indent"
        ),
        "block sequence entries are not allowed in this context": _Mistake(
            "a list begins on the line of its key", "put each '- value' on a line of its own"
        ),
        "did not find expected ',' or ']'": _BRACKETS,
        "did not find expected ',' or '}'": _BRACKETS,
        "did not find expected node content": _Mistake(
            "a value is missing", "write it; put a text that begins with a bracket or a comma in quotes"
        ),
        "found unexpected end of stream": _QUOTES,
        "found unexpected document indicator": _QUOTES,
        "found unknown escape character": _ESCAPE,
        "found invalid Unicode character escape code": _ESCAPE,
        "did not find expected hexdecimal number": _ESCAPE,
        "found a tab character that violates indentation": _TAB,
        "found a tab character where an indentation space is expected": _TAB,
        "found character that cannot start any token": _Mistake(
            "a tab, '@', '`' or '%' stands where a key or value begins", "indent with spaces; put such a text in quotes"
        ),
        "did not find expected alphabetic or numeric character": _Mistake(
            "'*' or '&' begins a text, which would be an alias or anchor", "put the text in quotes"
        ),
        "did not find expected comment or line break": _Mistake(
            "a text follows '|' or '>' on its line", "begin it on the next line, indented"
        ),
        "did not find expected <document start>": _Mistake(
            "something follows where the document has ended", "put a line --- between two documents"
        ),
    }
)
"""By what libyaml 0.2 calls its problem (`scanner.c`, `parser.c`)."""


def explain(error: yaml.MarkedYAMLError) -> tuple[str, int, str, str]:
    """What is wrong, on which line (from 1), libyaml's words where none are known here, and what to do."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    mistake = _MISTAKES.get(error.problem or "")
    if mistake is None:
        return "it is not YAML", line, " ".join(part for part in (error.context, error.problem) if part), ""
    start_line = error.context_mark.line + 1 if error.context_mark else line
    what = f"it is not YAML: {mistake.what.format(line=start_line)}"
    return what, start_line if mistake.there else line, "", mistake.hint
