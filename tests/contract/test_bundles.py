"""What the service remembers between starts: keys of validated policies, and the lines of past bundles."""

from pathlib import Path

import pytest

from remit.app import bundles
from remit.app.bundles import Bundles
from tests.core.deciding import bundle

POLICY = '@id("all")\n@reason("for a test")\npermit (principal, action, resource);\n'


def test_keys_come_back_until_the_validator_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Bundles(tmp_path).remember({"a", "b"})
    assert Bundles(tmp_path).validated() == {"a", "b"}
    monkeypatch.setattr(bundles, "version", lambda _: "0.0")
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
