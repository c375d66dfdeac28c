"""What an agent is told when Remit did not forward its call: why, on whose policy, what next.

The text is plain: names that came from an agent or a tool are shown quoted, never as markup.
"""

from typing import assert_never

import orjson

from remit.pep.answer import Answer, Awaiting, Refused, Released
from remit.policy.verdict import Code, Reason


def result_of(answer: Answer) -> bytes:
    """The tool result that says `answer`: the released bytes, or a tool error in our words."""
    match answer:
        case Released(result):
            return result
        case Refused(reasons, ref):
            return _tool_error(refusal(reasons, ref))
        case Awaiting():
            return _tool_error(waiting(answer))
        case _:
            assert_never(answer)


def refusal(reasons: tuple[Reason, ...], ref: str | None) -> str:
    """The text of a refused call."""
    lines = ["Remit did not allow this call.", *map(_line, reasons)]
    if ref is not None:
        lines.append(f"Decision {ref}. To see why: remit why {ref}")
    return "\n".join(lines)


def waiting(answer: Awaiting) -> str:
    """The text of a call whose approval is pending."""
    routes = ", ".join(sorted({gate.route for gate in answer.gates}))
    return "\n".join(
        [
            f"Approval is pending: a person decides this call (route {routes}). [{Code.APPROVAL_PENDING.value}]",
            *map(_line, _asked(answer.reasons)),
            "Nothing has been done yet. Once it is approved, repeat exactly the same call to have it run.",
            f"Decision {answer.ref}. To follow it: remit approvals show {answer.ref}",
        ]
    )


def _asked(reasons: tuple[Reason, ...]) -> tuple[Reason, ...]:
    """The gates' own reasons; what permits the call once they are lifted is no news."""
    return tuple(reason for reason in reasons if reason.code is Code.GATE) or reasons


def _line(reason: Reason) -> str:
    said = f"Reason: {reason.text}"
    if reason.policy is None:
        return f"{said} [{reason.code.value}]"
    place = f", {reason.where}" if reason.where else ""
    return f"{said} [policy {reason.policy}{place}]"


def _tool_error(text: str) -> bytes:
    return orjson.dumps({"content": [{"type": "text", "text": text}], "isError": True})
