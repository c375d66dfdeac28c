"""Servers of a workspace folder: where goes what they are asked with, declared by adding one member."""

from pathlib import Path

import pytest

from remit.adapters.workspace.folder import Folder
from remit.control.resources import ServerSpec
from remit.facts.tool import Sink
from remit.ports.workspace import WorkspaceRefused

HEAD = "apiVersion: remit.dev/v1alpha1\nkind: Server\nmetadata: {name: %s}\n"
URL = "url: http://127.0.0.1:9/mcp"
FLOW = HEAD + "spec: {" + URL + "}\n"
WHY = "line\u2028its name says 'x'\n---"
BLOCK = HEAD % "notes" + f"spec:  # as it is\n\n  # spec: {{\n  {URL}\n  call_s: 5\n"
BESIDE = "  sink: internal  # line\\u{2028}its name says 'x'\\u{a}---"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FLOW % "notes", (FLOW % "notes").replace("spec: {", "spec: {sink: internal, ")),
        (BLOCK, BLOCK.replace("\n\n  #", f"\n\n{BESIDE}\n  #")),
        (BLOCK.replace("\n", "\r\n"), BLOCK.replace("\n\n  #", f"\n\n{BESIDE}\n  #").replace("\n", "\r\n")),
        (
            f"{FLOW % 'a'}---\n{FLOW % 'notes'}---\n{FLOW % 'z'}",
            f"{FLOW % 'a'}---\n{(FLOW % 'notes').replace('spec: {', 'spec: {sink: internal, ')}---\n{FLOW % 'z'}",
        ),
    ],
    ids=["flow", "block", "crlf", "several"],
)
def test_one_member_is_added_and_every_other_byte_stays(tmp_path: Path, before: str, after: str) -> None:
    (tmp_path / "servers.yaml").write_bytes(before.encode())
    assert Folder(tmp_path).declare_sink("notes", Sink.INTERNAL, WHY) == "servers.yaml"
    assert (tmp_path / "servers.yaml").read_bytes().decode() == after
    found = Folder(tmp_path).load()
    assert found.problems == ()
    sinks = {one.name: one.spec.sink for one in found.resources if isinstance(one.spec, ServerSpec)}
    assert sinks == dict.fromkeys(sinks) | {"notes": Sink.INTERNAL}


@pytest.mark.parametrize(
    "text",
    [
        "{apiVersion: remit.dev/v1alpha1, kind: Server, metadata: {name: notes}, spec: {" + URL + "}}\n",
        HEAD % "notes" + "spec: &both {" + URL + "}\n",
    ],
    ids=["all in flow", "anchored"],
)
def test_what_does_not_take_it_alone_is_left_to_a_person(tmp_path: Path, text: str) -> None:
    (tmp_path / "servers.yaml").write_text(text)
    with pytest.raises(WorkspaceRefused, match="cannot be added without changing something else"):
        Folder(tmp_path).declare_sink("notes", Sink.EXTERNAL, "why")
    assert (tmp_path / "servers.yaml").read_text() == text
    with pytest.raises(WorkspaceRefused, match="no file of the workspace declares the Server gone"):
        Folder(tmp_path).declare_sink("gone", Sink.EXTERNAL, "why")
