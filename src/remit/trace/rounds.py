"""Which action the responses of a round are: what an approval of them was asked for."""

from typing import cast

from remit.facts.action import bound_hash
from remit.facts.record import RecordKind
from remit.trace.bodies import ActionBody, ExchangeBody, MidCall
from remit.trace.encoding import decode_body


def responses_hash(intent: bytes, exchange: ExchangeBody) -> str | None:
    """The hash of the action whose intent is stored as `intent`, going on with the responses of `exchange`.

    INVARIANT(approval-binds-exact-action): an approval that lets them pass was given for this and nothing else.
    None where `exchange` passes no responses, or either of the two holds what no action does.
    """
    if exchange.passed is not MidCall.RESPONSES or exchange.content is None:
        return None
    try:
        action = cast("ActionBody", decode_body(RecordKind.INTENT, intent))
        digests = (exchange.content, exchange.questions)
        round_ = (exchange.number, *(one.removeprefix("sha256:") for one in digests if one is not None))
        tool = (action.server, action.name, action.pin)
        return bound_hash(action.kind, tool, action.user, action.links, action.arguments, round_)
    except ValueError:
        return None
