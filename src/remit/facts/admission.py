"""Admission: what a change of the workspace has to show before it runs.

Laws
* The terms that hold are those of the bundle that runs: no change loosens the terms that it is judged by.
* What was not seen to hold does not hold: a check that did not end refuses as one that failed.
"""

from dataclasses import dataclass
from enum import StrEnum

from remit.facts.canonical import Json


class Check(StrEnum):
    """What is looked at, in this order."""

    CASES = "cases"
    GUARANTEES = "guarantees"
    CHAINS = "chains"
    REPLAY = "replay"
    ATTACK = "attack"


class ChainCriterion(StrEnum):
    """Which chains refuse: any, or those that the running bundle does not have."""

    ANY = "any"
    NEW = "new"


class AttackDepth(StrEnum):
    """How much of an attack is made."""

    QUICK = "quick"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class AdmissionTerms:
    """`owner` (a User) answers for them, and alone lets through what fails.

    The last `days` of the ledger are judged again: at most `newly_permitted_max` actions that were denied or asked
    about may be permitted, at most `newly_denied_max` that went through denied; of at most `not_judged_max` the ledger
    may not hold what there is to judge. Asks may become `asks_times_max` times
    as many a day, and any number up to `asks_a_day_free`. `accepts` are attempts of an attack that may succeed. All of
    it takes `seconds_max` at most.
    """

    owner: str
    days: int = 7
    newly_permitted_max: int = 0
    newly_denied_max: int = 0
    asks_times_max: float = 1.5
    asks_a_day_free: float = 1.0
    refuses: ChainCriterion = ChainCriterion.ANY
    attack: AttackDepth = AttackDepth.QUICK
    accepts: frozenset[str] = frozenset()
    seconds_max: float = 300.0
    not_judged_max: int = 0

    def to_json(self) -> dict[str, Json]:
        """As YAML spells it."""
        return {
            "owner": self.owner,
            "days": self.days,
            "newly_permitted_max": self.newly_permitted_max,
            "newly_denied_max": self.newly_denied_max,
            "not_judged_max": self.not_judged_max,
            "asks_times_max": self.asks_times_max,
            "asks_a_day_free": self.asks_a_day_free,
            "chains": self.refuses.value,
            "attack": self.attack.value,
            "accepts": sorted(self.accepts),
            "seconds_max": self.seconds_max,
        }


@dataclass(frozen=True, slots=True)
class Admission:
    """The Admission `name`, and its terms."""

    name: str
    terms: AdmissionTerms
