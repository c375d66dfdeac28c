"""JSON Schemas of the resources, for editors: one for each kind, and one for any of them.

`python -m remit.adapters.workspace.schemas FOLDER` writes them; a test fails when those under
`docs/reference/schemas` are not current.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from remit.adapters.workspace.models import SPECS, MetadataShape
from remit.control.resources import API_VERSION, ResourceKind
from remit.facts.canonical import Json
from remit.facts.catalog import NAME, SERVER_NAME
from remit.facts.monitor import MONITOR_NAME

# What yaml-language-server, which most editors use, reads.
DIALECT: Final = "http://json-schema.org/draft-07/schema#"
WORKSPACE: Final = "workspace.schema.json"


def schema(kind: ResourceKind) -> Mapping[str, Json]:
    """The JSON Schema of one document of `kind`."""
    return {"$schema": DIALECT, **_document(kind)}


def workspace_schema() -> Mapping[str, Json]:
    """The JSON Schema of a document of any kind, told apart by `kind`."""
    kinds: Json = [kind.value for kind in ResourceKind]
    return {
        "$schema": DIALECT,
        "title": "A Remit resource",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": kinds}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind.value}}, "required": ["kind"]},
                "then": _document(kind),
            }
            for kind in ResourceKind
        ],
    }


def files() -> Mapping[str, str]:
    """File names and texts of all schemas."""
    by_kind = {f"{kind.value.lower()}.schema.json": schema(kind) for kind in ResourceKind}
    every = {**by_kind, WORKSPACE: workspace_schema()}
    return {name: json.dumps(value, indent=2) + "\n" for name, value in every.items()}


def write(folder: Path) -> None:
    """Write `files` into `folder`."""
    for name, text in files().items():
        (folder / name).write_text(text, "utf-8")


def _document(kind: ResourceKind) -> dict[str, Json]:
    whole = SPECS[kind].model_json_schema()
    spec = _without_titles(_inline(whole, whole.pop("$defs", {})))
    metadata = _without_titles(MetadataShape.model_json_schema())
    pattern = {
        ResourceKind.SERVER: SERVER_NAME.pattern,
        ResourceKind.MONITOR: MONITOR_NAME.pattern,
        ResourceKind.TOOL: f"{SERVER_NAME.pattern}/.+",
    }.get(kind, NAME.pattern)
    metadata["properties"]["name"]["pattern"] = f"^{pattern}$"
    required: Json = ["apiVersion", "kind", "metadata", *(["spec"] if "required" in spec else [])]
    return {
        "title": kind.value,
        "description": spec["description"],
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.value},
            "metadata": metadata,
            "spec": spec,
            "status": {"description": "Written by Remit; ignored when read."},
        },
    }


def _inline(value: Any, definitions: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in place: a pointer would not lead from a larger schema."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        if isinstance(target := members.get("$ref"), str):
            rest = {key: member for key, member in members.items() if key != "$ref"}
            return _inline({**definitions[target.rpartition("/")[2]], **rest}, definitions)
        return {key: _inline(member, definitions) for key, member in members.items()}
    if isinstance(value, list):
        return [_inline(item, definitions) for item in cast("list[Any]", value)]
    return value


def _without_titles(value: Any) -> Any:
    """The schema without pydantic's titles, which repeat the names of fields."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        untitled = {k: v for k, v in members.items() if not (k == "title" and isinstance(v, str))}
        return {key: _without_titles(member) for key, member in untitled.items()}
    if isinstance(value, list):
        return [_without_titles(item) for item in cast("list[Any]", value)]
    return value


if __name__ == "__main__":
    write(Path(sys.argv[1]))
