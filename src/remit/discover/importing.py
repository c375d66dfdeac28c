"""Sightings of a file that somebody made: CSV, JSON, or CycloneDX of any version.

Each row, entry or component is read by itself: one that is wrong is a named fault, and the others are taken. What a
file says is declared, however sure it is of itself.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, cast

from remit.discover.discretion import address
from remit.discover.exporting import SEPARATOR
from remit.discover.sighting import (
    EDGES_MAX,
    TRAITS_MAX,
    Confidence,
    Edge,
    Kind,
    Sighting,
    Subject,
    Trait,
    Verb,
    clipped,
    parsed,
    subject,
)
from remit.discover.written import from_json
from remit.facts.canonical import Json

SPACE: Final = "import"
_TYPES: Final[Mapping[str, Kind]] = MappingProxyType({"machine-learning-model": Kind.MODEL, "data": Kind.DATA})
_CAPPED: Final = Confidence.DECLARED


@dataclass(frozen=True, slots=True)
class Wrong:
    """A part that is no sighting: where in the file, and why."""

    code: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Origin:
    """The file, as it is called, and when it was read."""

    file: str
    now_ms: int

    @property
    def source(self) -> str:
        """The source of what the file says."""
        return clipped(f"import:{self.file}")


def imported(text: str, origin: Origin) -> Iterator[Sighting | Wrong]:
    """All that `text` says; JSON by its first character, else CSV."""
    if text.lstrip()[:1] not in {"{", "["}:
        yield from _csv(text, origin)
        return
    try:
        value = cast("Json", json.loads(text))
    except (ValueError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        yield Wrong("import/syntax", f"{origin.file}{line}", "it is no JSON")
        return
    if isinstance(value, Mapping) and value.get("bomFormat") == "CycloneDX":
        yield from _cyclonedx(value, origin)
        return
    for key in ("sightings", "entries"):
        if isinstance(value, Mapping) and isinstance(found := value.get(key), list):
            for number, item in enumerate(found):
                yield _taken(item, f"{key}[{number}]", origin)
            return
    yield Wrong("import/shape", origin.file, "it holds neither sightings, nor entries, nor a CycloneDX document")


def _taken(item: Json, where: str, origin: Origin) -> Sighting | Wrong:
    try:
        if isinstance(item, Mapping) and "evidence" in item:
            told = from_json(item)
            evidence = clipped(f"{origin.file}: {told.evidence}")
            return replace(told, source=origin.source, evidence=evidence, confidence=min(told.confidence, _CAPPED))
        if not isinstance(item, Mapping):
            raise ValueError("it is no object")  # noqa: TRY004 - one error for all that is no entry
        links = [one for one in _list(item.get("links")) if isinstance(one, Mapping)]
        edges = [f"{one.get('verb')} {one.get('to')}" for one in links]
        traits = [one for one in _list(item.get("traits")) if isinstance(one, Mapping)]
        pairs = [(str(one.get("key")), str(one.get("value"))) for one in traits]
        return _sighting(str(item.get("subject", "")), item.get("owner"), edges, pairs, where, origin)
    except ValueError as error:
        return Wrong("import/entry", f"{origin.file}: {where}", clipped(str(error)))


def _sighting(
    named: str, owner: Json, edges: list[str], traits: list[tuple[str, str]], where: str, origin: Origin
) -> Sighting:
    """One sighting of what a file says. Raises `ValueError`."""
    return Sighting(
        parsed(named),
        origin.source,
        clipped(f"{origin.file}: {where}"),
        origin.now_ms,
        origin.now_ms,
        _CAPPED,
        clipped(owner) if isinstance(owner, str) and owner else None,
        tuple(_edge(one) for one in edges[:EDGES_MAX]),
        tuple(Trait(clipped(key), clipped(value)) for key, value in traits[:TRAITS_MAX]),
    )


def _edge(text: str) -> Edge:
    verb, _, to = text.strip().partition(" ")
    if verb not in set(Verb):
        raise ValueError(f"no link: {clipped(text)[:80]} (they look like: uses tool/files/read)")
    return Edge(Verb(verb), parsed(to))


def _csv(text: str, origin: Origin) -> Iterator[Sighting | Wrong]:
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
                    yield Wrong("import/shape", f"{origin.file}: {where}", why)
                    return
                continue
            if not any(plain):
                continue
            row = dict(zip(head, plain, strict=False))
            try:
                named = row.get("subject") or _named(row.get("kind", ""), row.get("name", ""))
                links = [one for one in row.get("links", "").split(SEPARATOR) if one.strip()]
                yield _sighting(named, row.get("owner"), links, [], where, origin)
            except ValueError as error:
                yield Wrong("import/entry", f"{origin.file}: {where}", clipped(str(error)))
    except csv.Error:
        yield Wrong("import/syntax", f"{origin.file}:{reader.line_num}", "it is no CSV from here on")
    if not head:
        yield Wrong("import/shape", origin.file, "it is empty")


def _named(kind: str, name: str) -> str:
    if kind.strip().lower() not in set(Kind):
        raise ValueError(f"no kind: {clipped(kind)[:40]} (there are {', '.join(Kind)})")
    of = Kind(kind.strip().lower())
    return str(subject(of, name.strip(), "" if of is Kind.MODEL else SPACE))


def _cyclonedx(document: Mapping[str, Json], origin: Origin) -> Iterator[Sighting | Wrong]:
    """Models, data and services; and whatever Remit wrote."""
    dependencies = [one for one in _list(document.get("dependencies")) if isinstance(one, Mapping)]
    depends = {str(one.get("ref")): [str(ref) for ref in _list(one.get("dependsOn"))] for one in dependencies}
    found: dict[str, tuple[Subject, Mapping[str, Json], str]] = {}
    for part, kind in (("components", None), ("services", Kind.SERVER)):
        for number, item in enumerate(_list(document.get(part))):
            where = f"{part}[{number}]"
            try:
                if not isinstance(item, Mapping):
                    raise ValueError("it is no object")  # noqa: TRY004 - as above
                if (of := _subject(item, kind)) is not None:
                    found[str(item.get("bom-ref") or where)] = (of, item, where)
            except ValueError as error:
                yield Wrong("import/entry", f"{origin.file}: {where}", clipped(str(error)))
    for ref, (of, item, where) in found.items():
        said = _properties(item)
        links = [f"{name.removeprefix('link:')} {value}" for name, value in said if name.startswith("link:")]
        links = links or [f"uses {found[to][0]}" for to in depends.get(ref, ()) if to in found]
        traits = [(name.removeprefix("trait:"), value) for name, value in said if name.startswith("trait:")]
        version = item.get("version")
        traits += [("version", version)] if isinstance(version, str) and version else []
        try:
            yield _sighting(str(of), dict(said).get("owner"), links, traits, where, origin)
        except ValueError as error:
            yield Wrong("import/entry", f"{origin.file}: {where}", clipped(str(error)))


def _subject(item: Mapping[str, Json], kind: Kind | None) -> Subject | None:
    """What a component or service stands for, or None for one that is none of ours: a library, a file."""
    if named := dict(_properties(item)).get("subject"):
        return parsed(named)
    of = kind or _TYPES.get(str(item.get("type")))
    name = item.get("name")
    if of is None:
        return None
    if not isinstance(name, str) or not name:
        raise ValueError("it has no name")
    endpoints = [one for one in _list(item.get("endpoints")) if isinstance(one, str)]
    if of is Kind.SERVER and (url := next(filter(None, map(address, endpoints)), None)):
        return subject(of, url)
    return subject(of, name, "" if of is Kind.MODEL else SPACE)


def _properties(item: Mapping[str, Json]) -> list[tuple[str, str]]:
    each = [one for one in _list(item.get("properties")) if isinstance(one, Mapping)]
    pairs = [(str(one.get("name")), str(one.get("value"))) for one in each]
    return [(name.removeprefix("remit:"), value) for name, value in pairs if name.startswith("remit:")]


def _list(value: Json) -> "list[Json]":
    return value if isinstance(value, list) else []
