"""What stays of a body that is erased: its frame, which the record of the erasure keeps.

Laws
* The frame holds what state is folded from and what other records are checked against: who acted, on which tool, with
  which verdict. Arguments, context, reasons, errors, words, and hashes by which one could test a guess at them, are
  gone; but for the hash of an action that people decided on, which their decisions bear as well, for the keys under
  which it wrote to stores, which stand in their table as they are, and for the digests by which monitors tell keys.
* The frame folds to what the body folded to, so that every state table stays what the records fold to.
* Never erased: a record; an epoch, a decision, an erasure, or any other `admin` body but a user's words.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from remit.trace.bodies import ActionBody, AdminBody, Body, Event, ExchangeBody, OutcomeBody


def frame(body: Body) -> Body | None:
    """What is kept of `body`; None where it may not be erased."""
    match body:
        case ActionBody():
            was_asked = body.approval is not None or body.verdict == "escalate"
            action = body.action if was_asked else ""
            return replace(body, action=action, reasons=(), context={}, arguments=b"", trace=None, said=None)
        case OutcomeBody():
            origins = None if body.origins is None else ""
            return replace(body, result=None, result_bytes=0, error=None, origins=origins)
        case ExchangeBody(approval=None):
            origins = None if body.origins is None else ""
            return replace(body, content=None, content_bytes=0, reasons=(), origins=origins, questions=None)
        case AdminBody(event=Event.SESSION_WORDS):
            return replace(body, data={"grounds": True} if body.data.get("grounds") is True else {})
        case _:
            return None


def frames(body: AdminBody) -> Mapping[str, bytes]:
    """The frames that the record of an erasure keeps, as stored, by decision id; none of any other body."""
    listed = body.data.get("bodies") if body.event is Event.LEDGER_ERASED else None
    by_id: dict[str, bytes] = {}
    for entry in listed if isinstance(listed, list) else ():
        members = cast("dict[str, object]", entry) if isinstance(entry, dict) else {}
        ident, text = members.get("id"), members.get("kept")
        if isinstance(ident, str) and isinstance(text, str):
            by_id[ident] = text.encode()
    return by_id
