"""A governed tool that is given the workspace or the data folder, in part or with more, is told of by the doctor."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from proof.service import Service
from remit.app.service.reach import reachable_folders
from remit.facts.catalog import Stdio
from tests.e2e.speaking import api

AGENT = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: platform, purpose: reads}
"""
SERVER = """\
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: NAME}
spec: {command: [/bin/cat, "FOLDER"]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("workspace/policies", "data/servers/files", "data/servers/other", "elsewhere/notes", "a,b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "workspace" / "policies")
    (tmp_path / "workspace" / "server.py").write_text("")
    return tmp_path


def found(root: Path, *words: str, cwd: str | None = None, env: Mapping[str, str] | None = None) -> set[str]:
    """By name, what of the workspace and the data folder a server is given with these words behind its program."""
    command = ("/bin/cat", *(word.replace("ROOT", str(root)) for word in words))
    given = {key: value.replace("ROOT", str(root)) for key, value in (env or {}).items()}
    transport = Stdio(command, given, None if cwd is None else cwd.replace("ROOT", str(root)))
    kept = (root / "workspace", root / "data")
    return {one.name for _, one in reachable_folders(transport, root / "data" / "servers" / "files", kept)}


@pytest.mark.parametrize(
    ("word", "which"),
    [
        ("ROOT", "data workspace"),
        ("/", "data workspace"),
        ("ROOT/workspace", "workspace"),
        ("ROOT/workspace/policies", "workspace"),
        ("--root=ROOT/workspace", "workspace"),
        ("ROOT/elsewhere:ROOT/data", "data"),
        ("ROOT/elsewhere,ROOT/data", "data"),
        ("file://ROOT/workspace", "workspace"),
        ("ROOT/elsewhere/../workspace", "workspace"),
        ("ROOT/link", "workspace"),
        ("../../../workspace", "workspace"),
        ("ROOT/data/servers/other", "data"),
        ("ROOT/data/servers/files", ""),
        (".", ""),
        ("ROOT/elsewhere", ""),
        ("ROOT/a,b", ""),
        ("ROOT/workspace/server.py", ""),
        ("ROOT/workspace-of-another", ""),
        ("http://127.0.0.1:80/workspace", ""),
        ("x" * 5_000 + "/y", ""),
        ("read-only", ""),
    ],
)
def test_a_folder_that_a_tool_is_given_is_found_however_it_is_written(root: Path, word: str, which: str) -> None:
    expected = set(which.split())
    assert found(root, word) == expected
    assert found(root, "-v", word) == expected
    assert found(root, env={"FOLDERS": word}) == expected


def test_its_working_folder_and_what_is_named_from_there_count(root: Path) -> None:
    assert found(root, cwd="ROOT/workspace") == {"workspace"}
    assert found(root, cwd="ROOT/elsewhere/notes") == set()
    assert found(root, "../../data", cwd="ROOT/elsewhere/notes") == {"data"}
    assert found(root, "..", cwd="ROOT/elsewhere/notes") == set()


def test_the_doctor_fails_and_says_which_folder_it_is(tmp_path: Path) -> None:
    service = Service(tmp_path)
    within = service.workspace / "policies"
    within.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    files = [("inside", within), ("outside", tmp_path), ("apart", tmp_path / "elsewhere")]
    service.write(
        {"all.yaml": AGENT + "".join(SERVER.replace("NAME", one).replace("FOLDER", str(at)) for one, at in files)}
    )
    service.start()
    try:
        said = [(one["ok"], one["text"]) for one in api(service, "GET", "/doctor")["checks"] if one["name"] == "reach"]
    finally:
        service.stop()
    assert said == [
        (False, f"inside is given {within}, which is in {service.workspace}"),
        (False, f"outside is given {tmp_path}, which holds {service.workspace}"),
        (False, f"outside is given {tmp_path}, which holds {service.data}"),
    ]
