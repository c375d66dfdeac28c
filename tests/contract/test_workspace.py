"""The workspace in a folder: what is read, what is refused and where, what an edit leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.workspace.documents import documents
from remit.adapters.workspace.files import Unreadable
from remit.adapters.workspace.folder import Folder
from remit.control import lock_text
from remit.control.assemble import Assembled, assemble
from remit.control.lock import EMPTY, Lock
from remit.control.problems import SourceLocation
from remit.control.resources import (
    AgentSpec,
    GroupSpec,
    PolicySpec,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    StoreSpec,
    ToolSpec,
    UserSpec,
)
from remit.facts.agent import Harness, Mode
from remit.facts.catalog import PolicySource
from remit.facts.store import StoreAccess
from remit.facts.tool import Argument, Effect, Sink
from remit.ports.workspace import DeletedResource, Workspace, WorkspaceRefused
from tests.core.declaring import NOW, lock_of

HEAD = "apiVersion: remit.dev/v1alpha1\n"
WHOLE = """\
# The people.
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana, labels: {team: shop}, annotations: {note: "kept"}}
spec:
  groups: [staff]
status: {anything: [at, all]}
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: staff}
spec: {description: people, groups: []}
---
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: bot}
spec: {owner: ana, purpose: helps, groups: [staff], harness: trusted, mode: observe}
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: time}
spec: {command: [t, --yes], env: {A: "1"}, cwd: /tmp, shared: true, verify_s: 0, call_s: 2.5}
---
apiVersion: remit.dev/v1alpha1
kind: Tool
metadata: {name: time/now}
spec: {effect: read, sink: none, source: [], tags: [clock], arguments: {zone: {secret: true}},
  store: {key: t, keys: [u], name: s, access: read}}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {groups: [staff], users: [ana], count: 1, hold_s: 5, expires_s: 60, requester_may_approve: true, shared: true}
---
apiVersion: remit.dev/v1alpha1
kind: Policy
metadata: {name: inline}
spec:
  cedar: |
    @id("inline")
    permit (principal, action, resource);
"""
INLINE = WHOLE.split("\n").index('    @id("inline")') + 1


def folder_of(root: Path, **texts: str | bytes) -> Folder:
    """A workspace of files; in their names, `__` is a slash and the last `_` the dot."""
    for name, text in texts.items():
        stem, _, suffix = name.rpartition("_")
        path = root / f"{stem.replace('__', '/')}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
    return Folder(root)


def test_every_kind_and_cedar_are_read(tmp_path: Path) -> None:
    cedar = '@id("p")\npermit (principal, action, resource);\n'
    workspace: Workspace = folder_of(tmp_path, a_yaml=WHOLE, deep__er__p_cedar=cedar, README_md="x", data_json="{")
    source = workspace.load()
    assert source.problems == ()
    specs = {resource.kind: resource.spec for resource in source.resources}
    assert specs == {
        ResourceKind.USER: UserSpec(("staff",)),
        ResourceKind.GROUP: GroupSpec("people", ()),
        ResourceKind.AGENT: AgentSpec("ana", "helps", ("staff",), Harness.TRUSTED, Mode.OBSERVE),
        ResourceKind.SERVER: ServerSpec(("t", "--yes"), {"A": "1"}, "/tmp", None, True, 0, 2.5),
        ResourceKind.TOOL: ToolSpec(
            Effect.READ,
            Sink.NONE,
            (),
            ("clock",),
            arguments={"zone": Argument(secret=True)},
            store=StoreSpec(("t", "u"), "s", StoreAccess.READ),
        ),
        ResourceKind.ROUTE: RouteSpec(("staff",), ("ana",), 1, 5, 60, True, True),
        ResourceKind.POLICY: PolicySpec('@id("inline")\npermit (principal, action, resource);\n', INLINE),
    }
    user = source.resources[0]
    assert (user.labels, user.annotations) == ({"team": "shop"}, {"note": "kept"})
    assert user.where == SourceLocation("a.yaml", 2)
    assert user.at("spec.groups.0") == SourceLocation("a.yaml", 6)
    assert source.policies == (PolicySource("deep/er/p.cedar", cedar),)
    assembled = assemble(source)
    assert isinstance(assembled, Assembled)
    inline = assembled.catalog.policies[0].text.split("\n")
    assert inline[INLINE - 1] == '@id("inline")'


def test_suffixes_in_any_case_are_read_and_hidden_files_are_not(tmp_path: Path) -> None:
    group = f"{HEAD}kind: Group\nmetadata: {{name: %s}}\n"
    folder_of(tmp_path, a_YML=group % "a", b_Yaml=group % "b", _hidden__c_yaml=group % "c")
    (tmp_path / ".d.yaml").write_text("[")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "e.yaml").write_text("[")
    (tmp_path / "P.CEDAR").write_text("x")
    source = Folder(tmp_path).load()
    assert source.problems == ()
    assert sorted(one.name for one in source.resources) == ["a", "b", "c"]
    assert [policy.path for policy in source.policies] == ["P.CEDAR"]


def test_plain_words_are_text_and_a_mark_before_the_file_is_not(tmp_path: Path) -> None:
    text = f"{HEAD}kind: Agent\nmetadata: {{name: no}}\nspec: {{owner: on, purpose: 2026-01-01, groups: []}}\n"
    (agent,) = folder_of(tmp_path, a_yaml=b"\xef\xbb\xbf" + text.encode()).load().resources
    assert (agent.name, agent.spec) == ("no", AgentSpec("on", "2026-01-01"))


def test_a_file_that_is_a_link_inside_is_read_and_edited_where_it_is(tmp_path: Path) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "real").write_text(f"{HEAD}kind: User\nmetadata: {{name: ana}}\n")
    (tmp_path / "a.yaml").symlink_to(".data/real")
    assert [one.name for one in Folder(tmp_path).load().resources] == ["ana"]
    Folder(tmp_path).delete(ResourceKind.USER, "ana")
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / ".data" / "real").read_text() == ""


def test_a_copy_is_read_as_the_folder_is(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    (here / "deep" / "all.yaml").write_text(WHOLE)
    (here / "some.cases.yaml").write_text("- name: one\n")
    (here / ".hidden.yaml").write_text("no")
    Folder(here).write_lock(lock_of(), base=EMPTY)
    Folder(here).copy(there)
    assert Folder(there).load() == Folder(here).load()
    assert Folder(there).fingerprint() == Folder(here).fingerprint() is not None
    assert not (there / ".hidden.yaml").exists()


def test_what_cannot_be_read_is_not_copied_without_it(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="there is no workspace"):
        Folder(tmp_path / "gone").copy(tmp_path / "there")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "linked").symlink_to(tmp_path)
    with pytest.raises(Unreadable, match="linked"):
        Folder(tmp_path / "here").copy(tmp_path / "there")


def test_no_edit_leaves_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(f"{HEAD}kind: User\nmetadata: {{name: ana}}\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.yaml").symlink_to(outside)
    (tmp_path / "w" / "remit.lock").symlink_to(tmp_path / "elsewhere")
    for edit in (
        lambda: Folder(tmp_path / "w").delete(ResourceKind.USER, "ana"),
        lambda: Folder(tmp_path / "w").write_lock(lock_of(NOW), base=EMPTY),
    ):
        with pytest.raises(WorkspaceRefused):
            edit()
    assert "ana" in outside.read_text()
    assert not (tmp_path / "elsewhere").exists()


def test_the_lock_is_written_once_whole_and_only_when_it_changes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE)
    assert folder.load().lock == EMPTY
    assert folder.write_lock(EMPTY, base=EMPTY) is False
    assert not (tmp_path / "remit.lock").exists()
    lock = lock_of(NOW)
    assert folder.write_lock(lock, base=EMPTY) is True
    before = (tmp_path / "remit.lock").stat()
    assert folder.load().lock == lock
    assert folder.write_lock(lock, base=lock) is False
    after = (tmp_path / "remit.lock").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    (tmp_path / "remit.lock").chmod(0o640)
    folder.write_lock(EMPTY, base=lock)
    assert (tmp_path / "remit.lock").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.yaml", "remit.lock"]


def test_a_lock_that_another_hand_changed_is_not_overwritten(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    folder.write_lock(lock_of(NOW), base=EMPTY)
    with pytest.raises(WorkspaceRefused, match="changed since it was read"):
        folder.write_lock(Lock({}), base=EMPTY)
    tampered = lock_text.serialise(lock_of(NOW)).replace("Tells", "Sells")
    (tmp_path / "remit.lock").write_text(tampered)
    with pytest.raises(WorkspaceRefused, match="does not have the hash"):
        folder.write_lock(lock_of(NOW), base=EMPTY)
    assert (tmp_path / "remit.lock").read_text() == tampered
    (problem,) = folder.load().problems
    assert (problem.code, problem.where.file) == ("lock/tampered", "remit.lock")


def test_a_lock_of_a_newer_version_is_refused_and_kept(tmp_path: Path) -> None:
    text = lock_text.serialise(lock_of(NOW)).replace('"version": 1', '"version": 9')
    (problem,) = folder_of(tmp_path, remit_lock=text).load().problems
    assert (problem.code, "remit --version" in problem.next) == ("lock/version", True)
    with pytest.raises(WorkspaceRefused, match="a newer Remit wrote it"):
        Folder(tmp_path).write_lock(EMPTY, base=EMPTY)
    assert (tmp_path / "remit.lock").read_text() == text


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE)
    folder.write_lock(lock_of(NOW), base=EMPTY)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, full)
    if step == "replace":
        monkeypatch.setattr(Path, step, full)
    with pytest.raises(WorkspaceRefused, match="no space left on device"):
        folder.write_lock(EMPTY, base=lock_of(NOW))
    with pytest.raises(WorkspaceRefused, match="it is as it was"):
        folder.delete(ResourceKind.USER, "ana")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_resource_is_deleted_and_every_other_byte_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE, b_yaml="# nothing\n", c_cedar="x")
    gone = folder.delete(ResourceKind.GROUP, "staff")
    assert gone == DeletedResource(ResourceKind.GROUP, "staff", SourceLocation("a.yaml", 9))
    start, end = WHOLE.index("---\n"), WHOLE.index("---\n", WHOLE.index("kind: Group"))
    assert (tmp_path / "a.yaml").read_text() == WHOLE[:start] + WHOLE[end:]
    folder.delete(ResourceKind.USER, "ana")
    assert (tmp_path / "a.yaml").read_text() == "# The people.\n" + WHOLE[end:]
    folder.delete(ResourceKind.POLICY, "inline")
    assert [one.kind for one in folder.load().resources] == [
        ResourceKind.AGENT,
        ResourceKind.SERVER,
        ResourceKind.TOOL,
        ResourceKind.ROUTE,
    ]


def test_deleting_what_is_not_there_says_what_is_near(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE)
    with pytest.raises(WorkspaceRefused, match=r"did you mean 'staff'\?"):
        folder.delete(ResourceKind.GROUP, "stff")
    folder_of(tmp_path, b_yaml="[")
    with pytest.raises(WorkspaceRefused, match="not YAML"):
        folder.delete(ResourceKind.GROUP, "stff")
    folder_of(tmp_path, b_yaml=b"\xff")
    with pytest.raises(WorkspaceRefused, match="UTF-8"):
        folder.delete(ResourceKind.GROUP, "stff")
    assert (tmp_path / "a.yaml").read_text() == WHOLE


_blocks = st.sampled_from(["", "# ein Wort, é 😀\n", "\n", "\n# more\n\n"])


@given(st.data())
def test_a_cut_keeps_the_text_around_it(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 4))
    parts = [data.draw(_blocks) + f"n: {n}\nt: |\n  --- x\n" + data.draw(_blocks) for n in range(count)]
    text = data.draw(st.sampled_from(["", "---\n", "# head\n---\n"])) + "---\n".join(parts)
    text = text.replace("\n", data.draw(st.sampled_from(["\n", "\r\n"])))
    found = documents(text)
    assert [document.value for document in found] == [{"n": n, "t": "--- x\n"} for n in range(count)]
    gone = data.draw(st.sampled_from(found))
    kept = text[: gone.start] + text[gone.end :]
    assert [document.value for document in documents(kept)] == [one.value for one in found if one is not gone]
    assert text[: gone.start] + text[gone.start : gone.end] + text[gone.end :] == text


def test_loading_changes_no_byte(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE)
    folder.write_lock(lock_of(NOW), base=EMPTY)
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    for _ in range(2):
        assemble(folder.load())
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


def test_reading_a_folder_does_not_import_pydantic_before_there_is_yaml() -> None:
    script = (
        "import sys; from pathlib import Path; from remit.adapters.workspace.folder import Folder;"
        " Folder(Path('/nonexistent')).load(); sys.exit('pydantic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
