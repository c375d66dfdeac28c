"""What is wrong with a workspace, said so that the next step is plain."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.facts.canonical import Json

COMPARED_MAX: Final = 64
"""Names that one misspelt word is compared with: a hint must not cost seconds."""


class ProblemSeverity(StrEnum):
    """An `error` keeps the workspace from being applied; a `warning` does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class SourceLocation:
    """A place in the workspace: `file` relative to its root, `line` from 1 (0: the whole file)."""

    file: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class WorkspaceProblem:
    """One thing that is wrong: `what`, `why` it matters, a `hint` at the meaning, what to do `next`.

    `why` and `hint` may be empty. `code` is stable. Sentences are lower case without a full stop.

    Text quoted from files stands escaped in them (`repr`), so a problem may be printed as it is.
    """

    code: str
    where: SourceLocation
    what: str
    why: str = ""
    hint: str = ""
    next: str = "correct the file, then run: remit diff"
    severity: ProblemSeverity = ProblemSeverity.ERROR

    def __str__(self) -> str:
        text = f"{self.where}: {self.severity}: {self.what}"
        if self.hint:
            text += f" ({self.hint})"
        if self.why:
            text += f"\n  why:  {self.why}"
        return f"{text}\n  next: {self.next}"

    def to_json(self) -> Mapping[str, Json]:
        """The problem as JSON, for the control API and `-o json`."""
        return {
            "severity": self.severity.value,
            "code": self.code,
            "file": self.where.file,
            "line": self.where.line,
            "what": self.what,
            "why": self.why,
            "hint": self.hint,
            "next": self.next,
        }


def errors(problems: Iterable[WorkspaceProblem]) -> tuple[WorkspaceProblem, ...]:
    """Those of `problems` that keep a workspace from being applied."""
    return tuple(problem for problem in problems if problem.severity is ProblemSeverity.ERROR)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` when something known is near to `word`, else empty."""
    word = word[:128]
    reach = max(2, len(word) // 3)
    close = [name for name in known if abs(len(name) - len(word)) <= reach]
    close.sort(key=lambda name: (name[:2] != word[:2], name))
    near = difflib.get_close_matches(word, close[:COMPARED_MAX], n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""
