"""State is a fold of the ledger: each record gives deltas, and nothing else changes state.

Laws
* `fold` is total: whatever was recorded gives deltas, never an error; a record that says nothing
  of state gives none. Applying a delta that no longer fits (a vote on an ended approval) changes
  nothing.
* Order is the ledger's order. The ledger's writer applies exactly these deltas in the record's
  own transaction (`pdp.apply`), and the driver's memory applies the same ones, so both agree.
* Labels join, counters add: no delta takes a label away or lowers a counter.
  INVARIANT(label-before-data): a chain's earlier intents without an outcome are in doubt once
  the next epoch begins (`EpochBegan`); their `source` labels then join their sessions for good.
* Approvals move by `escalate.machine` alone. INVARIANT(approval-binds-exact-action)

What `admin` bodies carry in `data`, by event: `session.opened` {agent, user?}; `session.keyed` {key}, null
to erase it; `session.words` {text, grounds?}; `token.revoked` {expires_ms}; `credential` {hash}, null to remove it;
`epoch` {heads, …}; `halt` {reason, holds?, keeps?}; `session.confidence` {source, units};
`server.entrusted` {session, tool, origins};
`approval.superseded` {by}; `guarantee.signed` {breach, why}; `past.carried` {slot}; `store.carried` {labels};
`intent.settled` {happened, why, outcome?, refunds?, root?, marks?}; `budget.reset` {since_ms?};
`budget.carried` {since_ms, units};
`passkey.added` {user, key, count, name, at_ms?}; `passkey.removed` {user, why?, confirmed?: [passkey, counted]}.
`subject` is the id of the session, token, credential, approval, passkey or intent, the account of a budget, a breaker,
a guarantee, the place of a slot or in a store, the index of a server, or the chain.
"""

import re
from typing import Final, assert_never

from remit.escalate.grants import terms_of
from remit.escalate.machine import Approval, ApprovalMove, Delegation, Edit, Glass, Vote
from remit.facts.budget import refunds_in
from remit.facts.impact import PLACES
from remit.facts.label import closed
from remit.facts.record import RecordKind, Ref
from remit.pdp.carry_over import of_carry_over
from remit.pdp.credentials import of_credential
from remit.pdp.deltas import (
    ApprovalBroken,
    ApprovalClaimed,
    ApprovalDelegated,
    ApprovalMoved,
    ApprovalOpened,
    ApprovalRefused,
    ApprovalReviewed,
    ApprovalSuperseded,
    ApprovalVoted,
    BodiesErased,
    Charged,
    ConfidenceStated,
    Delta,
    EpochBegan,
    GrantRevoked,
    GrantUsed,
    GrantVoted,
    IntentClosed,
    IntentOpened,
    LabelsJoined,
    OriginsAdded,
    PasskeyUsed,
    PlaceLabelled,
    Refunded,
    SessionEnded,
    SessionKeyed,
    SessionTouched,
)
from remit.pdp.interventions import of_intervention
from remit.pdp.limit_deltas import of_limit
from remit.pdp.past_deltas import PastMarked, settled_past
from remit.trace.bodies import (
    UNANSWERED,
    ActionBody,
    AdminBody,
    Body,
    Choice,
    DecisionBody,
    Event,
    ExchangeBody,
    OutcomeBody,
    Status,
    StoreWrite,
)
from remit.trace.erasure import frames

ENDS: Final = {
    Status.OK: ApprovalMove.SUCCEED,
    Status.TOOL_ERROR: ApprovalMove.FAIL,
    Status.UPSTREAM_ERROR: ApprovalMove.FAIL,
    Status.NOT_SENT: ApprovalMove.FAIL,
    Status.TIMEOUT: ApprovalMove.LOSE,
    Status.LOST: ApprovalMove.LOSE,
}
"""How an outcome ends the approval that its intent claimed."""

MOVES: Final = {
    Event.APPROVAL_EXPIRED: ApprovalMove.EXPIRE,
    Event.APPROVAL_CANCELLED: ApprovalMove.CANCEL,
    Event.APPROVAL_STARTED: ApprovalMove.START,
}
"""How a record of Remit's own moves an approval."""

KEY: Final = re.compile(r"(?:[0-9a-f]{32}){1,2}")
"""The key of a session's index, in hex."""
_INTENT: Final = RecordKind.INTENT


def fold(ref: Ref, at: int, kind: RecordKind, body: Body) -> tuple[Delta, ...]:
    """What the record at `ref`, made at `at` (ms), changes, in order."""
    match body:
        case ActionBody():
            return _intent(ref, at, body) if kind is _INTENT else _proposal(ref, at, body)
        case ExchangeBody():
            return _exchange(ref, at, body)
        case OutcomeBody():
            return _outcome(ref, at, body)
        case DecisionBody():
            return _decision(ref, at, body)
        case AdminBody():
            return _admin(ref, at, body)
        case _:
            assert_never(body)


def _intent(ref: Ref, at: int, body: ActionBody) -> tuple[Delta, ...]:
    user, irreversible = body.user, 1 if body.irreversible else 0
    opened = IntentOpened(ref, body)
    links = body.links
    plain = body.approval is None and body.stored is None and not body.grants and not body.charges and not body.marks
    if plain and len(links) == 1:
        agent, sid = links[0]
        return (SessionTouched(sid, agent, user, at, 1, irreversible), opened)
    deltas: list[Delta] = [SessionTouched(sid, agent, user, at, 1, irreversible) for agent, sid in links]
    deltas.append(opened)
    if body.approval is not None:
        deltas.append(ApprovalClaimed(body.approval, str(ref)))
    deltas.extend(_place_labels(body.stored))
    deltas.extend([GrantUsed(grant) for grant in body.grants])
    deltas.extend([Charged(account, since_ms, units) for account, since_ms, units, _ in body.charges])
    deltas.extend(_past_marks(body, at))
    return tuple(deltas)


def _past_marks(body: ActionBody, at: int) -> list[PastMarked]:
    if not body.marks or not body.links:
        return []
    root = body.links[0][1]
    return [PastMarked(mark.scope(root), mark, at) for mark in body.marks]


def _place_labels(stored: StoreWrite | None) -> list[PlaceLabelled]:
    """INVARIANT(label-before-data): the store holds the labels before what bears them is forwarded."""
    return [] if stored is None else [PlaceLabelled(where, closed(stored.labels)) for where in stored.places]


def _proposal(ref: Ref, at: int, body: ActionBody) -> tuple[Delta, ...]:
    deltas: list[Delta] = [SessionTouched(sid, agent, body.user, at, 0, 0) for agent, sid in body.links]
    deltas.extend(_past_marks(body, at))
    # A proposal that names an approval waits for that one; people are not asked twice.
    if body.verdict == "escalate" and body.links and body.approval is None:
        agent, sid = body.links[-1]
        deltas.append(
            ApprovalOpened(
                Approval(
                    ident=str(ref),
                    requested=body.action,
                    sid=sid,
                    agent=agent,
                    user=body.user,
                    server=body.server,
                    name=body.name,
                    gates=body.gates,
                    opened_ms=at,
                    expires_ms=at if body.expires_ms is None else body.expires_ms,
                    nonce=body.nonce or "",
                )
            )
        )
    return tuple(deltas)


def _exchange(ref: Ref, at: int, body: ExchangeBody) -> tuple[Delta, ...]:
    deltas: list[Delta] = []
    if body.labels:
        labels = closed(body.labels)
        deltas.extend([LabelsJoined(sid, at, labels) for sid in body.sids])
    if body.approval is not None:
        # What people approved is that these responses pass; with this record they have.
        deltas.append(ApprovalClaimed(body.approval, str(ref)))
        deltas.append(ApprovalMoved(body.approval, ApprovalMove.START))
        deltas.append(ApprovalMoved(body.approval, ApprovalMove.SUCCEED))
    deltas.extend(_place_labels(body.stored))
    if body.origins is not None and body.sids:
        deltas.append(OriginsAdded(ref, body.sids[0]))
    return tuple(deltas)


def _outcome(ref: Ref, at: int, body: OutcomeBody) -> tuple[Delta, ...]:
    deltas: list[Delta] = []
    if body.labels:
        labels = closed(body.labels)
        deltas.extend([LabelsJoined(sid, at, labels) for sid in body.sids])
    deltas.append(IntentClosed(body.intent, ref, unanswered=body.status if body.status in UNANSWERED else None))
    deltas.extend([Refunded(*refund) for refund in body.refunds])
    if body.origins is not None and body.sids:
        deltas.append(OriginsAdded(ref, body.sids[0]))
    if body.approval is not None:
        deltas.append(ApprovalMoved(body.approval, ENDS[body.status]))
    if body.marks and body.sids:
        deltas.extend([PastMarked(mark.scope(body.sids[0]), mark, at) for mark in body.marks])
    return tuple(deltas)


def _decision(ref: Ref, at: int, body: DecisionBody) -> tuple[Delta, ...]:
    deltas = _choice(ref, at, body)
    return deltas if body.confirmed is None else (*deltas, PasskeyUsed(*body.confirmed))


def _choice(ref: Ref, at: int, body: DecisionBody) -> tuple[Delta, ...]:
    vote = Vote(body.by, at, body.routes, body.note, strong=body.confirmed is not None)
    match body.choice:
        case Choice.APPROVE:
            edit = None
            if body.edit is not None and body.approved is not None:
                edit = Edit(body.by, at, body.approved, body.edit, body.nonce or "")
            return (ApprovalVoted(body.approval, vote, body.completes, edit),)
        case Choice.DENY:
            return (ApprovalRefused(body.approval, body.by, body.reason, body.note),)
        case Choice.DELEGATE:
            until_ms = at if body.until_ms is None else body.until_ms
            return (ApprovalDelegated(body.approval, Delegation(body.by, body.to or "", at, until_ms, vote.strong)),)
        case Choice.BREAK_GLASS:
            return (ApprovalBroken(body.approval, Glass(body.by, at, body.note or "", strong=vote.strong)),)
        case Choice.REVIEW:
            return (ApprovalReviewed(body.approval, body.by),)
        case Choice.GRANT:
            terms = body.grant or {}
            of = terms.get("of")
            return (GrantVoted(of if isinstance(of, str) else str(ref), vote, terms_of(body.approval, terms)),)
        case Choice.REVOKE:
            of = (body.grant or {}).get("of")
            return (GrantRevoked(of, body.by),) if isinstance(of, str) else ()
        case _:
            assert_never(body.choice)


def _admin(ref: Ref, at: int, body: AdminBody) -> tuple[Delta, ...]:
    match body.event:
        case Event.EPOCH:
            return (EpochBegan(body.subject, at),)
        case (
            Event.SESSION_OPENED
            | Event.SESSION_ENDED
            | Event.SESSION_KEYED
            | Event.SESSION_WORDS
            | Event.SESSION_CONFIDENCE
        ):
            return _of_session(ref, at, body, body.event)
        case Event.TOKEN_REVOKED | Event.CREDENTIAL | Event.PASSKEY_ADDED | Event.PASSKEY_REMOVED:
            return of_credential(at, body, body.event)
        case Event.LEDGER_ERASED:
            return (BodiesErased(ref, tuple(frames(body))),)
        case Event.APPROVAL_EXPIRED | Event.APPROVAL_CANCELLED | Event.APPROVAL_STARTED:
            return (ApprovalMoved(body.subject, MOVES[body.event]),)
        case Event.HALT | Event.RESUME | Event.GUARANTEE_SIGNED:
            return of_intervention(at, body)
        case Event.INTENT_SETTLED:
            refunds = (Refunded(*refund) for refund in refunds_in(body.data))
            return (IntentClosed(body.subject, ref, settled=True), *refunds, *settled_past(at, body))
        case Event.SERVER_ENTRUSTED:
            return (OriginsAdded(ref, body.subject),)
        case Event.PAST_CARRIED | Event.STORE_CARRIED:
            return of_carry_over(body, body.event)
        case Event.BREAKER_TRIPPED | Event.BREAKER_CLOSED | Event.BUDGET_RESET | Event.BUDGET_CARRIED:
            return of_limit(at, body)
        case Event.APPROVAL_SUPERSEDED:
            new = body.data.get("by")
            return (ApprovalSuperseded(body.subject, new if isinstance(new, str) else ""),)
        case (
            Event.BUNDLE
            | Event.ADMISSION
            | Event.ADMISSION_OVERRIDDEN
            | Event.TOKEN_ISSUED
            | Event.KEY_ROTATED
            | Event.TOOLS_ACCEPTED
            | Event.RESOURCE_DELETED
            | Event.LEDGER_RESTORED
            | Event.LEDGER_LOSS_ACCEPTED
            | Event.KEY_LOSS_ACCEPTED
            | Event.SERVER_LOGIN
            | Event.SERVER_LOGOUT
            | Event.AGENT_REGISTERED
            | Event.AGENT_ENFORCED
            | Event.POLICY_DIFFERENCE
            | Event.INVENTORY_CHANGED
            | Event.AGENT_DRIFTED
            | Event.DETECTED
            | Event.CHECKPOINT_KEY
            | Event.HALT_DRILL
            | Event.APPROVAL_PREVIEWED
            | Event.INCIDENT_OPENED
            | Event.INCIDENT_SEEN
            | Event.INCIDENT_ASSIGNED
            | Event.INCIDENT_CLOSED
        ):
            return ()
        case _:
            assert_never(body.event)


def _of_session(ref: Ref, at: int, body: AdminBody, event: Event) -> tuple[Delta, ...]:
    sid, data = body.subject, body.data
    match event:
        case Event.SESSION_OPENED:
            agent, user = data.get("agent"), data.get("user")
            by = agent if isinstance(agent, str) else ""
            return (SessionTouched(sid, by, user if isinstance(user, str) else None, at, 0, 0),)
        case Event.SESSION_ENDED:
            return (SessionEnded(sid, at),)
        case Event.SESSION_CONFIDENCE:
            units, source = data.get("units"), data.get("source")
            if not isinstance(units, int) or isinstance(units, bool) or not 0 <= units <= PLACES:
                return ()
            return (ConfidenceStated(sid, at, str(source), units),)
        case Event.SESSION_KEYED:
            key = data.get("key")
            return (SessionKeyed(ref, sid, key if isinstance(key, str) and KEY.fullmatch(key) else None),)
        case _:
            return (OriginsAdded(ref, sid),) if data.get("grounds") is True else ()


def in_doubt(intent: ActionBody, at: int) -> tuple[Delta, ...]:
    """What follows once an epoch begins, at `at`, and finds an intent without an outcome.

    Nobody knows what its effect was: its labels join its sessions, its approval is used up; but where the tool is
    told by a key that it was asked before, the caller may have it once more, under the same one.
    """
    labels = closed(intent.source)
    deltas: list[Delta] = [LabelsJoined(sid, at, labels) for _, sid in intent.links if labels]
    if intent.approval is not None:
        deltas.append(ApprovalMoved(intent.approval, ApprovalMove.LOSE if intent.nonce is None else ApprovalMove.RETRY))
    return tuple(deltas)
