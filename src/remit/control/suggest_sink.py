"""Where what a tool is given goes, as far as its definition says: outside, unless something says that it stays here."""

from collections.abc import Container, Iterable, Mapping
from typing import Final

from remit.control import suggest_words as words
from remit.control.suggest_effect import spoken
from remit.control.suggest_schema import properties
from remit.facts.canonical import Json
from remit.facts.tool import Definition, Effect, Sink

_STAYS: Final = "it reads, and nothing says that it reaches outside"


def sink_of(definition: Definition, effect: Effect) -> tuple[Sink, str]:
    """The sink of a tool of this `effect`, and why."""
    name, hints = spoken(definition.name), definition.annotations
    named = {argument: set(spoken(argument)) for argument in properties(definition)}
    outward = words.ADDRESSED if effect is Effect.READ else words.ADDRESSED | words.OUTSIDE
    if (reaches := next((argument for argument, said in named.items() if _names(said, outward)), None)) is not None:
        return Sink.EXTERNAL, f"its argument {reaches} leads outside"
    if outside := sorted(set(name) & (words.VISITS if effect is Effect.READ else words.OUTSIDE)):
        return Sink.EXTERNAL, f"its name says {outside[0]!r}"
    if hints.get("openWorldHint") is True:
        return Sink.EXTERNAL, "the server claims openWorldHint: true"
    if effect is Effect.READ:
        return _read(definition, name, named, hints)
    if hints.get("openWorldHint") is False:
        return Sink.INTERNAL, "the server claims openWorldHint: false"
    if kept := sorted(set(name) & words.KEPT):
        if (addressed := next((argument for argument, said in named.items() if said & words.PEOPLE), None)) is not None:
            return Sink.EXTERNAL, f"its argument {addressed} names somebody"
        if (shared := next((argument for argument, said in named.items() if said <= words.SHARED), None)) is not None:
            return Sink.EXTERNAL, f"its argument {shared} names a place that others may see"
        return Sink.INTERNAL, f"what it is given stays in a {kept[0]}"
    return Sink.EXTERNAL, "nothing says that what it is given stays here"


def _read(
    definition: Definition, name: tuple[str, ...], named: Mapping[str, set[str]], hints: Mapping[str, Json]
) -> tuple[Sink, str]:
    """Of a tool that only reads: what it asks for may tell others something, too."""
    if abroad := sorted(words.ABROAD.intersection(spoken(definition.description))):
        return Sink.EXTERNAL, f"its description says {abroad[0]!r}"
    if hints.get("openWorldHint") is False or not named:
        return Sink.INTERNAL, _STAYS
    if _names(name, words.HELD):
        return Sink.INTERNAL, _STAYS
    asks = sorted(words.SEARCHES.intersection(name))
    if not asks and words.READS.isdisjoint(name):
        # That it reads is its server's word alone.
        asks = [argument for argument, said in named.items() if said & words.FREE][:1]
    if asks:
        return Sink.EXTERNAL, f"it says {asks[0]!r}, and nothing says that what it looks through is kept here"
    return Sink.INTERNAL, _STAYS


def _names(said: Iterable[str], known: Container[str]) -> bool:
    """Whether one of the words `said` is among those `known`, or several of one."""
    return any(word in known or word.removesuffix("s") in known for word in said)
