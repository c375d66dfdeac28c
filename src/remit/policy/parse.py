"""`.cedar` text split into statements that know their file and line.

cedarpy gives no positions, so each statement is handed to it alone. Total on any text: in
Cedar a `;` outside strings and comments ends a statement and stands nowhere else.
"""

import re
from dataclasses import dataclass
from typing import Final

from remit.facts.canonical import digest
from remit.facts.catalog import PolicySource
from remit.policy.problem import PolicyProblem

TOKEN: Final = re.compile(
    r"""//[^\n]*            # a comment
    |"[^"\\]*(?:\\.[^"\\]*)*"  # a string
    |"                      # one that never ends
    |;|/|[^/";]+""",
    re.VERBOSE | re.DOTALL,
)
"""The pieces that any text of policies is made of: comments and strings are whole."""


BYTES_MAX: Final = 64 * 1024
BRACKETS_MAX: Final = 50
OPERATORS_MAX: Final = 1_000
CHOICES_MAX: Final = 100
"""Limits of one policy. Cedar's parser recurses on the machine's stack: far beyond these it ends
the process instead of raising."""

_OPERATOR: Final = re.compile(r"&&|\|\||[-+*.<>=!]|\b(?:has|like|is|in)\b")
_CHOICE: Final = re.compile(r"\bif\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """One policy as it stands in its file. `line` and `column` count from 1."""

    file: str
    line: int
    column: int
    text: str

    @property
    def text_hash(self) -> str:
        """`sha256:…` of the text: an approval given for one text lifts no other."""
        return digest(self.text.encode("utf-8", "surrogatepass"))

    def excess(self) -> str | None:
        """Why this text is not handed to a parser, or None."""
        code = TOKEN.sub(lambda token: " " if token[0].startswith(("//", '"')) else token[0], self.text)
        depth = deepest = 0
        for char in code:
            depth += (char in "([{") - (char in ")]}")
            deepest = max(deepest, depth)
        measures = (
            (len(self.text.encode("utf-8", "surrogatepass")), BYTES_MAX, "bytes"),
            (deepest, BRACKETS_MAX, "brackets inside each other"),
            (len(_OPERATOR.findall(code)), OPERATORS_MAX, "operators"),
            (len(_CHOICE.findall(code)), CHOICES_MAX, "ifs"),
        )
        for count, most, unit in measures:
            if count > most:
                return f"this policy has {count} {unit}, more than {most}: make it several"
        return None

    def locate(self, words: str) -> tuple[int, int]:
        """Line and column of `words` in the file; of the statement where they are not in it."""
        at = outside_comments(self.text).find(words) if words else -1
        if at < 0:
            return self.line, self.column
        before = self.text[:at]
        newline = before.rfind("\n")
        if newline < 0:
            return self.line, self.column + at
        return self.line + before.count("\n"), at - newline

    def problem(
        self, text: str, words: str = "", policy_id: str | None = None, hint: str | None = None
    ) -> PolicyProblem:
        """A problem at `words`."""
        line, column = self.locate(words)
        return PolicyProblem(self.file, line, column, policy_id, text, words or None, hint)


def split(source: PolicySource) -> tuple[tuple[Statement, ...], tuple[PolicyProblem, ...]]:
    """The statements of a file, the last perhaps unfinished, and what cannot be one."""
    statements: list[Statement] = []
    problems: list[PolicyProblem] = []
    place = _Place(source)
    start: int | None = None
    for token in TOKEN.finditer(source.text):
        word = token[0]
        if start is None:
            if word.startswith("//") or not word.strip():
                continue
            start = token.start() + len(word) - len(word.lstrip())
        if word == '"':
            statement = place.statement(token.start(), token.start() + 1)
            problems.append(statement.problem("a string begins here and never ends", '"'))
            return tuple(statements), tuple(problems)
        if word == ";":
            statements.append(place.statement(start, token.end()))
            start = None
    if start is not None:
        statements.append(place.statement(start, len(source.text)))
    return tuple(statements), tuple(problems)


@dataclass(slots=True)
class _Place:
    """Where in a file we are: from the start of one statement on, lines are counted to the next."""

    source: PolicySource
    at: int = 0
    line: int = 1

    def statement(self, start: int, end: int) -> Statement:
        """The statement from `start`, not before the last one, to `end`."""
        text = self.source.text
        self.line += text.count("\n", self.at, start)
        self.at = start
        column = start - text.rfind("\n", 0, start)
        return Statement(self.source.path, self.line, column, text[start:end].rstrip())


def outside_comments(text: str) -> str:
    """`text` with every comment blanked, so that words are not found inside one."""
    return TOKEN.sub(lambda token: " " * len(token[0]) if token[0].startswith("//") else token[0], text)
