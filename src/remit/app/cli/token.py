"""`remit token`: credentials for agents, people and harnesses; printed once, never kept."""

import os
import re
import shlex
from errno import EEXIST, EISDIR
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from remit.app.cli.options import Data as DataFolder
from remit.app.cli.options import Output, TokenFile, client, seconds
from remit.app.settings import LEDGER, data_folder
from remit.app.terminal.client import ServiceClient, read_token
from remit.app.terminal.failure import CommandFailure
from remit.app.terminal.output import Format, data, print_answer, say, show

app = typer.Typer(no_args_is_help=True, help="Credentials: minted, delegated, revoked.")

_MINTED: Final = re.compile(rb"eyJ[\w-]*\.[\w-]+\.[\w-]+")
"""A signed token, as every one is that is minted here."""
_MINTED_BYTES_MAX: Final = 64 * 1024

Ttl = Annotated[str, typer.Option("--ttl", help="How long it lasts: 90s, 15m, 8h, 7d.")]
Save = Annotated[
    Path | None, typer.Option("--save", help="Write the token to this file, for you alone, instead of showing it.")
]


@app.command()
def agent(
    name: Annotated[str, typer.Argument(help="The agent, as its resource is named.")],
    user: Annotated[str | None, typer.Option(help="The human it acts for.")] = None,
    ttl: Ttl = "8h",
    save: Save = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Mint a token for an agent: a new root, hence a new session."""
    _mint({"kind": "agent", "name": name, "user": user, "ttl_s": seconds(ttl)}, save, output, token_file)
    if user is None:
        say("it acts for nobody: no policy on users fits, and nobody counts as the requester; to name one: --user NAME")


@app.command()
def user(
    name: Annotated[str, typer.Argument(help="The person, as the User resource is named.")],
    ttl: Ttl = "8h",
    save: Save = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Mint a token for a person, to decide approvals with."""
    _mint({"kind": "user", "name": name, "ttl_s": seconds(ttl)}, save, output, token_file)


@app.command()
def harness(
    name: Annotated[str, typer.Argument(help="The agent whose harness is trusted.")],
    ttl: Ttl = "7d",
    save: Save = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Mint a credential for a trusted harness: it opens sessions and states the user's words."""
    _mint({"kind": "harness", "name": name, "ttl_s": seconds(ttl)}, save, output, token_file)


@app.command()
def delegate(
    name: Annotated[str, typer.Argument(help="The sub-agent.")],
    ttl: Ttl = "1h",
    save: Save = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Exchange your agent's token for one that a sub-agent may use, with no more authority."""
    bearer = read_token(token_file)
    _check_writable(save)
    answer: dict[str, Any] = ServiceClient(None).form(
        "/token",
        {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token": bearer or "",
            "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "actor": name,
            "expires_in": str(seconds(ttl)),
        },
    )
    _print_token(
        answer, "access_token", save, output, f"expires in {answer['expires_in']} s; decision {answer['decision']}"
    )


@app.command("ls")
def ls(
    name: Annotated[str | None, typer.Argument(help="Only those of this agent, or of this user.")] = None,
    *,
    all_of_them: Annotated[bool, typer.Option("--all", help="Expired, revoked and void ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 1000,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """List tokens by their ids, the latest first: whose they are, until when, and when one was used last.

    Of use it is known since the service started. The tokens themselves are kept nowhere.
    """
    parameters = {"name": name, "ended": "true" if all_of_them else None, "limit": limit}
    answer: dict[str, Any] = client(token_file).get("/tokens", **parameters)
    columns = ("jti", "kind", "name", "user", "since", "until", "state", "used")
    show(answer["items"], output, columns, wide=("sid", "by", "agents", "came_from"), empty="no such token")
    if answer["more"]:
        say("there are more: name an agent or a user, or say --limit")


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(help="The token's id (jti), or the token itself.")],
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Revoke a token and everything delegated from it."""
    answer = client(token_file).post("/tokens/revoke", {"token": token_id})
    print_answer(answer, output, f"revoked {answer['jti']} and every token that came from it")


@app.command()
def rotate(output: Output = Format.TABLE, token_file: TokenFile = None) -> None:
    """Make a new signing key; tokens signed with earlier ones stay valid until they expire."""
    answer = client(token_file).post("/keys/rotate")
    print_answer(answer, output, f"signing with key {answer['kid']}")


@app.command()
def admin(data_given: DataFolder = None) -> None:
    """Make a new admin token while the service is stopped; the old one stops working.

    For when it is lost: whoever may write the data folder may do this.
    """
    from remit.adapters.sqlite.errors import DataInUse, LedgerRefused
    from remit.app.data.recovery import new_admin_token

    folder = data_folder(data_given)
    try:
        print(new_admin_token(folder / LEDGER))
    except DataInUse as error:
        stop = "stop the service" if error.pid is None else f"stop the service (kill {error.pid})"
        following = f"{stop}, then: remit token admin --data {shlex.quote(str(folder))}"
        raise CommandFailure(error.what, why=error.why, next=following) from error
    except LedgerRefused as error:
        raise CommandFailure(error.what, why=error.why, next=error.next) from error
    say("shown once, stored hashed; start the service again: remit up")


def _mint(body: dict[str, Any], save: Path | None, output: Format, token_file: TokenFile) -> None:
    _check_writable(save)
    answer: dict[str, Any] = client(token_file).post("/tokens", body)
    _print_token(answer, "token", save, output, f"id {answer['jti']}, expires {answer['expires']}")


def _print_token(answer: dict[str, Any], key: str, save: Path | None, output: Format, more: str) -> None:
    """Show the token, or keep it in the file `save` alone."""
    if save is not None:
        _write(save, answer.pop(key))
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    if save is None:
        print(answer[key])
    say(f"{'shown once' if save is None else f'written to {save}'}; {more}")


def _check_writable(path: Path | None) -> None:
    """Look whether a token can be written to `path`, before it is minted: nobody could use it, nor knew of it."""
    if path is None:
        return
    beside = _beside(path)
    try:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, "it is a folder")
        if not _replaceable(path):
            raise FileExistsError(EEXIST, "it holds something else than a token, and that is not overwritten")
        os.close(_open(beside))
        beside.unlink()
    except OSError as error:
        raise _unwritable(path, error, "no token was minted") from error


def _replaceable(path: Path) -> bool:
    """Whether nothing but an earlier token goes by putting one there: of a device, such as /dev/null, more would."""
    if not path.exists():
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        content = file.read(_MINTED_BYTES_MAX).strip()
    return not content or _MINTED.fullmatch(content) is not None


def _unwritable(path: Path, error: OSError, token: str) -> CommandFailure:
    return CommandFailure(
        f"cannot write the token to {path}",
        why=error.strerror or str(error),
        next=f"name another file with --save; {token}",
    )


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)


def _write(path: Path, token: str) -> None:
    """Put `token` into a file that its owner alone may open, in place of what is there."""
    beside = _beside(path)
    try:
        descriptor = _open(beside)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{token}\n")
        beside.replace(path)
    except OSError as error:
        raise _unwritable(path, error, "the token that was minted expires unused") from error
