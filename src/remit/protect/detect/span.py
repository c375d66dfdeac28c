"""What a detector finds, and how detectors are asked."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class Span(NamedTuple):
    """`text[start:end]` is a `what`."""

    start: int
    end: int
    what: str


Detector: TypeAlias = Callable[[str], list[Span]]
"""All that one detector finds in a text, in order, none within another. Its work grows with the text's length alone."""


def apart(spans: list[Span]) -> list[Span]:
    """`spans` in order, those that overlap joined."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start < found[-1].end:
            last = found[-1]
            found[-1] = Span(last.start, max(last.end, span.end), last.what)
        else:
            found.append(span)
    return found
