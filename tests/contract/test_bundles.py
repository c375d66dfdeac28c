"""What the service remembers between starts: keys of validated policies, and the lines of past bundles."""

import logging
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from remit.adapters.workspace.folder import Folder
from remit.adapters.workspace.template import init_workspace
from remit.app.bundles import kept_bundle as app_kept
from remit.app.bundles import policy_cache
from remit.app.bundles import store as app_bundles
from remit.app.bundles.store import Bundles
from remit.control.diff import Side, compare, diff
from remit.control.resources import WorkspaceSource
from remit.facts.tool import Sink
from remit.policy.compile import Bundle, CheckCache, compile_bundle
from tests.core.deciding import bundle, catalog, tool

POLICY = '@id("all")\n@reason("for a test")\npermit (principal, action, resource);\n'


FOUND = compile_bundle(catalog(POLICY)).memory


def test_what_was_found_comes_back_until_the_validator_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Bundles(tmp_path / "bundles").remember(FOUND)
    assert Bundles(tmp_path / "bundles").memory() == FOUND

    def other(_package: str) -> str:
        return "0.0"

    monkeypatch.setattr(policy_cache, "version", other)
    assert Bundles(tmp_path / "bundles").memory() == CheckCache()


def test_what_is_remembered_is_for_its_owner_alone_and_read_in_pieces(tmp_path: Path) -> None:
    many = "".join(POLICY.replace('"all"', f'"p{n}"') for n in range(250))
    found = compile_bundle(catalog(many)).memory
    turns: list[int] = []
    Bundles(tmp_path / "bundles").remember(found, lambda: turns.append(1))
    (path,) = tmp_path.rglob("policies-*")
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(turns) == 5
    assert Bundles(tmp_path / "bundles").memory() == found


def test_what_was_known_is_kept_beside_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = compile_bundle(catalog(POLICY.replace("all", "other"))).memory
    kept = Bundles(tmp_path / "bundles")
    kept.remember(FOUND)
    kept.remember(other)
    kept.remember(other)
    assert Bundles(tmp_path / "bundles").memory().forms.keys() == FOUND.forms.keys() | other.forms.keys()
    monkeypatch.setattr(policy_cache, "KEPT_MAX", 1)
    third = compile_bundle(catalog(POLICY.replace("all", "third"))).memory
    kept.remember(third)
    assert kept.memory() == third


def test_another_process_may_have_remembered_something(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    assert kept.memory() == CheckCache()
    Bundles(tmp_path / "bundles").remember(FOUND)
    assert kept.memory() == CheckCache()
    kept.refresh()
    assert kept.memory() == FOUND


def test_a_torn_or_damaged_memory_counts_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    Bundles(tmp_path / "bundles").remember(FOUND)
    (path,) = tmp_path.rglob("policies-*")
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        found = Bundles(tmp_path / "bundles").memory()
        assert found.forms.items() <= FOUND.forms.items()
        assert found.validated <= FOUND.validated
    path.write_bytes(b"\xff\xfe" * 40)
    assert Bundles(tmp_path / "bundles").memory() == CheckCache()


def _flipped(path: Path) -> Iterator[None]:
    """The file at `path` with one bit of it the other way, for each of its bits."""
    whole = path.read_bytes()
    for at in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        yield
    path.write_bytes(whole)


def test_no_flipped_bit_of_what_is_remembered_makes_another_policy(tmp_path: Path) -> None:
    call = 'action == Remit::Action::"call_tool"'
    text = POLICY + POLICY.replace("all", "none").replace("permit", "forbid").replace("action", call)
    compiled = compile_bundle(catalog(text))
    assert isinstance(compiled.result, Bundle)
    Bundles(tmp_path / "bundles").remember(compiled.memory)
    (path,) = tmp_path.rglob("policies-*")
    for number, _ in enumerate(_flipped(path)):
        found = Bundles(tmp_path / "bundles").memory()
        assert found.forms.items() <= compiled.memory.forms.items()
        assert found.validated <= compiled.memory.validated
        assert found.plain <= compiled.memory.plain
        if number % 499 == 0:
            again = compile_bundle(catalog(text), memory=found)
            assert again.memory == compiled.memory
            assert isinstance(again.result, Bundle)
            assert again.result.digest == compiled.result.digest
    assert Bundles(tmp_path / "bundles").memory() == compiled.memory


def test_a_damaged_piece_is_told_left_out_and_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    many = "".join(POLICY.replace('"all"', f'"p{n}"') for n in range(250))
    found = compile_bundle(catalog(many)).memory
    kept = Bundles(tmp_path / "bundles")
    kept.remember(found)
    (path,) = tmp_path.rglob("policies-*")
    whole = bytearray(path.read_bytes())
    whole[100] ^= 1
    path.write_bytes(whole)
    with caplog.at_level(logging.WARNING):
        kept.refresh()
        assert len(kept.memory().forms) == 150
    assert [record.message for record in caplog.records] == ["what was remembered of bundles is damaged"]
    kept.remember(found)
    assert Bundles(tmp_path / "bundles").memory() == found


def test_what_somebody_edited_of_a_kept_bundle_is_not_shown_and_is_kept_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled = compile_bundle(catalog(POLICY)).result
    assert isinstance(compiled, Bundle)
    kept = Bundles(tmp_path / "bundles")
    kept.keep(compiled)
    assert kept.digests() == [compiled.digest]
    shown = kept.policy(compiled.digest, "all")
    assert shown is not None
    assert "permit" in shown.text
    (path, *pins) = sorted(tmp_path.rglob("*.kept"))
    for file in (path, *pins):
        whole = file.read_bytes()
        for edited in (whole.replace(b"permit", b"forbid").replace(b"description", b"descriptoin"), whole[:40], b""):
            assert edited != whole
            file.write_bytes(edited)
            with caplog.at_level(logging.WARNING):
                assert kept.described(compiled.digest) is None
            assert caplog.records[-1].message == "what was remembered of bundles is damaged"
            assert file is not path or kept.policy(compiled.digest, "all") is None
        file.write_bytes(whole)
    path.write_bytes(path.read_bytes().replace(b"permit", b"forbid"))
    (tmp_path / "bundles" / "bundle-0.kept").write_bytes(path.read_bytes())
    assert kept.described("sha256:" + "0" * 64) is None
    kept.keep(compiled)
    assert kept.policy(compiled.digest, "all") == shown
    assert kept.described(compiled.digest) is not None


def test_nothing_is_unpickled_that_was_not_sealed_here(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    kept.remember(FOUND)
    kept.keep_source("a" * 64, WorkspaceSource())
    (memory,), (source,) = tmp_path.rglob("policies-*"), tmp_path.rglob("source-*")
    marker = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (marker,)

    forged = pickle.dumps(Hostile())
    # As before there were seals; with a seal of something else; and what is ours, in the place of the other.
    for head in (len(forged).to_bytes(4, "big"), memory.read_bytes()[:4], b"", b"a" * 64, source.read_bytes()[:96]):
        memory.write_bytes(head + forged)
        source.write_bytes(head + forged)
        assert Bundles(tmp_path / "bundles").memory() == CheckCache()
        assert Bundles(tmp_path / "bundles").source("a" * 64) is None
    assert not marker.exists()
    pickle.loads(forged)
    assert marker.exists()


def test_a_lost_or_shared_key_costs_what_is_remembered(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "bundles.key"
    Bundles(tmp_path / "bundles").remember(FOUND)
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    first = key.read_bytes()

    def lost() -> None:
        key.unlink()

    def shared() -> None:
        key.chmod(0o644)

    def short() -> None:
        key.write_bytes(b"x")

    for harm in (lost, shared, short):
        Bundles(tmp_path / "bundles").remember(FOUND)
        assert Bundles(tmp_path / "bundles").memory() == FOUND
        harm()
        assert Bundles(tmp_path / "bundles").memory() == CheckCache()
        assert key.read_bytes() != first
        assert key.stat().st_mode & 0o777 == 0o600


def test_where_no_key_can_be_made_nothing_is_remembered(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "keys").write_text("no folder")
    kept = Bundles(tmp_path / "bundles")
    kept.remember(FOUND)
    kept.keep_source("a" * 64, WorkspaceSource())
    kept.keep(bundle(POLICY))
    assert not list((tmp_path / "bundles").iterdir())
    assert kept.source("a" * 64) is None
    assert "nothing is remembered of bundles" in caplog.text


def test_the_lines_of_a_bundle_that_ran_are_still_there(tmp_path: Path) -> None:
    running = bundle(POLICY)
    Bundles(tmp_path / "bundles").keep(running)
    found = Bundles(tmp_path / "bundles").policy(running.digest, "all")
    assert found is not None
    assert "for a test" in found.text
    assert found.line == 1
    assert Bundles(tmp_path / "bundles").policy(running.digest, "other") is None
    assert Bundles(tmp_path / "bundles").policy("sha256:../../etc/passwd", "all") is None


def test_what_has_no_seal_or_another_form_is_not_shown_and_kept_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = bundle(POLICY)
    old = tmp_path / "bundles" / f"bundle-{running.digest.removeprefix('sha256:')}.kept"
    old.parent.mkdir()
    old.write_text('{"policies": {"all": {"path": "p.cedar", "line": 7, "text": "t"}}, "form": 2}')
    kept = Bundles(tmp_path / "bundles")
    for _ in range(2):
        assert kept.described(running.digest) is None
        kept.keep(running)
        found = kept.described(running.digest)
        assert found is not None
        assert set(found.policies) == {"all"}
        assert compare(found, found) == ()
        for module in (app_bundles, app_kept):
            monkeypatch.setattr(module, "FORM", 3)


def test_two_bundles_that_are_kept_compare_as_they_do_alive(tmp_path: Path) -> None:
    one, two = (
        bundle(POLICY),
        bundle(catalog(POLICY, tools=[tool("shop", "new"), tool("shop", "look", sink=Sink.NONE)])),
    )
    kept = Bundles(tmp_path / "bundles")
    kept.keep(one)
    kept.keep(two)
    before, after = kept.described(one.digest), kept.described(two.digest)
    assert before is not None
    assert after is not None
    alive = diff(Side(one.catalog, {}), Side(two.catalog, {}))
    found = compare(before, after)
    assert [change.text for change in found] == [change.text for change in alive]
    assert [line for line in found[0].lines if not line.startswith("/pin")] == list(alive[0].lines)
    (tmp_path / "bundles" / f"pin-{one.catalog.tools['web', 'fetch'].pin.removeprefix('sha256:')}.kept").unlink()
    assert kept.described(one.digest) is None


def test_what_is_idle_is_what_nobody_names_and_its_tools_alone(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    one, two = bundle(POLICY), bundle(catalog(POLICY, tools=[tool("shop", "alone")]))
    kept.keep(one)
    kept.keep(two)
    for path in kept.root.glob("*.kept"):
        os.utime(path, (10, 10))
    assert kept.idle({one.digest, two.digest}, 20) == []
    assert kept.idle(set(), 5) == [], "kept since then"
    alone = {path.stem.partition("-")[0] for path in kept.idle({one.digest}, 20)}
    assert alone == {"bundle", "pin"}
    assert len(kept.idle({one.digest}, 20)) == 2, "definitions that the other has, too, stay"
    assert len(kept.idle({two.digest}, 20)) == 1
    kept.keep(two)
    assert kept.idle({one.digest}, 20) == [], "in use again"
    for path in kept.root.glob("*.kept"):
        os.utime(path, (10, 10))
    (kept.root / app_kept.file_of("bundle", one.digest)).write_bytes(b"damaged")
    os.utime(kept.root / app_kept.file_of("bundle", one.digest), (10, 10))
    assert len(kept.idle({one.digest}, 20)) == 1, "nobody knows which definitions the damaged one has"


def test_where_nothing_can_be_noted_the_ledger_is_asked(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    assert kept.noted() is None
    kept.note("r0000-1.2")
    kept.note("r0000-1.9")
    assert kept.noted() == ["r0000-1.2", "r0000-1.9"]
    assert (tmp_path / "bundles" / "history").stat().st_mode & 0o777 == 0o600
    kept.note_all(["r0000-1.2"])
    assert kept.noted() == ["r0000-1.2"]
    (tmp_path / "bundles" / "history").unlink()
    (tmp_path / "bundles" / "history").mkdir()
    kept.note("r0000-1.3")
    assert kept.noted() is None


def test_a_workspace_is_remembered_until_one_byte_of_it_changes(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "workspace")
    init_workspace(folder.path)
    written = folder.path / "agents.yaml"
    fingerprint = folder.fingerprint()
    assert fingerprint is not None
    source = folder.load()
    Bundles(tmp_path / "data" / "bundles").keep_source(fingerprint, source)
    assert Bundles(tmp_path / "data" / "bundles").source(fingerprint) == source
    written.write_bytes(written.read_bytes() + b"\n")
    changed = folder.fingerprint()
    assert changed is not None
    assert changed != fingerprint
    assert Bundles(tmp_path / "data" / "bundles").source(changed) is None


def test_a_workspace_that_cannot_be_read_whole_has_no_fingerprint(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "bad.cedar").write_bytes(b"\xff")
    assert folder.fingerprint() is None


def test_a_torn_memory_of_a_workspace_counts_as_none(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    kept.keep_source("a" * 64, WorkspaceSource())
    (path,) = tmp_path.rglob("source-*")
    whole = path.read_bytes()
    assert kept.source("a" * 64) == WorkspaceSource()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        assert kept.source("a" * 64) is None


def test_no_flipped_bit_makes_another_workspace_of_the_one_that_is_remembered(tmp_path: Path) -> None:
    kept = Bundles(tmp_path / "bundles")
    kept.keep_source("a" * 64, WorkspaceSource())
    (path,) = tmp_path.rglob("source-*")
    for _ in _flipped(path):
        assert kept.source("a" * 64) is None
    assert kept.source("a" * 64) == WorkspaceSource()
    path.unlink()
    path.mkdir()
    assert kept.source("a" * 64) is None
