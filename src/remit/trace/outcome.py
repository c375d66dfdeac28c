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
        *_later_members(body),
    )


def outcome_from(data: bytes) -> OutcomeBody:
    """The body stored as `data`. Raises `ValueError`."""
    values = members("outcome body", data, 9, 10, 11, 12)
    intent, status, sids, labels, approval, result, size, elapsed, error = values[:9]
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
        origins=None if len(values) == 9 or (len(values) > 10 and values[9] is None) else text(values[9]),
        refunds=_refunds(values[10]) if len(values) > 10 else (),
        marks=marks_of(values[11]) if len(values) > 11 else (),
    )


def _later_members(body: OutcomeBody) -> tuple[object, ...]:
    refunds = [tuple(refund) for refund in body.refunds]
    if body.marks:
        return body.origins, refunds, [tuple(mark) for mark in body.marks]
    if refunds:
        return body.origins, refunds
    return () if body.origins is None else (body.origins,)


def _refunds(value: object) -> tuple[Refund, ...]:
    found = parts(value, 3)
    return tuple(Refund(text(account), integer(since), integer(units)) for account, since, units in found)
