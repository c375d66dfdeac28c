"""`remit doctor`: whether the service can govern, what weakens it, and what mends it."""

import asyncio
import os
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.halts import BY
from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.api.in_force import DoctorCheck
from remit.api.interfaces.stops import HaltControl
from remit.api.moments import instant
from remit.api.services import Invalid, ServerPin
from remit.app.bundles.comparison import server_pin
from remit.app.data.folder import AHEAD_MS_MAX, behind
from remit.app.service.channel_signatures import UNSIGNED
from remit.app.service.quorum import UNCONFIRMED
from remit.app.service.reach import reachable_folders
from remit.app.service.runtime import Runtime
from remit.app.settings import OUTBOX, SERVERS, Settings
from remit.app.terminal.output import NO_SERVER, counted
from remit.control.difference import one_line
from remit.discover.entry import ConditionStatus
from remit.discover.health import SourceState
from remit.facts.agent import Harness, Mode
from remit.facts.catalog import Catalog, Stdio
from remit.facts.stop import Stop, typed
from remit.pdp.stops import runs
from remit.ports.credentials import CredentialState, CredentialStatus
from remit.ports.ledger import InDoubt, Ledger
from remit.ports.notifier import ChannelStatus as Fares
from remit.ports.transparency import SigningProgress
from remit.ports.upstream import ServerHealth

SIGNED_S_MAX: Final = 10.0
"""Without a checkpoint over everything, after which something is wrong: it is due every second."""
_NAMED: Final = {UNCONFIRMED: "passkeys", UNSIGNED: "channel"}
_FREE_BYTES_MIN: Final = 256 * 1024 * 1024
_LOOK_S: Final = 0.2
_DOUBTFUL_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class DoctorInputs:
    """What else is known: how sources fare, how far signing is, why no log is written, what is stopped, what signs.

    `ahead_ms`: how far time is ahead of the system's clock.
    """

    watched: Callable[[], Mapping[str, SourceState]]
    signed: Callable[[], SigningProgress]
    unwritten: Callable[[], str | None]
    ahead_ms: Callable[[], int]
    halting: HaltControl
    signs: Callable[[], Sequence[Path]]


async def checks(
    runtime: Runtime,
    health: Callable[[], Mapping[str, ServerHealth]],
    credentials: Callable[[], Mapping[str, CredentialState]],
    ledger: Ledger,
    settings: Settings,
    inputs: DoctorInputs,
) -> Sequence[DoctorCheck]:
    """Every check, the most urgent first. How servers and credentials stand is asked for once all have been reached."""
    all_checks = [
        records(ledger.unwritable()),
        *_data(settings),
        keys(inputs.signs()),
        clock(inputs.ahead_ms()),
        logs(settings.logs, inputs.unwritten()),
        *halts(runtime.bundle.catalog, inputs.halting.unread, inputs.halting.stops),
        await _workspace(runtime),
        *_admission(runtime),
    ]
    in_doubt = await ledger.in_doubt()
    all_checks.append(_labels(await runtime.unnameable()))
    all_checks.append(doubt(in_doubt, await ledger.unsettled_intents(after=None, limit=_DOUBTFUL_MAX)))
    all_checks.append(checkpoint(inputs.signed()))
    pins = await _pins(runtime, health)
    healths, credential_states = health(), credentials()
    if not pins:
        all_checks.append(DoctorCheck("servers", True, NO_SERVER, "declare one, then: remit apply"))  # noqa: FBT003
    all_checks.extend(_server(server, healths.get(server.server)) for server in pins)
    all_checks.extend(
        _credential(credential_states[name])
        for name in sorted(runtime.bundle.catalog.servers)
        if name in credential_states
    )
    all_checks.extend(_reach(runtime, settings))
    all_checks.extend(await _channels(runtime, settings))
    for problem in await runtime.unmanned():
        text = ": ".join(part for part in (problem.what, problem.why) if part)
        all_checks.append(DoctorCheck(_NAMED.get(problem.code, "routes"), False, text, problem.next))  # noqa: FBT003
    all_checks.extend(_source(name, state) for name, state in sorted(inputs.watched().items()))
    all_checks.extend(_observers(runtime))
    all_checks.extend(_words(runtime))
    return all_checks


async def _pins(runtime: Runtime, health: Callable[[], Mapping[str, ServerHealth]]) -> Sequence[ServerPin]:
    """Every server's live tools against the lock; one that answers nothing is not waited for until it is given up."""
    tasks = {name: asyncio.ensure_future(runtime.pins(name)) for name in sorted(runtime.bundle.catalog.servers)}
    try:
        while waiting := {name: task for name, task in tasks.items() if not task.done()}:
            states = health()
            if all(name in states and states[name].state == "silent" for name in waiting):
                break
            await asyncio.wait(waiting.values(), timeout=_LOOK_S)
        pins: list[ServerPin] = []
        for name, task in tasks.items():
            if task.done():
                pins.extend(task.result())
            else:
                pins.append(server_pin(runtime.running, name, None, unreachable=health()[name].last_error))
        return pins
    finally:
        for task in tasks.values():
            task.cancel()


async def _channels(runtime: Runtime, settings: Settings) -> Sequence[DoctorCheck]:
    """Whether people hear of what waits: routes that tell somebody, and channels by how they fare."""
    catalog = runtime.bundle.catalog
    statuses: Mapping[str, Fares] = {}
    if catalog.channels and (settings.data / OUTBOX).exists():
        outbox = SqliteOutbox(settings.data / OUTBOX)
        try:
            statuses = await outbox.channels()
        finally:
            await outbox.close()
    return [channel(name, statuses.get(name, Fares(0, 0, None))) for name in sorted(catalog.channels)]


def channel(name: str, fares: Fares) -> DoctorCheck:
    """Whether people are told by it, by its last attempt; what never arrived is still told of."""
    text = f"channel {name}: {counted(fares.waiting, 'notice')} waiting, {fares.given_up} given up"
    if fares.why is None:
        return DoctorCheck("channel", True, text)  # noqa: FBT003
    if fares.delivers:
        text += f"; it delivers now, and failed before: {fares.why}"
        return DoctorCheck("channel", True, text)  # noqa: FBT003
    next_ = f"look at its receiver and its secret: remit describe channel {name}"
    return DoctorCheck("channel", False, f"{text}: {fares.why}", next_)  # noqa: FBT003


def _data(settings: Settings) -> Iterator[DoctorCheck]:
    mode = stat.S_IMODE(settings.data.stat().st_mode)
    private = not mode & 0o077
    yield DoctorCheck(
        "data",
        private,
        f"{settings.data} has mode {mode:04o}",
        None if private else f"chmod 700 {settings.data}",
    )
    free = shutil.disk_usage(settings.data).free
    roomy = free >= _FREE_BYTES_MIN
    yield DoctorCheck(
        "disk",
        roomy,
        f"{free // (1024 * 1024)} MiB free for the ledger; a full disk denies every call",
        None if roomy else f"free space on the disk of {settings.data}",
    )


def doubt(unended: Sequence[InDoubt], unsettled: Sequence[InDoubt]) -> DoctorCheck:
    """What nobody knows the effect of: calls without an outcome, and those whose outcome is that no answer came."""
    settle = "look there, then: remit ledger settle {0} --happened|--did-not-happen --why TEXT"
    if unended:
        text = f"{counted(len(unended), 'call')} of earlier runs without an outcome: its effect is not known"
        ref = unended[0].ref
        return DoctorCheck("in-doubt", False, text, f"remit why {ref}, " + settle.format(ref))  # noqa: FBT003
    if unsettled:
        more = " or more" if len(unsettled) == _DOUBTFUL_MAX else ""
        text = f"{counted(len(unsettled), 'call')}{more} sent and not answered: its effect is not known"
        following = "remit ledger in-doubt, " + settle.format("ID")
        return DoctorCheck("in-doubt", True, text, following)  # noqa: FBT003
    return DoctorCheck("in-doubt", True, "every call that was sent was answered, or is settled", None)  # noqa: FBT003


def records(unwritable: str | None) -> DoctorCheck:
    """Whether the ledger takes records: without it every call is denied."""
    if unwritable is None:
        return DoctorCheck("ledger", True, "takes records")  # noqa: FBT003
    # Whoever is told so elsewhere is sent here.
    why, _, following = unwritable.removeprefix("the ledger cannot be written: ").partition(" (next: ")
    following = following.removesuffix(")")
    if following == "remit doctor":
        following = "free the cause (space on the disk, permissions of the folder), then start the service again"
    return DoctorCheck("ledger", False, f"takes no records: {why}", following)  # noqa: FBT003


def keys(files: Sequence[Path]) -> DoctorCheck:
    """Whether what signs tokens and checkpoints is there for the next start too: these are its `files`."""
    missing = [str(file) for file in files if not file.is_file()]
    if not missing:
        return DoctorCheck("keys", True, "those that sign are in the data folder")  # noqa: FBT003
    text = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} gone: the next start is refused"
    following = "put back from your copy of the data folder what is gone, before the service ends"
    return DoctorCheck("keys", False, text, following)  # noqa: FBT003


def clock(ahead_ms: int) -> DoctorCheck:
    """Whether time is what the system's clock says: where that was set back, it is `ahead_ms` ahead of it."""
    if ahead_ms < AHEAD_MS_MAX:
        return DoctorCheck("clock", True, "not behind what is on record")  # noqa: FBT003
    text = f"{behind(ahead_ms)}: time goes on from there, so that nothing lasts longer than it was given for"
    return DoctorCheck("clock", False, text, "set the system's clock right, then start the service again")  # noqa: FBT003


def logs(folder: Path, unwritten: str | None) -> DoctorCheck:
    """Whether the service's own log is written, which is `unwritten` because of what that says."""
    if unwritten is None:
        return DoctorCheck("logs", True, f"written in {folder}")  # noqa: FBT003
    text = f"cannot be written: {unwritten}; warnings are on the service's stderr alone"
    following = f"mend {folder}: a folder that the service may write, on a disk with space; then restart the service"
    return DoctorCheck("logs", False, text, following)  # noqa: FBT003


def halts(catalog: Catalog, unread: Stop | None, stops: Sequence[Stop]) -> Iterator[DoctorCheck]:
    """Whether what was left to be halted can be read, and names something that runs."""
    if unread is not None:
        yield DoctorCheck("halts", False, unread.reason.partition("; next: ")[0], "mend it; nothing acts until then")  # noqa: FBT003
    for stop in stops:
        if stop.by == BY and runs(catalog, stop.target) is False:
            text = f"{stop}; no such {stop.kind.value} runs, so that this stops nobody"
            again = f"remit halt {stop.kind.value} NAME --why …, with its name, and: remit resume {typed(stop.target)}"
            yield DoctorCheck("halts", False, text, again)  # noqa: FBT003


async def _workspace(runtime: Runtime) -> DoctorCheck:
    try:
        differs = (await runtime.diff()).changes
    except Invalid as error:
        return DoctorCheck("workspace", False, error.problems[0], error.next)  # noqa: FBT003
    text = (
        ("1 change waits" if len(differs) == 1 else f"{len(differs)} changes wait")
        if differs
        else "the folder is what runs" + (f"; {runtime.start_changes}" if runtime.start_changes else "")
    )
    return DoctorCheck("workspace", not differs, text, "remit diff" if differs else None)


def _labels(holders: Mapping[str, str]) -> DoctorCheck:
    text = "; ".join(f"no policy can name {label}, which {by} holds" for label, by in sorted(holders.items())[:5])
    return DoctorCheck(
        "labels",
        not holders,
        text or "policies can name every label that is held",
        "remit get tools" if holders else None,
    )


def checkpoint(signed: SigningProgress) -> DoctorCheck:
    """Whether what is on the ledger is signed as it grows: what no checkpoint has could be cut off unseen."""
    text = f"the last has {counted(signed.records, 'record')}, every one on disk {signed.age_s:.0f} s ago"
    if signed.age_s < SIGNED_S_MAX:
        return DoctorCheck("checkpoint", True, text)  # noqa: FBT003
    why = f"{text}; it is due every second: {signed.why or 'the service does not get round to it'}"
    return DoctorCheck("checkpoint", False, why, "remit ledger verify")  # noqa: FBT003


def _server(server: ServerPin, health: ServerHealth | None) -> DoctorCheck:
    name = f"server {server.server}"
    if server.unreachable:
        last_line = health.stderr.strip().splitlines()[-1:] if health is not None else []
        text = "; ".join([server.unreachable, *(f"its stderr ends: {one_line(line)}" for line in last_line)])
        return DoctorCheck(name, False, text, f"remit describe server {server.server}")  # noqa: FBT003
    odd = [tool for tool in server.tools if tool.state != "matches" or tool.untypable]
    if not odd:
        return DoctorCheck(name, True, f"{counted(len(server.tools), 'tool')}, all as pinned")  # noqa: FBT003
    text = ", ".join(f"{tool.name} {tool.untypable or tool.state}" for tool in odd[:5])
    more = f" and {len(odd) - 5} more" if len(odd) > 5 else ""
    return DoctorCheck(name, False, text + more, f"remit tools review {server.server}")  # noqa: FBT003


def _source(name: str, state: SourceState) -> DoctorCheck:
    failed = state.status is ConditionStatus.FALSE
    return DoctorCheck(f"source {name}", not failed, state.message, f"remit describe source {name}" if failed else None)


def _credential(state: CredentialState) -> DoctorCheck:
    """How a server's credential stands, never what it is."""
    until = f" until {instant(state.until_ms)}" if state.until_ms is not None else ""
    why = f": {state.why}" if state.why else ""
    wants_person = state.status in {CredentialStatus.NEEDS_LOGIN, CredentialStatus.EXPIRED}
    mend = f"remit servers login {state.server}" if wants_person else f"remit describe server {state.server}"
    text = f"{state.status.value}{until}{why}"
    return DoctorCheck(f"credential {state.server}", state.usable, text, None if state.usable else mend)


def _reach(runtime: Runtime, settings: Settings) -> Iterator[DoctorCheck]:
    """Whether a governed tool is given what governs it (README, "What it does not protect against")."""
    for name, server in sorted(runtime.bundle.catalog.servers.items()):
        if not isinstance(server.transport, Stdio):
            continue
        home = settings.data / SERVERS / name
        for folder, own_folder in reachable_folders(server.transport, home, (settings.workspace, settings.data)):
            holds = "which holds" if own_folder.resolve().is_relative_to(folder) else "which is in"
            text = f"{name} is given {folder}, {holds} {own_folder}"
            yield DoctorCheck("reach", False, text, f"give {name} a folder elsewhere")  # noqa: FBT003
    if os.name == "posix":
        same = any(isinstance(s.transport, Stdio) for s in runtime.bundle.catalog.servers.values())
        if same:
            text = "stdio servers run as Remit's own user and can read its files if they try"
            yield DoctorCheck("user", True, text, "run Remit as another user than agents and tools")  # noqa: FBT003


def _admission(runtime: Runtime) -> Iterator[DoctorCheck]:
    """Whether what runs is what the Admission saw."""
    admission = runtime.bundle.catalog.admission
    if not runtime.admitted:
        text = "the service was started with another workspace than was admitted, or without a case of it"
        yield DoctorCheck("admission", False, text, "remit apply --admit")  # noqa: FBT003
    elif admission is not None:
        yield DoctorCheck("admission", True, f"the Admission {admission.name} looks at every change before it runs")  # noqa: FBT003


def _observers(runtime: Runtime) -> Iterator[DoctorCheck]:
    for agent in runtime.bundle.catalog.agents.values():
        if agent.mode is Mode.OBSERVE:
            text = f"{agent.name} is observed only: policy denies it nothing"
            yield DoctorCheck("mode", True, text, f"remit agents report {agent.name}")  # noqa: FBT003


def _words(runtime: Runtime) -> Iterator[DoctorCheck]:
    """What it costs that nobody says what users said, where policies ask where values came from."""
    if not runtime.bundle.flow:
        return
    agents = runtime.bundle.catalog.agents.values()
    silent = [agent.name for agent in agents if agent.harness is not Harness.TRUSTED]
    if silent:
        more = f" and {len(silent) - 5} more" if len(silent) > 5 else ""
        text = (
            f"no harness states the user's words to {', '.join(silent[:5])}{more}: only configuration grounds values "
            "there, so that whatever else the user named is asked about like what a page named"
        )
        yield DoctorCheck("words", True, text, "docs/how-to/tell-remit-the-users-words.md")  # noqa: FBT003
