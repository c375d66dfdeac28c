"""The `context` of one action: what policies read, and what the record keeps of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.facts.label import Labels, closed
from remit.policy.schema import NAMESPACE

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
        context["session"] = self._session(sorted(self.labels))
        context["delegation"] = {"depth": len(self.chain) - 1, "chain": list(self.chain)}
        context["system"] = {"now": self._now()}
        return context

    def cedar(self, arguments: Mapping[str, Json] | None, nameable: Labels) -> str:
        """The Cedar context as JSON text; `arguments` are typed, None for an action without.

        A session may hold a label that no tool brings any more. No policy can name it, and
        what it implies is always nameable, so leaving it out switches nothing off.
        """
        held = sorted(closed(self.labels) & nameable)
        labels: list[Json] = [_entity("Label", label) for label in held]
        chain: list[Json] = [_entity("Agent", agent) for agent in self.chain]
        context: dict[str, Json] = {
            "inputSize": self.input_bytes,
            "session": self._session(labels),
            "delegation": {"depth": len(self.chain) - 1, "chain": chain},
            "system": {"now": {"__extn": {"fn": "datetime", "arg": self._now()}}},
        }
        if arguments is not None:
            context["input"] = arguments
        if self.user is not None:
            context["onBehalfOf"] = _entity("User", self.user)
        return orjson.dumps(context).decode()

    def _session(self, labels: list[Json] | list[str]) -> Json:
        return {
            "labels": labels,
            "calls": self.calls,
            "irreversibleCalls": self.irreversible_calls,
            "ageSeconds": max(0, self.age_ms) // 1000,
        }

    def _now(self) -> str:
        moment = _EPOCH + timedelta(milliseconds=self.now_ms)
        return moment.isoformat(timespec="milliseconds") + "Z"


def _entity(kind: str, name: str) -> Json:
    return {"__entity": {"type": f"{NAMESPACE}::{kind}", "id": name}}
