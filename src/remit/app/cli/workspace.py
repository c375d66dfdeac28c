"""`remit init, apply, diff, get, describe, delete`: the workspace and what runs of it."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from remit.app.cli import NOUNS
from remit.app.cli import admission as admissions
from remit.app.cli.options import Output, TokenFile, client
from remit.app.cli.progress import showing_checks
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, changes, data, print_warnings, say, show
from remit.control.problems import did_you_mean
from remit.control.resources import ResourceKind
from remit.control.tables import kind_named, plural, table
from remit.facts.text import escaped

Kind = Annotated[
    str, typer.Argument(help="agents, users, servers, tools, policies, budgets, guarantees … or inventory")
]
LISTED: Final = ("inventory", "models", "prompts", "data")
"""What is found, not declared."""
_APPLY_S: Final = 1_200.0
"""Tens of thousands of policies take minutes."""

Name = Annotated[str, typer.Argument(help="The resource's name.")]


def init(
    folder: Annotated[Path, typer.Argument(help="Where the workspace goes.")] = Path(),
) -> None:
    """Write a small commented workspace. Asks nothing, overwrites nothing."""
    from remit.adapters.workspace.template import init_workspace
    from remit.ports.workspace import WorkspaceRefused

    try:
        written = init_workspace(folder)
    except WorkspaceRefused as error:
        problem = error.problem
        raise CommandFailure(problem.what, why=problem.why, next=problem.next) from error
    for path in written:
        print(path)
    say(f"next: remit up --workspace {folder}")


def apply(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show only.")] = False,
    admit: Annotated[
        bool, typer.Option("--admit", help="Look at it first: cases, chains, guarantees, replay, a quick attack.")
    ] = False,
    admission: Annotated[
        str | None, typer.Option("--admission", help="Run what a look admitted, or its owner let through.")
    ] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Make the service take its workspace folder as it is now.

    A bundle that does not validate changes nothing. With --admit it runs only where every check admits it; with
    --dry-run as well, the checks are made and nothing is changed. Exit code 1 where it is not admitted.
    """
    service = client(token_file)
    look: dict[str, Any] | None = None
    if admit:
        look = admissions.follow_look(service)
        if look["stage"] != "admitted" or dry_run:
            admissions.print_look(look, output)
        if look["stage"] != "admitted":
            raise admissions.refusal(look)
        if dry_run:
            return Exit.OK
        admission = str(look["id"])
    with showing_checks(service):
        body = {"dry_run": dry_run} | ({} if admission is None else {"admission": admission})
        answer: dict[str, Any] = service.post("/apply", body, timeout_s=_APPLY_S)
    if output in {Format.JSON, Format.YAML}:
        data(answer if look is None else {**answer, "admission": look}, output)
        return Exit.OK
    if look is not None:
        admissions.print_look(look, output)
    changes(answer)
    if not answer["changes"]:
        say("no difference")
    print_warnings(answer)
    say(f"{'would run' if dry_run else 'running'} bundle {answer['bundle']}")
    for change in answer["changes"]:
        # Nothing of a new server is listed or called before somebody has read what it offers.
        if (change["op"], change["kind"]) == ("add", "Server") and not dry_run:
            say(f"next: remit tools review {escaped(change['name'])}")
    return Exit.OK


def diff(output: Output = Format.TABLE, token_file: TokenFile = None) -> int:
    """Show how the workspace folder, and the live tools, differ from what runs.

    Exit code 1 when they differ.
    """
    answer: dict[str, Any] = client(token_file).get("/diff")
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        changes(answer)
        for item in answer["tools"]:
            print(f"~ live tool {escaped(item['tool'])}: {item['state']}")
            # Of a tool that nobody has read yet all would be a difference: a review shows it.
            for line in item["difference"] if item["pin"] else ():
                print(f"    {escaped(line)}")
        if answer["tools"]:
            say("next: remit tools review")
        if not answer["changes"] and not answer["tools"]:
            say("no difference")
        print_warnings(answer)
    return Exit.NEGATIVE if answer["changes"] or answer["tools"] else Exit.OK


def get(
    kind: Kind,
    name: Annotated[str | None, typer.Argument(help="One resource.")] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List the resources of a kind, or show one."""
    if kind in LISTED:
        from remit.app.cli import inventory

        inventory.get(client(token_file), kind, name, output)
        return
    kind_known = _kind_of(kind)
    path = f"/resources/{plural(kind_known)}" + (f"/{quote(name, safe='')}" if name else "")
    answer: dict[str, Any] = client(token_file).get(path)
    items: list[dict[str, Any]] = [answer] if name else answer["items"]
    if output in {Format.JSON, Format.YAML}:
        data(items, output)
        return
    columns_and_rows = table(kind_known, [(item, item["where"]) for item in items])
    show(columns_and_rows.rows, output, columns_and_rows.columns, wide=columns_and_rows.wide)
    if name and kind_known is ResourceKind.POLICY and output is not Format.NAME:
        _text_of(answer)


def _kind_of(word: str) -> ResourceKind:
    """The kind that `word` names. Raises `CommandFailure`, with the one that it nearly names."""
    kind = kind_named(word)
    if kind is not None:
        return kind
    if word in NOUNS:
        raise CommandFailure(f"{word} are no resources", next=f"remit {word} --help", exit=Exit.USAGE)
    kinds = [*map(plural, ResourceKind), *LISTED]
    near = did_you_mean(word, kinds)
    why = f"{f'{near} ' if near else ''}there are {', '.join(kinds)}"
    raise CommandFailure(
        f"no kind of resource is called {word[:64]}", why=why, next="remit get agents", exit=Exit.USAGE
    )


def _text_of(policy: dict[str, Any]) -> None:
    """The policy's own lines, under where they stand."""
    print(f"\n{escaped(policy['where'])}")
    for line in policy["spec"]["cedar"].splitlines():
        print(f"  | {escaped(line)}")


def describe(kind: Kind, name: Name, output: Output = Format.YAML, token_file: TokenFile = None) -> None:
    """Show a resource whole, with its conditions and what is known of it."""
    data(client(token_file).get(f"/resources/{plural(_kind_of(kind))}/{quote(name, safe='')}"), output)


def delete(kind: Kind, name: Name, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Delete a resource from the workspace folder and run what is left."""
    path = f"/resources/{plural(_kind_of(kind))}/{quote(name, safe='')}"
    answer: dict[str, Any] = client(token_file).delete(path)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    changes(answer)
    print_warnings(answer)
    say(f"running bundle {answer['bundle']}")


def add(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (init, apply, diff, get, describe, delete):
        app.command()(command)
