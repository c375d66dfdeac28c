"""What the service remembers between starts: keys of validated policies, and the lines of past bundles."""

from pathlib import Path

import pytest

from remit.adapters.workspace.folder import Folder
from remit.adapters.workspace.template import init_workspace
from remit.app import bundles
from remit.app.bundles import Bundles
from remit.control.resources import Source
from tests.core.deciding import bundle

POLICY = '@id("all")\n@reason("for a test")\npermit (principal, action, resource);\n'


def test_keys_come_back_until_the_validator_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Bundles(tmp_path).remember({"a", "b"})
    assert Bundles(tmp_path).validated() == {"a", "b"}

    def other(_package: str) -> str:
        return "0.0"

    monkeypatch.setattr(bundles, "version", other)
    assert Bundles(tmp_path).validated() == frozenset()


def test_a_damaged_cache_counts_as_empty(tmp_path: Path) -> None:
    kept = Bundles(tmp_path)
    kept.remember({"a"})
    for path in tmp_path.iterdir():
        path.write_bytes(b"\xff\xfe")
    assert Bundles(tmp_path).validated() == frozenset()


def test_the_lines_of_a_bundle_that_ran_are_still_there(tmp_path: Path) -> None:
    running = bundle(POLICY)
    Bundles(tmp_path).keep(running)
    found = Bundles(tmp_path).policy(running.digest, "all")
    assert found is not None
    assert "for a test" in found.text
    assert found.line == 1
    assert Bundles(tmp_path).policy(running.digest, "other") is None
    assert Bundles(tmp_path).policy("sha256:../../etc/passwd", "all") is None


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
