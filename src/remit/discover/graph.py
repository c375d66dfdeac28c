"""The inventory as a graph that is exported and drawn: one node for each entry, with what it does with others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from remit.discover.inventory import Inventory
from remit.discover.sighting import Kind, Subject, Verb
from remit.facts.moment import instant

CLAIMS = frozenset({Verb.SAME, Verb.APART})


@dataclass(frozen=True, slots=True)
class Node:
    """One entry. `first` and `last` are instants (RFC 3339), `conditions` those that are true."""

    subject: Subject
    owner: str | None = None
    first: str = ""
    last: str = ""
    confidence: str = ""
    sources: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    links: tuple[tuple[Verb, Subject], ...] = ()
    traits: tuple[tuple[str, str], ...] = ()


def nodes_of(inventory: Inventory) -> Iterator[Node]:
    """The nodes of an inventory that no service keeps, in order of names; what only edges name is one as well."""
    for subject in sorted(inventory):
        item = inventory[subject]
        traits = {(key, best[2]) for key, by_source in item.traits.items() for best in by_source.values()}
        yield Node(
            subject,
            item.owner[2] if item.owner else None,
            instant(item.first_ms),
            instant(item.last_ms),
            item.confidence.name.lower(),
            tuple(sorted(item.evidence)),
            (),
            tuple(sorted((edge.verb, edge.to) for edge in item.edges if edge.verb not in CLAIMS)),
            tuple(sorted(traits)),
        )


def with_targets(nodes: Iterable[Node]) -> list[Node]:
    """`nodes` in order of names, with one for each subject that only a link names."""
    by_subject = {node.subject: node for node in nodes}
    for node in [*by_subject.values()]:
        for _, to in node.links:
            by_subject.setdefault(to, Node(to))
    return [by_subject[subject] for subject in sorted(by_subject)]


def short_name(subject: Subject) -> str:
    """The name of `subject` where its kind is plain: without what says where it is, for people."""
    name = subject.name
    if subject.space == "repo" and "#" in name:
        file, _, name = name.rpartition("#")
        name = f"{name} ({file.rpartition('/')[2]})" if subject.kind is Kind.AGENT else name
    return name.rpartition("/")[2] if subject.kind is Kind.TOOL and "/" in name else name
