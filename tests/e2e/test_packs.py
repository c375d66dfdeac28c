"""Each pack holds what its cases say, and no policy of it is idle: without it a case fails."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.workspace.documents import documents
from remit.adapters.workspace.folder import Folder
from remit.adapters.workspace.template import init_workspace
from remit.app.assurance.replay import bundle_of
from remit.app.cli import run
from remit.app.terminal.failure import Exit
from remit.app.workspace import packs
from remit.app.workspace.tool_suggestions import read_listing
from remit.assure.cases import Case, MalformedCases, cases
from remit.assure.mutants import fates
from remit.assure.trials import failures
from remit.control.lock import EMPTY, FILE, accept_server, list_pin
from remit.control.lock_text import serialise
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.parse import split

CASES_MIN = 15
PEOPLE = "apiVersion: remit.dev/v1alpha1\nkind: User\nmetadata: {name: uma}\nspec: {}\n"
SERVER = "office"


def workspace(name: str, folder: Path) -> Path:
    """A workspace with the pack and what its cases need."""
    home = packs.folder() / name / "cases"
    folder.mkdir()
    shutil.copy(home / "workspace.yaml", folder)
    packs.add(name, folder)
    tools = read_listing(home / "tools.json")
    (folder / FILE).write_text(serialise(accept_server(EMPTY, SERVER, tools, list_pin(tools))))
    return folder


def cases_of(name: str) -> tuple[Case, ...]:
    (document,) = documents((packs.folder() / name / "cases" / "cases.yaml").read_text("utf-8"))
    return cases(document.value, SERVER, "helper")


@pytest.mark.parametrize("name", packs.packs())
def test_a_pack_holds_what_its_cases_say(name: str, tmp_path: Path) -> None:
    bundle, told = bundle_of(workspace(name, tmp_path / "w")), cases_of(name)
    assert len(told) >= CASES_MIN
    assert [failure for case in told for failure in failures(bundle, case, "uma")] == []


@pytest.mark.parametrize("name", packs.packs())
def test_without_any_one_policy_a_case_fails(name: str, tmp_path: Path) -> None:
    bundle, told = bundle_of(workspace(name, tmp_path / "w")), cases_of(name)
    of_the_pack = [source for source in bundle.catalog.policies if source.path.startswith(f"packs/{name}/")]
    idle: list[str] = []
    for source in of_the_pack:
        for statement in split(source)[0]:
            text = source.text.replace(statement.text, "")
            assert text != source.text
            rest = tuple(one for one in bundle.catalog.policies if one.path != source.path)
            policies = (*rest, replace(source, text=text))
            without = compile_bundle(replace(bundle.catalog, policies=policies)).result
            assert isinstance(without, Bundle)
            if not any(failures(without, case, "uma") for case in told):
                idle.append(statement.text)
    assert idle == []


@pytest.mark.parametrize("name", packs.packs())
def test_no_policy_of_a_pack_is_weakened_unseen(name: str, tmp_path: Path) -> None:
    bundle, told = bundle_of(workspace(name, tmp_path / "w")), cases_of(name)
    files = {source.path for source in bundle.catalog.policies if source.path.startswith(f"packs/{name}/")}
    idents = {one.ident for one in bundle.policies.values() if one.statement.file in files}
    known = [one for one in fates(bundle, told, "uma") if one is not None and one.mutant.ident in idents]
    assert len(known) > len(idents)
    # To ask about every action is for some policies the same.
    unseen = [one.mutant for one in known if one.killer is None and not one.mutant.change.startswith("for every")]
    assert [f"{one.ident} {one.change}" for one in unseen] == []


@pytest.mark.parametrize("name", packs.packs())
def test_a_pack_is_added_once_and_is_the_users_from_then_on(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "people.yaml").write_text(PEOPLE)
    assert run(["pack", "add", name, "--workspace", str(tmp_path)]) == Exit.OK
    assert (tmp_path / "packs" / name / "README.md").exists()
    assert not (tmp_path / "packs" / name / "cases").exists()
    assert Folder(tmp_path).load().problems == ()
    assert run(["pack", "add", name, "--workspace", str(tmp_path)]) == Exit.INVALID
    assert "nothing is overwritten" in capsys.readouterr().err


def test_a_pack_is_not_added_where_what_it_declares_is_declared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "w"
    init_workspace(folder)
    before = sorted(folder.rglob("*"))
    asked = ["pack", "add", "starter", "--workspace", str(folder)]
    assert run(asked) == Exit.INVALID
    told = capsys.readouterr().err
    for one in ("Route owner in routes.yaml:", "Group owners in people.yaml:", "Group assistants in agents.yaml:"):
        assert one in told
    assert "then: remit pack add starter" in told
    assert sorted(folder.rglob("*")) == before
    (folder / "routes.yaml").unlink()
    for file in ("people.yaml", "agents.yaml"):
        (folder / file).write_text((folder / file).read_text().partition("\n---\n")[0] + "\n")
    assert run(asked) == Exit.OK
    assert Folder(folder).load().problems == ()
    assert bundle_of(folder).catalog.routes.keys() == {"owner", "both"}


def test_what_init_wrote_is_told_where_it_is_a_second_copy_of_a_pack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "w"
    init_workspace(folder)
    for file in ("people.yaml", "agents.yaml", "routes.yaml"):
        (folder / file).write_text(PEOPLE)
    assert run(["pack", "add", "starter", "--workspace", str(folder)]) == Exit.OK
    told = capsys.readouterr().err
    assert (
        "policies/starter.cedar holds a second copy of what the pack says: assistants-may-work (here starter-tools)"
        in told
    )
    assert "final-steps-wait (here starter-final)" in told
    assert f"next: rm {folder}/policies/starter.cedar\n" in told
    (folder / "packs" / "starter" / "starter.cedar").unlink()
    written = folder / "policies" / "starter.cedar"
    written.write_text(written.read_text() + '@id("mine") permit (principal, action, resource); permit (;')
    for path in (folder / "packs" / "starter").iterdir():
        path.unlink()
    assert run(["pack", "add", "starter", "--workspace", str(folder)]) == Exit.OK
    assert f"next: take those out of {folder}/policies/starter.cedar\n" in capsys.readouterr().err
    written.unlink()
    for path in (folder / "packs" / "starter").iterdir():
        path.unlink()
    assert run(["pack", "add", "starter", "--workspace", str(folder)]) == Exit.OK
    assert "second copy" not in capsys.readouterr().err


@pytest.mark.parametrize("name", packs.packs())
def test_a_pack_makes_no_workspace(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in (tmp_path / "none", tmp_path / "empty"):
        assert run(["pack", "add", name, "--workspace", str(folder)]) == Exit.INVALID
        assert f"remit init {folder}" in capsys.readouterr().err
        assert not list(tmp_path.rglob("packs"))
        (tmp_path / "empty").mkdir(exist_ok=True)
    assert not (tmp_path / "none").exists()


def test_packs_are_listed_and_an_unknown_one_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pack", "ls"]) == Exit.OK
    assert capsys.readouterr().out.split() == ["dataflow", "starter"]
    assert run(["pack", "add", "nothing", "--workspace", str(tmp_path)]) == Exit.NOT_FOUND
    assert "there are dataflow, starter" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (1, "a list"),
        ([1], "a name"),
        ([{"name": "n", "events": 1}], "events is not a list"),
        ([{"name": "n", "events": [1]}], "event 1 is not an object"),
        ([{"name": "n", "events": [{"call": "t", "expect": "maybe"}]}], "neither user nor call"),
        ([{"name": "n", "events": [{"call": "t", "expect": "deny", "times": 0}]}], "from 1 to"),
    ],
)
def test_what_is_no_case_is_refused(value: object, why: str) -> None:
    with pytest.raises(MalformedCases, match=why):
        cases(value, SERVER, "helper")  # pyright: ignore[reportArgumentType]


def test_a_case_that_fails_says_what_was_and_what_was_expected(tmp_path: Path) -> None:
    bundle = bundle_of(workspace("starter", tmp_path / "w"))
    events = [{"call": "read_inbox", "expect": "deny"}, {"call": "read_inbox", "expect": "permit", "by": ["nobody"]}]
    (case,) = cases([{"name": "n", "events": events}], SERVER, "helper")
    first, second = failures(bundle, case)
    assert "is permit, not deny" in first
    assert "without a word of nobody" in second
