"""What `remit init` writes runs as it is; the published schemas say what the models say."""

import json
from pathlib import Path

import jsonschema_rs
import pytest

from remit.adapters.workspace import schemas
from remit.adapters.workspace.documents import documents
from remit.adapters.workspace.folder import Folder
from remit.adapters.workspace.template import SCHEMA, init_workspace
from remit.control.assemble import Assembled, assemble
from remit.control.resources import ResourceKind
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.ports.workspace import WorkspaceRefused
from tests.contract.test_workspace import WHOLE
from tests.contract.test_workspace_refusals import BAD_YAML

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


def test_the_template_loads_assembles_and_compiles_as_it_is(tmp_path: Path) -> None:
    written = init_workspace(tmp_path / "w")
    assert {path.suffix for path in written} == {".yaml", ".cedar", ".md", ".json"}
    source = Folder(tmp_path / "w").load()
    found = assemble(source)
    assert isinstance(found, Assembled)
    assert (source.problems, found.warnings) == ((), ())
    assert {"assistant"} == set(found.catalog.agents)
    compiled = compile_bundle(found.catalog)
    assert isinstance(compiled.result, Bundle)
    assert set(compiled.result.policies) >= {"assistants-may-work", "final-steps-wait"}


def test_what_the_template_shows_commented_out_is_right_as_well(tmp_path: Path) -> None:
    init_workspace(tmp_path)
    for name in ("servers.yaml", "tools.yaml"):
        head, _, rest = (tmp_path / name).read_text().partition("# apiVersion")
        live = ("# apiVersion" + rest).splitlines()
        lines = [line[2:] for line in live if line[2:3] in {" ", "-"} or ": " in line or line.endswith(":")]
        (tmp_path / name).write_text(head + "\n".join(lines))
    source = Folder(tmp_path).load()
    found = assemble(source)
    assert isinstance(found, Assembled), found.problems
    assert set(found.catalog.servers) == {"time", "shop"}
    assert [warning.code for warning in found.warnings] == ["tool/unaccepted"]
    assert isinstance(compile_bundle(found.catalog).result, Bundle)


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text("mine")
    with pytest.raises(WorkspaceRefused, match=r"people\.yaml exists already"):
        init_workspace(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["people.yaml"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "x.cedar").write_text("mine")
    with pytest.raises(WorkspaceRefused, match="holds a workspace already"):
        init_workspace(other)
    with pytest.raises(WorkspaceRefused, match="not a folder"):
        init_workspace(tmp_path / "people.yaml")
    assert (tmp_path / "people.yaml").read_text() == "mine"


def test_init_that_fails_takes_back_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = Path.replace

    def full(self: Path, target: Path) -> Path:
        if target.name == "routes.yaml":
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(WorkspaceRefused, match="no space left on device"):
        init_workspace(tmp_path / "w")
    assert [path for path in (tmp_path / "w").rglob("*") if path.is_file()] == []


def test_the_published_schemas_are_current() -> None:
    assert {path.name: path.read_text() for path in PUBLISHED.iterdir()} == dict(schemas.files())


def test_every_yaml_of_the_template_names_the_schema_beside_it(tmp_path: Path) -> None:
    for path in init_workspace(tmp_path):
        if path.suffix == ".yaml":
            assert path.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA}\n")
    assert json.loads((tmp_path / SCHEMA).read_text()) == schemas.workspace_schema()


def test_the_schemas_take_what_is_read_and_refuse_what_is_not(tmp_path: Path) -> None:
    every = jsonschema_rs.validator_for(dict(schemas.workspace_schema()))
    for document in documents(WHOLE):
        assert every.is_valid(document.value), document.value
        assert isinstance(document.value, dict)
        one = jsonschema_rs.validator_for(dict(schemas.schema(ResourceKind(str(document.value["kind"])))))
        assert one.is_valid(document.value)
    refused = [text for text, code, *_ in BAD_YAML if code in {"yaml/field", "yaml/kind", "yaml/version"}]
    for text in refused:
        (document,) = documents(text)
        assert not every.is_valid(document.value), text


def test_every_field_is_explained_to_editors() -> None:
    for kind in ResourceKind:
        schema = json.loads(json.dumps(schemas.schema(kind)))
        spec = schema["properties"]["spec"]
        assert schema["description"]
        plain = {"groups", "users", "description", "requester_may_approve"}
        assert all("description" in field or name in plain for name, field in spec["properties"].items()), kind
