"""Checkpoints, erasing and stores, switched off one check at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.sqlite import SqliteLedger
from remit.adapters.sqlite import erasure as sqlite_erasing
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.adapters.sqlite.tiles import Tiles
from remit.facts.label import NONE
from remit.protect.stores import Stores
from remit.trace.tree import leaf_hash
from remit.work import checkpoints, erasure
from tests.sim.mutants.planting import Mutant, Planted, nothing, of_trade
from tests.sim.trades import STORING

if TYPE_CHECKING:
    from tests.sim.profile import Profile


def _one_too_many() -> Planted:
    real = Tiles.follow

    def follow(tiles: Tiles, *, save: bool) -> Any:
        tree = real(tiles, save=save)
        tree.add([leaf_hash(b"not there")])
        return tree

    return Tiles, "follow", follow


def _seldom() -> Planted:
    return checkpoints, "PERIOD_S", 5.0


def _of_other_records() -> Planted:
    real = checkpoints.Checkpoint

    def checkpoint(origin: str, size: int, root: bytes) -> Any:
        return real(origin, size, root[::-1])

    return checkpoints, "Checkpoint", checkpoint


def _erased_and_there() -> Planted:
    def erase(*_: Any) -> bool:
        return True

    return SqliteBodies, "erase", erase


def _not_finished() -> Planted:
    def finish(*_: Any) -> int:
        return 0

    return SqliteBodies, "finish", finish


def _left_in_the_log() -> Planted:
    def cut_log(*_: Any) -> bool:
        return True

    return sqlite_erasing, "_cut_log", cut_log


def _kept_whole() -> Planted:
    def frame(body: Any) -> Any:
        return body

    return erasure, "frame", frame


def _nothing_left_in_stores() -> Planted:
    return Stores, "label", nothing


def _nothing_comes_with_it() -> Planted:
    real = Stores.labels_for

    def held(*arguments: Any) -> Any:
        return replace(real(*arguments), labels=NONE)

    return Stores, "labels_for", held


def _stores_forgotten() -> Planted:
    async def stored(_ledger: SqliteLedger) -> dict[Any, Any]:
        return {}

    return SqliteLedger, "store_labels", stored


def _proved(profile: Profile) -> bool:
    return profile.proved


TRUE, GONE, LABELS = "checkpoint-is-true", "erased-is-gone", "label-before-data"
PROOFS: Final = (
    Mutant(TRUE, "a checkpoint covers a record that is not there", _one_too_many, _proved),
    Mutant(TRUE, "checkpoints are signed every five seconds", _seldom, _proved),
    Mutant(TRUE, "a checkpoint is of other records", _of_other_records, _proved),
    Mutant(GONE, "what is erased on record stays", _erased_and_there, _proved),
    Mutant(GONE, "what a crash left to erase is left", _not_finished, _proved),
    Mutant(GONE, "what is erased stays in the log", _left_in_the_log, _proved),
    Mutant(GONE, "what is erased is kept by the record that says so", _kept_whole, _proved),
    Mutant(LABELS, "what is put into a store leaves no label there", _nothing_left_in_stores, of_trade(STORING)),
    Mutant(LABELS, "what is taken out of a store brings nothing", _nothing_comes_with_it, of_trade(STORING)),
    Mutant(LABELS, "what stores hold is not read again at start", _stores_forgotten, of_trade(STORING)),
)
