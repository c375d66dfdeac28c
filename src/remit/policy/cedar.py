"""The few calls Remit makes to cedarpy, typed, in one place.

Schema and entities are no options here: without either, groups vanish without a word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, cast

import cedarpy

from remit.facts.canonical import Json, canonical

Schema = cedarpy.Schema
PolicySet = cedarpy.PolicySet
Entities = cedarpy.Entities

_cedar: Final = cast("Any", cedarpy)


class Outcome(Enum):
    """Cedar's word. NO_DECISION: the request does not fit the schema."""

    ALLOW = "Allow"
    DENY = "Deny"
    NO_DECISION = "NoDecision"


@dataclass(frozen=True, slots=True)
class CedarAnswer:
    """What Cedar said: `ids` of the determining policies, and what went wrong."""

    outcome: Outcome
    ids: tuple[str, ...]
    errors: tuple[str, ...]


def schema_of(schema: Mapping[str, Json]) -> Schema:
    """A handle for a schema in Cedar's JSON form. Raises `ValueError`."""
    return cedarpy.Schema.from_json_str(canonical(schema).decode(), release_gil=True)


def policies_of(text: str) -> PolicySet:
    """A handle for policies in Cedar's text form. Raises `ValueError`."""
    return cedarpy.PolicySet.from_str(text, release_gil=True)


def entities_of(entities: Json, schema: Schema) -> Entities:
    """A handle for entities, with the action hierarchy of `schema`. Raises `ValueError`."""
    text = canonical(entities).decode()
    return cast("Entities", _cedar.Entities.from_json_str(text, schema, release_gil=True))


def with_entity(entities: Entities, entity: Json, schema: Schema) -> Entities:
    """`entities` and one more. Raises `ValueError`."""
    return cast("Entities", cast("Any", entities).with_added_json_str(canonical([entity]).decode(), schema))


def ask(request: Mapping[str, object], policies: PolicySet, entities: Entities, schema: Schema) -> CedarAnswer:
    """Evaluate one request. Every policy of the set has an `@id`, by which it is named."""
    answer = cast("cedarpy.AuthzResult", _cedar.is_authorized(request, policies, entities, schema))
    ids = cast("dict[str, str]", answer.diagnostics.id_annotations_by_reason)
    return CedarAnswer(
        Outcome(answer.decision.value),
        tuple(sorted(ids.values())),
        tuple(answer.diagnostics.errors),
    )


def validation_errors(text: str, schema: Schema) -> tuple[str, ...]:
    """Cedar's complaints about policy text; none where it is valid. Releases the interpreter."""
    result = cast("cedarpy.ValidationResult", _cedar.validate_policies(text, schema, release_gil=True))
    return tuple(error.error for error in result.errors)
