"""Sets of sets of labels as one number each: bit *s* says whether the set of labels numbered *s* is in it.

A set of labels is numbered by its own bits, label *i* by bit *i*. All states in which a call is permitted are then one
number, as are all that it leads to, and a step from all states at once is a few operations on them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from remit.facts.label import Labels, closed

LABELS_MAX: Final = 18
"""With more labels that policies tell apart a search would take too much memory: it says so, and does not begin."""


@dataclass(frozen=True, slots=True)
class Space:
    """The states that `labels` make, in order. `held` is by label the states in which it is held."""

    labels: tuple[str, ...]
    number: Mapping[str, int] = field(init=False)
    held: tuple[int, ...] = field(init=False)
    all: int = field(init=False)

    def __post_init__(self) -> None:
        """Number the labels and their states."""
        size = 1 << len(self.labels)
        object.__setattr__(self, "number", {label: at for at, label in enumerate(self.labels)})
        object.__setattr__(self, "all", (1 << size) - 1)
        object.__setattr__(self, "held", tuple(_held(at, size) for at in range(len(self.labels))))

    def mask(self, labels: Labels) -> int:
        """`labels` as bits; those that are not told apart are left out."""
        return sum(1 << self.number[label] for label in labels if label in self.number)

    def labels_of(self, state: int) -> Labels:
        """The labels of the set numbered `state`."""
        return frozenset(label for at, label in enumerate(self.labels) if state >> at & 1)

    def close(self, mask: int) -> int:
        """`mask` with the bits of every label that its labels imply."""
        return self.mask(closed(self.labels_of(mask)))

    def adding(self, states: int, mask: int) -> int:
        """Where `states` lead to when the labels of `mask` are added to each."""
        for at, held in enumerate(self.held):
            if mask >> at & 1 and states:
                states = (states & held) | ((states & ~held) << (1 << at))
        return states

    def before(self, states: int, mask: int) -> int:
        """The states that lead into `states` when the labels of `mask` are added: the inverse of `adding`."""
        for at, held in enumerate(self.held):
            if mask >> at & 1 and states:
                inside = states & held
                states = inside | (inside >> (1 << at))
        return states

    def cube(self, mask: int, value: int) -> int:
        """The states whose bits of `mask` are those of `value`."""
        found = self.all
        for at, held in enumerate(self.held):
            if mask >> at & 1:
                found &= held if value >> at & 1 else self.all & ~held
        return found


def _held(at: int, size: int) -> int:
    block = ((1 << (1 << at)) - 1) << (1 << at)
    width = 2 << at
    while width < size:
        block |= block << width
        width *= 2
    return block


def each(states: int) -> Iterator[int]:
    """The numbers of the states in `states`, the smallest first."""
    while states:
        low = states & -states
        yield low.bit_length() - 1
        states ^= low


def subsets(mask: int) -> Iterator[int]:
    """All numbers whose bits are among those of `mask`."""
    part = 0
    while True:
        yield part
        if part == mask:
            return
        part = (part - mask) & mask


def first(states: Sequence[int]) -> int:
    """The smallest state of the first of `states` that holds one; -1 where none does."""
    return next(((one & -one).bit_length() - 1 for one in states if one), -1)
