"""What a tool does to the world, as far as its definition says: the strongest verb that could be one counts.

Laws
* What a server claims of itself lowers nothing that a name contradicts.
* What nothing is known of is irreversible.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from remit.control import suggest_words as words
from remit.control.suggest_schema import properties
from remit.facts.canonical import Json
from remit.facts.tool import Definition, Effect

_WORD: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_VERBS: Final = words.READS | words.WRITES | words.ENDS | words.ACTS


def spoken(name: str) -> tuple[str, ...]:
    """The words of an identifier, in lower case: `sendMoney` and `send_money` are `("send", "money")`."""
    return tuple(word.lower() for word in _WORD.findall(name))


def effect_of(definition: Definition) -> tuple[Effect, str]:
    """The effect of a tool, and why: by its name, and by what its arguments have it do."""
    effect, why = effect_named(spoken(definition.name), definition.annotations)
    if effect is not Effect.READ:
        return effect, why
    arguments = {name: spoken(name) for name in properties(definition)}
    told = next((name for name, said in arguments.items() if words.TOLD_WHAT.intersection(said)), None)
    if told is not None and definition.annotations.get("readOnlyHint") is not True:
        return Effect.IRREVERSIBLE, f"its argument {told} says what it does"
    put = next((name for name, said in arguments.items() if _is_put(said)), None)
    return (effect, why) if put is None else (Effect.WRITE, f"its argument {put} says where it puts what it reads")


def effect_named(name: tuple[str, ...], hints: Mapping[str, Json]) -> tuple[Effect, str]:
    """The effect, by the strongest verb that could be one, else by what the server claims."""
    joined = {after for before, after in pairwise(name) if before in {"and", "or", "then"}}
    verbs = _verbs(name) | joined
    mild = hints.get("destructiveHint") is False
    if ends := _ends(name, verbs):
        return Effect.IRREVERSIBLE, f"its name says {ends[0]!r}"
    if hints.get("destructiveHint") is True and hints.get("readOnlyHint") is not True:
        return Effect.IRREVERSIBLE, "the server claims destructiveHint: true"
    if acts := _acts(name, joined):
        return Effect.WRITE if mild else Effect.IRREVERSIBLE, f"its name says {acts[0]!r}"
    if writes := _phrased(name) or sorted(verbs & words.WRITES):
        return Effect.WRITE, f"its name says {writes[0]!r}"
    if hints.get("readOnlyHint") is False:
        return Effect.WRITE, "the server claims readOnlyHint: false"
    if reads := sorted(verbs & words.READS):
        return Effect.READ, f"its name says {reads[0]!r}"
    return _claimed(hints)


def _claimed(hints: Mapping[str, Json]) -> tuple[Effect, str]:
    if hints.get("readOnlyHint") is True:
        return Effect.READ, "the server claims readOnlyHint: true"
    if hints.get("destructiveHint") is False:
        return Effect.WRITE, "the server claims destructiveHint: false"
    return Effect.IRREVERSIBLE, "nothing says otherwise"


def _verbs(name: tuple[str, ...]) -> set[str]:
    """The words of `name` that may be its verb: without one in front, any of them."""
    verb = name[0] if name else ""
    if verb in words.READS - words.THINGS_TOO:
        return {verb, *words.DEEDS.intersection(name)}
    return {verb} if verb in words.WRITES | words.ENDS else set(name)


def _ends(name: tuple[str, ...], verbs: set[str]) -> list[str]:
    """What `name` says that cannot be undone: what destroys or reaches others, is sold, or is done by being made."""
    made = words.DONE.intersection(name[-1:]) if words.ASKS_FOR.intersection(name) else ()
    sold = [after for before, after in pairwise(name) if before == "for" and after in words.SOLD]
    destroyed = [word for word in name if word in words.DESTROYS]
    return destroyed[:1] or sorted(verbs & words.ENDS) or sold or sorted(made)


def _phrased(name: tuple[str, ...]) -> list[str]:
    """What `name` says in two words: to check out, or to open what is not there before."""
    if name[:1] == ("open",) and name[1:] and words.OPENED.isdisjoint(name):
        return ["open"]
    return [f"check {name[1]}"] if name[:1] == ("check",) and words.CHECKED.intersection(name[1:2]) else []


def _acts(name: tuple[str, ...], joined: set[str]) -> list[str]:
    """What `name` says is done: its first verb, what is joined to one, and what is hardly ever a thing."""
    first = next((at for at, word in enumerate(name) if word in _VERBS and name[at : at + 2] != ("pull", "request")), 0)
    found = (words.ACTS & {*name[first : first + 1], *joined}) | words.ACTS_ANYWHERE.intersection(name)
    if "load" in name[first : first + 1] and words.LOADED.isdisjoint(name):
        found |= {"load"}
    return sorted(found) or ["top up"] * (name[:2] == ("top", "up"))


def _is_put(argument: tuple[str, ...]) -> bool:
    return len(argument) > 1 and argument[0] in words.PUT and argument[-1] in words.PLACES
