"""Origins, and that labels only grow, switched off one check at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from remit.adapters.sqlite import SqliteLedger, state
from remit.facts.label import NONE
from remit.pdp.deltas import LabelsJoined, SessionEnded
from remit.protect import index
from remit.trace.bodies import AdminBody
from tests.sim.mutants.planting import Mutant, Planted, of_trade
from tests.sim.trades import SHIPPING, STORING


def _read_back_but(*, words: bool) -> Planted:
    real = SqliteLedger.origins

    async def origins(ledger: SqliteLedger, sid: str) -> Any:
        found = await real(ledger, sid)
        if found is None:
            return None
        return replace(found, bodies=tuple(one for one in found.bodies if isinstance(one, AdminBody) is not words))

    return SqliteLedger, "origins", origins


def _words_not_read_back() -> Planted:
    return _read_back_but(words=True)


def _results_not_read_back() -> Planted:
    return _read_back_but(words=False)


def _pages_are_trusted() -> Planted:
    real = index.origin_of

    def origin_of(found: int) -> Any:
        return real(index.TRUSTED if found & index.UNTRUSTED else found)

    return index, "_ORIGINS", tuple(map(origin_of, range(index.ALL_BITS + 1)))


def _ended_and_bare() -> Planted:
    real = state.apply_session

    def apply(one: Any, delta: Any) -> Any:
        found = real(one, delta)
        return replace(found, labels=NONE) if isinstance(delta, SessionEnded) else found

    return state, "apply_session", apply


def _the_last_alone() -> Planted:
    real = state.apply_session

    def apply(one: Any, delta: Any) -> Any:
        found = real(one, delta)
        return replace(found, labels=delta.labels) if isinstance(delta, LabelsJoined) else found

    return state, "apply_session", apply


def _put_over() -> Planted:
    real: Any = vars(state.State)["_label"]

    def label(one: Any, where: Any, labels: Any) -> None:
        one._store_labels[where] = NONE
        real(one, where, labels)

    return state.State, "_label", label


_shipping: Final = of_trade(SHIPPING)
HOLDS, GROW = "origin-holds", "labels-only-grow"
ORIGINS: Final = (
    Mutant(HOLDS, "what the user said is not read again after a restart", _words_not_read_back, _shipping),
    Mutant(HOLDS, "what was read is not read again after a restart", _results_not_read_back, _shipping),
    Mutant(HOLDS, "what a page names counts as trusted", _pages_are_trusted, _shipping),
    Mutant(GROW, "a session that ends sheds its labels", _ended_and_bare),
    Mutant(GROW, "a session holds the labels of its last answer alone", _the_last_alone),
    Mutant(GROW, "a store holds the labels of what was put there last", _put_over, of_trade(STORING)),
)
