"""One policy set asked by generated code and by cedarpy, for whoever compares what they say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import cedarpy

from remit.policy.compiled.function import Judge, function_of
from remit.policy.compiled.generate import COMMON
from remit.policy.compiled.literals import entities_of, uid_of, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from remit.facts.canonical import Json
    from remit.policy.compiled.values import Entities, Value

_PARTS = ("principal", "action", "resource")


@dataclass(frozen=True, slots=True)
class Said:
    """Cedar's decision, `allow` or `deny`; the ids of the policies that it follows from, and of the erroring ones."""

    decision: str
    reason: frozenset[str]
    errors: frozenset[str]


@dataclass(frozen=True)
class Policies:
    """A policy set in Cedar's text form, and the entities that it looks at; a schema where there is one.

    Generated code makes a test once that is made `common` times.
    """

    text: str
    entities: str
    schema: str | None = None
    common: int = COMMON

    @cached_property
    def forms(self) -> Mapping[str, Mapping[str, Json]]:
        """The policies in Cedar's JSON form, by their ids."""
        return json.loads(cedarpy.policies_to_json_str(self.text))["staticPolicies"]

    @cached_property
    def generated(self) -> Judge | str:
        """Their function, or why there is none."""
        return function_of(list(self.forms.values()), common=self.common)

    @cached_property
    def _handles(self) -> tuple[cedarpy.PolicySet, Any, cedarpy.Schema | None]:
        schema = None if self.schema is None else cedarpy.Schema.from_str(self.schema)
        entities = cast("Any", cedarpy).Entities.from_json_str(self.entities, schema)
        return cedarpy.PolicySet.from_str(self.text), entities, schema

    @cached_property
    def _entities(self) -> Entities:
        return entities_of(str(self._handles[1]))

    def by_code(self, request: Mapping[str, Json]) -> Said | None:
        """What generated code says; None where there is none."""
        judge = self.generated
        if isinstance(judge, str):
            return None
        principal, action, resource = (uid_of(request[part]) for part in _PARTS)
        context = cast("dict[str, Value]", value_of(request["context"]))
        satisfied, failed = judge(self._entities, principal, action, resource, context)
        ids = list(self.forms)
        held: dict[str, set[str]] = {"permit": set(), "forbid": set()}
        for number in satisfied:
            held[cast("str", self.forms[ids[number]]["effect"])].add(ids[number])
        decision = "deny" if held["forbid"] or not held["permit"] else "allow"
        errors = frozenset(ids[number] for number, _ in failed)
        return Said(decision, frozenset(held["forbid"] or held["permit"]), errors)

    def by_cedar(self, request: Mapping[str, Json]) -> Said:
        """What cedarpy says."""
        policies, entities, schema = self._handles
        answer = cast("Any", cedarpy).is_authorized(dict(request), policies, entities, schema)
        named = [re.search(r"`([^`]+)`", error) for error in answer.diagnostics.errors]
        errors = frozenset(found[1] for found in named if found is not None)
        return Said(answer.decision.value.lower(), frozenset(answer.diagnostics.reasons), errors)
