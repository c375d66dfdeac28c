"""A value that is made when it is first asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Once(Generic[T]):
    """Call it for what `make` gives; that is called once."""

    make: Callable[[], T] | None
    value: T | None = None

    def __call__(self) -> T:
        """The value."""
        if self.make is not None:
            self.value, self.make = self.make(), None
        return self.value  # pyright: ignore[reportReturnType]
