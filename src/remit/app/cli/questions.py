"""`remit can` and `remit why`: ask before, ask after."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, cast

import typer

from remit.app.cli.options import Output, TokenFile, client
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, data, say
from remit.control.difference import one_line
from remit.facts.text import escaped
from remit.policy.verdict import spoken

_SHOWN_MAX: Final = 120
_SIGNS: Final = {"permits": "+", "lifts": "+", "asks": "?", "forbids": "x", "denies": "x", "": "."}
_DOES_CHARS: Final = max(map(len, _SIGNS))


class QuestionKind(StrEnum):
    """What `can` asks of."""

    TOOL = "call_tool"
    RESOURCE = "read_resource"
    PROMPT = "get_prompt"


def can(
    agent: Annotated[str, typer.Argument(help="The agent.")],
    tool: Annotated[str, typer.Argument(help="SERVER/TOOL, or SERVER/URI or SERVER/PROMPT as --kind says.")],
    arguments: Annotated[str, typer.Argument(help="Arguments as JSON, or @FILE.")] = "{}",
    user: Annotated[str | None, typer.Option(help="The human it would act for.")] = None,
    sid: Annotated[
        str | None, typer.Option(help="Judge inside this session, with its labels and counters (else a new one).")
    ] = None,
    kind: Annotated[
        QuestionKind, typer.Option(help="What it would do: call_tool, read_resource or get_prompt.")
    ] = QuestionKind.TOOL,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Would this call, read or prompt be permitted now? No side effect, nothing is counted.

    Without --sid it asks as a session would that has just begun: nothing read, no label, no word of its user, no call
    counted. What the agent is in the midst of may be judged otherwise: name that session (remit sessions ls).
    Exit code 0: yes. 1: no, or a person would decide.
    """
    server, slash, name = tool.partition("/")
    if not slash:
        # As agents and policies name it; a stable suffix stands for what was too long, so that this is a guess.
        exposed_server, _, exposed_name = tool.partition("___")
        written = f"{exposed_server}/{exposed_name}" if exposed_name else "SERVER/TOOL"
        raise CommandFailure(f"not a tool: {tool}", next=f"write it as {written}", exit=Exit.USAGE)
    body = {
        "agent": agent,
        "user": user,
        "sid": sid,
        "server": server,
        "tool": name,
        "kind": kind.value,
        "arguments": _arguments(arguments),
    }
    answer: dict[str, Any] = client(token_file).post("/can", body)
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    else:
        print(spoken(answer["verdict"], answer["observed"]))
        for reason in answer["reasons"]:
            _reason(reason)
        _obligations(answer["obligations"])
        if answer["hint"]:
            say(one_line(answer["hint"]))
    return Exit.OK if answer["verdict"] == "permit" else Exit.NEGATIVE


def why(
    ref: Annotated[str, typer.Argument(help="A decision id, like r7f3-5.1234.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Why was it decided so: action, facts, policies with their lines, verdict, receipts.

    Of a record that judges no action, such as what a detector found: what it says, what followed, which incident.
    """
    answer: dict[str, Any] = client(token_file).get(f"/why/{ref}")
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    if "event" in answer:
        _print_recorded(answer)
        return
    print(f"{answer['id']}  {spoken(answer['verdict'], answer['observed'])}  {answer['at']}")
    for reason in answer["reasons"]:
        _reason(reason)
    _obligations(answer["obligations"])
    for policy in answer["policies"]:
        print(f"\n{escaped(policy['id'])}, {escaped(policy['where'] or 'no longer at hand')}")
        for line in policy["lines"]:
            print(f"  | {escaped(line)}")
    for limit in answer["limits"]:
        _limit(limit)
    _values(answer["values"] or [])
    _marks(answer["marks"])
    for part in ("action", "facts", "outcome", "settled"):
        _members(part, answer[part] or {})
    # What is empty of it was not said by anybody, or is for whoever decides.
    approval: dict[str, Any] = answer["approval"] or {}
    _members("approval", {key: value for key, value in approval.items() if value})
    _members("receipt", answer["receipt"])
    if answer["in_doubt"]:
        print("\nin doubt: no answer of the tool was recorded; the effect may or may not have been")
        say(f"once you found out: remit ledger settle {answer['id']} --happened|--did-not-happen --why …")
    if answer["stays_spent"]:
        print("\nstill spent: its tool says that it failed, and may have done it all the same")
        say(f"once you know that nothing was done: remit ledger settle {answer['id']} --did-not-happen --why …")


def add(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command()(can)
    app.command()(why)


def _print_recorded(answer: dict[str, Any]) -> None:
    """A record that judges no action, the records that it names, and the incident that names it."""
    print(f"{answer['id']}  {answer['event']}  {answer['at']}")
    for line in (answer["text"], *answer["told"]):
        print(f"  {one_line(line)}")
    if answer["records"]:
        print("\nrecords")
    for record in answer["records"]:
        print(f"  {record['id']}  {record['kind']:<8}  {one_line(record['text'])}")
    for part in ("said", "incident", "receipt"):
        _members(part, answer[part] or {})
    if answer["incident"]:
        say(f"all of it: remit incidents show {answer['incident']['id']}")


def _members(part: str, members: dict[str, Any]) -> None:
    if members:
        print(f"\n{part}")
    for key, value in members.items():
        print(f"  {key}: {one_line(value if isinstance(value, str) else json.dumps(value))}")


def _values(values: list[dict[str, Any]]) -> None:
    """Each value with its origin, and under it where it was first seen, step by step."""
    if values:
        print("\nvalues")
    for value in values:
        text = one_line(json.dumps(value["value"], ensure_ascii=False)[:_SHOWN_MAX])
        part = f", by {one_line(value['part'])}" if value["part"] else ""
        directory_note = ", in a directory" if value["established"] else ""
        role = value["role"] or "counts nowhere"
        print(f"  {one_line(value['arg'])} = {text}  {value['origin']} ({role}{part}{directory_note})")
        for depth, step in enumerate(value["lineage"], start=2):
            print(
                f"{'  ' * depth}first seen in {step['call']} {one_line(step['tool'] or '')} at {one_line(step['at'])}"
            )


def _marks(marks: list[dict[str, Any]]) -> None:
    """What monitors and guarantees keep of it, and what later calls are judged by."""
    if marks:
        print("\nmarks")
    for mark in marks:
        print(f"  {one_line(mark['id'])}: {one_line(mark['text'])} ({mark['record']})")


def _limit(limit: dict[str, Any]) -> None:
    """A budget or breaker: how it was declared, how it stands now, what to do about it."""
    declared = json.dumps(limit["declared"]) if limit["declared"] else "no longer at hand"
    print(f"\n{one_line(limit['id'])}\n  declared: {one_line(declared)}")
    for line in limit["now"]:
        print(f"  now: {one_line(line)}")
    print(f"  next: {one_line(limit['next'])}")


def _reason(reason: dict[str, Any]) -> None:
    """What a reason does to the action, by a sign and a word, and what it says."""
    does = reason["does"] or ""
    name = reason.get("policy") or reason["code"]
    where = f" ({reason['where']})" if reason.get("where") else ""
    mark = f"{_SIGNS[does]} {does:<{_DOES_CHARS}}"
    print(f"  {mark}  {one_line(str(name))}: {one_line(reason['text'])}{one_line(where)}")


def _obligations(obligations: list[str]) -> None:
    """What has to be done with the call, and with what it brings."""
    for obligation in obligations:
        print(f"  obligation: {one_line(obligation)}")


def _arguments(text: str) -> dict[str, Any]:
    try:
        raw = Path(text[1:]).read_text("utf-8") if text.startswith("@") else text
        value: object = json.loads(raw)
    except (OSError, ValueError) as error:
        raise CommandFailure(
            "the arguments cannot be read",
            why=str(error),
            next="""quote them for your shell: '{"path": "notes.md"}'""",
            exit=Exit.USAGE,
        ) from error
    if not isinstance(value, dict):
        raise CommandFailure("the arguments are not a JSON object", exit=Exit.USAGE)
    return cast("dict[str, Any]", value)
