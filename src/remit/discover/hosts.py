"""What a machine's files and processes come to as sightings: clients, the servers they use, models, tools and folders.

A client is one agent for each user of a machine. A server that a package or an address names is the same wherever it
is used; one known by a program's name alone is that machine's. How a client starts a server is a trait of the client:
it is the client that changes when its configuration does. A trait names its file, since files of one client may differ.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from types import MappingProxyType
from typing import Final

from remit.discover.client_configuration import ClientConfiguration, ConfiguredServer
from remit.discover.clients import CLIENTS, ClientProgram
from remit.discover.identity import OURS
from remit.discover.launch import Launch
from remit.discover.processes import RecognisedProcess
from remit.discover.relays import RELAY
from remit.discover.sighting import (
    EDGES_MAX,
    TEXT_CHARS_MAX,
    TRAITS_MAX,
    Edge,
    Kind,
    Sighting,
    SourceConfidence,
    Subject,
    Trait,
    Verb,
    clipped,
    subject,
)

SPACE: Final = "host"
_NO_LINES: Final[Mapping[str, int]] = MappingProxyType({})
_TITLES: Final = {client.name: client.title for client in CLIENTS}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where and when something was seen: on `machine`, of `user`, in `file` at `line` (0: all of it), by `source`."""

    machine: str
    user: str
    file: str
    now_ms: int
    source: str
    line: int = 0

    def sightings(
        self,
        of: Subject,
        edges: Iterable[Edge] = (),
        traits: Iterable[Trait] = (),
        *,
        owner: str | None = None,
        confidence: SourceConfidence = SourceConfidence.DECLARED,
    ) -> Iterator[Sighting]:
        """As many sightings of one subject as it takes to say all of it."""
        edges_left, traits_left = iter(tuple(dict.fromkeys(edges))), iter(tuple(dict.fromkeys(traits)))
        first = True
        while (some := tuple(islice(edges_left, EDGES_MAX))) or first:
            few = tuple(islice(traits_left, TRAITS_MAX))
            yield self._one(of, some, few, owner, confidence)
            first = False
        while few := tuple(islice(traits_left, TRAITS_MAX)):
            yield self._one(of, (), few, owner, confidence)

    def _one(
        self,
        of: Subject,
        edges: tuple[Edge, ...],
        traits: tuple[Trait, ...],
        owner: str | None,
        confidence: SourceConfidence,
    ) -> Sighting:
        evidence = f"{self.file}:{self.line}" if self.line else self.file
        return Sighting(of, self.source, clipped(evidence), self.now_ms, self.now_ms, confidence, owner, edges, traits)


def agent_of(client: str, provenance: Provenance) -> Subject:
    """The agent that `client` is for this user of this machine."""
    return subject(Kind.AGENT, f"{client}/{provenance.user}@{provenance.machine}", SPACE)


def server_of(launch: Launch, machine: str) -> Subject:
    """The server that `launch` starts or reaches."""
    if launch.everywhere:
        return subject(Kind.SERVER, launch.server)
    return subject(Kind.SERVER, f"{launch.server}@{machine}", SPACE)


def _entry_server(entry: ConfiguredServer, machine: str) -> Subject:
    if entry.relay is not None:
        return subject(Kind.SERVER, f"{RELAY}{entry.relay}@{machine}", SPACE)
    return server_of(entry.launch, machine)


def _server_of(running: RecognisedProcess, launch: Launch, machine: str) -> Subject:
    if running.of_remit:
        # What the same package is elsewhere, nobody governs for that.
        return subject(Kind.SERVER, f"{OURS}{launch.server}@{machine}", SPACE)
    return server_of(launch, machine)


def from_configuration(
    client: ClientProgram,
    configuration: ClientConfiguration,
    provenance: Provenance,
    lines: Mapping[str, int] = _NO_LINES,
    *,
    alone: bool = True,
) -> Iterator[Sighting]:
    """What one file of `client` says, its entries at `lines`.

    Unless `alone`, a file that configures nothing says nothing of the client.
    """
    agent = agent_of(client.name, provenance)
    edges: list[Edge] = [Edge(Verb.USES, subject(Kind.MODEL, model)) for model in configuration.models]
    texts_by_key: dict[str, list[str]] = {}
    for entry in configuration.entries:
        server = _entry_server(entry, provenance.machine)
        tools = [Edge(Verb.USES, subject(Kind.TOOL, f"{server.name}/{tool}", server.space)) for tool in entry.tools]
        if entry.enabled:
            edges += [Edge(Verb.USES, server), *tools]
        texts_by_key.setdefault(f"server {entry.name}", []).extend(_entry_texts(entry))
        data = [Edge(Verb.READS, _folder(path, provenance.machine)) for path in entry.launch.folders]
        entry_provenance = replace(provenance, line=lines.get(entry.name, provenance.line))
        yield from entry_provenance.sightings(server, [*tools, *data], [Trait("transport", entry.transport)])
    if configuration.variables:
        texts_by_key["environment"] = [configuration.variables]
    if configuration.permissions:
        texts_by_key["permission"] = sorted(configuration.permissions)
    if edges or texts_by_key or alone:
        traits = [
            Trait(clipped(f"{key} in {provenance.file}"), trait_text(texts)) for key, texts in texts_by_key.items()
        ]
        yield from provenance.sightings(agent, edges, [*traits, Trait("client", client.title)], owner=provenance.user)


def from_processes(processes: Sequence[RecognisedProcess], origin: Provenance) -> Iterator[Sighting]:
    """What runs: clients, and servers with the client among whose children they are."""
    for running in processes:
        started = f", started by Remit (process {running.of_remit})" if running.of_remit else ""
        provenance = Provenance(
            origin.machine, running.user, f"process {running.pid}{started}", origin.now_ms, origin.source
        )
        traits = [Trait("environment of the process", trait_text([running.variables]))] if running.variables else []
        if running.client:
            agent = agent_of(running.client, provenance)
            traits.append(Trait("client", _TITLES[running.client]))
            yield from provenance.sightings(agent, (), traits, owner=running.user, confidence=SourceConfidence.REPORTED)
        elif running.launch:
            server = _server_of(running, running.launch, origin.machine)
            yield from provenance.sightings(server, (), traits, confidence=SourceConfidence.REPORTED)
            if running.of_client:
                edge = Edge(Verb.USES, server)
                agent = agent_of(running.of_client, provenance)
                yield from provenance.sightings(agent, [edge], owner=running.user, confidence=SourceConfidence.REPORTED)


def trait_text(texts: Iterable[str]) -> str:
    """`texts` as one trait; what is too long for one ends in a digest of the whole, so that a change shows."""
    whole = "; ".join(texts)
    clipped_text = clipped(whole)
    if len(whole) <= TEXT_CHARS_MAX and len(clipped_text) < TEXT_CHARS_MAX:
        return clipped_text
    mark = f"… sha256:{hashlib.sha256(whole.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return clipped_text[: TEXT_CHARS_MAX - len(mark)] + mark


def _entry_texts(entry: ConfiguredServer) -> Iterator[str]:
    launch = entry.launch
    yield " ".join([entry.transport, launch.server, *launch.options])
    yield from (f"folder {path}" for path in launch.folders)
    if entry.variables:
        yield f"environment {entry.variables}"
    if entry.headers:
        yield f"headers {entry.headers}"
    if entry.approved:
        yield f"unasked {', '.join(sorted(entry.approved))}"
    if entry.trusted:
        yield "all unasked"
    if not entry.enabled:
        yield "switched off"


def _folder(path: str, machine: str) -> Subject:
    return subject(Kind.DATA, f"file://{machine}{path}" if path.startswith("/") else f"{path}@{machine}", SPACE)
