"""Precision and recall of each detector on the labelled set, with what it misses and what it finds wrongly.

A held text counts as found where a span covers most of it; a find in a text that holds nothing, or beside what it
holds, is a false one.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

from proof.detectors import labelled
from proof.verdict import say
from remit.facts.finding import Find
from remit.facts.text import escaped
from remit.facts.tool import Definition
from remit.protect.detect.detectors import DETECTORS
from remit.protect.detect.poison import poison

if TYPE_CHECKING:
    from collections.abc import Iterable

    from proof.detectors.labelled import Text

SEED: Final = 20_261_129
PRECISION_MIN: Final = 0.95
RECALL_MIN: Final = 0.75
SHOWN_MAX: Final = 90


@dataclass
class Score:
    """What was found right and wrong, and what was not found."""

    right: int = 0
    wrong: list[str] = field(default_factory=list[str])
    missed: list[str] = field(default_factory=list[str])

    @property
    def precision(self) -> float:
        """The share of finds that are right."""
        return self.right / max(1, self.right + len(self.wrong))

    @property
    def recall(self) -> float:
        """The share of what is there that is found."""
        return self.right / max(1, self.right + len(self.missed))


def judge(find: Find, texts: Iterable[Text]) -> Score:
    """The score of `find` over `texts`."""
    score = Score()
    for one in texts:
        spans = DETECTORS[find](one.text)
        used: set[int] = set()
        for held in one.held:
            at = one.text.find(held)
            hit = [
                number
                for number, span in enumerate(spans)
                if at >= 0 and min(span.end, at + len(held)) - max(span.start, at) > len(held) / 2
            ]
            used.update(hit)
            if hit:
                score.right += 1
            else:
                score.missed.append(f"{one.kind}: {escaped(one.text, chars_max=SHOWN_MAX)}")
        score.wrong += [
            f"{one.kind}: {spans[number].kind} in {escaped(one.text, chars_max=SHOWN_MAX)}"
            for number in range(len(spans))
            if number not in used
        ]
    return score


def descriptions() -> Score:
    """The score of what is told of tools' descriptions."""
    score = Score()
    others = ("send_mail", "send_payment", "list_invoices", "close_page")
    for text in labelled.POISONED:
        if poison(_tool(text), others):
            score.right += 1
        else:
            score.missed.append(escaped(text, chars_max=SHOWN_MAX))
    for text in labelled.BENIGN:
        score.wrong += [f"{found.kind}: {escaped(text, chars_max=SHOWN_MAX)}" for found in poison(_tool(text), ())[:1]]
    return score


def _tool(text: str) -> Definition:
    return Definition("does_it", text, {"type": "object"}, None, {})


def us_per_kb(find: Find, texts: Iterable[Text]) -> float:
    """What a kilobyte of the set takes, in microseconds of this processor."""
    whole = "\n".join(one.text for one in texts)
    start = time.process_time()
    DETECTORS[find](whole)
    return (time.process_time() - start) * 1e6 / (len(whole) / 1000)


def main() -> int:
    """Print the figures, then what was missed and found wrongly, by kind."""
    sets = {find: list(make(Random(SEED))) for find, make in _SETS.items()}
    scores = {find.value: judge(find, texts) for find, texts in sets.items()} | {"poison": descriptions()}
    speed = {find.value: us_per_kb(find, texts) for find, texts in sets.items()}
    print(f"{'detector':<10} {'found':>6} {'wrong':>6} {'missed':>7} {'precision':>10} {'recall':>8} {'µs/kB':>7}")
    for name, score in scores.items():
        print(
            f"{name:<10} {score.right:>6} {len(score.wrong):>6} {len(score.missed):>7} {score.precision:>10.3f} "
            f"{score.recall:>8.3f} {speed.get(name, 0):>7.0f}"
        )
    for name, score in scores.items():
        for word, listed in (("missed", score.missed), ("wrong", score.wrong)):
            kinds = Counter(line.partition(": ")[0] for line in listed)
            for kind, count in kinds.items():
                first = next(line for line in listed if line.startswith(kind)).partition(": ")[2]
                print(f"{name} {word} {count}x {kind}: {escaped(first).replace(chr(10), ' ')}".rstrip(": "))
    passed = all(one.precision >= PRECISION_MIN and one.recall >= RECALL_MIN for one in scores.values())
    figure = "; ".join(f"{name} {one.precision:.3f}/{one.recall:.3f}" for name, one in scores.items())
    return say(figure, f"precision ≥ {PRECISION_MIN}, recall ≥ {RECALL_MIN} each, misses listed", passed=passed)


_SETS: Final = {Find.HIDDEN: labelled.hidden, Find.SECRET: labelled.secrets, Find.PII: labelled.pii}

if __name__ == "__main__":
    sys.exit(main())
