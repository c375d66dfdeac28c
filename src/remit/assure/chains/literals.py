"""What the conditions of policies compare values with: the texts, numbers and patterns that stand in them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from remit.assure.chains.patterns import Pattern, pattern_of
from remit.facts.canonical import Json
from remit.policy.form import chain_of

Path = tuple[str, ...]


@dataclass(slots=True)
class Literals:
    """`patterns` and `texts` by the path of `context` that they are compared with, `()` where that is not plain.

    `numbers` are by path as well, in units of one; `dates` are the texts of points and spans of time.
    """

    patterns: dict[Path, set[Pattern]] = field(default_factory=dict[Path, set[Pattern]])
    texts: dict[Path, set[str]] = field(default_factory=dict[Path, set[str]])
    numbers: dict[Path, set[int]] = field(default_factory=dict[Path, set[int]])
    decimals: set[str] = field(default_factory=set[str])
    dates: set[str] = field(default_factory=set[str])


def literals(policies: Iterable[Mapping[str, Json]]) -> Literals:
    """The literals of `policies`, in Cedar's JSON form."""
    found = Literals()
    for policy in policies:
        for condition in cast("list[Mapping[str, Json]]", policy["conditions"]):
            _walk(condition["body"], found)
    return found


def merged(found: Iterable[Literals]) -> Literals:
    """All that `found` hold."""
    whole = Literals()
    for one in found:
        for path, patterns in one.patterns.items():
            whole.patterns.setdefault(path, set()).update(patterns)
        for path, texts in one.texts.items():
            whole.texts.setdefault(path, set()).update(texts)
        for path, numbers in one.numbers.items():
            whole.numbers.setdefault(path, set()).update(numbers)
        whole.decimals |= one.decimals
        whole.dates |= one.dates
    return whole


def _walk(node: Json, found: Literals) -> None:
    match node:
        case {"like": {"left": left, "pattern": pattern}}:
            found.patterns.setdefault(_path(left), set()).add(pattern_of(pattern))
            _walk(left, found)
            return
        case {"decimal": [{"Value": str(text)}]}:
            found.decimals.add(text)
            return
        case {"datetime": [{"Value": str(text)}]} | {"duration": [{"Value": str(text)}]}:
            found.dates.add(text)
            return
        case {"Var": _} | {"Value": _}:
            _value(node, (), found)
            return
        case _:
            pass
    parts = list(_parts(node))
    paths = [path for part in parts if (path := _path(part))]
    for part in parts:
        for value in _values(part):
            _value({"Value": value}, paths[0] if paths else (), found)
        _walk(part, found)


def _parts(node: Json) -> Iterator[Json]:
    """What an expression is made of; names of attributes are nothing to compare with."""
    if isinstance(node, Mapping):
        for inner in node.values():
            if isinstance(inner, Mapping):
                yield from (part for name, part in inner.items() if name not in {"attr", "entity_type"})
            elif isinstance(inner, list):
                yield from inner
    elif isinstance(node, list):
        yield from node


def _values(part: Json) -> Iterator[Json]:
    match part:
        case {"Value": value}:
            yield value
        case {"Set": list(parts)}:
            for one in parts:
                yield from _values(one)
        case _:
            return


def _value(node: Json, path: Path, found: Literals) -> None:
    match node:
        case {"Value": bool()}:
            return
        case {"Value": int(number)}:
            found.numbers.setdefault(path, set()).add(number)
        case {"Value": str(text)}:
            found.texts.setdefault(path, set()).add(text)
        case {"Value": list(values)}:
            for value in values:
                _value({"Value": value}, path, found)
        case _:
            return


def _path(node: Json) -> Path:
    """The path of `context` that `node` is, whatever function it is handed to; empty where it is no such path."""
    chain = chain_of(node)
    if chain is not None:
        return chain[1] if chain[0] == "context" else ()
    if isinstance(node, Mapping) and len(node) == 1:
        (inner,) = node.values()
        if isinstance(inner, list) and len(inner) == 1:
            return _path(inner[0])
    return ()
