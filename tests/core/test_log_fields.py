"""What the code gives a log line beside its event is written: what is not among `FIELDS` would be lost in silence."""

import ast
from pathlib import Path

import remit
from remit.app.service.logs import FIELDS

SOURCE = Path(remit.__file__).parent


def test_every_field_that_a_line_is_given_is_one_that_lines_have() -> None:
    given = [
        (f"{path.relative_to(SOURCE)}:{node.lineno}", key.value)
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "extra" and isinstance(node.value, ast.Dict)
        for key in node.value.keys
        if isinstance(key, ast.Constant)
    ]
    assert len(given) > 20
    assert [one for one in given if one[1] not in FIELDS] == []
