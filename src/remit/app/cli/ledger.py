"""`remit ledger`: prove what happened, without a running service."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.app.cli.options import Data, Output, TokenFile, client
from remit.app.cli.verification import talk, verify
from remit.app.settings import LEDGER, data_folder
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, data, print_answer, say, show

To = Annotated[Path | None, typer.Option("--to", help="The file to write, a new one (else stdout).")]

app = typer.Typer(no_args_is_help=True, help="The append-only record.")


@app.callback()
def _group() -> None:
    pass


app.command()(verify)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="Where to; a file that is there is never overwritten.")],
    data_given: Data = None,
    output: Output = Format.TABLE,
) -> None:
    """Copy the ledger to one file, beside a running service or without any, and verify the copy.

    FILE.outbox beside it holds what waits to be told. Both are secret: every record with its arguments, people's words,
    the hash of the admin token; not the workspace, nor the signing keys and secrets of the data folder.
    """
    from remit.adapters.sqlite.errors import LedgerRefused
    from remit.app.data.restoration import backed_up

    try:
        report, outbox = backed_up(data_folder(data_given), file.absolute(), talk(output))
    except LedgerRefused as error:
        raise CommandFailure(error.what, why=error.why, next=error.next) from error
    head, beside = report.heads[-1], None if outbox is None else str(file.with_name(outbox.name))
    if output in {Format.JSON, Format.YAML}:
        head_members = {"id": str(head.ref), "hash": head.hash}
        data({"file": str(file), "outbox": beside, "records": report.records, "head": head_members}, output)
        return
    print(f"{report.records} records in {file}")
    print(f"head {head.ref} {head.hash}")
    if beside is not None:
        print(f"what waits to be told in {beside}, which belongs beside it")
    say("verified. Keep apart from it, as secrets: the rest of the data folder (keys); and the workspace")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    data_given: Data = None,
    output: Output = Format.TABLE,
) -> None:
    """Make a backup the ledger, while no service runs on it; the ledger that was there is kept aside.

    A new epoch begins and says what was restored. All sessions end, all open approvals and grants too; what was
    revoked, removed, halted, tripped, spent, labelled or erased since the backup stays so, as far as the ledger that
    was there can be read. A folder without a ledger has to be named by --data.
    """
    from remit.adapters.sqlite.errors import LedgerRefused
    from remit.app.data.restoration import restore as restored

    ledger = data_folder(data_given) / LEDGER
    if data_given is None and not ledger.exists():
        raise CommandFailure(
            f"{file} was not restored",
            why=f"there is no ledger in {ledger.parent}, and no --data says that it belongs there",
            next=f"remit ledger restore {file} --data DIR, with the DIR of remit up",
            exit=Exit.NOT_FOUND,
        )
    try:
        restoration = restored(file, ledger, talk(output))
    except LedgerRefused as error:
        raise CommandFailure(error.what, why=error.why, next=error.next) from error
    kept_aside = None if restoration.aside is None else str(restoration.aside)
    if output in {Format.JSON, Format.YAML}:
        members = {"data": str(ledger.parent), "records": restoration.report.records, "chain": restoration.chain}
        data({**members, "kept": kept_aside, "remembered": restoration.remembered, "void": restoration.void}, output)
        return
    print(f"{restoration.report.records} records restored in {ledger.parent}; {restoration.chain} begins")
    if kept_aside is not None:
        print(f"the ledger that was there: {kept_aside}")
    if not restoration.remembered:
        again = "remit token revoke, remit passkeys remove, remit halt"
        say(f"it cannot be read: stop again what was stopped since the backup ({again})")
    say("every session has ended: agents need new tokens (remit token agent NAME)")
    if restoration.void:
        say("every token is void, people's too: nobody can tell which were revoked (remit token user NAME)")


@app.command(name="forget-key")
def forget_key(data_given: Data = None) -> None:
    """Give up a lost key of declared secrets, while no service runs: the next start makes a new one, on record.

    Approvals of calls with secrets that still wait have to be given anew.
    """
    from remit.adapters.sqlite.errors import LedgerRefused
    from remit.app.data.recovery import forget_veil_key

    try:
        forget_veil_key(data_folder(data_given) / LEDGER)
    except LedgerRefused as error:
        raise CommandFailure(error.what, why=error.why, next=error.next) from error
    say("the next start of the service makes a new key, where the workspace declares secrets")


@app.command()
def checkpoint(
    since: Annotated[
        Path | None, typer.Option("--since", help="An earlier checkpoint: prove that the ledger goes on from it.")
    ] = None,
    to: To = None,
    data_given: Data = None,
    output: Output = Format.TABLE,
) -> None:
    """Write a signed checkpoint over every record: keep it where the ledger is not.

    Needs no running service, but the data folder's key where the service has not signed the end yet.
    """
    from remit.app.data.proofs import Offline, kept_in

    log = Offline(data_folder(data_given))
    note = log.checkpoint()
    continued = None if since is None else log.since(kept_in(since))
    as_data = output in {Format.JSON, Format.YAML} or continued is not None
    if to is not None or not as_data:
        _write(str(note), to)
    if as_data:
        shape = output if output in {Format.JSON, Format.YAML} else Format.JSON
        data({**log.said(note), **({} if continued is None else {"since": continued})}, shape)
        return
    for key in log.said(note)["keys"]:
        say(f"verifier key: {key}")


@app.command()
def prove(
    record: Annotated[str, typer.Argument(help="A decision id, or a receipt: ID:HASH.")],
    to: To = None,
    data_given: Data = None,
    output: Output = Format.TABLE,
    *,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show what the record's body says, with its salt.")] = False,
) -> None:
    """Write a proof that a record is in the ledger (C2SP tlog-proof): a stranger checks it offline.

    Without --reveal it tells when, of what kind and in which session, and nothing else.
    """
    from remit.app.data.proofs import Offline

    proof = Offline(data_folder(data_given)).prove(record, reveal=reveal)
    as_data = output in {Format.JSON, Format.YAML}
    if to is not None or not as_data:
        _write(str(proof), to)
    if as_data:
        data({"record": record, "index": proof.index, "proof": str(proof)}, output)
        return
    say(f"to check it: python3 verify_proof.py {to or 'FILE'} KEY, with docs/verify_proof.py and the verifier key")
    say("  which `remit ledger checkpoint` tells; how: docs/how-to/prove-what-happened.md")


@app.command()
def erase(
    record: Annotated[list[str], typer.Argument(help="Decision ids; with an intent goes its outcome.")],
    why: Annotated[str, typer.Option("--why", help="Kept on the ledger.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Erase what records say (arguments, results, a user's words), on record, with your own user token.

    Who may is named by the Route `erasure`. Records, links, checkpoints and proofs stay as they are; so does who acted,
    on which tool, with which verdict, and under which keys of stores. Copies elsewhere, backups among them, are not
    reached.
    """
    answer = client(token_file).post("/ledger/erase", {"ids": record, "why": why})
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    for ident in answer["erased"]:
        print(f"erased {ident}")
    say(f"recorded in {', '.join(answer['records'])}")
    say("no checkpoint taken before is over this: remit ledger checkpoint --to FILE, and keep it beside those you have")
    if not answer["cleared"]:
        say("their bytes stay in the write-ahead log until nobody reads from it: erase nothing, restart the service")


@app.command("in-doubt")
def in_doubt(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """List calls that were sent and that no answer of their tool ended: nobody knows whether they took effect.

    OUTCOME is none where the service ended before the call did; else how it ended: lost, timeout or upstream_error.
    """
    items = [intent for page in client(token_file).pages("/ledger/in-doubt") for intent in page]
    show(items, output, ("id", "outcome", "at", "sid"), empty="every call that was sent was answered, or is settled")
    if items and output in {Format.TABLE, Format.WIDE}:
        say("look there what became of it (remit why ID), then:")
        say("  remit ledger settle ID --happened|--did-not-happen --why TEXT")


@app.command()
def settle(
    record: Annotated[str, typer.Argument(help="The decision id of a call in doubt.")],
    why: Annotated[str, typer.Option("--why", help="How you found out; kept on the ledger.")],
    *,
    happened: Annotated[
        bool, typer.Option("--happened/--did-not-happen", help="Whether it took effect: say one of the two.")
    ],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Say what became of a call in doubt, once somebody looked: it is listed no more.

    The call stays counted, its labels stay, and its approval stays used up; where it did not happen, budgets get back
    what it took, and monitors and rates count it no more. So of a call that its tool says failed, while a budget holds
    something of it: that alone is given back.
    """
    body = {"id": record, "happened": happened, "why": why}
    answer: dict[str, Any] = client(token_file).post("/ledger/settle", body)
    became = "took" if happened else "did not take"
    print_answer(answer, output, f"{record} {became} effect, as you say; record {answer['record']}")


def _write(text: str, to: Path | None) -> None:
    """To stdout, or to a file, which is never overwritten."""
    if to is None:
        print(text, end="")
        return
    try:
        with to.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise CommandFailure(
            f"{to} was not written", why=error.strerror or str(error), next="name another file"
        ) from error
    say(f"written to {to}")
