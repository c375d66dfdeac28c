"""The workspace in a folder: what is read, what is refused and where, what an edit leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.adapters.workspace import files
from remit.adapters.workspace.documents import documents
from remit.adapters.workspace.folder import Folder
from remit.control import lock_text
from remit.control.assemble import Assembled, Refused, assemble
from remit.control.lock import EMPTY, Lock
from remit.control.problems import Problem, Where
from remit.control.resources import (
    AgentSpec,
    GroupSpec,
    Kind,
    PolicySpec,
    RouteSpec,
    ServerSpec,
    ToolSpec,
    UserSpec,
)
from remit.facts.agent import Harness, Mode
from remit.facts.catalog import Effect, PolicySource, Sink
from remit.ports.workspace import Deleted, Workspace, WorkspaceRefused
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
spec: {effect: read, sink: none, source: [], tags: [clock]}
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


def problem_of(root: Path, **texts: str | bytes) -> Problem:
    """The one error of a workspace, complete: file, line, cause, next command."""
    source = folder_of(root, **texts).load()
    found = assemble(source)
    assert isinstance(found, Refused)
    (problem,) = found.errors
    assert problem.where.file
    assert problem.what
    assert "remit " in problem.next
    return problem


def test_every_kind_and_cedar_are_read(tmp_path: Path) -> None:
    cedar = '@id("p")\npermit (principal, action, resource);\n'
    workspace: Workspace = folder_of(tmp_path, a_yaml=WHOLE, deep__er__p_cedar=cedar, README_md="x", data_json="{")
    source = workspace.load()
    assert source.problems == ()
    specs = {resource.kind: resource.spec for resource in source.resources}
    assert specs == {
        Kind.USER: UserSpec(("staff",)),
        Kind.GROUP: GroupSpec("people", ()),
        Kind.AGENT: AgentSpec("ana", "helps", ("staff",), Harness.TRUSTED, Mode.OBSERVE),
        Kind.SERVER: ServerSpec(("t", "--yes"), {"A": "1"}, "/tmp", None, True, 0, 2.5),
        Kind.TOOL: ToolSpec(Effect.READ, Sink.NONE, (), ("clock",)),
        Kind.ROUTE: RouteSpec(("staff",), ("ana",), 1, 5, 60, True, True),
        Kind.POLICY: PolicySpec('@id("inline")\npermit (principal, action, resource);\n', INLINE),
    }
    user = source.resources[0]
    assert (user.labels, user.annotations) == ({"team": "shop"}, {"note": "kept"})
    assert user.where == Where("a.yaml", 2)
    assert user.at("spec.groups.0") == Where("a.yaml", 6)
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


BAD_YAML: list[tuple[str, str, int, str, str]] = [
    ("a: [1\nb: 2\n", "yaml/syntax", 2, "not YAML", ""),
    ("a: 1\n\tb: 2\n", "yaml/syntax", 2, "not YAML", ""),
    ("a: 1\nb:\n  c: 1\n  c: 2\n", "yaml/syntax", 4, "the key 'c' stands twice, first on line 3", ""),
    ("a: 1\nb: \x07\n", "yaml/syntax", 2, "U+0007", ""),
    ("%YAML 1.1\n---\na: 1\n", "yaml/syntax", 1, "directives", ""),
    ("a:\n  <<: {b: 1}\n", "yaml/syntax", 2, "merge keys", ""),
    ("a: &x [*x]\n", "yaml/syntax", 1, "*x stands inside itself", ""),
    ("a: 1\nb: *nowhere\n", "yaml/syntax", 2, "nowhere", ""),
    ("a: !!python/object:os.system x\n", "yaml/syntax", 1, "tags are not read", ""),
    ("a: !mine {b: 1}\n", "yaml/syntax", 1, "tags are not read", ""),
    ("? [a]\n: 1\n", "yaml/syntax", 1, "a key is plain text", ""),
    ("[" * 40 + "]" * 40, "yaml/syntax", 1, "nested deeper than 32", ""),
    ("a: 1\n" + "---\nb: 1\n" * 5_001, "yaml/syntax", 10_001, "more than 5000 documents", ""),
    ("just text\n", "yaml/shape", 1, "not the text", ""),
    ("- a\n- b\n", "yaml/shape", 1, "not a list", ""),
    ("kind: User\n", "yaml/version", 1, "apiVersion is missing", "remit.dev/v1alpha1"),
    ("# c\napiVersion: v1\nkind: User\n", "yaml/version", 2, "apiVersion is 'v1'", "remit.dev/v1alpha1"),
    (f"{HEAD}metadata: {{}}\n", "yaml/kind", 1, "kind is missing", "one of Agent, User"),
    (f"{HEAD}kind: Agnet\n", "yaml/kind", 2, "'Agnet'", "did you mean 'Agent'?"),
    (f"{HEAD}kind: Zebra\n", "yaml/kind", 2, "'Zebra'", "one of Agent, User"),
    (f"{HEAD}kind: Budget\n", "yaml/kind", 2, "not read by this version", ""),
    (f"{HEAD}kind: User\n", "yaml/field", 1, "metadata is missing", ""),
    (f"{HEAD}kind: User\nmetadata:\n  nmae: a\n  name: a\n", "yaml/field", 4, "metadata.nmae", "'name'"),
    (f"{HEAD}kind: User\nmetadata: {{name: 7}}\n", "yaml/field", 3, "the number 7, and must be text", ""),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspce: {{}}\n", "yaml/field", 4, "unknown field spce", "'spec'"),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspec: []\n", "yaml/field", 4, "must be a mapping", ""),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspec:\n  goups: [x]\n", "yaml/field", 5, "spec.goups", "'groups'"),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspec:\n  zzz: 1\n", "yaml/field", 5, "spec.zzz", "known are groups"),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspec:\n  groups:\n", "yaml/field", 5, "is empty", "remove the line"),
    (f"{HEAD}kind: User\nmetadata: {{name: a}}\nspec:\n  groups: {{a: 1}}\n", "yaml/field", 5, "must be a list", ""),
    (f"{HEAD}kind: Agent\nmetadata: {{name: a}}\nspec: {{owner: b}}\n", "yaml/field", 4, "spec.purpose is missing", ""),
    (
        f"{HEAD}kind: Agent\nmetadata: {{name: a}}\nspec: {{owner: b, purpose: c, mode: enforc}}\n",
        "yaml/field",
        4,
        "'enforce' or 'observe'",
        "did you mean 'enforce'?",
    ),
    (
        f"{HEAD}kind: Server\nmetadata: {{name: a}}\nspec:\n  command: [x]\n  env:\n    PORT: 80\n",
        "yaml/field",
        7,
        "spec.env.PORT is the number 80, and must be text",
        "",
    ),
    (
        f"{HEAD}kind: Server\nmetadata: {{name: a}}\nspec: {{command: [x], shared: yes}}\n",
        "yaml/field",
        4,
        "the text 'yes', and must be true or false",
        "",
    ),
    (
        f"{HEAD}kind: Route\nmetadata: {{name: a}}\nspec: {{users: [b], count: 1.5}}\n",
        "yaml/field",
        4,
        "spec.count",
        "",
    ),
    (f"{HEAD}kind: Server\nmetadata: {{name: a}}\nspec: {{command: []}}\n", "yaml/field", 4, "spec.command", ""),
]


@pytest.mark.parametrize(("text", "code", "line", "what", "hint"), BAD_YAML)
def test_bad_yaml_names_line_cause_and_likely_meaning(
    tmp_path: Path, text: str, code: str, line: int, what: str, hint: str
) -> None:
    problem = problem_of(tmp_path, bad_yaml=text)
    assert (problem.code, problem.where) == (code, Where("bad.yaml", line)), problem
    assert what in problem.what
    assert hint in problem.hint


def test_a_billion_laughs_are_refused_at_once(tmp_path: Path) -> None:
    levels = [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(20)]
    problem = problem_of(tmp_path, bomb_yaml="a: &a [x, x]\n" + "\n".join(levels))
    assert "more than 50000 values" in problem.what


def test_every_problem_of_a_workspace_is_told_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, a_yaml=WHOLE.replace("mode: observe", "mood: observe"), b_yaml="[", c_cedar=b"\xff")
    found = assemble(Folder(tmp_path).load())
    assert isinstance(found, Refused)
    assert [str(problem.where) for problem in found.errors] == ["a.yaml:17", "b.yaml:1", "c.cedar:1"]


def test_a_name_declared_twice_names_both_places(tmp_path: Path) -> None:
    user = f"{HEAD}kind: User\nmetadata: {{name: ana}}\n"
    problem = problem_of(tmp_path, a_yaml=user, b_yaml=user)
    assert (problem.code, problem.where) == ("name/duplicate", Where("b.yaml", 3))
    assert "first at a.yaml:3" in problem.what


def test_cedar_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, p_cedar=b"permit\n// caf\xe9\n")
    assert (problem.code, problem.where) == ("file/encoding", Where("p.cedar", 2))
    assert "0xe9" in problem.what


def test_a_binary_file_and_a_huge_one_are_refused(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "a", bin_yaml=bytes(range(256))).code == "file/encoding"
    assert problem_of(tmp_path / "b", big_yaml=b"#" * (files.FILE_BYTES_MAX + 1)).code == "file/size"


def test_a_workspace_has_a_size_a_depth_and_a_number_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as limits:
        limits.setattr(files, "TOTAL_BYTES_MAX", 5)
        assert problem_of(tmp_path / "a", a_yaml="# 123", b_yaml="# 4").code == "workspace/size"
        limits.setattr(files, "FILES_MAX", 1)
        assert problem_of(tmp_path / "b", a_yaml="#", b_yaml="#").code == "workspace/files"
    assert problem_of(tmp_path / "c", **{"__".join("dddddddddd") + "_yaml": "#"}).code == "workspace/depth"


@pytest.mark.parametrize(
    ("name", "target", "what", "why"),
    [
        ("a.yaml", "a.yaml", "cannot be read", "in a circle"),
        ("a.yaml", "gone.yaml", "cannot be read", "leads nowhere"),
        ("a.yaml", "/etc/passwd", "a link out of the workspace", ""),
        ("sub", ".", "a folder that is a link", "circle"),
        ("remit.lock", "remit.lock", "cannot be read", "in a circle"),
        ("a.cedar", None, "not a regular file", ""),
        ("remit.lock", None, "not a regular file", ""),
    ],
)
def test_links_and_odd_files_are_problems_and_never_silence(
    tmp_path: Path, name: str, target: str | None, what: str, why: str
) -> None:
    if target is None:
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to(target)
    problem = problem_of(tmp_path)
    assert what in problem.what
    assert why in problem.why


def test_a_file_that_is_a_link_inside_is_read_and_edited_where_it_is(tmp_path: Path) -> None:
    (tmp_path / ".data").mkdir()
    (tmp_path / ".data" / "real").write_text(f"{HEAD}kind: User\nmetadata: {{name: ana}}\n")
    (tmp_path / "a.yaml").symlink_to(".data/real")
    assert [one.name for one in Folder(tmp_path).load().resources] == ["ana"]
    Folder(tmp_path).delete(Kind.USER, "ana")
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / ".data" / "real").read_text() == ""


def test_no_edit_leaves_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(f"{HEAD}kind: User\nmetadata: {{name: ana}}\n")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "a.yaml").symlink_to(outside)
    (tmp_path / "w" / "remit.lock").symlink_to(tmp_path / "elsewhere")
    for edit in (
        lambda: Folder(tmp_path / "w").delete(Kind.USER, "ana"),
        lambda: Folder(tmp_path / "w").write_lock(lock_of(NOW), base=EMPTY),
    ):
        with pytest.raises(WorkspaceRefused):
            edit()
    assert "ana" in outside.read_text()
    assert not (tmp_path / "elsewhere").exists()


def test_no_folder_says_how_to_make_one(tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "gone")
    assert problem.code == "workspace/missing"
    assert "remit init" in problem.next
    (tmp_path / "file").write_text("")
    assert "not a folder" in problem_of(tmp_path / "file").what


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
    problem = problem_of(tmp_path, remit_lock=text)
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
        folder.delete(Kind.USER, "ana")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_resource_is_deleted_and_every_other_byte_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE, b_yaml="# nothing\n", c_cedar="x")
    gone = folder.delete(Kind.GROUP, "staff")
    assert gone == Deleted(Kind.GROUP, "staff", Where("a.yaml", 9))
    start, end = WHOLE.index("---\n"), WHOLE.index("---\n", WHOLE.index("kind: Group"))
    assert (tmp_path / "a.yaml").read_text() == WHOLE[:start] + WHOLE[end:]
    folder.delete(Kind.USER, "ana")
    assert (tmp_path / "a.yaml").read_text() == "# The people.\n" + WHOLE[end:]
    folder.delete(Kind.POLICY, "inline")
    assert [one.kind for one in folder.load().resources] == [Kind.AGENT, Kind.SERVER, Kind.TOOL, Kind.ROUTE]


def test_deleting_what_is_not_there_says_what_is_near(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, a_yaml=WHOLE)
    with pytest.raises(WorkspaceRefused, match=r"did you mean 'staff'\?"):
        folder.delete(Kind.GROUP, "stff")
    folder_of(tmp_path, b_yaml="[")
    with pytest.raises(WorkspaceRefused, match="not YAML"):
        folder.delete(Kind.GROUP, "stff")
    folder_of(tmp_path, b_yaml=b"\xff")
    with pytest.raises(WorkspaceRefused, match="UTF-8"):
        folder.delete(Kind.GROUP, "stff")
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
