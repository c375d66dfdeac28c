"""What the service remembers between starts: keys of validated policies, and the lines of past bundles."""

from pathlib import Path

import pytest

from remit.adapters.workspace.folder import Folder
from remit.adapters.workspace.template import init_workspace
from remit.api.services import PolicyText
from remit.app import remembering
from remit.app.bundles import Bundles
from remit.control.diff import Side, compare, diff
from remit.control.resources import Source
from remit.facts.catalog import Sink
from remit.policy.compile import Memory, compile_bundle
from tests.core.deciding import bundle, catalog, tool

POLICY = '@id("all")\n@reason("for a test")\npermit (principal, action, resource);\n'


FOUND = compile_bundle(catalog(POLICY)).memory


def test_what_was_found_comes_back_until_the_validator_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bundles(tmp_path).remember(FOUND)
    assert Bundles(tmp_path).memory() == FOUND

    def other(_package: str) -> str:
        return "0.0"

    monkeypatch.setattr(remembering, "version", other)
    assert Bundles(tmp_path).memory() == Memory()


def test_what_is_remembered_is_for_its_owner_alone_and_read_in_pieces(tmp_path: Path) -> None:
    many = "".join(POLICY.replace('"all"', f'"p{n}"') for n in range(250))
    found = compile_bundle(catalog(many)).memory
    turns: list[int] = []
    Bundles(tmp_path).remember(found, lambda: turns.append(1))
    (path,) = tmp_path.glob("policies-*")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(turns) == 5
    assert Bundles(tmp_path).memory() == found


def test_what_was_known_is_kept_beside_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = compile_bundle(catalog(POLICY.replace("all", "other"))).memory
    kept = Bundles(tmp_path)
    kept.remember(FOUND)
    kept.remember(other)
    kept.remember(other)
    assert Bundles(tmp_path).memory().forms.keys() == FOUND.forms.keys() | other.forms.keys()
    monkeypatch.setattr(remembering, "KEPT_MAX", 1)
    third = compile_bundle(catalog(POLICY.replace("all", "third"))).memory
    kept.remember(third)
    assert kept.memory() == third


def test_another_process_may_have_remembered_something(tmp_path: Path) -> None:
    kept = Bundles(tmp_path)
    assert kept.memory() == Memory()
    Bundles(tmp_path).remember(FOUND)
    assert kept.memory() == Memory()
    kept.refresh()
    assert kept.memory() == FOUND


def test_a_torn_or_damaged_memory_counts_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    Bundles(tmp_path).remember(FOUND)
    (path,) = tmp_path.glob("policies-*")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        found = Bundles(tmp_path).memory()
        assert found.forms.items() <= FOUND.forms.items()
        assert found.validated <= FOUND.validated
    path.write_bytes(b"\xff\xfe" * 40)
    assert Bundles(tmp_path).memory() == Memory()


def test_the_lines_of_a_bundle_that_ran_are_still_there(tmp_path: Path) -> None:
    running = bundle(POLICY)
    Bundles(tmp_path).keep(running)
    found = Bundles(tmp_path).policy(running.digest, "all")
    assert found is not None
    assert "for a test" in found.text
    assert found.line == 1
    assert Bundles(tmp_path).policy(running.digest, "other") is None
    assert Bundles(tmp_path).policy("sha256:../../etc/passwd", "all") is None


def test_what_the_first_version_kept_is_read_and_kept_anew(tmp_path: Path) -> None:
    running = bundle(POLICY)
    old = tmp_path / f"bundle-{running.digest.removeprefix('sha256:')}.json"
    old.write_text(
        '{"all": {"path": "p.cedar", "line": 7, "text": "t"}, "form": {"path": "p", "line": 1, "text": "f"}}'
    )
    kept = Bundles(tmp_path)
    assert kept.policy(running.digest, "all") == PolicyText("p.cedar", 7, "t")
    assert kept.policy(running.digest, "form") == PolicyText("p", 1, "f")
    assert kept.described(running.digest) is None
    kept.keep(running)
    found = kept.described(running.digest)
    assert found is not None
    assert set(found.policies) == {"all"}
    assert compare(found, found) == ()


def test_two_bundles_that_are_kept_compare_as_they_do_alive(tmp_path: Path) -> None:
    one, two = (
        bundle(POLICY),
        bundle(catalog(POLICY, tools=[tool("shop", "new"), tool("shop", "look", sink=Sink.NONE)])),
    )
    kept = Bundles(tmp_path)
    kept.keep(one)
    kept.keep(two)
    before, after = kept.described(one.digest), kept.described(two.digest)
    assert before is not None
    assert after is not None
    alive = diff(Side(one.catalog, {}), Side(two.catalog, {}))
    found = compare(before, after)
    assert [change.text for change in found] == [change.text for change in alive]
    assert [line for line in found[0].lines if not line.startswith("/pin")] == list(alive[0].lines)
    (tmp_path / f"pin-{one.catalog.tools['web', 'fetch'].pin.removeprefix('sha256:')}.json").unlink()
    assert kept.described(one.digest) is None


def test_where_nothing_can_be_noted_the_ledger_is_asked(tmp_path: Path) -> None:
    kept = Bundles(tmp_path)
    assert kept.noted() is None
    kept.note("r0000-1.2")
    kept.note("r0000-1.9")
    assert kept.noted() == ["r0000-1.2", "r0000-1.9"]
    assert (tmp_path / "history").stat().st_mode & 0o777 == 0o600
    kept.note_all(["r0000-1.2"])
    assert kept.noted() == ["r0000-1.2"]
    (tmp_path / "history").unlink()
    (tmp_path / "history").mkdir()
    kept.note("r0000-1.3")
    assert kept.noted() is None


def test_a_workspace_is_remembered_until_one_byte_of_it_changes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "workspace")
    init_workspace(folder.path)
    written = folder.path / "agents.yaml"
    fingerprint = folder.fingerprint()
    assert fingerprint is not None
    source = folder.load()
    Bundles(tmp_path / "data").keep_source(fingerprint, source)
    assert Bundles(tmp_path / "data").source(fingerprint) == source
    written.write_bytes(written.read_bytes() + b"\n")
    changed = folder.fingerprint()
    assert changed is not None
    assert changed != fingerprint
    assert Bundles(tmp_path / "data").source(changed) is None


def test_a_workspace_that_cannot_be_read_whole_has_no_fingerprint(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "bad.cedar").write_bytes(b"\xff")
    assert folder.fingerprint() is None


def test_a_torn_memory_of_a_workspace_counts_as_none(tmp_path: Path) -> None:
    kept = Bundles(tmp_path)
    kept.keep_source("a" * 64, Source())
    (path,) = tmp_path.glob("source-*")
    whole = path.read_bytes()
    assert kept.source("a" * 64) == Source()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert kept.source("a" * 64) is None
