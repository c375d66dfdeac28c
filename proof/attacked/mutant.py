"""`python -m proof.attacked.mutant NAME …`: `remit` with one of its checks removed."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


def put(at: object, name: str, value: object) -> None:
    """Have `at` hold `value` under `name`, where it holds something now."""
    assert hasattr(at, name), f"there is no {name} any more"
    setattr(at, name, value)


def always(value: object) -> Callable[..., object]:
    """What answers `value` to everything."""
    return lambda *_, **__: value


def _revoked_tokens_count() -> None:
    from remit.api.authenticator import Authenticator
    from remit.pep.memory import Memory

    put(Authenticator, "revoke", always(None))
    put(Memory, "revoked", always(False))  # noqa: FBT003


def _descendants_of_revoked_tokens_count() -> None:
    from remit.api import authenticator

    read = authenticator.read_claims

    def alone(told: Any) -> Any:
        return replace(read(told), ancestors=())

    put(authenticator, "read_claims", alone)


def _expired_tokens_count() -> None:
    from remit.adapters import signer
    from remit.pep.authorization import Authorization

    put(signer, "_in_time", always(None))
    put(Authorization, "why_stopped", always(None))


def _signatures_are_not_checked() -> None:
    from remit.adapters import signer

    put(signer.jws, "deserialize_compact", always(None))
    put(signer.Ed25519Signer, "_key", always(SimpleNamespace(key=None)))


def _ended_sessions_go_on() -> None:
    from remit.pdp import decide
    from remit.pep.authorization import Authorization
    from remit.pep.memory import Memory

    put(decide, "session_problem", always(None))
    put(Memory, "ended", always(False))  # noqa: FBT003
    put(Authorization, "why_stopped", always(None))


def _judged(change: Callable[..., object]) -> None:
    """Have what comes back bring no labels where `change` says so of what was reached and how it ended."""
    from remit.pdp.result_judgement import judge_result
    from remit.pep import decision_engine, outcomes

    def bare(bundle: Any, reached: Any, server: Any, sessions: Any, status: Any, *more: Any, **named: Any) -> Any:
        found = judge_result(bundle, reached, server, sessions, status, *more, **named)
        return replace(found, labels=frozenset()) if change(reached, status) else found

    for module in (outcomes, decision_engine):
        put(module, "judge_result", bare)


def _results_bring_no_labels() -> None:
    _judged(always(True))  # noqa: FBT003


def _errors_bring_no_labels() -> None:
    from remit.trace.bodies import Status

    def failed(_reached: Any, status: Any) -> bool:
        return status is Status.TOOL_ERROR

    _judged(failed)


def _resources_bring_no_labels() -> None:
    def beside_tools(reached: Any, _status: Any) -> bool:
        return reached.tool is None

    _judged(beside_tools)


def _notices_wait_for_nothing() -> None:
    from remit.pep.notices import Notices

    async def label(_notices: Notices) -> bool:
        return True

    put(Notices, "label", label)


def _pins_always_match() -> None:
    from remit.pdp.snapshot import Pin
    from remit.pep.pins import Pins

    last = Pins.last

    def matching(self: Pins, *place: Any) -> Pin:
        pin = last(self, *place)
        return Pin.MATCHES if pin is Pin.DRIFTED else pin

    put(Pins, "last", matching)


def _schemas_are_not_held() -> None:
    from remit.pdp import decide

    put(decide, "argument_problem", always(None))


def _chain(change: Callable[[Any, Any], Any]) -> None:
    """Have `change` have the last word on the verdict and reasons of a chain."""
    from remit.pdp import decide

    judge = decide.judge_chain

    def judge_chain(*given: Any) -> Any:
        verdict, reasons, observed = judge(*given)
        return change(verdict, reasons), reasons, observed

    put(decide, "judge_chain", judge_chain)


def _gates_ask_nobody() -> None:
    from remit.policy.verdict import Escalate, Permit

    def lifted(verdict: Any, _reasons: Any) -> Any:
        return Permit(verdict.obligations) if isinstance(verdict, Escalate) else verdict

    _chain(lifted)


def _forbids_are_passed_over() -> None:
    from remit.policy.verdict import Code, Deny, Permit

    def passed(verdict: Any, reasons: Any) -> Any:
        forbidden = isinstance(verdict, Deny) and all(one.code is Code.POLICY for one in reasons)
        return Permit(()) if forbidden else verdict

    _chain(passed)


def _permits_by_default() -> None:
    from remit.policy.verdict import Code, Permit

    def open_to_all(verdict: Any, reasons: Any) -> Any:
        return Permit(()) if any(one.code is Code.NO_POLICY for one in reasons) else verdict

    _chain(open_to_all)


def _labels_are_not_handed_on() -> None:
    from remit.pdp import decide

    join = decide.join

    def last_alone(sessions: Any) -> Any:
        return join(tuple(sessions)[-1:])

    put(decide, "join", last_alone)


def _stores_forget_labels() -> None:
    from remit.facts.label import NONE
    from remit.protect.stores import Stores

    put(Stores, "labels", always(NONE))


def _a_yes_is_for_any_arguments() -> None:
    from remit.facts.action import Action, bound_hash

    def bound(action: Action, pin: str) -> str:
        links = [(link.agent, link.sid) for link in action.authority.links]
        tool = (action.server, action.name, pin)
        return bound_hash(action.kind.value, tool, action.authority.user, links, b"", None)

    put(Action, "hash", bound)


def _a_yes_lasts() -> None:
    from remit.pdp.deltas import ApprovalClaimed
    from remit.pep import memory

    apply = memory.apply_approval

    def unclaimed(one: Any, delta: Any) -> Any:
        return one if isinstance(delta, ApprovalClaimed) else apply(one, delta)

    put(memory, "apply_approval", unclaimed)


def _people_are_asked_for_ever() -> None:
    from remit.pdp.snapshot import AskQuota
    from remit.pep.approval_matcher import ApprovalMatcher

    put(ApprovalMatcher, "asking", always(AskQuota.MAY))


def _nothing_is_found_in_a_ledger() -> None:
    from remit.adapters.sqlite import verification

    verify = verification.verify_file

    def verified(*given: Any, **named: Any) -> Any:
        return replace(verify(*given, **named), findings=(), uncompared=None)

    put(verification, "verify_file", verified)


def _anything_kept_is_believed() -> None:
    from remit.app.bundles.seal import FileSeal

    put(FileSeal, "own", always(True))  # noqa: FBT003


@dataclass(frozen=True, slots=True)
class Mutant:
    """A check that is missing: `only` chooses the attempts that should notice. `short`: tried in the short form."""

    only: str
    what: str
    plant: Callable[[], None]
    short: bool = False


MUTANTS: Final[dict[str, Mutant]] = {
    "revoked": Mutant("asi03", "a revoked token goes on counting", _revoked_tokens_count, short=True),
    "labels": Mutant("asi01", "results bring no labels into a session", _results_bring_no_labels, short=True),
    "pins": Mutant("asi04", "a live tool is never compared with its pin", _pins_always_match, short=True),
    "signatures": Mutant("asi03", "a token's signature is not looked at", _signatures_are_not_checked, short=True),
    "ancestors": Mutant("asi03", "what a revoked token was handed on as counts", _descendants_of_revoked_tokens_count),
    "expiry": Mutant("asi03", "a token has no end", _expired_tokens_count),
    "ended": Mutant("asi03", "an ended session goes on", _ended_sessions_go_on),
    "errors": Mutant("asi01", "errors bring no labels", _errors_bring_no_labels),
    "progress": Mutant("asi01", "progress is passed on before its labels are held", _notices_wait_for_nothing),
    "resources": Mutant("asi01", "resources bring no labels", _resources_bring_no_labels),
    "schemas": Mutant("asi02", "arguments are not held to the schema", _schemas_are_not_held),
    "gates": Mutant("asi01", "a gate asks nobody", _gates_ask_nobody),
    "forbids": Mutant("asi02", "a forbid is passed over", _forbids_are_passed_over),
    "default": Mutant("asi10", "what no policy permits is permitted", _permits_by_default),
    "handed-on": Mutant("asi07", "a sub-agent does not hold what the one before it read", _labels_are_not_handed_on),
    "stores": Mutant("asi06", "a store gives no labels back", _stores_forget_labels),
    "bound": Mutant("asi09", "a yes is for any arguments", _a_yes_is_for_any_arguments),
    "claimed": Mutant("asi09", "a yes may be used again", _a_yes_lasts),
    "asked": Mutant("asi09", "people are asked for ever", _people_are_asked_for_ever),
    "kept": Mutant("what the service keeps", "what is kept of a bundle is shown as it is", _anything_kept_is_believed),
    "verified": Mutant("asi10", "what is wrong with a ledger is not found", _nothing_is_found_in_a_ledger),
}


if __name__ == "__main__":
    from remit.app.main import main

    MUTANTS[sys.argv.pop(1)].plant()
    main()
