"""Real argument values to Cedar values, and which of them did not convert exactly.

Total: whatever the validator let pass gives a record that fits the declared type. What cannot
be said exactly is left out (or, where the type demands a value, stands as a placeholder) and
its path is reported: no policy may read it, which `decide` holds with `overlaps`. What is left out and has a default
is that: nobody does by leaving it out what saying it would not let him do.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal as Exact
from functools import partial
from typing import Final, NamedTuple, TypeAlias, assert_never

from remit.facts.canonical import Json
from remit.policy.compiled.extensions import Decimal
from remit.policy.compiled.values import Value, keys
from remit.policy.input_types import Atom, CedarType, Field, RecordType, SetOf

Path: TypeAlias = tuple[str, ...]

LONG_MAX: Final = 2**63 - 1
_STRING: Final = Atom.STRING
_BOOLEAN: Final = Atom.BOOLEAN
_DECIMAL: Final = Atom.DECIMAL
_NUMBERS: Final = (int, float)
_PLACES: Final = 10_000
_NUMBER_MAX: Final = 10**15
_SURE_MAX: Final = 10**15
"""A decimal of at most 15 digits has a float of its own, so that below this many units dividing tells."""


class Converted(NamedTuple):
    """Typed arguments as a Cedar record, and the paths a policy must not read."""

    input: dict[str, Value]
    inexact: tuple[Path, ...]


Converter: TypeAlias = Callable[[Mapping[str, Json]], Converted]
"""Converts the arguments of one action; never raises."""


def convert(record: RecordType, value: Mapping[str, Json]) -> Converted:
    """`value` as `record`.

    A path in `inexact` names an argument that is present and not, or not exactly, in `input`;
    undeclared ones are among them.
    """
    inexact: list[Path] = []
    return Converted(_members(record, value, (), inexact), tuple(inexact))


def converter(record: RecordType, reads: frozenset[Path]) -> Converter:
    """What converts as much of a `record` as the paths in `reads` go through.

    For whoever reads nothing else, `input` is then the same as that of `convert`, and so is what of `inexact`
    overlaps with `reads`.
    """
    if () in reads:
        return partial(convert, record)
    names = {path[0] for path in reads}
    fields = {name: declared for name, declared in record.fields.items() if name in names}
    undeclared = sorted(names - fields.keys())

    def converted(value: Mapping[str, Json]) -> Converted:
        inexact: list[Path] = []
        members = _declared(fields, value, (), inexact)
        inexact += [(name,) for name in undeclared if name in value]
        return Converted(members, tuple(inexact))

    return converted


def overlaps(reads: Iterable[Path], inexact: Iterable[Path]) -> Path | None:
    """The first path in `inexact` that reading `reads` would touch, from above or below."""
    paths = tuple(reads)
    for lost in inexact:
        for path in paths:
            shared = min(len(path), len(lost))
            if path[:shared] == lost[:shared]:
                return lost
    return None


def decimal_of(number: float) -> Decimal | None:
    """`number` as Cedar's four-place decimal, or None where that is not exact.

    A float means its shortest decimal form, which is what the canonical bytes forward.
    """
    if isinstance(number, int):
        units = number * _PLACES
    elif not abs(number) < _NUMBER_MAX:
        return None
    else:
        units = round(number * _PLACES)
        if abs(units) >= _SURE_MAX:
            units, rest = divmod(Exact(repr(number)) * _PLACES, 1)
            if rest:
                return None
            units = int(units)
        elif units / _PLACES != number:
            return None
    return Decimal(units) if -LONG_MAX <= units <= LONG_MAX else None


def _members(record: RecordType, value: Mapping[str, Json], path: Path, inexact: list[Path]) -> dict[str, Value]:
    members = _declared(record.fields, value, path, inexact)
    if not value.keys() <= record.fields.keys():
        inexact.extend((*path, name) for name in value if name not in record.fields)
    return members


def _declared(
    fields: Mapping[str, Field], value: Mapping[str, Json], path: Path, inexact: list[Path]
) -> dict[str, Value]:
    members: dict[str, Value] = {}
    for name, declared in fields.items():
        if name in value:
            argument = value[name]
            kind = declared.type
            # What most arguments are.
            exact = _scalar(kind, argument) if isinstance(kind, Atom) else None
            if exact is None:
                _member(members, name, declared, argument, path, inexact)
            else:
                members[name] = exact
        elif declared.default is not None:
            _member(members, name, declared, declared.default, path, inexact)
        elif declared.required:
            inexact.append((*path, name))
            members[name] = _placeholder(declared.type)
    return members


def _member(
    members: dict[str, Value],
    name: str,
    declared: Field,
    value: Json,
    path: Path,
    inexact: list[Path],
) -> None:
    if value is None and declared.nullable:
        return
    here = (*path, name)
    if isinstance(declared.type, RecordType) and isinstance(value, Mapping):
        members[name] = _members(declared.type, value, here, inexact)
        return
    lost: list[Path] = []
    exact = _exact(declared.type, value, lost)
    if exact is not None and not lost:
        members[name] = exact
        return
    inexact.append(here)
    if declared.required:
        members[name] = _placeholder(declared.type)


def _exact(kind: CedarType, value: Json, lost: list[Path]) -> "Value | None":
    """`value` as `kind`; None where it cannot be, or `lost` grows where a part of it cannot."""
    match kind:
        case Atom():
            return _scalar(kind, value)
        case SetOf():
            if not isinstance(value, Sequence) or isinstance(value, str):
                return None
            elements = [_exact(kind.element, item, lost) for item in value]
            sure = [element for element in elements if element is not None]
            return keys(sure) if len(sure) == len(elements) else None
        case RecordType():
            return _members(kind, value, (), lost) if isinstance(value, Mapping) else None
        case _:
            assert_never(kind)


def _scalar(kind: Atom, value: Json) -> "Value | None":
    if kind is _STRING:
        return value if isinstance(value, str) else None
    if kind is _BOOLEAN:
        return value if isinstance(value, bool) else None
    if not isinstance(value, _NUMBERS) or isinstance(value, bool):
        return None
    if kind is _DECIMAL:
        return decimal_of(value)
    whole = int(value) if isinstance(value, int) or value.is_integer() else LONG_MAX + 1
    return whole if -LONG_MAX <= whole <= LONG_MAX else None


def _placeholder(kind: CedarType) -> Value:
    """Any value of `kind`: it satisfies the schema and nothing reads it."""
    match kind:
        case Atom.STRING:
            return ""
        case Atom.LONG:
            return 0
        case Atom.BOOLEAN:
            return False
        case Atom.DECIMAL:
            return Decimal(0)
        case SetOf():
            return frozenset()
        case RecordType():
            fields = kind.fields.items()
            return {name: _placeholder(part.type) for name, part in fields if part.required}
        case _:
            assert_never(kind)
