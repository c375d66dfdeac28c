"""The invariants of the decision path and the ledger, switched off one at a time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from remit.adapters.sqlite import state, writer
from remit.escalate import eligibility
from remit.facts.action import Action, bound_hash
from remit.facts.label import NONE
from remit.pdp import chain, decide
from remit.pdp.deltas import ApprovalClaimed, LabelsJoined, SessionTouched
from remit.pdp.snapshot import Pin
from remit.pep import decision_engine, limit_state, memory, outcomes
from remit.pep.action_pipeline import ActionPipeline
from remit.pep.attempt import Attempt
from remit.pep.authorization import Authorization
from remit.pep.decision_engine import DecisionEngine
from remit.pep.notices import Notices
from remit.pep.outcomes import Outcomes
from remit.pep.pins import Pins
from remit.policy import evaluate
from remit.policy.verdict import Code, Permit
from remit.ports.ledger import Pending
from tests.sim.mutants.planting import Mutant, Planted, nothing
from tests.sim.realm import variants


def _at_once(pending: Pending) -> Pending:
    """`pending`, said to be durable now."""
    done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return Pending(pending.ref, done)


def _sent_early() -> Planted:
    async def settled(_pipeline: ActionPipeline, _attempt: Any) -> None:
        return None

    return ActionPipeline, "_settled", settled


def _answers_early() -> Planted:
    real = DecisionEngine.judge

    def judge(desk: DecisionEngine, action: Action, live: Any, edited: Any = None) -> Any:
        attempt = real(desk, action, live, edited)
        if action.within is None or not isinstance(attempt, Attempt):
            return attempt
        return replace(attempt, pending=_at_once(attempt.pending))

    return DecisionEngine, "judge", judge


def _sent_twice() -> Planted:
    real = ActionPipeline.send

    async def send(way: ActionPipeline, under: Any, request: Any) -> Any:
        await real(way, under, request)
        return await real(way, under, request)

    return ActionPipeline, "send", send


def _released_early() -> Planted:
    real: Any = vars(Outcomes)["_end"]

    def end(*arguments: Any) -> Pending:
        return _at_once(real(*arguments))

    return Outcomes, "_end", end


def _labels_not_joined() -> Planted:
    real = outcomes.judge_result

    def judge(*arguments: Any, **more: Any) -> Any:
        return replace(real(*arguments, **more), labels=NONE)

    return outcomes, "judge_result", judge


def _notices_early() -> Planted:
    async def label(_notices: Notices) -> bool:
        return True

    return Notices, "label", label


def _labels_not_in_file() -> Planted:
    real = state.apply_session

    def apply(one: Any, delta: Any) -> Any:
        return one if isinstance(delta, LabelsJoined) and one is not None else real(one, delta)

    return state, "apply_session", apply


def _errors_ignored() -> Planted:
    real = evaluate.weigh

    def weigh(*arguments: Any) -> Any:
        return real(*arguments)._replace(errors=())

    return evaluate, "weigh", weigh


def _failure_ignored() -> Planted:
    real: Any = vars(writer.Writer)["_commit"]

    def commit(one: writer.Writer, batch: Any) -> bool:
        with patch.object(writer, "tell", nothing):
            real(one, batch)
        one.failure = None
        return True

    return writer.Writer, "_commit", commit


def _drift_ignored() -> Planted:
    def compare(*_: Any) -> Pin:
        return Pin.MATCHES

    return Pins, "compare", compare


def _permits_by_default() -> Planted:
    real = chain.judge

    def judge(*arguments: Any) -> Any:
        verdict, reasons = real(*arguments)
        return (Permit(), ()) if any(one.code is Code.NO_POLICY for one in reasons) else (verdict, reasons)

    return chain, "judge", judge


def _bound_without_arguments() -> Planted:
    def hash_(action: Action, pin: str) -> str:
        links = [(link.agent, link.sid) for link in action.authority.links]
        tool = (action.server, action.name, pin)
        return bound_hash(action.kind.value, tool, action.authority.user, links, b"", None)

    return Action, "hash", hash_


def _requester_decides() -> Planted:
    def is_requester(_one: Any, _users: Any, _person: Any) -> bool:
        return False

    return eligibility, "is_requester", is_requester


def _claimed_for_ever() -> Planted:
    real = memory.apply_approval

    def apply(one: Any, delta: Any) -> Any:
        return one if isinstance(delta, ApprovalClaimed) else real(one, delta)

    return memory, "apply_approval", apply


def _last_link_alone() -> Planted:
    from remit.pdp import decide

    real = decide.judge_chain

    def judge_chain(snapshot: Any, action: Action, question: Any) -> Any:
        authority = replace(action.authority, links=action.authority.links[-1:])
        return real(snapshot, replace(action, authority=authority), question)

    return decide, "judge_chain", judge_chain


def _observing_frees_all() -> Planted:
    from remit.pdp import decide

    real = decide.judge_chain

    def judge_chain(snapshot: Any, action: Action, question: Any) -> Any:
        found = real(snapshot, action, question)
        errs = any(one.code is Code.POLICY_ERROR for one in found[1])
        return (Permit(), (), found[0]) if "watcher" in action.authority.agents and not errs else found

    return decide, "judge_chain", judge_chain


def _stops_ignored() -> Planted:
    return Authorization, "why_stopped", nothing


def _not_linked() -> Planted:
    real: Any = vars(writer.Writer)["_link"]

    def chained(one: Any, items: Any) -> Any:
        one._prev = writer.genesis(one._chain)
        return real(one, items)

    return writer.Writer, "_link", chained


def _named(bundle: str) -> Planted:
    real = decision_engine.Draft

    def draft(kind: Any, at: int, _bundle: str, sid: str, body: Any) -> Any:
        return real(kind, at, bundle, sid, body)

    return decision_engine, "Draft", draft


def _bundle_left_out() -> Planted:
    return _named("")


def _bundle_of_the_start() -> Planted:
    return _named(variants()[0].bundle.digest)


def _calls_not_counted() -> Planted:
    real = memory.apply_session

    def apply(one: Any, delta: Any) -> Any:
        return real(one, replace(delta, calls=0) if isinstance(delta, SessionTouched) and one is not None else delta)

    return memory, "apply_session", apply


def _approvals_not_in_file() -> Planted:
    real = writer.Batch

    def batch(items: Any, receipts: Any, first: int, records: bytes, bodies: bytes, changed: Any) -> Any:
        return real(items, receipts, first, records, bodies, {**changed, "approval": ()})

    return writer, "Batch", batch


def _outcomes_closenothing() -> Planted:
    return state.State, "_close", nothing


def _doubt_forgotten() -> Planted:
    return state.State, "_doubt", nothing


def _outcome_lost() -> Planted:
    return Outcomes, "abandon", nothing


def _spending_not_counted() -> Planted:
    return limit_state, "apply_budget", nothing


def _all_given_back() -> Planted:
    real = outcomes.refunds_at_end

    def settled(charges: Any, **_: Any) -> Any:
        return real(charges, sent=False, argument_bytes=0, result_bytes=0)

    return outcomes, "refunds_at_end", settled


def _breakers_ignored() -> Planted:
    return decide, "breaker_problem", nothing


CORE: Final = (
    Mutant("intent-before-effect", "an action is sent before its intent is durable", _sent_early),
    Mutant("intent-before-effect", "answers are passed before their exchange is durable", _answers_early),
    Mutant("intent-before-effect", "one intent is sent twice", _sent_twice),
    Mutant("label-before-data", "a result is released before its outcome is durable", _released_early),
    Mutant("label-before-data", "what comes back brings no labels", _labels_not_joined),
    Mutant("label-before-data", "progress is told before its labels are durable", _notices_early),
    Mutant("label-before-data", "labels are kept in memory alone", _labels_not_in_file),
    Mutant("deny-on-error", "a policy that errs is passed over", _errors_ignored),
    Mutant("deny-on-error", "a write that failed gives its receipt", _failure_ignored),
    Mutant("deny-on-error", "a tool that drifted, or could not be asked, counts as accepted", _drift_ignored),
    Mutant("no-permit-without-policy", "what no policy permits is permitted", _permits_by_default),
    Mutant("approval-binds-exact-action", "approvals are bound without the arguments", _bound_without_arguments),
    Mutant("approval-binds-exact-action", "the requester's own yes counts", _requester_decides),
    Mutant("approval-binds-exact-action", "an approval is used again", _claimed_for_ever),
    Mutant("authority-only-shrinks", "of a chain the last agent alone is judged", _last_link_alone),
    Mutant("authority-only-shrinks", "an observing agent frees its whole chain", _observing_frees_all),
    Mutant("stop-wins", "the last look before sending is left out", _stops_ignored),
    Mutant("chain-links", "records are not linked to the one before", _not_linked),
    Mutant("bundle-in-every-record", "records name no bundle", _bundle_left_out),
    Mutant("bundle-in-every-record", "records name the bundle of the start", _bundle_of_the_start),
    Mutant("state-is-a-fold", "memory does not count calls", _calls_not_counted),
    Mutant("state-is-a-fold", "the file's approvals are not written", _approvals_not_in_file),
    Mutant("in-doubt-exact", "outcomes close nothing", _outcomes_closenothing),
    Mutant("in-doubt-exact", "what a crash left open is not listed", _doubt_forgotten),
    Mutant("goes-on", "an action whose client left has no outcome", _outcome_lost),
)
BOUNDS: Final = (
    Mutant("budget-never-overspent", "memory does not count what is spent", _spending_not_counted),
    Mutant("budget-never-overspent", "whatever ends gives all back", _all_given_back),
    Mutant("breaker-rests", "breakers are not asked", _breakers_ignored),
)
