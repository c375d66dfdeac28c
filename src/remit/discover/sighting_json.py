"""A sighting as JSON: what `remit discover` prints, `POST /api/v1/sightings` takes, `remit discover import` reads."""

from collections.abc import Mapping
from typing import Final, TypeVar

from remit.discover.sighting import Edge, Sighting, SourceConfidence, Trait, Verb, parsed
from remit.facts.canonical import Json
from remit.facts.text import one_line

_T = TypeVar("_T", str, int)

CONFIDENCES: Final = {one.name.lower(): one for one in SourceConfidence}


def to_json(sighting: Sighting) -> dict[str, Json]:
    """`sighting` as an object; `from_json` reads it back."""
    return {
        "subject": str(sighting.subject),
        "source": sighting.source,
        "evidence": sighting.evidence,
        "first_ms": sighting.first_ms,
        "last_ms": sighting.last_ms,
        "confidence": sighting.confidence.name.lower(),
        "owner": sighting.owner,
        "edges": [{"verb": edge.verb.value, "to": str(edge.to)} for edge in sighting.edges],
        "traits": {trait.key: trait.value for trait in sighting.traits},
        "count": sighting.count,
    }


def from_json(value: Json) -> Sighting:
    """The sighting that `value` writes. Raises `ValueError`, saying which member is wrong."""
    spec = _object(value, "a sighting")
    confidence = _of(spec, "confidence", str)
    if confidence not in CONFIDENCES:
        raise ValueError(f"confidence is none of {', '.join(CONFIDENCES)}")
    owner = spec.get("owner")
    if owner is not None and not isinstance(owner, str):
        raise ValueError("owner is no text")
    edges = (_object(one, "an edge") for one in _list(spec, "edges"))
    traits = _object(spec.get("traits", {}), "traits")
    return Sighting(
        parsed(_of(spec, "subject", str)),
        _of(spec, "source", str),
        _of(spec, "evidence", str),
        _of(spec, "first_ms", int),
        _of(spec, "last_ms", int),
        CONFIDENCES[confidence],
        owner,
        tuple(Edge(_verb(_of(edge, "verb", str)), parsed(_of(edge, "to", str))) for edge in edges),
        tuple(Trait(key, _of(traits, key, str)) for key in traits),
        _of(spec, "count", int) if "count" in spec else 1,
    )


def _verb(text: str) -> Verb:
    if text not in set(Verb):
        raise ValueError(f"no verb: {one_line(text, chars_max=40)} (there are {', '.join(Verb)})")
    return Verb(text)


def _object(value: Json, what: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what}: no object")  # noqa: TRY004 - one error for all that is no sighting
    return value


def _list(spec: Mapping[str, Json], key: str) -> list[Json]:
    found = spec.get(key, [])
    if not isinstance(found, list):
        raise ValueError(f"{key} is no list")  # noqa: TRY004 - as above
    return found


def _of(spec: Mapping[str, Json], key: str, kind: type[_T]) -> _T:
    found = spec.get(key)
    if not isinstance(found, kind) or isinstance(found, bool):
        raise ValueError(f"{key} is {'missing' if found is None else 'of the wrong type'}")  # noqa: TRY004 - as above
    return found
