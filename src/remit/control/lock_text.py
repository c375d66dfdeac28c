"""The text of `remit.lock`.

Laws: the text is a function of the content (sorted, one way of writing each value), so a write
that changes nothing changes no byte; `parse(serialise(lock))` is `lock`; a stored hash that is
not that of its definition is refused.

It is JSON because JSON has one reading: upstream text cannot become another type or structure.
A description of several lines is written line by line so that version control shows the line
that changed; characters that a person could not see are written as escapes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, cast

from remit.control.lock import EMPTY, FILE, Lock, Pinned, pin_or_problem
from remit.control.problems import SourceLocation, WorkspaceProblem
from remit.facts.canonical import Json
from remit.facts.tool import Definition

VERSION: Final = 1
_ABOUT: Final = "accepted tools; written by `remit tools accept` alone, do not edit"
_RESTORE: Final = f"restore {FILE} from version control, or accept the tools again"
_TOP: Final = frozenset({"version", "about", "servers"})
_MEMBERS: Final = frozenset({"pin", "description", "inputSchema", "outputSchema", "annotations"})

# A fixed list, not `unicodedata`, whose answers differ between versions of Python.
_UNSEEN: Final = re.compile(
    "[\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f"
    "\u205f-\u206f\u2800\u3000\u3164\ud800-\uf8ff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U0010ffff]"
)


def serialise(lock: Lock) -> str:
    """The text of `lock`; ends in a newline."""
    servers: dict[str, dict[str, Json]] = {}
    for (server, name), pinned in sorted(lock.tools.items()):
        servers.setdefault(server, {})[name] = _entry(pinned)
    text = json.dumps({"version": VERSION, "about": _ABOUT, "servers": servers}, ensure_ascii=False, indent=2)
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text) + "\n"


def parse(text: str) -> tuple[Lock, tuple[WorkspaceProblem, ...]]:
    """The lock written as `text`; with any problem, the empty lock and all problems."""
    try:
        top = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return EMPTY, (_problem("lock/syntax", f"not JSON: {error.msg}", error.lineno),)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "nested too deep"
        return EMPTY, (_problem("lock/syntax", f"not a lock: {why}"),)
    if not isinstance(top, Mapping):
        return EMPTY, (_problem("lock/shape", "not a lock: the whole is not an object"),)
    members = cast("Mapping[str, Json]", top)
    if problem := _version_problem(members):
        return EMPTY, (problem,)
    servers = members.get("servers")
    if not isinstance(servers, Mapping) or members.keys() - _TOP:
        return EMPTY, (_problem("lock/shape", "not a lock: it holds version, about and servers"),)
    return _tools(servers, text)


def _version_problem(members: Mapping[str, Json]) -> WorkspaceProblem | None:
    version = members.get("version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        return _problem("lock/version", "it names no version")
    if version > VERSION:
        return WorkspaceProblem(
            "lock/version",
            SourceLocation(FILE),
            f"{FILE} has version {version}, and this Remit reads up to {VERSION}",
            "a newer Remit wrote it",
            next="use that Remit, or a newer one: remit --version",
        )
    return None


def _tools(servers: Mapping[str, Json], text: str) -> tuple[Lock, tuple[WorkspaceProblem, ...]]:
    tools: dict[tuple[str, str], Pinned] = {}
    problems: list[WorkspaceProblem] = []
    for server, entries in servers.items():
        if not isinstance(entries, Mapping):
            problems.append(_problem("lock/shape", f"server {server[:64]!r} holds no tools"))
            continue
        for name, entry in entries.items():
            pinned = _pinned(server, name, entry, text)
            if isinstance(pinned, WorkspaceProblem):
                problems.append(pinned)
            else:
                tools[server, name] = pinned
    if problems:
        return EMPTY, tuple(problems)
    return Lock(MappingProxyType(tools)), ()


def _pinned(server: str, name: str, entry: Json, text: str) -> Pinned | WorkspaceProblem:
    tool_name = f"{server[:64]}/{name[:128]}"
    definition = _definition(name, entry)
    stored_pin = entry.get("pin") if isinstance(entry, Mapping) else None
    if definition is None or not isinstance(stored_pin, str):
        return _problem("lock/shape", f"the entry of {tool_name!r} is not one of a tool")
    pin, wrong = pin_or_problem(server, definition)
    if wrong:
        what = f"{tool_name!r} cannot be pinned: {wrong}"
        return _problem("lock/shape", what, _line_of(stored_pin, text))
    if pin != stored_pin:
        return WorkspaceProblem(
            "lock/tampered",
            SourceLocation(FILE, _line_of(stored_pin, text)),
            f"the definition of {tool_name!r} does not have the hash beside it",
            "the lock was changed by hand: nobody accepted what stands there now",
            next=f"restore {FILE} from version control, then run: remit tools review {server[:64]}",
        )
    return Pinned(definition, stored_pin)


def _line_of(pin: str, text: str) -> int:
    return text.count("\n", 0, max(text.find(json.dumps(pin)), 0)) + 1


def _entry(pinned: Pinned) -> Json:
    definition = pinned.definition
    lines = definition.description.split("\n")
    entry: dict[str, Json] = {
        "pin": pinned.pin,
        "description": lines if len(lines) > 1 else definition.description,
        "inputSchema": _sorted(definition.input_schema),
    }
    if definition.output_schema is not None:
        entry["outputSchema"] = _sorted(definition.output_schema)
    if definition.annotations:
        entry["annotations"] = _sorted(definition.annotations)
    return entry


def _definition(name: str, entry: Json) -> Definition | None:
    if not isinstance(entry, Mapping) or entry.keys() - _MEMBERS:
        return None
    description = entry.get("description")
    if isinstance(description, Sequence) and not isinstance(description, str):
        lines = [line for line in description if isinstance(line, str)]
        description = "\n".join(lines) if len(lines) == len(description) else None
    inputs = entry.get("inputSchema")
    outputs = entry.get("outputSchema")
    annotations = entry.get("annotations", {})
    if (
        isinstance(description, str)
        and isinstance(inputs, Mapping)
        and (isinstance(outputs, Mapping) or "outputSchema" not in entry)
        and isinstance(annotations, Mapping)
    ):
        declared = outputs if isinstance(outputs, Mapping) else None
        return Definition(name, description, inputs, declared, annotations)
    return None


def _sorted(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_sorted(item) for item in value]
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members: dict[str, Json] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"the key {key[:64]!r} stands twice in one object")
        members[key] = value
    return members


def _no_constant(word: str) -> Json:
    raise ValueError(f"{word} is not a JSON number")


def _problem(code: str, what: str, line: int = 0) -> WorkspaceProblem:
    return WorkspaceProblem(
        code, SourceLocation(FILE, line), f"{FILE} cannot be read: {what}", "no tool is known", next=_RESTORE
    )
