"""Other arguments than an agent asked for: as an action of their own, and what the agent is told when they ran."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from remit.facts.action import Action, ActionKind, bound_hash
from remit.facts.agent import Authority, Link
from remit.facts.canonical import Json, canonical
from remit.facts.strictjson import Refused, parse
from remit.policy.problem import nearest
from remit.policy.reached import ToolForm
from remit.trace.bodies import ActionBody

_HOUR_MS: Final = 3_600_000
WORD: Final = "Policy changed the arguments of this call. It ran with exactly these: "
NOTICE: Final = "A person approved this call with other arguments than you asked for. It ran with exactly these: "


def edited_of(action: Action, arguments: bytes) -> Action | None:
    """`action` with `arguments` in place of its own; None where they are no JSON object."""
    try:
        given = parse(arguments)
    except Refused:
        return None
    if not isinstance(given, Mapping):
        return None
    return replace(action, arguments=arguments, input=given)


def as_asked(body: ActionBody, arguments: Mapping[str, Json], now_ms: int) -> Action | None:
    """The tool call that the proposal `body` holds, with `arguments` in place of its own.

    None where it is no tool call, or but a round of one. Raises `ValueError` for arguments without a canonical form.
    """
    tool = (body.server, body.name, body.pin)
    alone = bound_hash(body.kind, tool, body.user, body.links, body.arguments, None)
    if body.kind != ActionKind.CALL_TOOL.value or alone != body.action:
        return None
    links = tuple(Link(agent, sid) for agent, sid in body.links)
    authority = Authority(links, body.user, body.token, now_ms + _HOUR_MS)
    return Action(ActionKind.CALL_TOOL, body.server, body.name, canonical(arguments), arguments, authority)


def misnamed(form: ToolForm, asked: ActionBody, given: Mapping[str, Json]) -> str | None:
    """Why a name in `given` is none of an argument of the tool; None where each is, or stood in what was `asked`.

    A schema that takes more than it names would let a misspelt one through, beside the argument that it was meant for.
    """
    schema = form.tool.definition.input_schema
    if schema.get("additionalProperties", False) is not False or "patternProperties" in schema:
        # It says itself that there are others.
        return None
    held = parse(asked.arguments)
    known = {*form.arguments, *(held if isinstance(held, Mapping) else ())}
    lacking = sorted(name for name in given if name not in known)
    if not lacking:
        return None
    hint = nearest(lacking[0], form.arguments) or f"it has {', '.join(form.arguments) or 'none'}"
    return f"the tool has no argument {lacking[0]}: {hint}"


def with_notice(result: Mapping[str, Json], arguments: bytes) -> Mapping[str, Json]:
    """The tool result `result`, before which the agent is told which `arguments` ran."""
    content = result.get("content")
    said: Json = {"type": "text", "text": NOTICE + arguments.decode("utf-8")}
    return {**result, "content": [said, *(content if isinstance(content, list) else [])]}


def with_word(result: Mapping[str, Json], arguments: bytes) -> Mapping[str, Json]:
    """The tool result `result`, after which the agent is told with which `arguments` obligations let it run."""
    content = result.get("content")
    said: Json = {"type": "text", "text": WORD + arguments.decode("utf-8")}
    return {**result, "content": [*(content if isinstance(content, list) else []), said]}
