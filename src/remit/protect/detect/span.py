"""What a detector finds, and how detectors are asked."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class DetectedSpan(NamedTuple):
    """`text[start:end]` is a `what`."""

    start: int
    end: int
    what: str


Detector: TypeAlias = Callable[[str], list[DetectedSpan]]
"""All that one detector finds in a text, in order, none within another. Its work grows with the text's length alone."""


def apart(spans: list[DetectedSpan]) -> list[DetectedSpan]:
    """`spans` in order, those that overlap joined."""
    found: list[DetectedSpan] = []
    for span in sorted(spans):
        if found and span.start < found[-1].end:
            last = found[-1]
            found[-1] = DetectedSpan(last.start, max(last.end, span.end), last.what)
        else:
            found.append(span)
    return found
