"""A start on a data folder: its ledger and its keys, unless one of them was there and is lost.

Law: what is lost is gone on from by nobody in silence. A start is refused until it is put back, or somebody accepts
that it is gone (`--accept-loss`), which is on record then.
"""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from remit.adapters.keyring import forget_keys
from remit.adapters.notary import FOLDER as CHECKPOINT_KEYS
from remit.adapters.notary import FolderNotary
from remit.adapters.private import KeyringUnusable, write_private
from remit.adapters.signer import Ed25519Signer
from remit.adapters.sqlite import SqliteLedger, mark, open_ledger
from remit.adapters.sqlite.latest import latest_ms
from remit.adapters.sqlite.schema import backup_of, earlier_version
from remit.adapters.system import SteadyClock, SystemClock, SystemEntropy
from remit.app.service.addresses import issuer_of
from remit.app.settings import ISSUER, KEYS, Settings
from remit.app.terminal.failure import CommandFailure
from remit.app.terminal.output import say
from remit.facts.canonical import Json
from remit.facts.durations import SECOND_MS, spelled
from remit.facts.environment import environment_of
from remit.facts.record import RecordKind
from remit.facts.text import escaped
from remit.ports.ledger import Draft, LedgerUnwritable
from remit.ports.system import Clock
from remit.trace.bodies import AdminBody, Event

_LOG: Final = logging.getLogger(__name__)
_CLOCK: Final = SystemClock()
AHEAD_MS_MAX: Final = 5_000
"""From which on time that is ahead of the system's clock is told of: less is what clocks are corrected by."""
_BY: Final = "remit up --accept-loss"
_MEND_KEYS: Final = "mend that file, or put it back from your copy of the data folder, then: remit up"
_COSTS: Final = {
    KEYS: "without them every token is void, agents' and people's",
    CHECKPOINT_KEYS: "without them whoever checks checkpoints has to be given another key, by hand",
}


def clock_of(ledger: Path) -> SteadyClock:
    """The time for whoever writes to `ledger`: never before what is on record there. Where that is ahead it is said."""
    clock = SteadyClock(latest_ms(ledger), _CLOCK)
    ahead_ms = clock.ahead_ms()
    if ahead_ms >= AHEAD_MS_MAX:
        say(f"warning: {behind(ahead_ms)}; time goes on from there: set the clock right, then start it again")
        _LOG.warning("the system's clock was set back; time goes on from the latest record", extra={"ms": ahead_ms})
    return clock


def behind(ahead_ms: int) -> str:
    """That time is `ahead_ms` ahead of the system's clock, in words."""
    return f"the system's clock is {spelled(ahead_ms // SECOND_MS)} behind the latest record of the ledger"


def make_data_folder(data: Path) -> bool:
    """Make the folder `data`, for its owner alone, where there is none; whether it is new.

    Raises `CommandFailure` where it cannot be made, or nothing can be written into it.
    """
    verb = "made"
    try:
        new = not data.exists()
        verb = "made" if new else "written"
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data):
            return new
    except OSError as error:
        trouble = environment_of(error)
        place = error.filename if isinstance(error.filename, str) else str(data)
        why = (error.strerror or str(error)).lower() if trouble is None else trouble.why
        mend = "" if trouble is None else f"{trouble.next}; or "
        raise CommandFailure(
            f"the data folder {data} cannot be {verb}",
            why=f"{place}: {why}" if data.is_relative_to(place) and place != str(data) else why,
            next=f"{mend}name another folder: remit up --data FOLDER, with what else you gave it",
        ) from error


async def opened(settings: Settings, resource: str, clock: Clock) -> tuple[SqliteLedger, Ed25519Signer, FolderNotary]:
    """The ledger of a service known as `resource`, who signs tokens, and who checkpoints.

    The loss of it, of its end or of keys is on record where that was accepted; raises `LedgerRefused` or
    `CommandFailure` where it was not, or keys cannot be used, and `LedgerUnwritable`.
    """
    ledger = await _ledger(settings, clock)
    try:
        signer, notary = _signing(settings, resource, ledger.origin, clock)
        # Before anything is signed or answered: from here on nothing that signs can be lost without a word.
        signing = mark.relative_names(settings.ledger, (signer.file, notary.file))
        mark.mark(settings.ledger, keys=signing, issuer=signer.issuer)
    except BaseException:
        await ledger.close()
        raise
    return ledger, signer, notary


async def _ledger(settings: Settings, clock: Clock) -> SqliteLedger:
    keys = settings.data / KEYS
    losses: list[tuple[Event, str]] = []
    try:
        mark.check(settings.ledger, keys)
    except mark.LedgerLost as lost:
        if not settings.accept_loss:
            raise
        forget_keys(keys)
        mark.forget(settings.ledger)
        losses.append((Event.LEDGER_LOSS_ACCEPTED, lost.why))
    marked = mark.last(settings.ledger)
    lost_keys = [name for name in (() if marked is None else marked.keys) if not (settings.data / name).is_file()]
    if lost_keys and not settings.accept_loss:
        raise _lost(settings, lost_keys)
    lost_keys += _issuer_lost(settings, None if marked is None else marked.issuer)
    losses += [(Event.KEY_LOSS_ACCEPTED, f"{name} was lost") for name in lost_keys]
    _announce_migration(settings.ledger)
    ledger = open_ledger(settings.ledger, clock, SystemEntropy())
    try:
        for event, why in losses:
            data: dict[str, Json] = {"why": why}
            body = AdminBody(event, _BY, ledger.chain, data)
            await ledger.append(Draft(RecordKind.ADMIN, clock.now_ms(), "", "", body)).durable
    except LedgerUnwritable:
        await ledger.close()
        raise
    if lost_keys:
        mark.mark(settings.ledger)
    return ledger


def _announce_migration(ledger: Path) -> None:
    version = earlier_version(ledger)
    if version is not None:
        backup = escaped(str(backup_of(ledger, version)))
        say(
            f"the ledger is of an earlier version: it is copied to {backup}, and what its records say is worked out "
            "anew, which takes about a minute for a million of them"
        )
        _LOG.info("a ledger of an earlier version is copied and worked out anew", extra={"place": backup})


def _signing(settings: Settings, resource: str, origin: str, clock: Clock) -> tuple[Ed25519Signer, FolderNotary]:
    issuer = issuer_of(settings.data, resource)
    try:
        signer = Ed25519Signer(settings.data / KEYS, clock, issuer=issuer, audience=issuer)
        return signer, FolderNotary(settings.data / CHECKPOINT_KEYS, clock, origin)
    except KeyringUnusable as error:
        raise CommandFailure("the signing keys cannot be used", why=str(error), next=_MEND_KEYS) from error


def _issuer_lost(settings: Settings, marked: str | None) -> Sequence[str]:
    """Whether nobody knows any more as whom tokens were signed; where the mark does, that is put back."""
    path = settings.data / ISSUER
    if path.exists() or not any((settings.data / KEYS).glob("*.pem")):
        return ()
    if marked:
        write_private(path, marked.encode("ascii"))
        say(f"{escaped(str(path))} was lost and is put back: tokens are signed as {marked}")
        _LOG.warning("who signs tokens was lost and is put back from ledger.mark", extra={"place": ISSUER})
        return ()
    if settings.accept_loss:
        return (ISSUER,)
    raise CommandFailure(
        f"{path} is lost, which says as whom this service signs",
        why="under another address than before every token would be void, agents' and people's, and none could tell",
        next=f"put it back from your copy of the data folder, or write the address into it that the service had at its "
        f"first start: printf %s http://127.0.0.1:7070 >{path}; nobody knows it: remit up --accept-loss",
    )


def _lost(settings: Settings, lost_keys: Sequence[str]) -> CommandFailure:
    folders = {name.partition("/")[0] for name in lost_keys}
    costs = "; ".join(cost for folder, cost in _COSTS.items() if folder in folders)
    return CommandFailure(
        "keys that this service signs with are lost",
        why=f"{' and '.join(lost_keys)} of {settings.data} {'was' if len(lost_keys) == 1 else 'were'} there, and "
        f"{'is' if len(lost_keys) == 1 else 'are'} not: {costs}",
        next=f"put {' and '.join(f'{folder}/' for folder in sorted(folders))} back from your copy of the data folder; "
        "without one: remit up --accept-loss, which makes new keys",
    )
