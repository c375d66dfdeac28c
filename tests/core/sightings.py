"""Sightings made by chance, of few enough names that they meet."""

import random

from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, Verb

SOURCES = ("otlp", "otlp:bot", "host", "repo:/work", "workspace", "ledger", "user:alice")
WORDS = ("bot", "planner", "search", "notes/read", "gpt", "x")


def any_subject(draw: random.Random) -> Subject:
    return Subject(draw.choice(tuple(Kind)), draw.choice(WORDS), draw.choice(("", "otlp", "host", "repo")))


def any_sighting(draw: random.Random) -> Sighting:
    first = draw.randrange(1_000)
    return Sighting(
        any_subject(draw),
        draw.choice(SOURCES),
        f"line {draw.randrange(50)}",
        first,
        first + draw.randrange(500),
        draw.choice(tuple(SourceConfidence)),
        draw.choice((None, None, "ann", "bob")),
        tuple(Edge(draw.choice(tuple(Verb)), any_subject(draw)) for _ in range(draw.randrange(3))),
        tuple(Trait(draw.choice(("schema", "version")), str(draw.randrange(4))) for _ in range(draw.randrange(2))),
        draw.randrange(1, 4),
    )


def many(seed: int, count: int) -> list[Sighting]:
    draw = random.Random(seed)
    return [any_sighting(draw) for _ in range(count)]
