"""What an agent is told when Remit did not do what it asked: why, on whose policy, what next.

A tool call is answered with a tool result, which models read; everything else with a JSON-RPC error.
The text is plain: names that came from an agent or a tool are shown quoted, never as markup.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from remit.facts.canonical import Json
from remit.facts.limits import INTEGER_MAX
from remit.pep.answer import Answer, Awaiting, Failed, Refused
from remit.pep.mcp import rpc
from remit.pep.mcp.asks import Ask, ReadResource
from remit.pep.throttle import Busy
from remit.policy.verdict import Code, Reason
from remit.ports.upstream import Era, Question

_THEIRS: Final = frozenset({rpc.INVALID_PARAMS, rpc.INTERNAL_ERROR, rpc.METHOD_NOT_FOUND})
"""Errors of an upstream that are about the client's request; others of the protocol's are about ours."""
_RESERVED: Final = range(-32768, -31999)
"""Of JSON-RPC and of the protocol. All other codes are an application's own, 0 too, which many servers write."""
_SENT: Final = (
    "Remit stopped this {} after it was sent: it may have taken effect. Do not repeat it before somebody has looked."
)
_UNASKED: Final = frozenset({Code.APPROVAL_TOO_MANY, Code.APPROVAL_TOO_OFTEN})
"""Why people are not asked what policy would have them asked."""
_DOES: Final = {Code.POLICY: "forbidden by policy", Code.GATE: "held by gate"}
"""What a policy does to the call it speaks against; a limit is told by its code."""
_NOT_FOUND: Final = -32002
"""Of resources, until 2025-11-25; 2026-07-28 says -32602."""


@dataclass(frozen=True, slots=True)
class RpcError:
    """A JSON-RPC error to be: its code, one sentence, and its data; `addresses` the user has to open first."""

    code: int
    text: str
    data: Json = None
    addresses: tuple[Question, ...] = ()


def not_now(busy: Busy) -> RpcError:
    """The error that says which limit was met and when to come back."""
    return RpcError(rpc.BUSY, f"{busy.code}: {busy.text}", {"reason": busy.code, "retry_after_s": busy.retry_s})


def http(text: str, code: str, why: str, following: str | None = None) -> bytes:
    """The body of a refusal by HTTP status: an error of no request in particular, whose `text` clients show.

    Of a body that is no JSON-RPC they show nothing, so that nobody would learn why.
    """
    data: dict[str, Json] = {"reason": code, "why": why}
    if following is not None:
        data["next"] = following
    return rpc.error(None, rpc.REFUSED, text, data)


def result_of(answer: Refused | Awaiting) -> bytes:
    """The tool result that says `answer`."""
    return tool_error(_reason_lines(answer))


def tool_error(text: str) -> bytes:
    """The tool result of a call that failed for the reason `text`."""
    return orjson.dumps({"content": [{"type": "text", "text": text}], "isError": True})


def error_of(ask: Ask, answer: Refused | Awaiting | Failed, era: Era) -> RpcError:
    """The error that says `answer` to who asked `ask`."""
    match answer:
        case Refused(reasons, ref):
            data: Mapping[str, Json] = {"reason": reasons[0].code.value if reasons else None, "decision": ref}
            return RpcError(rpc.REFUSED, _reason_lines(answer), data)
        case Awaiting(ref):
            return RpcError(
                rpc.PENDING, _reason_lines(answer), {"reason": Code.APPROVAL_PENDING.value, "decision": ref}
            )
        case Failed(code, message, _, needs) if needs and era is Era.STATELESS:
            return RpcError(code, message, {"requiredCapabilities": needs})
        case Failed(code, message, addresses=addresses) if addresses:
            return RpcError(code, message, addresses=addresses)
        case Failed(code, message):
            return _theirs(ask, code, message, era)


def of_task(answer: Answer) -> RpcError:
    """The error that says to who asked about a task that `answer` came of it."""
    match answer:
        case Refused(reasons, ref):
            return RpcError(
                rpc.REFUSED,
                _reason_lines(answer),
                {"reason": reasons[0].code.value if reasons else None, "decision": ref},
            )
        case Awaiting(ref):
            return RpcError(
                rpc.PENDING, _reason_lines(answer), {"reason": Code.APPROVAL_PENDING.value, "decision": ref}
            )
        case Failed(_, message):
            return RpcError(rpc.INTERNAL_ERROR, message)
        case _:
            return RpcError(rpc.INTERNAL_ERROR, "what came of the task has no words here; see: remit logs")


def refusal(reasons: tuple[Reason, ...], ref: str | None, noun: str = "call", *, sent: bool = False) -> str:
    """The text of a refused call; of one that was `sent` before, that it may have been done."""
    lines = [_SENT.format(noun) if sent else f"Remit did not allow this {noun}.", *map(_line, _against(reasons))]
    if ref is not None:
        lines.append(f"Decision {ref}. The people you act for see why with: remit why {ref}")
    return "\n".join(lines)


def waiting(answer: Awaiting) -> str:
    """The text of a call whose approval is pending."""
    routes = ", ".join(sorted({gate.route for gate in answer.gates}))
    return "\n".join(
        [
            f"Approval is pending: a person decides this call (route {routes}). [{Code.APPROVAL_PENDING.value}]",
            *map(_line, _reasons_asked(answer.reasons)),
            "Nothing has been done yet. Once it is approved, repeat exactly the same call to have it run.",
            *([f"People are shown it at {answer.page}"] if answer.page else []),
            f"Decision {answer.ref}. To follow it: remit approvals show {answer.ref}",
        ]
    )


def _reason_lines(answer: Refused | Awaiting) -> str:
    return waiting(answer) if isinstance(answer, Awaiting) else refusal(answer.reasons, answer.ref, sent=answer.sent)


def _theirs(ask: Ask, code: int, message: str, era: Era) -> RpcError:
    if isinstance(ask, ReadResource) and code in {_NOT_FOUND, rpc.INVALID_PARAMS}:
        own = rpc.INVALID_PARAMS if era is Era.STATELESS else code
        return RpcError(own, message, {"uri": ask.shown})
    is_theirs = code in _THEIRS or (code not in _RESERVED and abs(code) <= INTEGER_MAX)
    return RpcError(code if is_theirs else rpc.INTERNAL_ERROR, message)


def _reasons_asked(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The gates' own reasons; what permits the call once they are lifted is no news."""
    return tuple(reason for reason in reasons if reason.code is Code.GATE) or reasons


def _against(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """What speaks against the call: what would permit it, or have people asked, is no reason why it was refused."""
    first = reasons[:1]
    if first and first[0].code is Code.ROUND_REFUSED:
        return (*first, *_against(reasons[1:]))
    if first and first[0].policy is None:
        # People, a guarantee or a limit, over whatever policy said.
        return tuple(one for one in reasons if one.policy is None and (one.code is not Code.GATE or one is first[0]))
    beside = Code.POLICY if any(one.code in _UNASKED for one in reasons) else Code.GATE
    return tuple(one for one in reasons if one.code is not beside) or reasons


def _line(reason: Reason) -> str:
    line = f"Reason: {reason.text}"
    if reason.policy is None:
        return f"{line} [{reason.code.value}]"
    place = f", {reason.where}" if reason.where else ""
    return f"{line} [{_DOES.get(reason.code, reason.code.value)} {reason.policy}{place}]"
