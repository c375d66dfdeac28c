"""How a catalog says what a call does: `pay {amount} to {account}`, `{to.count}` being how many values `to` has."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

_SLOT: Final = re.compile(r"\{([^{}]+)\}")
_COUNT: Final = ".count"


class Slot(NamedTuple):
    """Where the values of argument `name` stand, or how many of them there are."""

    name: str
    counted: bool


Piece: TypeAlias = str | Slot


def pieces(template: str) -> Iterator[Piece]:
    """`template` taken apart. A brace that is part of no slot stays in the text around it."""
    at = 0
    for found in _SLOT.finditer(template):
        if found.start() > at:
            yield template[at : found.start()]
        yield Slot(found[1].removesuffix(_COUNT), counted=found[1].endswith(_COUNT))
        at = found.end()
    if at < len(template):
        yield template[at:]
