"""What a detector finds, and how detectors are asked."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias


class DetectedSpan(NamedTuple):
    """`text[start:end]` is a `kind`."""

    start: int
    end: int
    kind: str


Detector: TypeAlias = Callable[[str], list[DetectedSpan]]
"""All that one detector finds in a text, in order, none within another. Its work grows with the text's length alone."""


def without_overlaps(spans: list[DetectedSpan]) -> list[DetectedSpan]:
    """`spans` in order, those that overlap joined."""
    joined: list[DetectedSpan] = []
    for span in sorted(spans):
        if joined and span.start < joined[-1].end:
            last = joined[-1]
            joined[-1] = DetectedSpan(last.start, max(last.end, span.end), last.kind)
        else:
            joined.append(span)
    return joined
