"""What files of a repository make is named by file, and what one uses of another is found where only one makes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.discover import repositories
from remit.discover.ground import CodeComponent
from remit.discover.hosts import Provenance
from remit.discover.repositories import Repository
from remit.discover.sighting import Kind, SourceConfidence, Verb

if TYPE_CHECKING:
    import pytest

SEEN = Provenance("shop", "", "", 5, "repo:shop")


def told(repository: Repository) -> dict[str, list[str]]:
    return {str(one.subject): [f"{edge.verb} {edge.to}" for edge in one.edges] for one in repository.sightings(SEEN)}


def test_what_one_file_uses_of_another_is_found() -> None:
    repository = Repository("shop")
    uses = tuple((Verb.USES, Kind.TOOL, name) for name in ("own", "only", "twice", "nowhere"))
    models = ((Verb.USES, Kind.MODEL, "gpt-5"), (Verb.USES, Kind.SERVER, "npm:x"))
    agent = CodeComponent(Kind.AGENT, "a", 3, "crewai", (*uses, *models))
    given = [CodeComponent(Kind.TOOL, name, 4, defined=False) for name in ("only", "nowhere")]
    assert repository.take("a.py", [agent, CodeComponent(Kind.TOOL, "own", 9), *given])
    assert repository.take("b.py", [CodeComponent(Kind.TOOL, name, 1) for name in ("own", "only", "twice")])
    assert repository.take(
        "c.py", [CodeComponent(Kind.TOOL, "twice", 1), CodeComponent(Kind.PROMPT, "p", 2, digest="sha256:0")]
    )
    assert repository.take("d.py", [])
    found = told(repository)
    assert found["agent/repo:shop/a.py#a"] == [
        "uses tool/repo:shop/a.py#own",
        "uses tool/repo:shop/b.py#only",
        "uses tool/repo:shop/a.py#twice",
        "uses tool/repo:shop/a.py#nowhere",
        "uses model/gpt-5",
        "uses server/npm:x",
    ]
    assert "tool/repo:shop/a.py#only" not in found
    assert "tool/repo:shop/a.py#nowhere" in found
    by = {str(one.subject): one for one in repository.sightings(SEEN)}
    assert dict(by["agent/repo:shop/a.py#a"].traits) == {"framework": "crewai"}
    assert dict(by["prompt/repo:shop/c.py#p"].traits) == {"text": "sha256:0"}
    assert by["prompt/repo:shop/c.py#p"].evidence == "shop/c.py:2"


def test_a_framework_without_an_agent_is_a_guess() -> None:
    repository = Repository("shop", frameworks={"mcp", "crewai"})
    (one,) = repository.sightings(SEEN)
    assert (str(one.subject), one.confidence) == ("agent/repo:shop", SourceConfidence.GUESSED)
    assert told(Repository("shop", frameworks={"mcp"})) == {}


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "ITEMS_MAX", 1)
    repository = Repository("shop")
    assert not repository.take("a.py", [CodeComponent(Kind.TOOL, "a", 1), CodeComponent(Kind.TOOL, "b", 1)])
    assert not repository.take("b.py", [CodeComponent(Kind.TOOL, "c", 1)])
    assert list(told(repository)) == ["tool/repo:shop/a.py#a"]
