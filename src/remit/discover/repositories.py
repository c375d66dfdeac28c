"""What the files of a repository come to as sightings.

A thing is named by its repository, the file that makes it, and its own name there; models, packages and addresses
have the names that they have everywhere. What an agent uses is looked for in its file, then in the whole repository.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.discover.frameworks import CONTRACT
from remit.discover.ground import CodeComponent
from remit.discover.hosts import Provenance
from remit.discover.sighting import Edge, Kind, Sighting, SourceConfidence, Subject, Trait, subject

SPACE: Final = "repo"
ITEMS_MAX: Final = 50_000
"""Things that are kept of one repository."""


@dataclass(slots=True)
class Repository:
    """All that was recognised so far, by file."""

    name: str
    files: dict[str, list[CodeComponent]] = field(default_factory=dict[str, list[CodeComponent]])
    frameworks: set[str] = field(default_factory=set[str])
    count: int = 0

    def take(self, file: str, items: list[CodeComponent]) -> bool:
        """Keep what `file` makes, as far as there is room; whether there was."""
        room = ITEMS_MAX - self.count
        if kept := items[:room]:
            self.files[file] = kept
        self.count += len(kept)
        return len(kept) == len(items)

    def sightings(self, provenance: Provenance) -> Iterator[Sighting]:
        """Everything as sightings; `provenance` says by whom and when."""
        definitions: dict[tuple[Kind, str], set[Subject]] = {}
        for file, items in self.files.items():
            for item in items:
                if item.defined:
                    definitions.setdefault((item.kind, item.name), set()).add(self._subject(file, item.kind, item.name))
        for file, items in self.files.items():
            for item in items:
                of = self._found(file, item.kind, item.name, definitions)
                if not item.defined and of in definitions.get((item.kind, item.name), ()):
                    continue
                here = Provenance(
                    provenance.machine,
                    provenance.user,
                    f"{self.name}/{file}",
                    provenance.now_ms,
                    provenance.source,
                    item.line,
                )
                edges = [Edge(verb, self._found(file, kind, name, definitions)) for verb, kind, name in item.edges]
                traits = [Trait("framework", item.framework)] if item.framework else []
                traits += [Trait("text", item.digest)] if item.digest else []
                yield from here.sightings(of, edges, traits)
        frameworks = sorted(self.frameworks - {CONTRACT})
        if frameworks and not any(item.kind is Kind.AGENT for items in self.files.values() for item in items):
            here = Provenance(provenance.machine, provenance.user, self.name, provenance.now_ms, provenance.source)
            traits = [Trait("framework", ", ".join(frameworks))]
            yield from here.sightings(
                subject(Kind.AGENT, self.name, SPACE), (), traits, confidence=SourceConfidence.GUESSED
            )

    def _found(self, file: str, kind: Kind, name: str, definitions: Mapping[tuple[Kind, str], set[Subject]]) -> Subject:
        """What `file` calls `name`: its own, else the only one of the repository."""
        here = self._subject(file, kind, name)
        there = definitions.get((kind, name), set())
        return next(iter(there)) if len(there) == 1 and here not in there else here

    def _subject(self, file: str, kind: Kind, name: str) -> Subject:
        if kind is Kind.MODEL or (kind is Kind.SERVER and ":" in name):
            return subject(kind, name)
        return subject(kind, f"{self.name}/{file}#{name}" if file else f"{self.name}#{name}", SPACE)
