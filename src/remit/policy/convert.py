"""Real argument values to Cedar's JSON form, and which of them did not convert exactly.

Total: whatever the validator let pass gives a record that fits the declared type. What cannot
be said exactly is left out (or, where the type demands a value, stands as a placeholder) and
its path is reported: no policy may read it, which `decide` holds with `overlaps`.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias, assert_never

from remit.facts.canonical import Json
from remit.policy.typing import Atom, CedarType, Field, Record, SetOf

Path: TypeAlias = tuple[str, ...]

LONG_MAX: Final = 2**63 - 1
DECIMAL_MAX: Final = Decimal("922337203685477.5807")
_PLACES: Final = 4
_WHOLE_MAX: Final = 922_337_203_685_477


@dataclass(frozen=True, slots=True)
class Converted:
    """Typed arguments in Cedar's JSON form, and the paths a policy must not read."""

    input: Mapping[str, Json]
    inexact: tuple[Path, ...]


def convert(record: Record, value: Mapping[str, Json]) -> Converted:
    """`value` as `record`.

    A path in `inexact` names an argument that is present and not, or not exactly, in `input`;
    undeclared ones are among them.
    """
    inexact: list[Path] = []
    return Converted(_members(record, value, (), inexact), tuple(inexact))


def overlaps(read: Iterable[Path], inexact: Iterable[Path]) -> Path | None:
    """The first path in `inexact` that reading `read` would touch, from above or below."""
    paths = tuple(read)
    for lost in inexact:
        for path in paths:
            shared = min(len(path), len(lost))
            if path[:shared] == lost[:shared]:
                return lost
    return None


def decimal_text(number: float) -> str | None:
    """`number` as Cedar's four-place decimal, or None where that is not exact.

    A float means its shortest decimal form, which is what the canonical bytes forward.
    """
    if isinstance(number, int):
        return f"{number}.0" if -_WHOLE_MAX <= number <= _WHOLE_MAX else None
    if not math.isfinite(number):
        return None
    exact = Decimal(repr(number))
    if abs(exact) > DECIMAL_MAX:
        return None
    text = f"{exact:f}"
    whole, _, places = text.partition(".")
    places = places.rstrip("0")
    return f"{whole}.{places or '0'}" if len(places) <= _PLACES else None


def _members(record: Record, value: Mapping[str, Json], path: Path, inexact: list[Path]) -> dict[str, Json]:
    members: dict[str, Json] = {}
    for name, declared in record.fields.items():
        if name in value:
            _member(members, name, declared, value[name], path, inexact)
        elif declared.required:
            inexact.append((*path, name))
            members[name] = _placeholder(declared.type)
    inexact.extend((*path, name) for name in value if name not in record.fields)
    return members


def _member(
    members: dict[str, Json],
    name: str,
    declared: Field,
    value: Json,
    path: Path,
    inexact: list[Path],
) -> None:
    here = (*path, name)
    if value is None and declared.nullable:
        return
    if isinstance(declared.type, Record) and isinstance(value, Mapping):
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


def _exact(kind: CedarType, value: Json, lost: list[Path]) -> Json:
    """`value` as `kind`; None where it cannot be, or `lost` grows where a part of it cannot."""
    match kind:
        case Atom():
            return _scalar(kind, value)
        case SetOf():
            if not isinstance(value, Sequence) or isinstance(value, str):
                return None
            elements = [_exact(kind.element, item, lost) for item in value]
            return None if None in elements else elements
        case Record():
            return _members(kind, value, (), lost) if isinstance(value, Mapping) else None
        case _:
            assert_never(kind)


def _scalar(kind: Atom, value: Json) -> Json:
    match kind, value:
        case Atom.STRING, str():
            return value
        case Atom.BOOLEAN, bool():
            return value
        case ((Atom.LONG | Atom.DECIMAL), bool()):
            return None
        case Atom.LONG, int():
            return value if -LONG_MAX <= value <= LONG_MAX else None
        case Atom.LONG, float() if value.is_integer() and abs(value) < LONG_MAX:
            return int(value)
        case Atom.DECIMAL, (int() | float()):
            return decimal_text(value)
        case _:
            return None


def _placeholder(kind: CedarType) -> Json:
    """Any value of `kind`: it satisfies the schema and nothing reads it."""
    match kind:
        case Atom.STRING:
            return ""
        case Atom.LONG:
            return 0
        case Atom.BOOLEAN:
            return False
        case Atom.DECIMAL:
            return "0.0"
        case SetOf():
            return []
        case Record():
            fields = kind.fields.items()
            return {name: _placeholder(part.type) for name, part in fields if part.required}
        case _:
            assert_never(kind)
