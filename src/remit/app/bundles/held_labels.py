"""Labels that live sessions and stores hold, though a bundle could not name them."""

from collections.abc import Mapping
from typing import Final

from remit.api.services import Conflict
from remit.facts.durations import HOUR_MS
from remit.facts.store import place
from remit.policy.bundle import Bundle
from remit.ports.ledger import Ledger
from remit.protect.stores import Stores

_SHOWN_MAX: Final = 3


async def held_labels(bundle: Bundle, ledger: Ledger, now_ms: int) -> Mapping[str, str]:
    """Each label that `bundle` cannot name and who holds it: stores of the bundle's, sessions that still run."""
    stores = Stores(await ledger.store_labels())
    names = sorted({name for store_names in bundle.stores.values() for name in store_names})
    holders: dict[str, list[str]] = {}
    for name in names:
        for label in stores.labels(place(name)) - bundle.labels:
            holders.setdefault(label, []).append(f"store {name}")
    # What started since then is what is not outlived (`facts.session`).
    since_ms = now_ms - int(bundle.catalog.session_hours_max * HOUR_MS)
    for session in await ledger.sessions_beyond(bundle.labels, since_ms):
        for label in session.labels - bundle.labels:
            holders.setdefault(label, []).append(f"session {session.sid} of {session.agent}")
    return {label: _holders_text(by) for label, by in holders.items()}


async def check_labels(bundle: Bundle, running: Bundle, ledger: Ledger, now_ms: int) -> None:
    """Raises `Conflict` where `bundle` could not name a label of `running` that a live session or a store holds."""
    lost_labels = {
        label: by for label, by in (await held_labels(bundle, ledger, now_ms)).items() if label in running.labels
    }
    if lost_labels:
        label, by = min(lost_labels.items())
        what = f"the label {label} would leave the catalog, and {by} holds it: no policy could name what is marked so"
        raise Conflict(what, "keep it as the source of a tool or a server, or: remit sessions ls")


def _holders_text(by: list[str]) -> str:
    more = len(by) - _SHOWN_MAX
    return ", ".join(by[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
