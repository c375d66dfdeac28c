"""What an agent did with one thing, gathered: how often, on whose behalf, and with which values.

What comes of it are conditions in Cedar, and only where use says something: a value seen once or twice is no habit.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from remit.policy.schema import NAMESPACE

USERS_MAX: Final = 20
"""On behalf of more users than these, it is not said for whom."""
VALUES_MAX: Final = 5
"""An argument of more values than these is left free."""
CALLS_EACH_MIN: Final = 4
"""How many calls there are to be for each value of an argument, that it is held to them."""
_TEXT_MAX: Final = 200

Scalar: TypeAlias = str | int | bool
"""What an argument's value is where Cedar can name it: a string, a long, a boolean."""


class ComparableArgument(NamedTuple):
    """An argument that policies can compare: what its values are, and whether every call has it."""

    of: type[Scalar]
    required: bool


class Usage:
    """The calls of one thing by one agent. Of `calls` that were only told of, nothing but their number is known."""

    def __init__(self, calls: int = 0) -> None:
        self.calls = calls
        self.users: set[str | None] = set()
        self.argument_counts: Counter[str] = Counter()
        self.values: dict[str, set[Scalar]] = {}
        self.free: set[str] = set()

    def add(self, user: str | None, arguments: Mapping[str, Scalar | None]) -> None:
        """One call on behalf of `user`; `arguments` are its arguments, None for a value that Cedar cannot name."""
        self.calls += 1
        if len(self.users) <= USERS_MAX:
            self.users.add(user)
        for name, value in arguments.items():
            self.argument_counts[name] += 1
            if value is None or (isinstance(value, str) and (len(value) > _TEXT_MAX or not value.isprintable())):
                self.free.add(name)
            elif name not in self.free:
                values = self.values.setdefault(name, set())
                values.add(value)
                if len(values) > VALUES_MAX:
                    self.free.add(name)

    def join(self, other: "Usage") -> None:
        """Take in the calls of `other`."""
        self.calls += other.calls
        self.users |= other.users
        self.argument_counts += other.argument_counts
        self.free |= other.free
        for name, values in other.values.items():
            own_values = self.values.setdefault(name, set())
            own_values |= values
            if len(own_values) > VALUES_MAX:
                self.free.add(name)

    def conditions(self, arguments: Mapping[str, ComparableArgument], users: Collection[str]) -> tuple[str, ...]:
        """What every call kept to, as clauses of a permit.

        `arguments` are those that policies can compare, `users` those whom they can name: others cannot act any more.
        """
        clauses = (
            self._user_condition(users),
            *(self._value_condition(name, arguments[name]) for name in sorted(arguments)),
        )
        return tuple(clause for clause in clauses if clause)

    def _value_condition(self, name: str, argument: ComparableArgument) -> str:
        values = self.values.get(name)
        if not values or name in self.free or self.calls < CALLS_EACH_MIN * len(values):
            return ""
        if any(type(value) is not argument.of for value in values):
            return ""
        has, what = f"context.input has {quoted(name)}", f"context.input[{quoted(name)}]"
        comparison = any_of(what, (_literal(value) for value in sorted(values)))
        if argument.required:
            return f"when {{ {comparison} }}"
        always = self.argument_counts[name] == self.calls
        return f"when {{ {has} && ({comparison}) }}" if always else f"when {{ if {has} then {comparison} else true }}"

    def _user_condition(self, nameable: Collection[str]) -> str:
        users = sorted(user for user in self.users if user is not None and user in nameable)
        if not 0 < len(self.users) <= USERS_MAX:
            return ""
        if not users:
            return "unless { context has onBehalfOf }"
        comparison = any_of("context.onBehalfOf", (f"{NAMESPACE}::User::{quoted(user)}" for user in users))
        if None in self.users:
            return f"when {{ if context has onBehalfOf then {comparison} else true }}"
        return f"when {{ context has onBehalfOf && ({comparison}) }}"


def any_of(what: str, values: Iterable[str]) -> str:
    """That `what` is one of `values`."""
    return " || ".join(f"{what} == {value}" for value in values)


def quoted(text: str) -> str:
    """`text` as a string of Cedar."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else quoted(value)
