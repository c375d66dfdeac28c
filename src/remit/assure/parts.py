"""A policy's parts, and how each is written: its conditions taken apart to what can be true or false by itself."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final, cast

import cedarpy

from remit.facts.canonical import Json
from remit.policy.form import kept_json
from remit.policy.parse import Statement

_BRACKETED: Final = re.compile(r"(?<!\w)\((context(?:\.\w+)*|[\w:]+::\"[^\"]*\")\)")
_ALWAYS: Final[Mapping[str, Json]] = {"op": "All"}


def form(statement: Statement) -> Mapping[str, Json]:
    """`statement`, which is a policy, in Cedar's JSON form: nobody's to change."""
    return kept_json(statement)


def atoms(policy: Mapping[str, Json]) -> tuple[Json, ...]:
    """The expressions, in Cedar's JSON form, that the conditions of `policy` are put together from."""
    bodies = [condition["body"] for condition in cast("list[Mapping[str, Json]]", policy["conditions"])]
    return tuple(atom for body in bodies for atom in _atoms(body))


def _atoms(body: Json) -> Iterator[Json]:
    match body:
        case {"&&": {"left": left, "right": right}} | {"||": {"left": left, "right": right}}:
            yield from _atoms(left)
            yield from _atoms(right)
        case {"!": {"arg": inner}}:
            yield from _atoms(inner)
        case {"if-then-else": {"if": asked, "then": then, "else": otherwise}}:
            for one in (asked, then, otherwise):
                yield from _atoms(one)
        case _:
            yield body


def scope_of(policy: Mapping[str, Json]) -> dict[str, Json]:
    """`policy` without its conditions and annotations, as a permit."""
    return {**policy, "effect": "permit", "conditions": [], "annotations": {}}


def unscoped(policy: Mapping[str, Json]) -> dict[str, Json]:
    """A permit of everything, under the conditions of `policy`."""
    return {
        **policy,
        **dict.fromkeys(("principal", "action", "resource"), _ALWAYS),
        "effect": "permit",
        "annotations": {},
    }


def asking(policy: Mapping[str, Json], body: Json) -> dict[str, Json]:
    """A permit of everything where the expression `body` of `policy` is true."""
    when: Json = {"kind": "when", "body": body}
    anywhere = dict.fromkeys(("principal", "action", "resource"), _ALWAYS)
    return {**policy, **anywhere, "effect": "permit", "conditions": [when], "annotations": {}}


def text_of(policy: Mapping[str, Json]) -> str:
    """`policy`, in Cedar's JSON form, as Cedar."""
    whole: Mapping[str, Json] = {"templates": {}, "staticPolicies": {"policy0": policy}, "templateLinks": []}
    return plain(str(cedarpy.policies_from_json_str(json.dumps(whole))))


def shown(body: Json) -> str:
    """An expression as Cedar, on one line."""
    anything = {"effect": "permit", **dict.fromkeys(("principal", "action", "resource"), _ALWAYS), "annotations": {}}
    text = text_of({**anything, "conditions": [{"kind": "when", "body": body}]})
    return " ".join(text.partition("{")[2].rpartition("}")[0].split())


def plain(text: str) -> str:
    """Cedar without the brackets that no reader needs."""
    while (fewer := _BRACKETED.sub(r"\1", text)) != text:
        text = fewer
    return text
