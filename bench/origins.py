"""Origins: what indexing and judging cost, that both are linear whatever the text holds, and what is kept of a token.

Texts are made from a seed: prose with names, numbers, addresses and URLs among it, the same as records in JSON and in
YAML. Indexing is the whole of what a result costs: reading it, its tokens, their hashes, the delta and its application.
Judging is the facts of an action with four arguments, most of them in the index.
"""

from __future__ import annotations

import gc
import json
import random
import sys
import time
import tracemalloc
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import yaml

from proof.verdict import say
from remit.facts.origin import Role
from remit.facts.results import Part, ResultFormat
from remit.facts.tool import Argument, Definition, Effect, Sink, Tool
from remit.protect.hashing import KEY_BYTES
from remit.protect.index import Index
from remit.protect.language import STOP
from remit.protect.learning import learn
from remit.protect.origins import Names, flow, words_delta
from remit.protect.reading import read
from remit.protect.scalars import IndexView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from remit.facts.canonical import Json

TEXT_MAX_US: Final = 100.0
YAML_MAX_US: Final = 300.0
P50_MAX_US: Final = 20.0
P99_MAX_US: Final = 60.0
SAVED_MAX: Final = 64
RESIDENT_MAX: Final = 128
CALLS_MAX: Final = 12.0
LINEAR_MAX: Final = 8.0
"""Four times the text: 4 where it is linear, 16 where it is quadratic."""
KEY: Final = b"k" * KEY_BYTES
_SCHEMA: Final[dict[str, Json]] = {"type": "object", "properties": {"to": {"type": "string"}}}
_DEFINITION: Final = Definition("t", "", _SCHEMA, None, {})
_PARTS: Final = (Part("$[*].id", "trusted"), Part("$[*].to", "trusted", directory=True))
_ROLES: Final = {
    "to": Argument(role=Role.TARGET),
    "url": Argument(role=Role.TARGET),
    "body": Argument(role=Role.CONTENT),
}


def tool(form: ResultFormat, parts: tuple[Part, ...] = _PARTS) -> Tool:
    """A tool whose results are records, some of their fields trusted."""
    return Tool(
        "s",
        _DEFINITION,
        "",
        Effect.WRITE,
        Sink.EXTERNAL,
        frozenset({"untrusted"}),
        arguments=_ROLES,
        results=parts,
        format=form,
    )


@dataclass(frozen=True, slots=True)
class Prose:
    """Prose by Zipf's law: words that tell nothing are the most frequent ones, as in any language."""

    rng: random.Random
    vocabulary: tuple[str, ...]
    weights: tuple[float, ...]

    def sentence(self) -> str:
        """Some eleven words, every other time a telling one among them."""
        said = self.rng.choices(self.vocabulary, self.weights, k=11)
        if self.rng.random() < 0.5:
            said.insert(self.rng.randrange(11), self.telling())
        return " ".join(said).capitalize() + "."

    def telling(self) -> str:
        """A name, number, address, URL, id or account number."""
        n = self.rng.randrange(10**6)
        return self.rng.choice(
            (
                f"Name{n}",
                f"{n / 100:.2f}",
                f"user{n}@example.org",
                f"https://www.host{n}.example.org/a/{n}",
                f"id-{n}",
                f"DE{n:020}",
            )
        )

    def text(self, kb: int) -> str:
        """Sentences, until they are long enough."""
        said: list[str] = []
        size = 0
        while size < kb * 1000:
            said.append(self.sentence())
            size += len(said[-1]) + 1
        return " ".join(said)

    def records(self, kb: int) -> list[Json]:
        """Records with an id, a name, a number and a sentence each."""
        return [
            {"id": n, "to": f"Name{n}", "amount": n / 4, "date": "2026-11-28", "text": self.sentence()}
            for n in range(kb * 1000 // 170)
        ]


def prose(seed: int) -> Prose:
    """Prose with 5,000 words of its own."""
    rng = random.Random(seed)
    letters = "etaoinshrdlucmfwypvbgk"
    own = ("".join(rng.choices(letters, k=rng.randint(2, 11))) for _ in range(5_000))
    vocabulary = (*sorted(STOP), *own)
    return Prose(rng, vocabulary, tuple(1 / (rank + 3) for rank in range(len(vocabulary))))


def result(text: str) -> Json:
    """`text` as a tool answers it."""
    return {"content": [{"type": "text", "text": text}]}


def index_us_per_kb(told: Tool | None, texts: Sequence[str]) -> float:
    """The median over `texts` of what indexing one costs in an index of its own, in microseconds a kB."""
    times: list[float] = []
    for text in texts:
        index, shown = Index(KEY), result(text)
        begun = time.thread_time_ns()
        reading = read(told, frozenset({"untrusted"}), shown)
        index.apply(learn(reading, told, {}, index, "c"))
        times.append((time.thread_time_ns() - begun) / len(text))
    times.sort()
    return times[len(times) // 2]


def judging(rounds: int) -> tuple[float, float]:
    """p50 and p99 of the facts of one action, in microseconds."""
    made = prose(1)
    index = Index(KEY)
    index.apply(words_delta(index, "Send 120.50 to Name7 and tell bob@example.org about it"))
    told = tool(ResultFormat.JSON)
    index.apply(learn(read(told, told.worst, result(json.dumps(made.records(60)))), told, {}, index, "c"))
    times: list[int] = []
    known = ("to", "amount", "date", "body")
    for number in range(rounds):
        given: dict[str, Json] = {
            "to": f"Name{number}",
            "amount": 120.5,
            "date": "2026-11-28",
            "body": f"Number {number} as agreed with bob@example.org",
        }
        begun = time.thread_time_ns()
        flow(told, Names(known), {}, given, IndexView(index))
        times.append(time.thread_time_ns() - begun)
    times.sort()
    return times[len(times) // 2] / 1e3, times[len(times) * 99 // 100] / 1e3


HOSTILE: Final[dict[str, Callable[[int], str]]] = {
    "a.b-": lambda size: "a.b-" * (size // 4),
    "dots": lambda size: "." * size,
    "at": lambda size: "@a." * (size // 3),
    "slashes": lambda size: "/:=&" * (size // 4),
    "schemes": lambda size: "://" * (size // 3),
    "digits": lambda size: "1 " * (size // 2),
    "groups": lambda size: "GB29 NWBK " * (size // 10),
    "commas": lambda size: "1,000" * (size // 5),
    "months": lambda size: "1 may " * (size // 6),
    "years": lambda size: "may " + " 2022" * (size // 5),
    "slashed": lambda size: "a/b /c " * (size // 7),
    "distinct": lambda size: " ".join(f"w{n}" for n in range(size // 7)),
    "marks": lambda size: "\u200b\u0301" * (size // 2),
    "brackets": lambda size: "[" * size,
    "yaml": lambda size: "- " * (size // 2),
    "anchors": lambda size: "- &a a\n" * (size // 7),
}


def growth() -> tuple[str, float]:
    """The hostile text whose time grows the most from 50 to 200 kB, and by which factor; every reader is asked."""
    worst = ("", 0.0)
    for name, made in HOSTILE.items():
        for told in (None, tool(ResultFormat.JSON), tool(ResultFormat.YAML)):
            small, large = (min(_took(told, made(size)) for _ in range(3)) for size in (50_000, 200_000))
            # What takes next to nothing says nothing.
            factor = large / small if large > 0.002 else 1.0
            worst = max(worst, (f"{name}/{told.format if told else 'text'}", factor), key=lambda one: one[1])
    return worst


def _took(told: Tool | None, text: str) -> float:
    index, shown = Index(KEY), result(text)
    begun = time.thread_time()
    learn(read(told, frozenset({"untrusted"}), shown), told, {}, index, "c")
    flow(told, Names(), {}, {"x": text}, IndexView(index))
    return time.thread_time() - begun


def sizes() -> tuple[float, float]:
    """Bytes saved and resident for each distinct token, of 60 results of 10 kB each."""
    made = prose(2)
    told = tool(ResultFormat.JSON)
    results = [result(made.text(10)) if n % 2 else result(json.dumps(made.records(10))) for n in range(60)]
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    index, saved = Index(KEY), 0
    for number, shown in enumerate(results):
        delta = learn(read(told, told.worst, shown), told, {}, index, f"r7f3-5.{number}")
        saved += len(delta.pack()) * 4 / 3
        index.apply(delta)
        del delta
    gc.collect()
    resident = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return saved / len(index), resident / len(index)


def session_s(calls: int) -> float:
    """How long one session takes that judges so many calls and reads a result of 1 kB after each."""
    made = prose(3)
    told = tool(ResultFormat.JSON)
    results = [result(made.text(1)) for _ in range(200)]
    index = Index(KEY)
    begun = time.thread_time()
    for number in range(calls):
        flow(told, Names(("to",)), {}, {"to": f"Name{number}", "body": "as agreed"}, IndexView(index))
        shown = result(f"{number} " + str(results[number % 200]))
        index.apply(learn(read(None, told.worst, shown), None, {}, index, f"c{number}"))
    return time.thread_time() - begun


def main(argv: Sequence[str]) -> int:
    """Measure; `--measured` misses no time."""
    made = prose(0)
    count = 200 if "--long" in argv else 40
    text = index_us_per_kb(None, [made.text(8) for _ in range(count)])
    told_json = index_us_per_kb(tool(ResultFormat.JSON), [json.dumps(made.records(8)) for _ in range(count)])
    dumped = [yaml.dump(made.records(8), Dumper=yaml.CSafeDumper) for _ in range(count)]
    told_yaml = index_us_per_kb(tool(ResultFormat.YAML), dumped)
    print(f"indexing, µs a kB: text {text:.0f}, JSON {told_json:.0f}, YAML {told_yaml:.0f}")
    judging(200)
    p50, p99 = judging(20_000 if "--long" in argv else 3_000)
    print(f"judging: p50 {p50:.1f} µs, p99 {p99:.1f} µs")
    name, factor = growth()
    print(f"four times the text: {factor:.2f} times as long at worst ({name})")
    saved, resident = sizes()
    print(f"a distinct token: {saved:.1f} bytes saved, {resident:.1f} resident")
    small, large = session_s(1_000), session_s(10_000)
    print(f"10,000 calls {large:.2f} s, 1,000 calls {small:.2f} s: {large / small:.1f}")
    timely = (
        max(text, told_json) <= TEXT_MAX_US and told_yaml <= YAML_MAX_US and p50 <= P50_MAX_US and p99 <= P99_MAX_US
    )
    small_enough = saved <= SAVED_MAX and resident <= RESIDENT_MAX
    steady = factor <= LINEAR_MAX and large / small <= CALLS_MAX
    figure = (
        f"text {text:.0f}, JSON {told_json:.0f}, YAML {told_yaml:.0f} µs/kB; judging p50 {p50:.1f} p99 {p99:.1f} µs;"
        f" growth {factor:.2f} ({name}); {saved:.0f} bytes saved, {resident:.0f} resident; calls {large / small:.1f}"
    )
    goal = (
        f"<= {TEXT_MAX_US:.0f} µs/kB of text and JSON, <= {YAML_MAX_US:.0f} of YAML; p50 <= {P50_MAX_US:.0f},"
        f" p99 <= {P99_MAX_US:.0f} µs; linear; <= {SAVED_MAX} saved, <= {RESIDENT_MAX} resident; <= {CALLS_MAX:.0f}"
    )
    return say(figure, goal, passed=small_enough and steady and (timely or "--measured" in argv))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
