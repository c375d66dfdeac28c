"""The lock: every accepted tool in full beside its hash. Bundles compile from it alone.

Only `accept`, `accept_server` and `forget` make a lock with other content, and each says what a
person saw. Its text is `lock_text`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from remit.facts.canonical import Json, canonical, digest
from remit.facts.catalog import SERVER_NAME
from remit.facts.limits import DEFAULT, Limits
from remit.facts.text import control_problem, identifier_problem, one_line
from remit.facts.tool import Definition

FILE: Final = "remit.lock"
TOOL_NAME_MAX: Final = 128
_MARKS: Final = "_.-/:@+,="


class LockRefused(Exception):
    """A change of the lock that was not made: `what`, `why`, and the `next` command."""

    def __init__(self, what: str, why: str, then: str) -> None:
        super().__init__(f"{what}: {why}; next: {then}")
        self.what = what
        self.why = why
        self.next = then


@dataclass(frozen=True, slots=True)
class Pinned:
    """An accepted tool: its definition and `sha256:…` over it."""

    definition: Definition
    pin: str


@dataclass(frozen=True, slots=True)
class Lock:
    """Accepted tools by `(server, tool name)`."""

    tools: Mapping[tuple[str, str], Pinned] = field(default_factory=lambda: MappingProxyType({}))

    def of(self, server: str) -> Mapping[str, Pinned]:
        """The accepted tools of one server by name."""
        return {name: pinned for (at, name), pinned in self.tools.items() if at == server}

    @property
    def servers(self) -> frozenset[str]:
        """Servers with an accepted tool."""
        return frozenset(server for server, _ in self.tools)


EMPTY: Final = Lock()


def accept(lock: Lock, server: str, tool: str, live: Definition, pin: str, limits: Limits = DEFAULT) -> Lock:
    """`lock` with `live` as the accepted definition of `server`/`tool`.

    `pin` is what the person saw in the review; `LockRefused` when the live definition is another
    by now, or could not be pinned at all.
    """
    wrong = pin_problem(server, live, limits)
    if live.name != tool:
        wrong = f"the server calls it {live.name!r}"
    if wrong:
        raise LockRefused(f"{server}/{tool} is not accepted", wrong, f"remit tools review {server}")
    if live.pin() != pin:
        raise LockRefused(
            f"{server}/{tool} is not accepted",
            _pin_mismatch(pin, "its definition has changed since it was shown"),
            _review_commands(f"{server}/{tool}", live.pin()),
        )
    tools = {**lock.tools, (server, tool): Pinned(live, pin)}
    _check_count(server, tools, limits)
    return Lock(MappingProxyType(tools))


def _pin_mismatch(pin: str, changed: str) -> str:
    """Why `pin` accepts nothing: it may be mistyped as well as old."""
    return f"the pin given, {one_line(pin, chars_max=80)}, is not that of what is live: it is mistyped, or {changed}"


def _review_commands(what: str, live: str) -> str:
    """The commands that show `what`, and accept it by the pin of what is `live`."""
    return f"read it: remit tools review {what}; then: remit tools accept {what} --pin {live}"


def accept_server(lock: Lock, server: str, live: Iterable[Definition], pin: str, limits: Limits = DEFAULT) -> Lock:
    """`lock` with exactly the `live` tools of `server`, tools that are gone removed.

    `pin` is `list_pin(live)` as the review showed it.
    """
    definitions = tuple(live)
    names: set[str] = set()
    for definition in definitions:
        wrong = pin_problem(server, definition, limits)
        if definition.name in names:
            wrong = "the server lists it twice"
        if wrong:
            raise LockRefused(
                f"nothing of {server} is accepted",
                f"tool {definition.name[:TOOL_NAME_MAX]!r}: {wrong}",
                f"accept the others one by one: remit tools review {server}",
            )
        names.add(definition.name)
    live_pin = list_pin(definitions)
    if live_pin != pin:
        raise LockRefused(
            f"nothing of {server} is accepted",
            _pin_mismatch(pin, "its tools have changed since they were shown"),
            _review_commands(server, live_pin),
        )
    tools = {key: pinned for key, pinned in lock.tools.items() if key[0] != server}
    for definition in definitions:
        tools[server, definition.name] = Pinned(definition, definition.pin())
    _check_count(server, tools, limits)
    return Lock(MappingProxyType(tools))


def forget(lock: Lock, server: str, tool: str) -> Lock:
    """`lock` without `server`/`tool`; `LockRefused` when it is not there."""
    if (server, tool) not in lock.tools:
        raise LockRefused(f"{server}/{tool} is not in {FILE}", "it was never accepted", "remit get tools")
    tools = {key: pinned for key, pinned in lock.tools.items() if key != (server, tool)}
    return Lock(MappingProxyType(tools))


def list_pin(definitions: Iterable[Definition]) -> str:
    """`sha256:…` over the pins of a server's whole list, whatever its order."""
    return digest(canonical(sorted(definition.pin() for definition in definitions)))


def pin_problem(server: str, definition: Definition, limits: Limits = DEFAULT) -> str:
    """Why `definition` cannot be accepted at all, or empty."""
    return pin_or_problem(server, definition, limits)[1]


def pin_or_problem(server: str, definition: Definition, limits: Limits = DEFAULT) -> tuple[str, str]:
    """The pin of `definition` and an empty text; or an empty pin and why it has none."""
    if not SERVER_NAME.fullmatch(server):
        return "", "the server's name is not one: 1-24 of a-z 0-9 -"
    if wrong := tool_name_problem(definition.name):
        return "", wrong
    try:
        data = canonical(definition.to_json())
    except (ValueError, RecursionError):
        return "", "its definition has no canonical form (numbers out of range, or too deep)"
    if len(data) > limits.schema_bytes_max:
        return "", f"its definition takes {len(data)} bytes, more than {limits.schema_bytes_max}"
    if wrong := _schema_name_problem(definition):
        return "", wrong
    return digest(data), ""


def _schema_name_problem(definition: Definition) -> str:
    """Why a name in a schema of `definition` cannot name an argument, or empty; at any depth, since all are shown."""
    pending: list[Json] = [definition.input_schema, definition.output_schema]
    while pending:
        match pending.pop():
            case Mapping() as members:
                for name, value in members.items():
                    if odd := control_problem(name):
                        return f"a name in its schema {odd}: {one_line(name[:TOOL_NAME_MAX])}"
                    pending.append(value)
            case list() | tuple() as items:
                pending += items
            case _:
                pass
    return ""


def tool_name_problem(name: str) -> str:
    """Why `name` cannot name a tool, or empty."""
    if len(name) > TOOL_NAME_MAX:
        return f"its name is longer than {TOOL_NAME_MAX} characters"
    if wrong := identifier_problem(name):
        return f"as for its name, {wrong}"
    # Names are pasted into commands: none may say anything to a shell.
    odd = next((c for c in name if c.isascii() and not c.isalnum() and c not in _MARKS), "")
    return f"its name holds {odd!r}: letters, digits and {_MARKS} may stand there" if odd else ""


def _check_count(server: str, tools: Mapping[tuple[str, str], Pinned], limits: Limits) -> None:
    count = sum(1 for at, _ in tools if at == server)
    if count > limits.tools_per_server_max:
        raise LockRefused(
            f"{server} has {count} tools",
            f"at most {limits.tools_per_server_max} are accepted of one server",
            "split the server, or raise the limit",
        )
