"""Source resources: what of them is refused, that they are in the digest, and are shown as they were declared."""

from __future__ import annotations

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.manifests import catalog_json, spec_json
from remit.control.resources import ResourceKind, SourceSpec
from remit.facts.source import Watches
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.declaring import declare, small

HOST, REPO, FILE = Watches.HOST, Watches.REPOSITORY, Watches.FILE


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        (SourceSpec(HOST), []),
        (SourceSpec(HOST, homes=("/home/uma",), projects=("/srv/shop",), processes=False), []),
        (SourceSpec(REPO, "/srv/shop", every_s=10), []),
        (SourceSpec(FILE, "/srv/list.csv", every_s=86_400), []),
        (SourceSpec(HOST, "/srv"), ["path"]),
        (SourceSpec(REPO), ["path"]),
        (SourceSpec(FILE, "list.csv"), ["path"]),
        (SourceSpec(FILE, "/srv", homes=("/home/uma",)), ["homes"]),
        (SourceSpec(HOST, homes=("uma",), projects=("/srv", "a\0b")), ["homes", "projects"]),
        (SourceSpec(HOST, every_s=1), ["every_s"]),
        (SourceSpec(HOST, every_s=float("nan")), ["every_s"]),
    ],
)
def test_what_a_source_may_say(spec: SourceSpec, fields: list[str]) -> None:
    made = assemble(small(declare("one", spec)))
    problems = made.problems if isinstance(made, AssemblyRefused) else made.warnings
    assert [problem.code for problem in problems] == ["source/shape"] * len(fields)


def test_sources_are_in_the_digest_and_shown_as_declared() -> None:
    digests = set[str]()
    for specs in ((), (SourceSpec(HOST),), (SourceSpec(REPO, "/srv/shop"),)):
        made = assemble(small(*(declare("one", spec) for spec in specs)))
        assert isinstance(made, Assembled)
        bundle = compile_bundle(made.catalog).result
        assert isinstance(bundle, Bundle)
        digests.add(bundle.digest)
        shown = catalog_json(made.catalog)
        assert (
            [shown[ResourceKind.SOURCE, "one"]] * len(specs) == [spec_json(spec) for spec in specs] if specs else True
        )
    assert len(digests) == 3
    assert spec_json(SourceSpec(HOST)) == {
        "watches": "host",
        "every_s": 600.0,
        "homes": [],
        "projects": [],
        "processes": True,
    }
    assert spec_json(SourceSpec(REPO, "/srv")) == {"watches": "repository", "every_s": 600.0, "path": "/srv"}
