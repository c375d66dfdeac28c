"""Configuration as people write it: JSON with comments, commas too many and a byte order mark, and TOML.

Unlike `facts.strictjson`, which reads what an agent sends, this reads what a client would have read: a file that a
client takes must not hide from discovery. Every step is one pass over the text. No error repeats any of it: what does
not parse may be a secret.
"""

import codecs
import json
import re
import tomllib
from collections.abc import Iterable
from typing import Final, cast

from remit.facts.canonical import Json

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMENT: Final = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|//[^\n]*+|/\*.*?\*/|/\*.*+', re.DOTALL)
"""A string, or a comment to blank; one that does not end takes all that follows."""
_COMMA: Final = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|,(?=\s*+[\]}])', re.DOTALL)
_VISIBLE: Final = re.compile(r"[^\n]")
_KEY: Final = re.compile(r'"((?:[^"\\\n]++|\\.)*+)"?(\s*+:)?|^[ \t]*+\[++[^\].\n]*+\."?([^"\].\n]++)', re.MULTILINE)
"""A string, which may lack its end, as a key where a colon follows; or what a table of TOML is called in its head."""
_LINE: Final = re.compile(r"\(at line (\d+),")


class Unparsed(ValueError):
    """Text that is not what its file should hold: `code` as in `config/syntax`, the `line` (0: unknown), and `why`."""

    def __init__(self, code: str, line: int, why: str) -> None:
        super().__init__(f"{code}: {why}")
        self.code = code
        self.line = line
        self.why = why


def decode(raw: bytes) -> str:
    """The text that `raw` spells, by its byte order mark or as UTF-8. Raises `Unparsed`."""
    mark, encoding = next(((mark, name) for mark, name in _BOMS if raw.startswith(mark)), (b"", "utf-8"))
    try:
        return raw[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, len(mark) + error.start) + 1
        raise Unparsed("config/encoding", line, "the file is not text in UTF-8, or in UTF-16 with its mark") from None


def jsonc(text: str) -> Json:
    """The value of JSON that may hold comments and trailing commas. Raises `Unparsed`."""
    plain = _COMMA.sub(lambda found: found[1] or " ", _COMMENT.sub(lambda found: found[1] or _blank(found[0]), text))
    try:
        return cast("Json", json.loads(plain))
    except json.JSONDecodeError as error:
        raise Unparsed("config/syntax", error.lineno, f"it is no JSON: {error.msg.lower()}") from None
    except RecursionError:
        raise Unparsed("config/depth", 0, "it is nested too deep") from None
    except ValueError:
        # More digits than Python takes for an integer.
        raise Unparsed("config/number", 0, "it holds a number too long to read") from None


def toml(text: str) -> Json:
    """The value of TOML. Raises `Unparsed`."""
    try:
        return cast("Json", tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise Unparsed("config/syntax", line, "it is no TOML from here on") from None
    except RecursionError:
        raise Unparsed("config/depth", 0, "it is nested too deep") from None
    except ValueError:
        raise Unparsed("config/number", 0, "it holds a number or a date that cannot be read") from None


def _blank(comment: str) -> str:
    return _VISIBLE.sub(" ", comment)


def lines_of(text: str, heads: Iterable[str], names: Iterable[str]) -> dict[str, int]:
    """The line of each of `names` where it is a key below the first of `heads` that stands in `text`.

    One that is not found, as it is written with escapes, has the line of the head. One walk, whatever is asked for.
    """
    places = (place for head in heads for place in (text.find(f'"{head}"'), text.find(f"[{head}")))
    at = min((place for place in places if place >= 0), default=-1)
    if at < 0:
        return {}
    line = text.count("\n", 0, at) + 1
    lines = dict.fromkeys(names, line)
    names_left = set(lines)
    for key in _KEY.finditer(text, at):
        if not names_left:
            break
        name = key[3] or (key[1] if key[2] else "")
        if name in names_left:
            line += text.count("\n", at, key.start())
            at, lines[name] = key.start(), line
            names_left.discard(name)
    return lines
