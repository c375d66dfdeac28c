"""How the story is printed: a word in the first column says what happened, colour only repeats it.

NO_COLOR and a stream that is no terminal make it plain; what an agent or a tool wrote is shown
escaped and never as markup.
"""

import textwrap
from enum import StrEnum
from typing import Final

from rich.console import Console
from rich.text import Text

from remit.facts.text import escaped

INDENT: Final = 9
PLAIN_WIDTH: Final = 150


class Sign(StrEnum):
    """The first word of a line."""

    PERMIT = "permit"
    DENY = "deny"
    WAIT = "wait"
    OK = "ok"
    NOTE = "note"
    HARM = "HARM"
    FAULT = "FAULT"


STYLES: Final = {
    Sign.PERMIT: "green",
    Sign.OK: "green",
    Sign.NOTE: "dim",
    Sign.DENY: "bold yellow",
    Sign.WAIT: "bold cyan",
    Sign.HARM: "bold red",
    Sign.FAULT: "bold red reverse",
}


FOUND: Final = frozenset({Sign.OK, Sign.FAULT})


class Narrator:
    """Prints the story, line by line, and remembers whether any of it went wrong."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._acts = 0
        self.faults: list[str] = []

    def act(self, title: str) -> None:
        """Open the next part of the story."""
        self._acts += 1
        self._print(Text(f"{self._acts}. {escaped(title)}", style="bold"))

    def line(self, sign: Sign, text: str) -> None:
        """One event; of a call as much as a line takes, of what was found all."""
        if sign is Sign.FAULT:
            self.faults.append(text)
        word = Text(f"  {sign.value:<{INDENT - 2}}", style=STYLES[sign])
        first, *others = self._whole(text) if sign in FOUND else [self._clipped(text)]
        self._print(word.append(first, style="default not bold not dim not reverse"))
        for other in others:
            self._print(Text(" " * INDENT + other))

    def more(self, text: str) -> None:
        """What else there is to say of the last event, in as many lines as it takes."""
        for line in self._whole(text):
            self._print(Text(" " * INDENT + line, style="dim"))

    def plain(self, text: str) -> None:
        """A line of its own, whole: commands to copy, addresses."""
        self._print(Text(escaped(text)))

    @property
    def _width(self) -> int:
        return (self._console.width if self._console.is_terminal else PLAIN_WIDTH) - INDENT

    def _whole(self, text: str) -> list[str]:
        return textwrap.wrap(_clean(text), self._width) or [""]

    def _clipped(self, text: str) -> str:
        clean = _clean(text)
        return clean if len(clean) <= self._width else clean[: self._width - 1] + "…"

    def _print(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True, highlight=False)


def _clean(text: str) -> str:
    return escaped(" ".join(text.split()))
