"""What commands print: tables to stdout, talk to stderr, and `-o json` where programs read.

Text that agents or tools wrote is shown escaped: control and direction characters never reach
the terminal.
"""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, cast

from remit.control.difference import one_line
from remit.facts.text import escaped

NO_SERVER: Final = "no server is declared, so agents have no tools: see servers.yaml of the workspace"

_BETWEEN: Final = "  "
_COLUMN_MIN: Final = 24
"""Characters of a column that are always shown: most names are no longer."""
_KEY_MAX: Final = 64
"""Characters that are shown of what a row is called by: whoever types the next command needs it whole."""


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


def print_answer(answer: Any, form: Format, text: str) -> None:
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
            _table(chosen, [[_cell(row.get(key)) for key in chosen] for row in rows], screen_width(form))


def changes(answer: Mapping[str, Any]) -> None:
    """Print what an apply did or would do to each resource."""
    for change in answer["changes"]:
        mark = {"add": "+", "remove": "-"}.get(change["op"], "~")
        print(f"{mark} {escaped(change['text'])}")
        for line in change["lines"]:
            print(f"    {escaped(line)}")


def print_warnings(answer: Mapping[str, Any]) -> None:
    """Say what is odd about what runs now, or does not run yet."""
    for warning in answer["warnings"]:
        say(f"warning: {escaped(warning)}")


def data(value: Any, form: Format) -> None:
    """Print `value` whole, as JSON or (for every other format) as YAML."""
    if form is Format.JSON:
        print(json.dumps(value, indent=2, ensure_ascii=True))
        return
    from remit.app.terminal.yaml_text import to_yaml

    sys.stdout.write(to_yaml(value))


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


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> None:
    head = [column.upper().replace("_", " ") for column in columns]
    lines = [head, *rows]
    widths = fit_columns([max(len(line[index]) for line in lines) for index in range(len(head))], width)
    for line in lines:
        cells = (_cut(cell, room).ljust(room) for cell, room in zip(line, widths, strict=True))
        print(_BETWEEN.join(cells).rstrip())


def fit_columns(widths: Sequence[int], total: int | None) -> list[int]:
    """`widths` of columns so that a row fits into `total` characters: the widest give way, none beyond a minimum.

    The first, an id or a name, gives way to none.
    """
    if total is None:
        return list(widths)
    key, *fitting = min(widths[0], _KEY_MAX), *widths[1:]
    over = key + sum(fitting) + len(_BETWEEN) * len(fitting) - total
    while over > 0 and (widest := max(fitting, default=0)) > _COLUMN_MIN:
        fitting[fitting.index(widest)] -= 1
        over -= 1
    return [key, *fitting]


def _cut(cell: str, room: int) -> str:
    return cell if len(cell) <= room else f"{cell[: room - 1]}…"


def screen_width(form: Format) -> int | None:
    """How wide a row may be; None where a program reads, or a person who wants all of it."""
    return shutil.get_terminal_size().columns if form is Format.TABLE and sys.stdout.isatty() else None
