"""Obligations: what leaves to a server, and what comes back from one, is as those whom policy permits are obliged to.

INVARIANT(obligation-met). That an unknown one denies is `realm.meant`'s word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from remit.facts.action import ActionKind
from tests.sim.laws import Law
from tests.sim.office import ADDRESS, OFFICE, is_obliged, shaped
from tests.sim.realm import STAFF

if TYPE_CHECKING:
    from remit.facts.agent import Authority
    from tests.sim.laws import Laws
    from tests.sim.witness import Key


@dataclass(slots=True)
class Duties(Law):
    """The law of obligations."""

    laws: Laws

    def effect(self, key: Key) -> None:
        """What is drafted is capped, and names no address."""
        _, _, tool, arguments, links = key
        if key[:2] != (ActionKind.CALL_TOOL.value, OFFICE) or not is_obliged((agent for agent, _ in links), STAFF):
            return
        given = orjson.loads(arguments)
        if shaped(tool, given) != given:
            self.laws.break_("obligation-met", f"{tool} {arguments.decode()} was sent as it had been asked for")

    def reads(self, authority: Authority, data: bytes) -> None:
        """No address is read by those who are obliged to mask it, in whatever a server says."""
        if ADDRESS.encode() in data and is_obliged(authority.agents, STAFF):
            self.laws.break_("obligation-met", f"{authority.acting.sid} read {ADDRESS}")
