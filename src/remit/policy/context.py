"""The `context` of one action: what policies read, and what the record keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from remit.facts.canonical import Json
from remit.facts.label import Labels, closed
from remit.policy.compiled.extensions import Datetime
from remit.policy.compiled.values import Key, Value
from remit.policy.schema import NAMESPACE

_KEPT_MAX: Final = 1_024
"""How many sets of labels, and how many chains, are kept in the form that policies read."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, and no offset to write


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything but `input` that a policy may look at (DESIGN section 4).

    `chain` are the agents, the minted one first; `input_bytes` the size of the canonical
    arguments; `age_ms` the age of the oldest session of the chain; `now_ms` since the epoch.
    """

    user: str | None
    chain: tuple[str, ...]
    labels: Labels
    calls: int
    irreversible_calls: int
    age_ms: int
    input_bytes: int
    now_ms: int

    def recorded(self) -> Mapping[str, Json]:
        """The plain form that records keep: names instead of entities, no input."""
        context: dict[str, Json] = {"inputSize": self.input_bytes}
        if self.user is not None:
            context["onBehalfOf"] = self.user
        context["session"] = {
            "labels": sorted(self.labels),
            "calls": self.calls,
            "irreversibleCalls": self.irreversible_calls,
            "ageSeconds": self._age_s,
        }
        context["delegation"] = {"depth": len(self.chain) - 1, "chain": list(self.chain)}
        context["system"] = {"now": self._now()}
        return context

    def cedar(self, arguments: dict[str, Value] | None, nameable: Labels) -> dict[str, Value]:
        """The Cedar context; `arguments` are typed, None for an action without."""
        session: dict[str, Value] = {
            "labels": _labels(self.labels, nameable),
            "calls": self.calls,
            "irreversibleCalls": self.irreversible_calls,
            "ageSeconds": self._age_s,
        }
        context: dict[str, Value] = {
            "inputSize": self.input_bytes,
            "session": session,
            "delegation": {"depth": len(self.chain) - 1, "chain": _agents(self.chain)},
            "system": {"now": Datetime(self.now_ms)},
        }
        if arguments is not None:
            context["input"] = arguments
        if self.user is not None:
            context["onBehalfOf"] = f"{NAMESPACE}::User", self.user
        return context

    @property
    def _age_s(self) -> int:
        return max(0, self.age_ms) // 1000

    def _now(self) -> str:
        second, ms = divmod(self.now_ms, 1000)
        return f"{_second(second)}.{ms:03}Z"


@lru_cache(maxsize=4)
def _second(since_epoch: int) -> str:
    return (_EPOCH + timedelta(seconds=since_epoch)).isoformat()


@lru_cache(maxsize=_KEPT_MAX)
def _labels(labels: Labels, nameable: Labels) -> frozenset[Key]:
    """The labels that policies can name.

    A session may hold a label that no tool brings any more. No policy can name it, and what it
    implies is always nameable, so leaving it out switches nothing off.
    """
    return frozenset((f"{NAMESPACE}::Label", label) for label in closed(labels) & nameable)


@lru_cache(maxsize=_KEPT_MAX)
def _agents(chain: tuple[str, ...]) -> frozenset[Key]:
    return frozenset((f"{NAMESPACE}::Agent", agent) for agent in chain)
