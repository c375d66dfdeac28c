"""What a mutant is, and how it is planted."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from unittest.mock import patch

from tests.sim.realm import variants

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tests.sim.profile import Profile
    from tests.sim.trades import Trade

Planted: TypeAlias = tuple[Any, str, Any]
"""Where a name is, which it is, and what takes its place."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is wrong in it, and the law that says so."""

    invariant: str
    name: str
    _plant: Callable[[], Planted]
    concerns: Callable[[Profile], bool] = lambda _: True
    """In which seeds there is something that it could change: it need not be planted in others."""

    @contextmanager
    def planted(self) -> Generator[None]:
        """The product with this mutant in it. Bundles remember what they worked out: those of before are not used."""
        made_anew()
        place, name, changed = self._plant()
        try:
            with patch.object(place, name, changed):
                yield
        finally:
            made_anew()


def made_anew() -> None:
    """Have the bundles of the simulator compiled once more, by the product as it is."""
    variants.cache_clear()
    variants()


def of_trade(trade: Trade) -> Callable[[Profile], bool]:
    """Those seeds whose agents have this trade."""
    return lambda profile: profile.trade is trade


def nothing(*_: Any, **__: Any) -> None:
    """In place of something that is done."""
