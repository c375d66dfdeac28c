"""`remit halt` and `remit resume`: stop what acts, at once, and let it act again."""

import shlex
import stat
from collections.abc import Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from remit.adapters.halts import leave
from remit.adapters.private import KeyringUnusable
from remit.adapters.system import SystemClock
from remit.app.cli.options import Data as DataFolder
from remit.app.cli.options import Output, TokenFile, client
from remit.app.settings import BUNDLES, ISSUER, LEDGER, data_folder, is_named, is_of, service_url
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import Format, data, say, show
from remit.facts.stop import StopKind, StopScope, StopTarget
from remit.facts.text import escaped

_CUT_SHOWN_MAX: Final = 20
_ANSWER_S: Final = 0.4
"""A service that takes longer is left the halt where its data folder is at hand: it is in force within a second."""
_FAR_S: Final = 10.0
_NAMES_MAX: Final = 10

ResourceKind = Annotated[StopKind | None, typer.Argument(help="What to stop.", show_default=False)]
Name = Annotated[
    str,
    typer.Argument(
        help="Its name; a tool's is SERVER/TOOL, a resource's SERVER/URI; everything has none.", show_default=False
    ),
]


def add(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(halt)
    app.command()(quarantine)
    app.command()(resume)


def halt(
    kind: ResourceKind = None,
    name: Name = "",
    why: Annotated[str | None, typer.Option(help="Why; who is stopped reads it.")] = None,
    *,
    drill: Annotated[
        bool, typer.Option("--drill", help="Stop nobody: say what would be cut off, and measure.")
    ] = False,
    data_given: DataFolder = None,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Stop an agent, group, user, session, server, tool, resource or everything, at once.

    Without arguments: what is stopped. Nothing of it is judged, sent or released from then on, until: remit resume
    KIND NAME. For a service that does not answer the halt is left in its data folder, and is in force before it does
    anything more.
    """
    service = client(token_file)
    if kind is None:
        items: list[dict[str, Any]] = service.get("/halts")["items"]
        show(items, output, ("kind", "name", "holds", "since", "by", "why"), empty="nothing is stopped")
        return
    if why is None and not drill:
        raise CommandFailure("a halt says why", next="remit halt … --why TEXT (or --drill)", exit=Exit.USAGE)
    body = {"kind": kind.value, "name": name, "why": why, "drill": drill}
    folder = data_folder(data_given)
    lacks = _lacks(folder) or ("" if is_named(data_given) else _others(folder))
    try:
        timeout_s = _FAR_S if lacks else _ANSWER_S
        answer: dict[str, Any] = service.post("/halts", body, timeout_s=timeout_s)
    except CommandFailure as failure:
        if drill or why is None or failure.exit not in {Exit.UNREACHABLE, Exit.TIMEOUT}:
            raise
        if lacks:
            raise _nowhere(failure, f"{folder}: {lacks}", (kind, name), why) from failure
        _leave(failure, folder, (kind, name), why)
        return
    state = "would be stopped (drill)" if drill else "is stopped"
    _say(answer, f"{kind.value} {name}".rstrip(), state, output)


class May(StrEnum):
    """What a quarantined one may still do."""

    READ = "read"
    ACT = "act"


def quarantine(
    kind: Annotated[StopKind, typer.Argument(help="What to quarantine: a session, an agent, a tool …")],
    name: Name = "",
    *,
    why: Annotated[str, typer.Option(help="Why; who is quarantined reads it.")],
    may: Annotated[May, typer.Option(help="What it may still do: read, or act.")] = May.READ,
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> None:
    """Let something read but not act, or act but not read, until: remit resume KIND NAME.

    To act is to change something, or to tell somebody outside.
    """
    holds = StopScope.ACTING if may is May.READ else StopScope.READING
    body = {"kind": kind.value, "name": name, "why": why, "holds": holds.value}
    answer: dict[str, Any] = client(token_file).post("/halts", body)
    _say(answer, f"{kind.value} {name}".rstrip(), f"may {may.value} and no more", output)


def _say(answer: dict[str, Any], what: str, state: str, output: Format) -> None:
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    drill: bool = answer["drill"]
    say(f"{what} {state}, in {answer['ms']:.1f} ms; record {answer['record']}")
    if answer["stays"] is not None:
        say(f"  it was stopped before and stays the stop of {answer['stays']}, who may resume it: remit halt")
    cut: list[str] = answer["cut"]
    if cut:
        say(f"  {cut_off(cut, drill=drill)}")
    if cut and not drill:
        say("  once you found out what became of one: remit ledger settle ID --happened|--did-not-happen --why TEXT")
    if not drill:
        say(f"  to let it act again: remit resume {what}")


def cut_off(cut: Sequence[str], *, drill: bool) -> str:
    """What a stop did to the actions under way, by their decision ids, or `drill` says that it would."""
    single = len(cut) == 1
    verb = "would be" if drill else "was" if single else "were"
    more = f" and {len(cut) - _CUT_SHOWN_MAX} more" if len(cut) > _CUT_SHOWN_MAX else ""
    idents = " ".join(cut[:_CUT_SHOWN_MAX])
    return f"{len(cut)} under way {verb} cut off, {'its' if single else 'their'} effect is in doubt: {idents}{more}"


def _lacks(folder: Path) -> str:
    """Why no service can be left a halt in `folder`; nothing where one can."""
    lacks = "there is no such folder"
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            return lacks
        lacks = "no ledger is in it"
        return "" if stat.S_ISREG((folder / LEDGER).stat().st_mode) else lacks
    except FileNotFoundError:
        return lacks
    except OSError as error:
        return str(error)


def _others(folder: Path) -> str:
    """Why `folder`, which nobody named, is another service's than the one that was asked; nothing where it is not."""
    with suppress(OSError, ValueError):
        issuer = (folder / ISSUER).read_text("ascii", "replace").strip()
        if not is_of(issuer):
            return f"it is of the service at {escaped(issuer)}, and not of {escaped(service_url())}"
    return ""


def _leave(failure: CommandFailure, folder: Path, what: StopTarget, why: str) -> None:
    """Leave the halt for a service that did not answer; `failure` where that cannot be done either."""
    try:
        path = leave(folder, what, why, SystemClock().now_ms())
    except (OSError, KeyringUnusable) as error:
        raise CommandFailure(failure.what, why=f"and nothing can be left for it: {error}", next=failure.next) from error
    say(f"{failure.what}: the halt lies in {path}, and is in force before the service does anything more")
    _warn(folder, what)


def _warn(folder: Path, what: StopTarget) -> None:
    """Say it where nothing had that name in what ran there last: such a halt stops nobody."""
    from remit.app.bundles.store import Bundles
    from remit.control.problems import did_you_mean
    from remit.control.resources import ResourceKind

    over, name = what
    if over in {StopKind.SESSION, StopKind.EVERYTHING} or not (folder / BUNDLES).is_dir():
        return
    kind = ResourceKind.SERVER if over is StopKind.RESOURCE else ResourceKind(over.value.capitalize())
    resource_name = name.partition("/")[0] if over is StopKind.RESOURCE else name
    bundles, names = Bundles(folder / BUNDLES), None
    with suppress(OSError):
        last = bundles.latest()
        names = None if last is None else bundles.names(last, kind)
    if names is None or resource_name in names:
        return
    hint = did_you_mean(resource_name, names) or f"there: {', '.join(sorted(names)[:_NAMES_MAX]) or 'none'}"
    lacking = f"no {kind.value.lower()} {escaped(resource_name)} was in what ran there last"
    say(f"warning: {lacking}, so that it stops nobody; {hint}")


def _nowhere(failure: CommandFailure, looked_at: str, what: StopTarget, why: str) -> CommandFailure:
    """`failure`, with what was looked at in vain, and the command that leaves the halt in the right folder."""
    kind, name = what
    in_vain = f"and the halt cannot be left in the data folder {looked_at}"
    again = shlex.join(["remit", "halt", kind.value, *([name] if name else []), "--why", why])
    return CommandFailure(
        failure.what,
        why=f"{failure.why}, {in_vain}" if failure.why else in_vain,
        next=f"{again} --data DIR (on the service's machine, with the DIR of its remit up --data DIR)",
        exit=failure.exit,
    )


def resume(
    kind: Annotated[StopKind, typer.Argument(help="What to let act again.")],
    name: Name = "",
    output: Output = Format.TABLE,
    token_file: TokenFile = None,
) -> int:
    """Let what was stopped act again. Exit code 1 where it was not stopped."""
    answer: dict[str, Any] = client(token_file).post("/halts/resume", {"kind": kind.value, "name": name})
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
    elif answer["record"] is None:
        say(f"{kind.value} {name}".rstrip() + " is not stopped; what is: remit halt")
    else:
        say(f"{kind.value} {name}".rstrip() + f" may act again; record {answer['record']}")
    return Exit.OK if answer["record"] is not None else Exit.NEGATIVE
