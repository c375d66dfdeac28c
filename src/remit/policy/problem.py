"""What is wrong with a workspace's policies, said so that it can be mended."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class PolicyProblem:
    """One error or warning. `line` and `column` count from 1; 0 where there is none.

    `words` are the offending words as they stand in the file; `hint` is what to try.
    """

    file: str
    line: int
    column: int
    policy_id: str | None
    text: str
    words: str | None = None
    hint: str | None = None

    @property
    def where(self) -> str:
        """`file:line:column`, as far as known."""
        numbers = (str(n) for n in (self.line, self.column) if n > 0)
        return ":".join((self.file, *numbers))

    def __str__(self) -> str:
        named = f" [{self.policy_id}]" if self.policy_id else ""
        words = f" ({self.words})" if self.words and self.words not in self.text else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.where}:{named} {self.text}{words}{hint}"


def nearest(word: str, names: Iterable[str]) -> str | None:
    """A hint naming what `word` may have been meant to be."""
    close = difflib.get_close_matches(word, sorted(names), n=1, cutoff=0.6)
    return f"did you mean {close[0]}?" if close else None
