"""Workspaces that are refused: each with file, line, cause and next command, and nothing lost."""

import os
from pathlib import Path

import pytest

from remit.adapters.workspace import files
from remit.adapters.workspace.folder import Folder
from remit.control.assemble import AssemblyRefused, assemble
from remit.control.problems import SourceLocation, WorkspaceProblem
from tests.contract.test_workspace import HEAD, WHOLE, folder_of


def problem_of(root: Path, **texts: str | bytes) -> WorkspaceProblem:
    """The one error of a workspace, complete: file, line, cause, next command."""
    source = folder_of(root, **texts).load()
    found = assemble(source)
    assert isinstance(found, AssemblyRefused)
    (problem,) = found.errors
    assert problem.where.file
    assert problem.what
    assert "remit " in problem.next
    return problem


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
    (f"{HEAD}kind: Model\n", "yaml/kind", 2, "not read by this version", ""),
    (f"{HEAD}kind: User\n", "yaml/field", 1, "metadata is missing", ""),
    (f"{HEAD}kind: User\nmetadata:\n  nmae: a\n  name: a\n", "yaml/field", 4, "metadata.nmae", "'name'"),
    (f"{HEAD}kind: User\nmetadata: {{name: 7}}\n", "yaml/field", 3, "the number 7, and must be text", "in quotes"),
    (
        f"{HEAD}kind: User\nmetadata: {{name: true}}\n",
        "yaml/field",
        3,
        "the boolean true, and must be text",
        "in quotes",
    ),
    (f"{HEAD}kind: User\nmetadata: {{name: [no]}}\n", "yaml/field", 3, "name is a list, and must be text", ""),
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
    (
        f"{HEAD}kind: Tool\nmetadata: {{name: a/b}}\nspec:\n  arguments:\n    pin: {{secrt: true}}\n",
        "yaml/field",
        6,
        "spec.arguments.pin.secrt",
        "'secret'",
    ),
    (
        f"{HEAD}kind: Tool\nmetadata: {{name: a/b}}\nspec:\n  store: {{kye: path}}\n",
        "yaml/field",
        5,
        "spec.store.kye",
        "'key'",
    ),
]


@pytest.mark.parametrize(("text", "code", "line", "what", "hint"), BAD_YAML)
def test_bad_yaml_names_line_cause_and_likely_meaning(
    tmp_path: Path, text: str, code: str, line: int, what: str, hint: str
) -> None:
    problem = problem_of(tmp_path, bad_yaml=text)
    assert (problem.code, problem.where) == (code, SourceLocation("bad.yaml", line)), problem
    assert what in problem.what
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("a:\n  b: x: y\n", 2, "a colon stands where no key can be", "with ': ' in quotes"),
        ("a: 1\n  b: 2\n", 2, "a colon stands where no key can be", "align keys"),
        ("a: 1\nb\n\nc: 2\n", 2, "neither 'key: value' nor '- value'", "a space after the key's colon"),
        ("a: 1\nb:c\n", 2, "neither 'key: value' nor '- value'", "a space after the key's colon"),
        ("a:\n    b: 1\n  c: 2\n", 3, "no key of the mapping that began on line 1", "align it"),
        ("a: 1\nb: 'it's'\n", 2, "no key of the mapping that began on line 1", "nothing follow a text in quotes"),
        ("a:\n  - b\n  c: 1\n", 3, "no entry of the list that began on line 2", "'- '"),
        ("a: - b\n", 1, "a list begins on the line of its key", "on a line of its own"),
        ("a: [1\nb: 2\n", 2, "in brackets since line 1 lacks a comma or its end", "close it"),
        ("a: {b: 1\nc: 2\n", 2, "in brackets since line 1 lacks a comma or its end", "close it"),
        ("a: [1, , 2]\n", 1, "a value is missing", "write it"),
        ("a: 1\nb: 'c\nd: e\n", 2, "a text in quotes does not end", "end it with the quote"),
        ("a: 1\nb: 'c\n---\nd: e\n", 2, "a text in quotes does not end", "end it with the quote"),
        ('a: "\\d"\n', 1, "a backslash in double quotes", "double it"),
        ('a: "\\xyz"\n', 1, "a backslash in double quotes", "double it"),
        ('a: "\\ud800"\n', 1, "a backslash in double quotes", "double it"),
        ("a: 1\n\tb: 2\n", 2, "a tab indents this line", "with spaces"),
        ("a: |\n\tb\n", 2, "a tab indents this line", "with spaces"),
        ("a:\n\tb: 2\n", 2, "a tab, '@', '`' or '%' stands", "indent with spaces"),
        ("a: @b\n", 1, "a tab, '@', '`' or '%' stands", "in quotes"),
        ("a: *.txt\n", 1, "'*' or '&' begins a text", "in quotes"),
        ("a: |b\n", 1, "a text follows '|' or '>' on its line", "on the next line"),
        ("'a' 'b'\n", 1, "something follows where the document has ended", "---"),
    ],
)
def test_mistakes_in_yaml_are_told_in_words_of_our_own(
    tmp_path: Path, text: str, line: int, what: str, hint: str
) -> None:
    problem = problem_of(tmp_path, bad_yaml=text)
    assert (problem.code, problem.where, problem.why) == ("yaml/syntax", SourceLocation("bad.yaml", line), ""), problem
    assert problem.what.startswith("it is not YAML: ")
    assert what in problem.what
    assert hint in problem.hint


def test_a_billion_laughs_are_refused_at_once(tmp_path: Path) -> None:
    levels = [f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]" for n in range(20)]
    problem = problem_of(tmp_path, bomb_yaml="a: &a [x, x]\n" + "\n".join(levels))
    assert "more than 50000 values" in problem.what


def test_every_problem_of_a_workspace_is_told_at_once(tmp_path: Path) -> None:
    folder_of(tmp_path, a_yaml=WHOLE.replace("mode: observe", "mood: observe"), b_yaml="[", c_cedar=b"\xff")
    found = assemble(Folder(tmp_path).load())
    assert isinstance(found, AssemblyRefused)
    assert [str(problem.where) for problem in found.errors] == ["a.yaml:17", "b.yaml:1", "c.cedar:1"]


def test_a_name_declared_twice_names_both_places(tmp_path: Path) -> None:
    user = f"{HEAD}kind: User\nmetadata: {{name: ana}}\n"
    problem = problem_of(tmp_path, a_yaml=user, b_yaml=user)
    assert (problem.code, problem.where) == ("name/duplicate", SourceLocation("b.yaml", 3))
    assert "first at a.yaml:3" in problem.what


def test_cedar_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    problem = problem_of(tmp_path, p_cedar=b"permit\n// caf\xe9\n")
    assert (problem.code, problem.where) == ("file/encoding", SourceLocation("p.cedar", 2))
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


def test_no_folder_says_how_to_make_one(tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "gone")
    assert problem.code == "workspace/missing"
    assert "remit init" in problem.next
    (tmp_path / "file").write_text("")
    assert "not a folder" in problem_of(tmp_path / "file").what
