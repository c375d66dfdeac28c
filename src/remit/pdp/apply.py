"""Deltas applied: a session or an approval as it is after what a record says of it.

Applying is total: a delta that no longer fits changes nothing. Approvals move by `escalate.machine` alone.
"""

from dataclasses import replace
from typing import TypeAlias, assert_never

from remit.escalate import grants
from remit.escalate.grants import Grant
from remit.escalate.machine import (
    MOVES,
    Approval,
    ApprovalMove,
    broken,
    delegated,
    refused,
    reviewed,
    step,
    superseded,
    voted,
)
from remit.facts.budget import Balance
from remit.facts.session import Session
from remit.pdp.deltas import (
    ApprovalBroken,
    ApprovalClaimed,
    ApprovalDelegated,
    ApprovalDelta,
    ApprovalMoved,
    ApprovalRefused,
    ApprovalReviewed,
    ApprovalSuperseded,
    ApprovalVoted,
    BudgetDelta,
    BudgetReset,
    Charged,
    ConfidenceStated,
    GrantDelta,
    GrantRevoked,
    GrantUsed,
    GrantVoted,
    LabelsJoined,
    Refunded,
    SessionDelta,
    SessionEnded,
    SessionTouched,
)
from remit.protect.budgets import Accounts

_Moving: TypeAlias = (
    ApprovalVoted
    | ApprovalRefused
    | ApprovalDelegated
    | ApprovalBroken
    | ApprovalSuperseded
    | ApprovalClaimed
    | ApprovalMoved
)


def apply_session(session: Session | None, delta: SessionDelta) -> Session:
    """`session` after `delta`.

    One that nobody started is kept too, its agent not yet known: ending it early ends it.
    """
    match delta:
        case SessionTouched(sid, agent, user, at, calls, irreversible):
            if session is None:
                return Session(sid, agent, user, at, calls=calls, irreversible_calls=irreversible)
            has_agent = session.agent != ""
            return Session(
                sid,
                session.agent if has_agent else agent,
                session.user if has_agent else user,
                session.started_ms,
                session.labels,
                session.calls + calls,
                session.irreversible_calls + irreversible,
                session.ended_ms,
                session.confidence,
            )
        case LabelsJoined(sid, at, labels):
            if session is None:
                return Session(sid, "", None, at, labels)
            return session if labels <= session.labels else replace(session, labels=session.labels | labels)
        case ConfidenceStated(sid, at, source, units):
            current = Session(sid, "", None, at) if session is None else session
            return replace(current, confidence=current.confidence.stated(source, units))
        case SessionEnded(sid, at):
            if session is None:
                return Session(sid, "", None, at, ended_ms=at)
            return session if session.ended_ms is not None else replace(session, ended_ms=at)
        case _:
            assert_never(delta)


def apply_grant(grant: Grant | None, delta: GrantDelta) -> Grant | None:
    """`grant` after `delta`; None where there is none, and no terms to begin with."""
    match delta:
        case GrantVoted(ident, vote, terms):
            if grant is None:
                return None if terms is None else Grant(ident, terms, vote.at, (vote,))
            return grants.voted(grant, vote)
        case GrantRevoked(_, by):
            return None if grant is None else grants.revoked(grant, by)
        case GrantUsed():
            return None if grant is None else grants.used(grant)
        case _:
            assert_never(delta)


def apply_budget(accounts: Accounts, delta: BudgetDelta) -> Balance | None:
    """Have `accounts` follow `delta`; the account as it is then, None where nothing of it is known any more."""
    match delta:
        case Charged(account, since_ms, units):
            return accounts.charge(account, since_ms, units)
        case Refunded(account, since_ms, units):
            return accounts.refund(account, since_ms, units)
        case BudgetReset(account, since_ms):
            return accounts.begin(account, since_ms)
        case _:
            assert_never(delta)


def apply_approval(approval: Approval, delta: ApprovalDelta) -> Approval:
    """`approval` after `delta`; the very same object when the machine has no such move."""
    if isinstance(delta, ApprovalReviewed):
        return reviewed(approval, delta.by)
    move = _move(delta)
    if (approval.state, move) not in MOVES:
        return approval
    match delta:
        case ApprovalVoted(_, vote, completes, edit):
            return voted(approval, vote, completes=completes, edit=edit)
        case ApprovalRefused(_, by, reason, note):
            return refused(approval, by, reason, note)
        case ApprovalDelegated(_, delegation):
            return delegated(approval, delegation)
        case ApprovalBroken(_, glass):
            return broken(approval, glass)
        case ApprovalSuperseded(_, by):
            return superseded(approval, by)
        case ApprovalClaimed(_, intent):
            return replace(step(approval, ApprovalMove.CLAIM), claimed_by=intent)
        case ApprovalMoved():
            return step(approval, move)
        case _:
            assert_never(delta)


def _move(delta: _Moving) -> ApprovalMove:
    match delta:
        case ApprovalDelegated():
            return ApprovalMove.DELEGATE
        case ApprovalBroken():
            return ApprovalMove.BREAK_GLASS
        case ApprovalSuperseded():
            return ApprovalMove.SUPERSEDE
        case ApprovalVoted(_, _, completes):
            return ApprovalMove.COMPLETE if completes else ApprovalMove.VOTE
        case ApprovalRefused():
            return ApprovalMove.REFUSE
        case ApprovalClaimed():
            return ApprovalMove.CLAIM
        case ApprovalMoved(_, move):
            return move
        case _:
            assert_never(delta)
