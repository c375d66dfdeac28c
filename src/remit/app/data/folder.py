"""A start on a data folder: its ledger and its keys, unless one of them was there and is lost.

Law: what is lost is gone on from by nobody in silence. A start is refused until it is put back, or somebody accepts
that it is gone (`--accept-loss`), which is on record then.
"""

from collections.abc import Sequence
from typing import Final

from remit.adapters.keyring import forget_keys
from remit.adapters.notary import FOLDER as CHECKPOINT_KEYS
from remit.adapters.notary import FolderNotary
from remit.adapters.private import KeyringUnusable
from remit.adapters.signer import Ed25519Signer
from remit.adapters.sqlite import SqliteLedger, mark, open_ledger
from remit.adapters.system import SystemClock, SystemEntropy
from remit.app.service.addresses import issuer_of
from remit.app.settings import KEYS, Settings
from remit.app.terminal.failure import CommandFailure
from remit.facts.canonical import Json
from remit.facts.record import RecordKind
from remit.ports.ledger import Draft, LedgerUnwritable
from remit.trace.bodies import AdminBody, Event

_CLOCK: Final = SystemClock()
_BY: Final = "remit up --accept-loss"
_COSTS: Final = {
    KEYS: "without them every token is void, agents' and people's",
    CHECKPOINT_KEYS: "without them whoever checks checkpoints has to be given another key, by hand",
}


async def opened(settings: Settings, resource: str) -> tuple[SqliteLedger, Ed25519Signer, FolderNotary]:
    """The ledger of a service known as `resource`, who signs tokens, and who checkpoints.

    The loss of it, of its end or of keys is on record where that was accepted; raises `LedgerRefused` or
    `CommandFailure` where it was not, or keys cannot be used, and `LedgerUnwritable`.
    """
    ledger = await _ledger(settings)
    try:
        return ledger, *_signing(settings, resource, ledger.origin)
    except CommandFailure:
        await ledger.close()
        raise


async def _ledger(settings: Settings) -> SqliteLedger:
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
    gone = [name for name in mark.keys(settings.ledger) if not (settings.data / name).is_file()]
    if gone and not settings.accept_loss:
        raise _lost(settings, gone)
    losses += [(Event.KEY_LOSS_ACCEPTED, f"{name} was lost") for name in gone]
    ledger = open_ledger(settings.ledger, _CLOCK, SystemEntropy())
    try:
        for event, why in losses:
            data: dict[str, Json] = {"why": why}
            body = AdminBody(event, _BY, ledger.chain, data)
            await ledger.append(Draft(RecordKind.ADMIN, _CLOCK.now_ms(), "", "", body)).durable
    except LedgerUnwritable:
        await ledger.close()
        raise
    if gone:
        mark.mark(settings.ledger)
    return ledger


def _signing(settings: Settings, resource: str, origin: str) -> tuple[Ed25519Signer, FolderNotary]:
    issuer = issuer_of(settings.data, resource)
    try:
        signer = Ed25519Signer(settings.data / KEYS, _CLOCK, issuer=issuer, audience=issuer)
        return signer, FolderNotary(settings.data / CHECKPOINT_KEYS, _CLOCK, origin)
    except KeyringUnusable as error:
        raise CommandFailure("the signing keys cannot be used", why=str(error)) from error


def _lost(settings: Settings, gone: Sequence[str]) -> CommandFailure:
    folders = {name.partition("/")[0] for name in gone}
    costs = "; ".join(cost for folder, cost in _COSTS.items() if folder in folders)
    return CommandFailure(
        "keys that this service signs with are lost",
        why=f"{' and '.join(gone)} of {settings.data} {'was' if len(gone) == 1 else 'were'} there, and "
        f"{'is' if len(gone) == 1 else 'are'} not: {costs}",
        next=f"put {' and '.join(f'{folder}/' for folder in sorted(folders))} back from your copy of the data folder; "
        "without one: remit up --accept-loss, which makes new keys",
    )
