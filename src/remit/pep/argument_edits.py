"""Other arguments than an agent asked for: as an action of their own, and what the agent is told when they ran."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from remit.facts.action import Action, ActionKind, bound_hash
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.durations import HOUR_MS
from remit.facts.strictjson import JsonRefused, parse
from remit.facts.text import one_line
from remit.policy.destination import ToolForm
from remit.policy.problem import nearest
from remit.policy.unknown_names import unnamed
from remit.trace.bodies import ActionBody

_PATH_CHARS_MAX: Final = 200
WORD: Final = "Policy changed the arguments of this call. It ran with exactly these: "
NOTICE: Final = "A person approved this call with other arguments than you asked for. It ran with exactly these: "


def edited_of(action: Action, arguments: bytes) -> Action | None:
    """`action` with `arguments` in place of its own; None where they are no JSON object."""
    try:
        parsed = parse(arguments)
    except JsonRefused:
        return None
    if not isinstance(parsed, Mapping):
        return None
    return replace(action, arguments=arguments, input=parsed)


def as_asked(body: ActionBody, arguments: Mapping[str, Json], now_ms: int) -> Action | None:
    """The tool call that the proposal `body` holds, with `arguments` in place of its own.

    None where it is no tool call, or but a round of one. Raises `ValueError` for arguments without a canonical form.
    """
    tool = (body.server, body.name, body.pin)
    alone = bound_hash(body.kind, tool, body.user, body.links, body.arguments, None)
    if body.kind != ActionKind.CALL_TOOL.value or alone != body.action:
        return None
    links = tuple(Link(agent, sid) for agent, sid in body.links)
    authority = Authority(links, body.user, body.token, now_ms + HOUR_MS)
    return Action(ActionKind.CALL_TOOL, body.server, body.name, canonical(arguments), arguments, authority)


def misnamed(form: ToolForm, body: ActionBody, arguments: Mapping[str, Json]) -> str | None:
    """Why a name in `arguments` is none that the tool has, at any depth; None where each is, or stands in `body`.

    A schema that takes more than it names would let a misspelt one through, beside the value that it was meant for.
    """
    if form.quarantined is not None:
        # It does not run, whatever it is given; its schema may lead in circles.
        return None
    extra = unnamed(form.tool.definition.input_schema, arguments, parse(body.arguments))
    if extra is None:
        return None
    hint = nearest(extra.name, extra.known) or f"it has {', '.join(extra.known) or 'none'}"
    return f"the tool has no argument {one_line(extra.path, chars_max=_PATH_CHARS_MAX)}: {hint}"


def with_notice(result: Mapping[str, Json], arguments: bytes) -> Mapping[str, Json]:
    """The tool result `result`, before which the agent is told which `arguments` ran."""
    content = result.get("content")
    block: Json = {"type": "text", "text": NOTICE + arguments.decode("utf-8")}
    return {**result, "content": [block, *(content if isinstance(content, list) else [])]}


def with_word(result: Mapping[str, Json], arguments: bytes) -> Mapping[str, Json]:
    """The tool result `result`, after which the agent is told with which `arguments` obligations let it run."""
    content = result.get("content")
    block: Json = {"type": "text", "text": WORD + arguments.decode("utf-8")}
    return {**result, "content": [*(content if isinstance(content, list) else []), block]}
