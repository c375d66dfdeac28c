"""Halts, quarantine and the lease on them, switched off one check at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.sqlite import SqliteLedger
from remit.facts.stop import StopScope
from remit.pdp import stops
from remit.pep import decision_engine
from remit.pep.decision_engine import DecisionEngine
from remit.pep.lease import Lease
from remit.pep.memory import Memory
from tests.sim.mutants.planting import Mutant, Planted

if TYPE_CHECKING:
    from tests.sim.profile import Profile


def _halts_unheard() -> Planted:
    def stops(*_: Any) -> tuple[()]:
        return ()

    return DecisionEngine, "stops", stops


def _halts_late() -> Planted:
    real: Any = vars(Memory)["_stop"]

    def stop(memory: Memory, delta: Any) -> None:
        asyncio.get_running_loop().call_later(0.05, real, memory, delta)

    return Memory, "_stop", stop


def _quarantine_unheard() -> Planted:
    def holds_of(*_: Any) -> frozenset[StopScope]:
        return frozenset({StopScope.ALL})

    return decision_engine, "holds_of", holds_of


def _only_the_acting_agent() -> Planted:
    real = stops.stoppable

    def stoppable(catalog: Any, authority: Any, server: str = "", name: str = "") -> Any:
        inner = [link.agent for link in authority.links[:-1] if link.agent != authority.acting.agent]
        return (what for what in real(catalog, authority, server, name) if what[1] not in inner)

    return decision_engine, "stoppable", stoppable


def _forgotten_at_start() -> Planted:
    async def stopped(_ledger: SqliteLedger) -> dict[Any, Any]:
        return {}

    return SqliteLedger, "stops", stopped


def _unreadable_is_nothing() -> Planted:
    real = Lease.__call__

    def called(one: Lease) -> None:
        real(one)

    return Lease, "__call__", called


def _halted(profile: Profile) -> bool:
    return profile.halted


WINS: Final = "stop-wins"
HALTING: Final = (
    Mutant(WINS, "halts stop nothing", _halts_unheard, _halted),
    Mutant(WINS, "a halt is in force a moment after it was ordered", _halts_late, _halted),
    Mutant(WINS, "a quarantine holds nothing", _quarantine_unheard, _halted),
    Mutant(WINS, "who delegated may be halted, and his sub-agent acts on", _only_the_acting_agent, _halted),
    Mutant(WINS, "what is halted acts again after a restart", _forgotten_at_start, _halted),
    Mutant(WINS, "a folder of halts that cannot be read stops nothing", _unreadable_is_nothing, _halted),
)
