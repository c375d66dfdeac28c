"""`remit approvals`: what waits for a person, and the person's word."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from remit.app.cli.approval_words import row, say_how, say_how_it_stands, say_what_is_granted
from remit.app.cli.options import Output, TokenFile, client, seconds
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, data, say, show
from remit.escalate.grants import parse_constraint
from remit.escalate.machine import ApprovalState
from remit.escalate.refusals import Refusal
from remit.facts.strictjson import JsonRefused, written
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="Actions that wait for a person.")

LISTED_MAX: Final = 1_000
"""As many as one answer of the service holds."""
READABLE_MAX: Final = 50
"""As many as a person is shown where he asked for no number, as on the page."""

Ident = Annotated[str, typer.Argument(help="The approval's id, like r7f3-5.1234.")]
Note = Annotated[str | None, typer.Option("--note", help="Why; kept on the ledger.")]


class GrantLength(StrEnum):
    """What a yes may be granted for, beyond the one action."""

    SESSION = "session"
    TOOL = "tool"


@app.command("ls")
def ls(
    *,
    everything: Annotated[bool, typer.Option("--all", help="Ended ones too.")] = False,
    unreviewed: Annotated[
        bool, typer.Option("--unreviewed", help="Those alone whose glass was broken and nobody looked at yet.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, max=LISTED_MAX, help=f"How many; {READABLE_MAX} of what waits, in a table.")
    ] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List what waits for a person or may still be used: what you decide first, and of that what ends first.

    With --all and --unreviewed: newest first.
    """
    waiting = not everything and not unreviewed
    is_table = waiting and output in {Format.TABLE, Format.WIDE}
    rows_max = limit or (READABLE_MAX if is_table else LISTED_MAX)
    answer = client(token_file).get(
        "/approvals", open="true" if waiting else None, limit=LISTED_MAX if unreviewed else rows_max
    )
    items: list[dict[str, Any]] = answer["items"]
    if unreviewed:
        items = [item for item in items if item["glass"] and not item["glass"]["reviewed_by"]][:rows_max]
    rows = items if output in {Format.JSON, Format.YAML} else [row(item) for item in items]
    show(
        rows,
        output,
        ("id", "left", "state", "agent", "user", "what", "gates"),
        wide=("tool", "expires", "sid", "action", "yes"),
        empty="nothing waits for a person",
    )
    more = answer.get("more", 0)  # a service of before says nothing of it
    if more:
        say(f"{more:,} more, which press less: remit approvals ls --limit {LISTED_MAX}")
    elif not waiting and len(answer["items"]) == LISTED_MAX:
        say(f"the newest {LISTED_MAX:,} alone were looked at")


@app.command("show")
def show_one(ident: Ident, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Show one approval: its brief as a card; with -o json or yaml all of it, the exact arguments too."""
    approval = client(token_file).get(f"/approvals/{ident}")
    if output in {Format.JSON, Format.YAML} or approval["brief"] is None:
        data(approval, output)
        return
    from rich.console import Console

    from remit.app.cli.card import card

    card(approval, Console(highlight=False), datetime.now(UTC))
    if approval["state"] == ApprovalState.PENDING.value:
        say_how(approval)


@app.command()
def approve(  # noqa: PLR0913, PLR0917 - each is an option
    ident: Ident,
    note: Note = None,
    grant: Annotated[GrantLength | None, typer.Option(help="Grant the rest of the session, or the tool.")] = None,
    for_: Annotated[str | None, typer.Option("--for", help="How long it is granted: 90s, 15m, 8h, 7d.")] = None,
    uses: Annotated[int | None, typer.Option(min=1, help="How often at most.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="Hold an argument of the tool: NAME=VALUE or NAME<=NUMBER.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what --grant would lift; decide nothing.")] = False,  # noqa: FBT002
    edit: Annotated[
        list[str] | None,
        typer.Option("--edit", help="NAME=VALUE: another value of an argument, JSON or text; as often as needed."),
    ] = None,
    shown: Annotated[
        str | None, typer.Option("--shown", help="The nonce of what you saw, where somebody edited it.")
    ] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say yes, with your own user token; --grant for more than this one action, --edit for other arguments.

    A grant lifts the same gates for what was seen, and permits nothing: see docs/reference/approvals.md.
    """
    _of_one_kind(
        grant=grant is not None,
        edit=bool(edit),
        terms={"--for": for_, "--uses": uses, "--where": where, "--dry-run": dry_run},
    )
    wish = None if grant is None else grant_request(grant, for_, uses, where or [])
    if wish is not None:
        # Refused before anything is said: a yes without its grant is not what was asked for.
        preview = client(token_file).post(f"/approvals/{ident}/grant", {**wish, "dry_run": True})
        if dry_run:
            data(preview, output if output is Format.JSON else Format.YAML)
            return
        wish["terms"] = preview["terms"]
    body: dict[str, Any] = {"note": note, "shown": shown}
    before: list[str] = []
    if edit:
        approval = client(token_file).get(f"/approvals/{ident}")
        # What somebody else changed meanwhile was not what this person saw: that takes his --shown.
        saw = shown or (approval["nonce"] if approval["edit"] is None else None)
        body |= {"arguments": _edit_arguments(approval, edit), "shown": saw}
        before = [vote["by"] for vote in approval["votes"]]
    answer = client(token_file).post(f"/approvals/{ident}/approve", body)
    void = sorted(set(before).difference(vote["by"] for vote in answer["votes"]))
    if void:
        say(f"{', '.join(void)} said yes to other arguments, and has to say it again")
    granted = None if wish is None else client(token_file).post(f"/approvals/{ident}/grant", {**wish, "note": note})
    say_how_it_stands(answer if granted is None else {**answer, "grant": granted}, output)
    if granted is not None and output not in {Format.JSON, Format.YAML}:
        say_what_is_granted(granted)


@app.command()
def deny(
    ident: Ident,
    reason: Annotated[
        Refusal | None, typer.Option("--reason", help="A preset reason, which the agent is told.", show_choices=True)
    ] = None,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say no, with your own user token."""
    _decide(ident, "deny", {"note": note, "reason": reason}, output, token_file)


def _of_one_kind(*, grant: bool, edit: bool, terms: Mapping[str, object]) -> None:
    """Raise `CommandFailure` where a yes would leave out some of what was asked for."""
    if grant and edit:
        why = "a grant is for what was asked for, and --edit has something else run"
        raise CommandFailure(
            "no grant goes with other arguments", why=why, next="leave out one of them", exit=Exit.USAGE
        )
    stray = [name for name, value in terms.items() if value]
    if stray and not grant:
        why = "they are the terms of a grant, and without one the yes is for this one action, whole"
        following = "add --grant session or --grant tool, or leave them out"
        raise CommandFailure(f"{', '.join(stray)} without --grant", why=why, next=following, exit=Exit.USAGE)


def grant_request(scope: GrantLength, for_: str | None, uses: int | None, where: list[str]) -> dict[str, Any]:
    """The request for a grant. Raises `CommandFailure`."""
    constraints = [_constraint(text) for text in where]
    return {"scope": scope.value, "for_s": None if for_ is None else seconds(for_), "uses": uses, "where": constraints}


def _constraint(text: str) -> dict[str, Any]:
    try:
        constraint = parse_constraint(text)
    except ValueError as odd:
        following = "write NAME=VALUE or NAME<=NUMBER; a text that looks like JSON goes in quotes"
        raise CommandFailure(f"this holds no argument: {text}", why=str(odd), next=following, exit=Exit.USAGE) from odd
    return {"name": constraint.name, "bound": constraint.bound.value, "value": constraint.value}


@app.command()
def stats(
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = 30,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """How attentively people decide, by person and route; and which of their habits could be rules."""
    answer = client(token_file).get("/approval-stats", days=days)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    rows = [
        {
            **one,
            "approved": f"{one['approved'] / one['asks']:.0%}",
            "median": f"{one['median_ms'] / 1000:.1f} s",
            "under 3 s": f"{one['hasty'] / one['asks']:.0%}",
        }
        for one in answer["people"]
    ]
    columns = ("person", "route", "asks", "approved", "median", "under 3 s", "edited")
    show(rows, output, columns, empty="nobody has decided anything")
    for one in answer["proposals"]:
        policies = ", ".join(one["policies"])
        say(f"approved {one['asks']} times unedited: {escaped(one['tool'])} by {one['agent']}, each before {policies}")
        say(f"  proposed rule, at the end of {policies}: {escaped(one['cedar'])}")
        say(f"  it would have spared {one['spared']} of {one['asks']} asks, none of which was refused")
        say("  before you accept it, put it into a copy: remit replay --ledger --against COPY")


@app.command()
def delegate(
    ident: Ident,
    to: Annotated[str, typer.Option("--to", help="The user who decides in your place.")],
    for_: Annotated[str, typer.Option("--for", help="For how long, like 30m; not beyond the approval.")] = "1h",
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Let somebody else decide this one in your place, for a while."""
    answer = client(token_file).post(f"/approvals/{ident}/delegate", {"to": to, "for_s": seconds(for_), "note": note})
    say_how_it_stands(answer, output)
    if output in {Format.JSON, Format.YAML}:
        return
    [delegation, *_] = [entry for entry in reversed(answer["delegations"]) if entry["to"] == to]
    cut = ", which is when it expires" if delegation["until"] == answer["expires"] else ""
    say(f"{to} decides in the place of {delegation['by']} until {delegation['until']}{cut}")


@app.command()
def stop(
    ident: Ident,
    reason: Annotated[
        Refusal, typer.Option("--reason", help="A preset reason, which the agent is told.", show_choices=True)
    ] = Refusal.SUSPICIOUS,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say no and stop the session that asked, with all that was delegated from it."""
    _decide(ident, "stop", {"reason": reason, "note": note}, output, token_file)
    say("the session that asked is stopped: nothing of it runs any more")


@app.command()
def review(
    ident: Ident,
    note: Note = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say that you looked at how the glass was broken; not for the one who broke it."""
    _decide(ident, "review", {"note": note}, output, token_file)


def add(app: typer.Typer) -> None:
    """Add `break-glass`, a verb of its own."""
    app.command("break-glass")(break_glass)


def break_glass(
    ident: Ident,
    why: Annotated[str, typer.Option("--why", help="What the emergency is; kept, and read by whoever reviews it.")],
    shown: Annotated[
        str | None, typer.Option("--shown", help="The nonce of what you saw, where somebody edited it.")
    ] = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Lift every gate of an approval by yourself, in an emergency: for five minutes, recorded, reviewed later."""
    _decide(ident, "break-glass", {"why": why, "shown": shown}, output, token_file)
    say("THE GLASS IS BROKEN: it may be used for five minutes, under your name alone.")
    say(f"Somebody else looks at it: remit approvals review {ident}")


def _decide(ident: str, choice: str, body: dict[str, Any], output: Format, token_file: Path | None) -> None:
    say_how_it_stands(client(token_file).post(f"/approvals/{ident}/{choice}", body), output)


def _edit_arguments(approval: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """The arguments that would run, changed."""
    edit = approval["edit"]
    current = approval["arguments"] if edit is None else edit["arguments"]
    if not isinstance(current, dict):
        why = "its arguments are not kept, or not for you to see"
        raise CommandFailure("it cannot be edited", why=why, next=f"remit approvals show {approval['id']} -o json")
    edited = dict(cast("dict[str, Any]", current))
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise CommandFailure(f"not NAME=VALUE: {change}", next="--edit amount=40", exit=Exit.USAGE)
        try:
            edited[name] = written(value)
        except JsonRefused as odd:
            following = "--edit 'amount=40'; a text that looks like JSON goes in quotes"
            raise CommandFailure(f"no value: {change}", why=str(odd), next=following, exit=Exit.USAGE) from odd
    return edited
