"""The end of an intent as it is stored: members in declared order, later ones where they say something."""

from remit.facts.budget import Refund
from remit.trace.bodies import OutcomeBody, Status
from remit.trace.members import Undecodable, integer, marks_of, maybe, members, parts, text, texts


def members_of(body: OutcomeBody) -> tuple[object, ...]:
    """What is stored of `body`."""
    return (
        body.intent,
        body.status,
        body.sids,
        body.labels,
        body.approval,
        body.result,
        body.result_bytes,
        body.elapsed_ms,
        body.error,
        *_added(body),
    )


def outcome_from(data: bytes) -> OutcomeBody:
    """The body stored as `data`. Raises `ValueError`."""
    found = members("outcome body", data, 9, 10, 11, 12)
    intent, status, sids, labels, approval, result, size, elapsed, error = found[:9]
    if isinstance(elapsed, bool) or not isinstance(elapsed, int | float):
        raise Undecodable("outcome body: elapsed_ms is no number")
    return OutcomeBody(
        intent=text(intent),
        status=Status(text(status)),
        sids=texts(sids),
        labels=texts(labels),
        approval=maybe(approval),
        result=maybe(result),
        result_bytes=integer(size),
        elapsed_ms=elapsed,
        error=maybe(error),
        origins=None if len(found) == 9 or (len(found) > 10 and found[9] is None) else text(found[9]),
        refunds=_refunds(found[10]) if len(found) > 10 else (),
        marks=marks_of(found[11]) if len(found) > 11 else (),
    )


def _added(body: OutcomeBody) -> tuple[object, ...]:
    refunds = [tuple(refund) for refund in body.refunds]
    if body.marks:
        return body.origins, refunds, [tuple(mark) for mark in body.marks]
    if refunds:
        return body.origins, refunds
    return () if body.origins is None else (body.origins,)


def _refunds(value: object) -> tuple[Refund, ...]:
    found = parts(value, 3)
    return tuple(Refund(text(account), integer(since), integer(units)) for account, since, units in found)
