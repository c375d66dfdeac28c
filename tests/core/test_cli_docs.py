"""`docs/reference/cli.md` names every command, argument and option, each exit code and each variable.

Its tables are written from the commands themselves: `python -m tests.core.test_cli_docs` writes them anew.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import typer.main

from remit.app.cli import NOUNS, PANELS, VERBS, commands_of
from remit.app.terminal.failure import Exit
from remit.app.terminal.output import Format

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "cli.md"
BEGIN: Final = "<!-- commands: written by python -m tests.core.test_cli_docs -->"
END: Final = "<!-- end of commands -->"
EVERYWHERE: Final = frozenset({"--output", "--token-file", "--help"})
"""Options that mean the same wherever they stand; the page explains them once."""


def commands(group: Any, path: tuple[str, ...] = ("remit",)) -> Iterator[tuple[str, Any]]:
    """Yield (full name, command) for every command below `group`, in the order of `--help`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def table() -> str:
    """Return the table of all commands."""
    rows = ["| command | what it does | options |", "|---|---|---|"]
    for name, command in commands(typer.main.get_command(commands_of(()))):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        usage = " ".join([name, *(a.name.upper() if a.required else f"[{a.name.upper()}]" for a in arguments)])
        options = [p for p in command.params if p.param_type_name == "option" and not EVERYWHERE & set(p.opts)]
        told = [f"`{', '.join((*one.opts, *one.secondary_opts))}` {plain(one.help)}" for one in options]
        rows.append(f"| `{usage}` | {plain(command.help)} | {'<br>'.join(told)} |")
    return "\n".join(rows)


def plain(text: str | None) -> str:
    """Return a help text on one line of a table."""
    assert text, "every command and option has a help text"
    return " ".join(text.split()).replace("|", "\\|")


def parts() -> tuple[str, str, str]:
    """Return the page before, in and after its table."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    found, _, after = rest.partition(END)
    return before, found.strip(), after


def told(name: str, command: Any) -> tuple[str, str, list[list[str]]]:
    """Return what tells a command from others: its name, its help and how its parameters are written."""
    return name, command.help, [[*one.opts, *one.secondary_opts] for one in command.params]


def test_a_command_is_the_same_whether_it_is_loaded_alone_or_with_all_others() -> None:
    whole = [told(*one) for one in commands(typer.main.get_command(commands_of(())))]
    alone = [told(*one) for first in (*VERBS, *NOUNS) for one in commands(typer.main.get_command(commands_of([first])))]
    assert [one for one in whole if one not in alone] == []
    assert {one[0].split()[1] for one in whole} == {*VERBS, *NOUNS}


def test_the_help_has_every_command_under_one_heading() -> None:
    under = [name for names in PANELS.values() for name in names]
    assert sorted(under) == sorted((*VERBS, *NOUNS))
    whole: Any = typer.main.get_command(commands_of(()))
    assert list(dict.fromkeys(one.rich_help_panel for one in whole.commands.values())) == list(PANELS)


def test_a_command_loads_no_module_of_another() -> None:
    loads = (
        "import sys; from remit.app.cli import NOUNS, commands_of; commands_of(['why']); "
        "print([one for one in NOUNS if f'remit.app.cli.{one}' in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_page_lists_the_commands_that_there_are() -> None:
    assert parts()[1] == table(), "write it anew: python -m tests.core.test_cli_docs"


def test_options_that_stand_everywhere_are_explained_and_mean_the_same() -> None:
    words = "".join(parts()[::2])
    seen: dict[str, set[str]] = {}
    for name, command in commands(typer.main.get_command(commands_of(()))):
        for one in command.params:
            for option in EVERYWHERE & set(one.opts):
                seen.setdefault(option, set()).add(f"{one.opts} {one.help}")
                assert option in words, f"{name} {option}"
    assert {option: len(texts) for option, texts in seen.items()} == dict.fromkeys(seen, 1)
    assert {f"`{form.value}`" for form in Format} <= set(re.findall(r"`\w+`", words))


def test_every_exit_code_has_its_row() -> None:
    found = dict(re.findall(r"^\| (\d) \| (\w[^|]*\w) \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert sorted(found) == [str(code.value) for code in Exit]


def test_every_variable_that_is_read_is_explained() -> None:
    read = {
        name
        for file in (ROOT / "src" / "remit").rglob("*.py")
        for name in re.findall(r"[\"'](REMIT_[A-Z_]+|NO_COLOR)[\"']", file.read_text("utf-8"))
    }
    page = PAGE.read_text("utf-8")
    assert read
    assert [name for name in sorted(read) if f"| `{name}` |" not in page] == []


if __name__ == "__main__":
    head, _, tail = parts()
    PAGE.write_text(f"{head}{BEGIN}\n\n{table()}\n\n{END}{tail}", encoding="utf-8")
