"""Kinds of resource are what stands in people's files: each published schema names the kind of its file."""

import json
from pathlib import Path
from typing import Final

from remit.control.resources import ResourceKind

SCHEMAS: Final = Path(__file__).parents[2] / "docs" / "reference" / "schemas"


def test_every_kind_is_the_one_that_its_published_schema_names() -> None:
    named = {
        json.loads(file.read_text("utf-8"))["properties"]["kind"]["const"]
        for file in SCHEMAS.glob("*.schema.json")
        if file.name != "workspace.schema.json"
    }
    assert named == {kind.value for kind in ResourceKind}
    assert {"Agent", "Source", "Tool"} <= named
