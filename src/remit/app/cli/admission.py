"""`remit admission`, and the way of `remit apply --admit`: a look at a change, followed to its end."""

import time
from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.client import ServiceClient
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, data, print_answer, say
from remit.facts.text import escaped

app = typer.Typer(no_args_is_help=True, help="What a change has to show before it runs.")

POLL_S: Final = 0.5
_TOLD_S: Final = 10.0
_DOES: Final[Mapping[str, str]] = {
    "cases": "the cases of the workspace",
    "chains": "chains of permitted calls, and guarantees",
    "replay": "the last days of the ledger",
    "attack": "a quick attack",
}
Look = Annotated[str, typer.Argument(help="The id of a look, as `remit apply --admit` says it.")]


@app.command("show")
def show_one(look: Look, output: Output = Format.TABLE, token_file: TokenFile = None) -> int:
    """Show what came of a look at a change. Exit code 1 where it does not admit it."""
    answer: dict[str, Any] = client(token_file).get(f"/admissions/{look}")
    print_look(answer, output)
    return Exit.OK if answer["stage"] == "admitted" else Exit.NEGATIVE


@app.command("override")
def override(
    look: Look,
    checks: Annotated[list[str], typer.Argument(help="What refused and is let through: cases, chains …")],
    why: Annotated[str, typer.Option("--why", help="Why; kept on the ledger.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Let through what checks refused: the decision of the Admission's owner, on the ledger. Then run: remit apply."""
    body = {"checks": checks, "why": why}
    answer: dict[str, Any] = client(token_file).post(f"/admissions/{look}/override", body)
    print_look(answer, output)
    if answer["stage"] == "admitted":
        say(f"let through; run: remit apply --admission {look}")
    return Exit.OK if answer["stage"] == "admitted" else Exit.NEGATIVE


@app.command("cancel")
def cancel(look: Look, output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """End a look that is at work. Nothing of it is left."""
    answer: dict[str, Any] = client(token_file).delete(f"/admissions/{look}")
    print_answer(answer, output, f"{look} is {answer['stage']}")


def follow_look(service: ServiceClient) -> dict[str, Any]:
    """Have the service look at its workspace folder, and follow that to its end. Raises `CommandFailure`.

    Interrupted, the look is ended as well.
    """
    answer: dict[str, Any] = service.post("/admissions")
    ident, at, said_s = str(answer["id"]), None, time.monotonic()
    begun_s = said_s
    try:
        while answer["stage"] == "looking":
            now_s = time.monotonic()
            if answer["at"] != at or now_s - said_s >= _TOLD_S:
                at, said_s = answer["at"], now_s
                say(f"  {now_s - begun_s:4.0f} s  looking at {_DOES.get(str(at), 'the workspace')} …")
            time.sleep(POLL_S)
            answer = service.get(f"/admissions/{ident}")
    except KeyboardInterrupt:
        service.delete(f"/admissions/{ident}")
        say("interrupted: nothing was changed")
        raise
    if answer["stage"] in {"broken", "cancelled"}:
        raise CommandFailure(
            f"the look at the workspace is {answer['stage']}",
            why=str(answer["why"] or ""),
            next="correct it, or look at the service: remit doctor; then: remit apply --admit",
            exit=Exit.INVALID if answer["why"] else Exit.NEGATIVE,
        )
    return answer


def print_look(answer: Mapping[str, Any], output: Format) -> None:
    """Print what came of a look."""
    if output in {Format.JSON, Format.YAML}:
        data(dict(answer), output)
        return
    through = {check for one in answer["overridden"] for check in one["checks"]}
    for one in answer["checks"]:
        state = "let through" if one["check"] in through else one["state"]
        shown = {name: value for name, value in one["figures"].items() if value not in ([], {}, None)}
        figures = ", ".join(f"{name} {_figure(value)}" for name, value in shown.items())
        print(escaped(f"{one['check']:<11} {state:<11} {figures}"))
        for finding in one["findings"]:
            print("  " + escaped(finding).replace("\n", "\n    "))
        if one["check"] in answer["refused"] and one["check"] not in through:
            print(escaped(f"  next: {one['next']}"))


def refusal(answer: Mapping[str, Any]) -> CommandFailure:
    """Why a look does not admit, and what is next."""
    owner, ident = answer["owner"], answer["id"]
    names = " ".join(answer["refused"])
    may = f"; or {owner} lets it through: remit admission override {ident} {names} --why TEXT" if owner else ""
    return CommandFailure(
        "the change is not admitted; nothing was changed",
        why=f"refused by: {', '.join(answer['refused'])}",
        next=f"correct it, then: remit apply --admit{may}",
        exit=Exit.NEGATIVE,
    )


def _figure(value: Any) -> str:
    if isinstance(value, dict):
        return str(sum(cast("dict[str, int]", value).values()))
    return str(len(cast("list[object]", value))) if isinstance(value, list) else str(value)
