"""`remit agents report`: what enforcing would have changed, read from the ledger in bounded steps."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, cast

from remit.adapters.sqlite.observations import pages
from remit.api.services import Adoption, PolicyText
from remit.control.adoption import AdoptionTally, Observed
from remit.facts.action import ActionKind
from remit.facts.record import Ref
from remit.policy.role import PolicyRole, role_in
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody

RECORDS_MAX: Final = 2_000_000
CALLS_MAX: Final = 200_000
OVERRIDDEN_MAX: Final = 20_000
"""Where a report stops reading and says so: a few seconds of one core, whichever comes first."""
_LISTING: Final = frozenset({ActionKind.READ_RESOURCE, ActionKind.GET_PROMPT})

PolicyOf = Callable[[str, str], PolicyText | None]
"""The text of a policy by bundle digest and id, if it is still at hand."""


@dataclass(slots=True)
class _Read:
    records: int = 0
    calls: int = 0
    overridden: int = 0
    from_ms: int | None = None
    complete: bool = True


def adoption(ledger: Path, agent: str, since_ms: int, policy: PolicyOf) -> Adoption:
    """What observing let `agent` do since then, as far back as the bounds allow. Blocks."""
    tally, read = AdoptionTally(agent), _Read()

    @cache
    def forbids(bundle: str, ident: str) -> bool:
        text = policy(bundle, ident)
        return text is None or role_in(text.text) is not PolicyRole.PERMITS

    for page in pages(ledger, agent, since_ms):
        read.records += page.records
        read.calls += page.calls
        read.overridden += len(page.overridden)
        read.from_ms = page.from_ms
        for entry in page.overridden:
            if isinstance(entry.body, ActionBody):
                bundle = entry.record.bundle
                tally.add(_call(entry, entry.body), lambda ident, bundle=bundle: forbids(bundle, ident))
        if read.records >= RECORDS_MAX or read.calls >= CALLS_MAX or read.overridden >= OVERRIDDEN_MAX:
            read.complete = read.from_ms < since_ms
            break
    since = since_ms if read.complete or read.from_ms is None else read.from_ms
    return Adoption(
        since, read.complete, read.records, read.calls, tally.denied, tally.escalated, tally.hidden, tuple(tally.rows())
    )


def _call(entry: Entry, body: ActionBody) -> Observed:
    record = entry.record
    lists = not body.name and body.kind in _LISTING
    tool = f"{body.server} ({_offer(body)})" if lists else f"{body.server}/{body.name}" if body.server else body.name
    agents = tuple(agent for agent, _ in body.links)
    return Observed(
        str(Ref(record.chain, record.seq)), record.at, tool, agents, body.reasons, body.observed or "deny", lists
    )


def _offer(body: ActionBody) -> str:
    """Which list it asks for, or asks to be told of: `resources`, `prompts` and the like."""
    try:
        value: object = json.loads(body.arguments)
    except ValueError:
        value = None
    arguments = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return str(arguments.get("list") or arguments.get("watch") or "what it offers")
