"""How much an action moves: what the catalog's extractors find in its arguments.

Laws
* A number is exact, to four decimal places, or not there and its name among `inexact`: no policy may read it then.
* What counts is the magnitude: signs do not cancel, and several amounts add up.
* Where something is counted, nothing is one of it: `null`, and what is not there, count nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from remit.facts.canonical import Json
from remit.facts.results import Step, steps

PLACES: Final = 10_000
"""Units of the fourth decimal place: what Cedar's decimal counts in."""
UNITS_MAX: Final = 2**63 - 1
MEASURES: Final = ("amount", "records", "recipients")
"""What there may be an extractor for."""
_PARTED: Final = re.compile(r"[,;|\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029\uff0c\uff1b\u3001\u060c\u061b]")
"""What people and programs write between several: commas and semicolons of any script, bars, tabs, ends of lines."""
_NUMBERED: Final = re.compile(r"(?<!\S)\+?[0-9][0-9()./-]{3,}(?!\S)")
"""A telephone or account number between spaces."""
_WRITTEN: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,20})?")
_NUMBER_MAX: Final = 10**15


class ImpactMeasure(StrEnum):
    """How what is found at a path becomes a number."""

    NUMBER = "number"
    VALUES = "values"
    PEOPLE = "people"


@dataclass(frozen=True, slots=True)
class Extractor:
    """Where in the arguments a measure stands (`facts.results.steps`), and how it is counted.

    `number`: the sum of the numbers there. `values`: how many values. `people`: as many, and a text counts as many as
    it has parts between commas, semicolons, bars, tabs and lines, or addresses, or numbers between spaces, whichever is
    most. Words between spaces are one: names have spaces.
    """

    path: str
    counts: ImpactMeasure

    @property
    def argument(self) -> str | None:
        """The argument that all of the measure stands in; None where it is not one."""
        path = _steps(self.path)
        return path[0] if path and isinstance(path[0], str) else None

    def to_json(self) -> Json:
        """As YAML spells it."""
        return {"path": self.path, "counts": self.counts.value}


Extractors = Mapping[str, Extractor]
NONE: Final[Extractors] = MappingProxyType({})
"""By measure."""


class Impact(NamedTuple):
    """What an action moves.

    `units` is the amount in units of the fourth decimal place; `inexact` names what is not exact.
    """

    reversible: bool
    external: bool
    units: int | None = None
    records: int | None = None
    recipients: int | None = None
    inexact: frozenset[str] = frozenset()

    def measures(self) -> dict[str, str]:
        """Each measure that there is as decimal text, and `?` for one that is not exact."""
        texts = {name: "?" for name in MEASURES if name in self.inexact}
        for name, units in (("amount", self.units), ("records", self.records), ("recipients", self.recipients)):
            if units is not None:
                texts[name] = shown(units) if name == "amount" else str(units)
        return texts

    def recorded(self) -> dict[str, Json]:
        """As a record keeps it."""
        return {"reversible": self.reversible, "external": self.external, **self.measures()}


def shown(units: int) -> str:
    """An amount as people and Cedar write it."""
    whole, rest = divmod(units, PLACES)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".")


def impact_of(extractors: Extractors, arguments: Mapping[str, Json], *, reversible: bool, external: bool) -> Impact:
    """The impact of an action with these `arguments`."""
    numbers: dict[str, int | None] = {}
    inexact: set[str] = set()
    for name, extractor in extractors.items():
        path = _steps(extractor.path)
        values = _plain(arguments, path) if len(path) == 1 else list(_at(arguments, path))
        if extractor.counts is ImpactMeasure.NUMBER:
            units = _sum(values, 1 if name == "amount" else PLACES)
            if units is None and values:
                inexact.add(name)
            numbers[name] = units
        else:
            numbers[name] = sum(map(_people, values)) if extractor.counts is ImpactMeasure.PEOPLE else len(values)
    return Impact(
        reversible,
        external,
        numbers.get("amount"),
        numbers.get("records"),
        numbers.get("recipients"),
        frozenset(inexact),
    )


def below_zero(extractors: Extractors, arguments: Mapping[str, Json]) -> bool:
    """Whether the amount in `arguments` has a sign that does not count."""
    extractor = extractors.get("amount")
    return extractor is not None and any(map(_negative, values_at(arguments, extractor.path)))


def _negative(value: Json) -> bool:
    if isinstance(value, str):
        return value.strip().startswith("-")
    return isinstance(value, int | float) and value < 0


def values_at(value: Json, path: str) -> Iterator[Json]:
    """The values that `path` (`facts.results.steps`) leads to in `value`, a list at its end taken apart; no `null`."""
    return _at(value, _steps(path))


@lru_cache(maxsize=4_096)
def _steps(path: str) -> tuple[Step, ...]:
    return steps(path) or ()


def _plain(arguments: Mapping[str, Json], path: tuple[Step, ...]) -> list[Json]:
    """As `_at` for one step, at once where it leads to a number or a text."""
    value = arguments.get(path[0]) if isinstance(path[0], str) else None
    return [value] if isinstance(value, str | int | float) else list(_at(arguments, path))


def _at(value: Json, path: tuple[Step, ...]) -> Iterator[Json]:
    """The values that `path` leads to, a list at its end taken apart; no `null`."""
    if not path:
        if isinstance(value, Sequence) and not isinstance(value, str):
            yield from (item for item in value if item is not None)
        elif value is not None:
            yield value
        return
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        inner = list(value.values()) if step is None else [item for name, item in value.items() if name == step]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        number = -1 if not isinstance(step, int) else step
        inner = list(value) if step is None else [value[number]] if 0 <= number < len(value) else []
    else:
        inner = []
    for item in inner:
        yield from _at(item, rest)


def _sum(values: Sequence[Json], unit: int) -> int | None:
    """The sum of the magnitudes of `values`, in multiples of `unit` units; None where it is not exact, or nothing."""
    total = 0
    for value in values:
        units = _units(value)
        if units is None or units % unit:
            return None
        total += units // unit
    return total if values and total <= UNITS_MAX else None


def _units(value: Json) -> int | None:
    if type(value) is int and -_NUMBER_MAX < value < _NUMBER_MAX:
        return abs(value) * PLACES
    if type(value) is float and 0.0001 <= value < _NUMBER_MAX:
        # Such a float is written without an exponent: its digits are what they read.
        whole, _, part = repr(value).partition(".")
        return int(whole) * PLACES + int(part.ljust(4, "0")) if len(part) <= 4 else None
    if isinstance(value, str):
        text = value.strip()
        if not _WRITTEN.fullmatch(text):
            return None
        number = Decimal(text)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return None
    else:
        number = Decimal(value) if isinstance(value, int) else Decimal(repr(value))
    if not abs(number) < _NUMBER_MAX:
        return None
    units, rest = divmod(abs(number) * PLACES, 1)
    return None if rest else int(units)


def _people(value: Json) -> int:
    if not isinstance(value, str):
        return 1
    parts = sum(1 for part in _PARTED.split(value) if part.strip())
    return max(parts, value.count("@"), len(_NUMBERED.findall(value)))
