"""Sightings of a file that somebody made: CSV, JSON, or CycloneDX of any version.

Each row, entry or component is read by itself: one that is wrong is a named fault, and the others are taken. What a
file says is declared at best, however sure it is of itself, and seen at the latest when it is read. Of what Remit
exported it is kept when it was seen, by whom and how well, each source behind the file that tells of it.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from remit.discover.discretion import address
from remit.discover.export import COLUMNS, SEPARATOR
from remit.discover.sighting import (
    EDGES_MAX,
    FILES,
    TRAITS_MAX,
    Edge,
    Kind,
    Sighting,
    SourceConfidence,
    Subject,
    Trait,
    Verb,
    clipped,
    parsed,
    subject,
)
from remit.discover.sighting_json import CONFIDENCES, from_json
from remit.facts.canonical import Json

SPACE: Final = "import"
_TYPES: Final[Mapping[str, Kind]] = MappingProxyType({"machine-learning-model": Kind.MODEL, "data": Kind.DATA})
_APPLICATION: Final = "application"
_CAPPED: Final = SourceConfidence.DECLARED
SOURCES_MAX: Final = 20
"""Sources of one entry that are kept."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ImportProblem:
    """A part that is no sighting: where in the file, and why."""

    code: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class ImportFile:
    """The file, as it is called, and when it was read."""

    file: str
    now_ms: int

    @property
    def source(self) -> str:
        """The source of what the file says."""
        return clipped(f"{FILES}:{self.file}")


class _Observation(NamedTuple):
    """What an export says of how its entry was seen; empty where nothing says it."""

    first: str = ""
    last: str = ""
    confidence: str = ""
    sources: tuple[str, ...] = ()


class _Statement(NamedTuple):
    """What a part says of its subject: links as they are written, traits, and how it was seen."""

    owner: Json = None
    links: tuple[str, ...] = ()
    traits: tuple[tuple[str, str], ...] = ()
    observation: _Observation = _Observation()


def read_import(text: str, origin: ImportFile) -> Iterator[Sighting | ImportProblem]:
    """All that `text` says; JSON by its first character, else CSV."""
    if text.lstrip()[:1] not in {"{", "["}:
        yield from _csv(text, origin)
        return
    try:
        value = cast("Json", json.loads(text))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        yield ImportProblem("import/syntax", f"{origin.file}{line}", "it is no JSON")
        return
    if isinstance(value, Mapping) and value.get("bomFormat") == "CycloneDX":
        yield from _cyclonedx(value, origin)
        return
    for key in ("sightings", "entries"):
        if isinstance(value, Mapping) and isinstance(items := value.get(key), list):
            for number, item in enumerate(items):
                yield from _read_entry(item, f"{key}[{number}]", origin)
            return
    yield ImportProblem(
        "import/shape", origin.file, "it holds neither sightings, nor entries, nor a CycloneDX document"
    )


def _read_entry(item: Json, where: str, origin: ImportFile) -> Iterator[Sighting | ImportProblem]:
    try:
        if isinstance(item, Mapping) and "evidence" in item:
            yield _capped(from_json(item), origin)
            return
        if not isinstance(item, Mapping):
            raise ValueError("it is no object")  # noqa: TRY004 - one error for all that is no entry
        links = [member for member in _list(item.get("links")) if isinstance(member, Mapping)]
        traits = [member for member in _list(item.get("traits")) if isinstance(member, Mapping)]
        sources = tuple(member for member in _list(item.get("sources")) if isinstance(member, str))
        statement = _Statement(
            item.get("owner"),
            tuple(f"{member.get('verb')} {member.get('to')}" for member in links),
            tuple((str(member.get("key")), str(member.get("value"))) for member in traits),
            _Observation(_text(item, "first"), _text(item, "last"), _text(item, "confidence"), sources),
        )
        yield from _sightings(str(item.get("subject", "")), statement, where, origin)
    except ValueError as error:
        yield ImportProblem("import/entry", f"{origin.file}: {where}", clipped(str(error)))


def _capped(sighting: Sighting, origin: ImportFile) -> Sighting:
    """A sighting that a file holds, as what a file may say."""
    evidence, last_ms = clipped(f"{origin.file}: {sighting.evidence}"), min(sighting.last_ms, origin.now_ms)
    confidence = min(sighting.confidence, _CAPPED)
    first_ms = min(sighting.first_ms, last_ms)
    return replace(
        sighting, source=origin.source, evidence=evidence, confidence=confidence, first_ms=first_ms, last_ms=last_ms
    )


def _sightings(subject_text: str, statement: _Statement, where: str, origin: ImportFile) -> list[Sighting]:
    """What a file says of one subject: one sighting by each source that it names. Raises `ValueError`."""
    observation = statement.observation
    if observation.confidence and observation.confidence not in CONFIDENCES:
        raise ValueError(f"no confidence: {clipped(observation.confidence)[:40]} (there are {', '.join(CONFIDENCES)})")
    last_ms = min(_ms(observation.last, origin.now_ms), origin.now_ms)
    prefix = f"{origin.source}: "
    sources = [clipped(prefix + member.removeprefix(prefix)) for member in observation.sources[:SOURCES_MAX] if member]
    sighting = Sighting(
        parsed(subject_text),
        sources[0] if sources else origin.source,
        clipped(f"{origin.file}: {where}"),
        min(_ms(observation.first, last_ms), last_ms),
        last_ms,
        min(CONFIDENCES.get(observation.confidence, _CAPPED), _CAPPED),
        clipped(statement.owner) if isinstance(statement.owner, str) and statement.owner else None,
        tuple(_edge(member) for member in statement.links[:EDGES_MAX]),
        tuple(Trait(clipped(key), clipped(value)) for key, value in statement.traits[:TRAITS_MAX]),
    )
    return [sighting, *(replace(sighting, source=member, owner=None, edges=(), traits=()) for member in sources[1:])]


def _ms(instant: str, default: int) -> int:
    """An instant as milliseconds since the epoch. Raises `ValueError`."""
    if not instant:
        return default
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        raise ValueError(f"no time: {clipped(instant)[:40]} (they look like 2026-11-28T12:00:00Z)") from None
    return max(0, (at.replace(tzinfo=at.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1))


def _edge(text: str) -> Edge:
    verb, _, to = text.strip().partition(" ")
    if verb not in set(Verb):
        raise ValueError(f"no link: {clipped(text)[:80]} (they look like: uses tool/files/read)")
    return Edge(Verb(verb), parsed(to))


def _csv(text: str, origin: ImportFile) -> Iterator[Sighting | ImportProblem]:
    """Rows under a head that names `subject`, or `kind` and `name`; `owner` and `links` where there are any."""
    reader = csv.reader(io.StringIO(text, newline=""))
    head: list[str] = []
    try:
        for cells in reader:
            where = f"line {reader.line_num}"
            plain = [cell.removeprefix("'") for cell in cells]
            if not head:
                head = [cell.strip().lower() for cell in plain]
                if "subject" not in head and not {"kind", "name"} <= set(head):
                    why = "its first line names neither `subject`, nor `kind` and `name`"
                    yield ImportProblem("import/shape", f"{origin.file}: {where}", why)
                    return
                continue
            if not any(plain):
                continue
            row = dict(zip(head, plain, strict=False))
            try:
                subject_text = row.get("subject") or _subject_text(row.get("kind", ""), row.get("name", ""))
                links = tuple(link for link in row.get("links", "").split(SEPARATOR) if link.strip())
                observation = _observation(row) if set(COLUMNS) <= set(head) else _Observation()
                yield from _sightings(
                    subject_text, _Statement(row.get("owner"), links, observation=observation), where, origin
                )
            except ValueError as error:
                yield ImportProblem("import/entry", f"{origin.file}: {where}", clipped(str(error)))
    except csv.Error:
        yield ImportProblem("import/syntax", f"{origin.file}:{reader.line_num}", "it is no CSV from here on")
    if not head:
        yield ImportProblem("import/shape", origin.file, "it is empty")


def _observation(row: Mapping[str, str]) -> _Observation:
    sources = tuple(row.get("sources", "").split(SEPARATOR))
    return _Observation(row.get("first", ""), row.get("last", ""), row.get("confidence", ""), sources)


def _subject_text(kind: str, name: str) -> str:
    if kind.strip() and not name.strip():
        raise ValueError("it has no name")
    if kind.strip().lower() not in set(Kind):
        raise ValueError(f"no kind: {clipped(kind)[:40]} (there are {', '.join(Kind)})")
    known_kind = Kind(kind.strip().lower())
    return str(subject(known_kind, name.strip(), "" if known_kind is Kind.MODEL else SPACE))


def _cyclonedx(document: Mapping[str, Json], origin: ImportFile) -> Iterator[Sighting | ImportProblem]:
    """Models, data and services, and applications that depend on a model; and whatever Remit wrote."""
    dependencies = [dependency for dependency in _list(document.get("dependencies")) if isinstance(dependency, Mapping)]
    depends = {
        str(dependency.get("ref")): [str(ref) for ref in _list(dependency.get("dependsOn"))]
        for dependency in dependencies
    }
    metadata = document.get("metadata")
    whole = [metadata.get("component")] if isinstance(metadata, Mapping) and "component" in metadata else []
    parts: dict[str, _Part] = {}
    applications: list[tuple[str, Mapping[str, Json], str]] = []
    for section, items in (
        ("metadata.component", whole),
        ("components", _list(document.get("components"))),
        ("services", _list(document.get("services"))),
    ):
        for number, item in enumerate(items):
            where = f"{section}[{number}]" if section != "metadata.component" else section
            try:
                if not isinstance(item, Mapping):
                    raise ValueError("it is no object")  # noqa: TRY004 - as above
                ref = str(item.get("bom-ref") or where)
                if (part_subject := _subject(item, Kind.SERVER if section == "services" else None)) is not None:
                    parts[ref] = _Part(part_subject, item, where, "")
                elif item.get("type") == _APPLICATION:
                    applications.append((ref, item, where))
            except ValueError as error:
                yield ImportProblem("import/entry", f"{origin.file}: {where}", clipped(str(error)))
    models = {ref for ref, part in parts.items() if part.of.kind is Kind.MODEL}
    for ref, item, where in applications:
        if not models.intersection(depends.get(ref, ())):
            continue
        name = item.get("name")
        if not isinstance(name, str) or not name.strip():
            yield ImportProblem("import/entry", f"{origin.file}: {where}", "it has no name")
            continue
        why = f"{where}, an application that depends on a model"
        parts[ref] = _Part(subject(Kind.AGENT, name, SPACE), item, why, SourceConfidence.GUESSED.name.lower())
    for ref, part in parts.items():
        yield from _component(ref, part, depends, parts, origin)


class _Part(NamedTuple):
    """A component or service that stands for something; `confidence` where it is not as sure as the file."""

    of: Subject
    item: Mapping[str, Json]
    where: str
    confidence: str


def _component(
    ref: str, part: _Part, depends: Mapping[str, list[str]], parts: Mapping[str, _Part], origin: ImportFile
) -> Iterator[Sighting | ImportProblem]:
    properties = _properties(part.item)
    links = [f"{name.removeprefix('link:')} {value}" for name, value in properties if name.startswith("link:")]
    if not links:
        targets = [parts[to].of for to in depends.get(ref, ()) if to in parts]
        links = [f"{(Verb.DELEGATES if of.kind is Kind.AGENT else Verb.USES).value} {of}" for of in targets]
    traits = [(name.removeprefix("trait:"), value) for name, value in properties if name.startswith("trait:")]
    version = part.item.get("version")
    traits += [("version", version)] if isinstance(version, str) and version else []
    values, sources = dict(properties), tuple(value for name, value in properties if name == "source")
    confidence = part.confidence or values.get("confidence", "")
    observation = _Observation(values.get("first", ""), values.get("last", ""), confidence, sources)
    try:
        statement = _Statement(values.get("owner"), tuple(links), tuple(traits), observation)
        yield from _sightings(str(part.of), statement, part.where, origin)
    except ValueError as error:
        yield ImportProblem("import/entry", f"{origin.file}: {part.where}", clipped(str(error)))


def _subject(item: Mapping[str, Json], kind: Kind | None) -> Subject | None:
    """What a component or service stands for, or None for one that is none of ours: a library, a file."""
    if subject_text := dict(_properties(item)).get("subject"):
        return parsed(subject_text)
    known_kind = kind or _TYPES.get(str(item.get("type")))
    name = item.get("name")
    if known_kind is None:
        return None
    if not isinstance(name, str) or not name.strip():
        raise ValueError("it has no name")
    endpoints = [endpoint for endpoint in _list(item.get("endpoints")) if isinstance(endpoint, str)]
    if known_kind is Kind.SERVER and (url := next(filter(None, map(address, endpoints)), None)):
        return subject(known_kind, url)
    return subject(known_kind, name, "" if known_kind is Kind.MODEL else SPACE)


def _properties(item: Mapping[str, Json]) -> list[tuple[str, str]]:
    members = [member for member in _list(item.get("properties")) if isinstance(member, Mapping)]
    pairs = [(str(member.get("name")), str(member.get("value"))) for member in members]
    return [(name.removeprefix("remit:"), value) for name, value in pairs if name.startswith("remit:")]


def _text(item: Mapping[str, Json], key: str) -> str:
    return str(item.get(key) or "")


def _list(value: Json) -> "list[Json]":
    return value if isinstance(value, list) else []
