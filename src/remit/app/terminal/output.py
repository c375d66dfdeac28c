"""What commands print: tables to stdout, talk to stderr, and `-o json` where programs read.

Text that agents or tools wrote is shown escaped: control and direction characters never reach
the terminal.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

from remit.control.difference import one_line
from remit.facts.text import escaped

NO_SERVER: Final = "no server is declared, so agents have no tools: see servers.yaml of the workspace"


class Format(StrEnum):
    """`-o`: how an answer is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


def counted(count: int, noun: str) -> str:
    """`1 tool`, `2 tools`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def say(text: str) -> None:
    """A sentence for the person, on stderr; lost where that is a file that takes no more: a service goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except BrokenPipeError:
        raise
    except OSError:
        return


def answered(answer: Any, form: Format, text: str) -> None:
    """Say `text` to the person; where a program reads, print `answer` whole instead."""
    if form in {Format.JSON, Format.YAML}:
        data(answer, form)
    else:
        say(text)


def show(
    rows: Sequence[Mapping[str, Any]],
    form: Format,
    columns: Sequence[str],
    *,
    wide: Sequence[str] = (),
    empty: str = "nothing here yet",
) -> None:
    """Print `rows`; `columns` are the keys of the table, `wide` those that `-o wide` adds."""
    match form:
        case Format.JSON | Format.YAML:
            data(list(rows), form)
        case Format.NAME:
            for row in rows:
                print(escaped(str(row[columns[0]])))
        case Format.TABLE | Format.WIDE:
            chosen = [*columns, *(wide if form is Format.WIDE else ())]
            if not rows:
                say(empty)
                return
            _table(chosen, [[_cell(row.get(key)) for key in chosen] for row in rows])


def changes(answer: Mapping[str, Any]) -> None:
    """Print what an apply did or would do to each resource."""
    for change in answer["changes"]:
        mark = {"add": "+", "remove": "-"}.get(change["op"], "~")
        print(f"{mark} {escaped(change['text'])}")
        for line in change["lines"]:
            print(f"    {escaped(line)}")


def warned(answer: Mapping[str, Any]) -> None:
    """Say what is odd about what runs now, or does not run yet."""
    for warning in answer["warnings"]:
        say(f"warning: {escaped(warning)}")


def data(value: Any, form: Format) -> None:
    """Print `value` whole, as JSON or (for every other format) as YAML."""
    if form is Format.JSON:
        print(json.dumps(value, indent=2, ensure_ascii=True))
        return
    from remit.app.terminal.yaml_text import written

    sys.stdout.write(written(value))


def _cell(value: object) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case str():
            return one_line(value) or "-"
        case list():
            items = cast("list[object]", value)
            return one_line(", ".join(str(item) for item in items)) or "-"
        case _:
            return one_line(json.dumps(value))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    head = [column.upper().replace("_", " ") for column in columns]
    widths = [max(len(head[index]), *(len(row[index]) for row in rows)) for index in range(len(head))]
    for line in (head, *rows):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
