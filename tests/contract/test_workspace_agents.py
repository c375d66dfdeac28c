"""Agents of a workspace folder: declared in a file of their own, held to policy by changing one word."""

from pathlib import Path

import pytest

from remit.adapters.workspace.folder import Folder
from remit.control.problems import SourceLocation
from remit.control.resources import AgentSpec, Resource
from remit.facts.agent import Harness, Mode
from remit.ports.workspace import Workspace, WorkspaceRefused

HEAD = "apiVersion: remit.dev/v1alpha1\nkind: Agent\n"
REST = "owner: ana, purpose: 'mode: observe, says the purpose'"


def folder(path: Path, **files: str) -> Workspace:
    for name, text in files.items():
        (path / f"{name}.yaml").write_bytes(text.encode())
    return Folder(path)


def agent(name: str = "bot", spec: AgentSpec | None = None) -> Resource:
    return Resource(name, spec or AgentSpec("ana", "helps"), SourceLocation(f"agents/{name}.yaml", 1))


ONE = HEAD + "metadata: {name: %s}\nspec: {" + REST + ", mode: %s}\n"
TEXTS = {
    "flow": ONE % ("bot", "MODE"),
    "quoted key": ONE.replace("mode: %s", "'mode' : %s") % ("bot", "MODE") + "# watched\n",
    "block": f"""{HEAD}metadata: {{name: bot, labels: {{mode: observe}}}}
spec:
  owner: ana
  # mode: observe
  mode:   MODE   # mode: observe
  purpose: 'mode: observe, says the purpose'
""",
    "marked": "\ufeff# mode: observe\r\n" + (ONE % ("bot", "MODE")).replace("\n", "\r\n"),
    "several": "---\n".join((ONE % ("cat", "observe"), ONE % ("bot", "MODE"), ONE % ("dog", "observe"))),
}
"""Files in which MODE stands for the mode of the agent bot."""


@pytest.mark.parametrize("mode", ["observe", "'observe'", '"observe"'])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_one_word_changes_and_every_other_byte_stays(tmp_path: Path, text: str, mode: str) -> None:
    work = folder(tmp_path, agents=text.replace("MODE", mode))
    assert work.enforce("bot")
    after = text.replace("MODE", "enforce")
    assert (tmp_path / "agents.yaml").read_bytes().decode() == after
    for one in work.load().resources:
        assert isinstance(one.spec, AgentSpec)
        assert one.spec.mode is (Mode.ENFORCE if one.name == "bot" else Mode.OBSERVE)
        assert one.spec.purpose == "mode: observe, says the purpose"
    assert not work.enforce("bot"), "a second time there is nothing to write"
    assert (tmp_path / "agents.yaml").read_bytes().decode() == after


@pytest.mark.parametrize("without", ["", "mode: enforce"])
def test_an_agent_that_is_held_already_is_left_alone(tmp_path: Path, without: str) -> None:
    text = f"{HEAD}metadata: {{name: bot}}\nspec: {{{REST}, {without}}}\n"
    work = folder(tmp_path, agents=text)
    assert not work.enforce("bot")
    assert (tmp_path / "agents.yaml").read_text() == text


def test_what_cannot_be_changed_alone_is_left_to_a_person(tmp_path: Path) -> None:
    text = f"{HEAD}metadata: {{name: bot, labels: {{x: &m observe}}}}\nspec: {{{REST}, mode: *m}}\n"
    work = folder(tmp_path, agents=text)
    with pytest.raises(WorkspaceRefused) as refused:
        work.enforce("bot")
    assert refused.value.problem.code == "agent/entangled"
    assert "mode: enforce" in refused.value.problem.next
    assert (tmp_path / "agents.yaml").read_text() == text
    with pytest.raises(WorkspaceRefused, match="no file of the workspace declares the agent cat"):
        work.enforce("cat")
    (tmp_path / "broken.yaml").write_text("{")
    with pytest.raises(WorkspaceRefused):
        work.enforce("cat")


@pytest.mark.parametrize(
    "spec",
    [
        AgentSpec("ana", "helps"),
        AgentSpec("größe: {", "- [\u2028] 'x'\n# no comment", ("a", "yes"), Harness.TRUSTED, Mode.OBSERVE),
        AgentSpec("no", "1.0", mode=Mode.OBSERVE),
    ],
)
def test_a_declared_agent_reads_back_as_it_was(tmp_path: Path, spec: AgentSpec) -> None:
    work = folder(tmp_path)
    work.add_agent(agent("no", spec))
    [found] = work.load().resources
    assert (found.name, found.spec, found.where) == ("no", spec, SourceLocation("agents/no.yaml", 1))


def test_declaring_overwrites_nothing_and_leaves_the_folder(tmp_path: Path) -> None:
    root, outside = tmp_path / "work", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    work = folder(root, other=f"{HEAD}metadata: {{name: cat}}\nspec: {{{REST}}}\n")
    with pytest.raises(WorkspaceRefused, match="declares an agent cat"):
        work.add_agent(agent("cat"))
    (root / "agents").mkdir()
    (root / "agents" / "bot.yaml").write_text("")
    with pytest.raises(WorkspaceRefused, match="exists already"):
        work.add_agent(agent("bot"))
    (root / "agents" / "bot.yaml").unlink()
    (root / "agents").rmdir()
    (root / "agents").symlink_to(outside)
    with pytest.raises(WorkspaceRefused):
        work.add_agent(agent("bot"))
    assert list(outside.iterdir()) == []
    (root / "agents").unlink()
    (root / "agents").write_text("a file")
    with pytest.raises(WorkspaceRefused):
        work.add_agent(agent("bot"))
