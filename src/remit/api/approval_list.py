"""An approval in a list, with what is asked on one line: enough to tell one from another, too little to decide on."""

import re
from collections.abc import Mapping
from typing import Final

from remit.api.answers_decided import ApprovalAnswer
from remit.api.authenticator import Admin, Person
from remit.api.lineage import is_round, untraced
from remit.api.services import Services
from remit.api.views import approval_view, sees_arguments, tool_name
from remit.api.void_approvals import void_reason
from remit.escalate.machine import Approval
from remit.escalate.wording import filled, shortened
from remit.facts.action import ActionKind
from remit.facts.record import Ref
from remit.facts.strictjson import JsonRefused, parse
from remit.facts.text import one_line
from remit.facts.tool import Tool
from remit.trace.bodies import ActionBody

WHAT_CHARS_MAX: Final = 120
VALUE_CHARS_MAX: Final = 40
_PLAIN: Final = re.compile(r"[A-Za-z0-9.@:+_-]+")
"""What an agent chose and needs no quotes to be told from words of ours."""
READ_BYTES_MAX: Final = 16_384
"""Arguments beyond this are not read for a list."""


async def list_item(services: Services, caller: Admin | Person, approval: Approval) -> ApprovalAnswer:
    """`approval` as a list shows it to `caller`; `what` is of what would run, for those who may read the arguments."""
    proposal = await services.ledger.entry(Ref.parse(approval.ident))
    void = await void_reason(services, approval, proposal)
    answer = approval_view(services, caller, approval, proposal, listed=True, void=void)
    if not sees_arguments(services, caller, approval):
        return answer
    if approval.edit is not None:
        proposal = await services.ledger.entry(Ref.parse(approval.edit.record))
    body = None if proposal is None else proposal.body
    if not isinstance(body, ActionBody):
        return answer
    return answer.model_copy(update={"what": what(body, services.runtime.catalog.tools.get((body.server, body.name)))})


def what(body: ActionBody, tool: Tool | None) -> str:
    """What `body` asks for: by the tool's own template, else its name and its arguments; on one line, cut."""
    name = tool_name(body.server, body.name)
    if body.kind != ActionKind.CALL_TOOL.value or len(body.arguments) > READ_BYTES_MAX:
        return one_line(name, chars_max=WHAT_CHARS_MAX)
    try:
        arguments = parse(body.arguments)
    except JsonRefused:
        arguments = None
    if tool is not None and tool.brief and isinstance(arguments, Mapping):
        spans = filled(
            tool.brief, list(untraced(arguments, within=is_round(arguments, body.arguments))), VALUE_CHARS_MAX
        )
        text = "".join(
            span.text if not span.mark or _PLAIN.fullmatch(span.text) else f"“{span.text}”" for span in spans
        )
    else:
        text = f"{name} {body.arguments.decode()}"
    return one_line(shortened(text, WHAT_CHARS_MAX), chars_max=2 * WHAT_CHARS_MAX)
