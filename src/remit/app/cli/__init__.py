"""The command line, by noun, with a few verbs everybody knows.

Each module here adds its commands to the application below; what a command does lives in the
service or in a ring underneath.
"""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from remit import __version__
from remit.app.cli import (
    admission,
    agents,
    approvals,
    attack,
    breakers,
    bridge,
    budgets,
    bundle,
    chains,
    discover,
    export,
    grants,
    guarantees,
    halt,
    incidents,
    inventory,
    ledger,
    pack,
    passkeys,
    policy,
    questions,
    replay,
    servers,
    service,
    sessions,
    token,
    tools,
    workspace,
)
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.machine_error import failure_of
from remit.facts.text import escaped

app = typer.Typer(
    name="remit",
    help="The control plane for AI agents: what each may do, and the record of what it did.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (service, workspace, questions, halt, replay, chains, attack, bridge, export, approvals):
    module.add(app)
app.add_typer(agents.app, name="agents")
app.add_typer(inventory.app, name="inventory")
app.add_typer(policy.app, name="policy")
app.add_typer(tools.app, name="tools")
app.add_typer(servers.app, name="servers")
app.add_typer(bundle.app, name="bundle")
app.add_typer(sessions.app, name="sessions")
app.add_typer(approvals.app, name="approvals")
app.add_typer(grants.app, name="grants")
app.add_typer(budgets.app, name="budgets")
app.add_typer(breakers.app, name="breakers")
app.add_typer(incidents.app, name="incidents")
app.add_typer(guarantees.app, name="guarantees")
app.add_typer(admission.app, name="admission")
app.add_typer(token.app, name="token")
app.add_typer(ledger.app, name="ledger")
app.add_typer(passkeys.app, name="passkeys")
app.add_typer(pack.app, name="pack")
app.add_typer(discover.app, name="discover")


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it so
    if wanted:
        print(f"remit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: FBT002 - typer reads the signature
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str]) -> int:
    """Run one command line; the process's exit code."""
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
        if what := escaped(error.format_message()).replace(": Value error, ", ": "):
            print(f"error: {what}\n  next: {_command(arguments)} --help", file=sys.stderr)
        return Exit.USAGE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return Exit.OK
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):
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


def _command(arguments: Sequence[str]) -> str:
    """The command that `arguments` begin with: not every error of the parser knows where it arose."""
    words, at = ["remit"], typer.main.get_command(app)
    for word in arguments:
        if not isinstance(at, TyperGroup) or word not in at.commands:
            break
        words.append(word)
        at = at.commands[word]
    return " ".join(words)
