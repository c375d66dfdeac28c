"""The command line, by noun, with a few verbs everybody knows.

Each module here adds its commands to the application below; what a command does lives in the
service or in a ring underneath. Of all these modules a command line loads the one that it names.
"""

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from remit import __version__
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.machine_error import failure_of
from remit.facts.text import escaped

VERBS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("up", "demo", "logs", "doctor"), "service"),
        **dict.fromkeys(("init", "apply", "diff", "get", "describe", "delete"), "workspace"),
        **dict.fromkeys(("can", "why"), "questions"),
        **dict.fromkeys(("halt", "quarantine", "resume"), "halt"),
        "replay": "replay",
        "chains": "chains",
        "attack": "attack",
        "mcp": "bridge",
        "map": "export",
        "break-glass": "approvals",
    }
)
"""Commands without a noun, and the module that adds each."""
NOUNS: Final = (
    "agents",
    "inventory",
    "policy",
    "tools",
    "servers",
    "bundle",
    "sessions",
    "approvals",
    "grants",
    "budgets",
    "breakers",
    "incidents",
    "guarantees",
    "admission",
    "token",
    "ledger",
    "passkeys",
    "pack",
    "discover",
)
"""Each a module of that name."""
PANELS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "Run": frozenset({"up", "demo", "doctor", "mcp"}),
        "Workspace": frozenset(
            {"init", "apply", "diff", "get", "describe", "delete"}
            | {"policy", "tools", "servers", "bundle", "pack", "admission"}
        ),
        "Discover": frozenset({"discover", "inventory", "agents", "map"}),
        "Control": frozenset(
            {"token", "sessions", "budgets", "breakers", "guarantees", "halt", "quarantine", "resume"}
        ),
        "Test": frozenset({"can", "replay", "chains", "attack"}),
        "Escalate": frozenset({"approvals", "grants", "break-glass", "passkeys", "incidents"}),
        "Trace": frozenset({"logs", "why", "ledger"}),
    }
)
"""Under which heading the help has each command, headings in order."""
_PANEL_OF: Final = {name: panel for panel, names in PANELS.items() for name in names}
_FAMILIAR: Final[Mapping[str, str]] = MappingProxyType(
    {
        "version": "remit --version",
        "help": "remit --help",
        "status": "remit doctor",
        **dict.fromkeys(("serve", "server", "start", "run"), "remit up --workspace DIR"),
        "stop": "remit halt, which stops agents; the service ends by Ctrl-C or SIGTERM",
        **dict.fromkeys(("validate", "plan", "check", "lint"), "remit diff, or without a service: remit policy lint"),
        **dict.fromkeys(("list", "ls"), "remit get KIND"),
        **dict.fromkeys(("login", "auth"), "remit token --help"),
        "explain": "remit why ID",
    }
)
"""What people who know other control planes type, and the command that does it here."""


def commands_of(arguments: Sequence[str]) -> typer.Typer:
    """The application with the command that `arguments` begin with, or with all, where they begin with none."""
    first = "".join(arguments[:1])
    verbs, nouns = [VERBS[first]] if first in VERBS else [], [first] if first in NOUNS else []
    if not verbs and not nouns:
        verbs, nouns = list(dict.fromkeys(VERBS.values())), list(NOUNS)
    app = typer.Typer(
        name="remit",
        help="The control plane for AI agents: what each may do, and the record of what it did.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for module in _modules(verbs):
        module.add(app)
    for name, module in zip(nouns, _modules(nouns), strict=True):
        app.add_typer(module.app, name=name, rich_help_panel=_PANEL_OF[name])
    _put_under_headings(app)
    return app


def _put_under_headings(app: typer.Typer) -> None:
    for command in app.registered_commands:
        command.rich_help_panel = _PANEL_OF[command.name or getattr(command.callback, "__name__", "")]
    headings = list(PANELS)
    app.registered_commands.sort(key=lambda command: headings.index(str(command.rich_help_panel)))


def _modules(names: Iterable[str]) -> list[Any]:
    return [import_module(f"remit.app.cli.{name}") for name in names]


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        print(f"remit {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str], app: typer.Typer | None = None) -> int:
    """Run one command line by `app`, which is `commands_of` it; the process's exit code."""
    app = commands_of(arguments) if app is None else app
    try:
        answer: Any = app(list(arguments), standalone_mode=False, prog_name="remit")
    except CommandFailure as failure:
        print(failure, file=sys.stderr)
        return failure.exit
    except typer.Abort:
        return 130
    except typer.TyperException as error:
        # Where a command is missing nothing is said: its help was printed.
        # What pydantic says of an enumeration begins with the class of an exception.
        first = "".join(arguments[:1])
        if first in _FAMILIAR:
            print(f"error: No such command '{first}'.\n  next: {_FAMILIAR[first]}", file=sys.stderr)
        elif what := escaped(error.format_message()).replace(": Value error, ", ": "):
            print(f"error: {what}\n  next: {_command(app, arguments)} --help", file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return Exit.OK
    except SystemExit as exit_:
        if isinstance(exit_.__context__, BrokenPipeError):
            # Whoever reads us has read enough; typer would call that a failure.
            return Exit.OK
        raise
    except Exception as error:
        if os.environ.get("REMIT_DEBUG"):
            raise
        if (failure := failure_of(error)) is not None:
            print(failure, file=sys.stderr)
            return failure.exit
        print(
            f"error: remit itself failed: {type(error).__name__}: {escaped(str(error))}\n"
            "  next: again with REMIT_DEBUG=1, and report what it prints",
            file=sys.stderr,
        )
        return Exit.NEGATIVE
    return answer if isinstance(answer, int) else Exit.OK


def _command(app: typer.Typer, arguments: Sequence[str]) -> str:
    """The command that `arguments` begin with: not every error of the parser knows where it arose."""
    words, at = ["remit"], typer.main.get_command(app)
    for word in arguments:
        if not isinstance(at, TyperGroup) or word not in at.commands:
            break
        words.append(word)
        at = at.commands[word]
    return " ".join(words)
