"""Labels follow data through stores: what a labelled session wrote gives its labels to whoever reads it.

Laws
* What a place holds only grows; a clean session that writes over it takes nothing away.
* Who reads a key has the labels of that key, of what lies under it or around it, and of every key that may
  be the same one told from elsewhere (`/srv/notes/a` and `a`), or lie under or around that (`/srv/notes/a` and
  `notes`); who names no key those of the whole store.
* A store that holds `KEYS_MAX` keys takes no more: what is written under a new one is written to the whole
  store, with every label of the catalog.
INVARIANT(label-before-data): labels are in the store by the intent of the write, before it is forwarded.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from remit.facts.action import Action, ActionKind
from remit.facts.label import NONE, Labels
from remit.facts.store import Store, normal, place, places
from remit.policy.bundle import Bundle

KEYS_MAX: Final = 10_000
WITHIN_MAX: Final = 4
"""How many segments of a folder, told from elsewhere, tell what lies under it; deeper ones are told by the first."""
LIST_ARGUMENTS: Final = b'{"list":"resources"}'
"""The arguments of the action that lists resources, which tells what a store holds."""


@dataclass(frozen=True, slots=True)
class StoreLabels:
    """What the stores mean for one action.

    `labels` come with what it reads. It `writes` to these places, all of which hold `labels_there`; `full` says
    that there was no room for a key of its own.
    """

    labels: Labels = NONE
    writes: tuple[str, ...] = ()
    labels_there: Labels = NONE
    full: bool = False


NOTHING: Final = StoreLabels()


def stores_of(bundle: Bundle, action: Action) -> tuple[Store, ...]:
    """The stores that `action` reaches; without a word of the catalog all those of its server, whole."""
    names = bundle.stores.get(action.server, ())
    match action.kind:
        case ActionKind.CALL_TOOL:
            tool = bundle.catalog.tools.get((action.server, action.name))
            if tool is not None and tool.catalogued:
                return () if tool.store is None else (tool.store,)
            return tuple(Store(name) for name in names)
        case ActionKind.READ_RESOURCE | ActionKind.GET_PROMPT if action.name or action.arguments == LIST_ARGUMENTS:
            # A prompt, or what completes one, may be made of anything that its server keeps.
            return tuple(Store(name, writes=False) for name in names)
        case _:
            return ()


class Stores:
    """What all stores hold, as the ledger has it: changed by `label` alone."""

    def __init__(self, labels_by_place: Mapping[str, Labels] | None = None) -> None:
        self._labels: dict[str, Labels] = {}
        self._labels_under: dict[str, Labels] = {}
        self._labels_of_ends: dict[str, Labels] = {}
        self._labels_within: dict[str, Labels] = {}
        self._labels_of_store: dict[str, Labels] = {}
        self._keys: Counter[str] = Counter()
        for where, labels in (labels_by_place or {}).items():
            self.label(where, labels)

    def label(self, where: str, labels: Labels) -> None:
        """Have the place `where` hold `labels` too, which an earlier version may have spelt otherwise."""
        store, _, key = where.partition(":")
        key = normal(key)
        where = place(store, key)
        before = self._labels.get(where)
        if before is not None and labels <= before:
            return
        self._labels[where] = labels if before is None else before | labels
        self._keys[store] += before is None
        self._labels_of_store[store] = self._labels_of_store.get(store, NONE) | labels
        segments = key.split("/")
        for cut in range(1, len(segments)):
            _add(self._labels_under, store, segments[:cut], labels)
            _add(self._labels_of_ends, store, segments[cut:], labels)
            for stop in range(cut + 1, min(cut + WITHIN_MAX + 1, len(segments))):
                _add(self._labels_within, store, segments[cut:stop], labels)

    def labels_for(self, bundle: Bundle, action: Action) -> StoreLabels:
        """What they mean for `action` now."""
        labels, writes, full = NONE, dict[str, None](), False
        for store in stores_of(bundle, action):
            place_names = places(store, action.input)
            if store.reads:
                labels = labels.union(*(self.labels(where) for where in place_names))
            if store.writes:
                fitting, over = self._fitting(store.name, place_names)
                writes.update(dict.fromkeys(fitting))
                full = full or over
        if not (labels or writes):
            return NOTHING
        # A list without a member does not intersect: where nothing is written nothing is already there.
        present = [self._labels.get(where, NONE) for where in writes] or [NONE]
        return StoreLabels(labels, tuple(writes), present[0].intersection(*present), full)

    def labels(self, where: str) -> Labels:
        """The labels that come with what is read from `where`."""
        store, _, key = where.partition(":")
        everywhere = self._labels_of_store.get(store, NONE)
        if not (key and everywhere):
            return everywhere
        segments = key.split("/")
        folder = place(store, "/".join(segments[:WITHIN_MAX]))
        labels = self._labels.get(place(store), NONE) | self._labels_within.get(folder, NONE)
        for start in range(len(segments)):
            if labels == everywhere:
                break
            # Whoever wrote told it from here: the same key, one under it, and those around it.
            same = place(store, "/".join(segments[start:]))
            labels |= self._labels.get(same, NONE) | self._labels_under.get(same, NONE)
            for stop in range(start + 1, len(segments)):
                labels |= self._labels.get(place(store, "/".join(segments[start:stop])), NONE)
        for stop in range(1, len(segments) + 1):
            # Whoever wrote told it from further up.
            labels |= self._labels_of_ends.get(place(store, "/".join(segments[:stop])), NONE)
        return labels

    def holders(self, labels: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """The stores that hold each of `labels`; none for those that nobody holds."""
        wanted = {
            label: tuple(sorted(name for name, labels_held in self._labels_of_store.items() if label in labels_held))
            for label in labels
        }
        return {label: names for label, names in wanted.items() if names}

    def _fitting(self, store: str, place_names: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
        new = sum(where not in self._labels for where in place_names)
        if new and self._keys[store] + new > KEYS_MAX:
            return (place(store),), place(store) not in place_names
        return place_names, False


def _add(labels_by_place: dict[str, Labels], store: str, segments: list[str], labels: Labels) -> None:
    where = place(store, "/".join(segments))
    labels_by_place[where] = labels_by_place.get(where, NONE) | labels
