"""Who said yes to what in a replay: lines `{"session", "call_id", "scope"}` beside a recording.

Whoever replays makes them, by what he knows of the recording; no policy ever reads them.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from remit.assure.recording import MalformedSession
from remit.escalate.grants import GrantScope
from remit.facts.limits import Limits
from remit.facts.strictjson import JsonRefused, parse

ONCE: Final = "once"
"""The yes to one call, which grants nothing beyond it."""
LINE_BYTES_MAX: Final = 64 * 1024
LINE: Final = Limits()

Approvals: TypeAlias = Mapping[tuple[str, str], GrantScope]
"""What people granted with their yes to a call, by session and call id. For a call that is no ask it says nothing."""
NO_APPROVALS: Final[Approvals] = {}


def approved(line: bytes) -> tuple[tuple[str, str], GrantScope | None]:
    """The call that `line` says yes to, and what was granted with it; None for nothing. Raises `MalformedSession`."""
    try:
        value = parse(line, LINE, bytes_max=LINE_BYTES_MAX)
    except JsonRefused as error:
        raise MalformedSession(str(error)) from None
    if not isinstance(value, Mapping) or set(value) != {"session", "call_id", "scope"}:
        raise MalformedSession("it is not {session, call_id, scope}")
    session, call, scope = value["session"], value["call_id"], value["scope"]
    if not isinstance(session, str) or not isinstance(call, str):
        raise MalformedSession("session and call_id are text")
    if scope == ONCE:
        return (session, call), None
    known = {one.value: one for one in GrantScope}
    if not isinstance(scope, str) or scope not in known:
        raise MalformedSession(f"scope is none of {', '.join((ONCE, *known))}")
    return (session, call), known[scope]
