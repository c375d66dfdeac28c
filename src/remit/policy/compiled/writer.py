"""The writer of one function's source: its constants, its paths, its policies, and how deep they go.

Law: no text of a policy stands in the source. It is made of fixed words and generated names alone; every
text, number and entity of a policy is a constant in the function's namespace.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

from remit.facts.canonical import Json
from remit.policy.compiled.values import Value
from remit.policy.form import ScopeConstraint, constraint

DEPTH_MAX: Final = 25
"""Expressions nested deeper become functions of their own: Python reads no deeper than 200 brackets."""

SCOPE: Final = ("principal", "action", "resource")
_ARGUMENTS: Final = "ARGUMENTS"


class Unsupported(Exception):
    """A node that is not known here: its slice goes to cedarpy."""


@dataclass(frozen=True, slots=True)
class GeneratedModule:
    """A module's text, and the constants that its names stand for."""

    text: str
    constants: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression, in brackets unless it is a name or a call.

    `kind` is the class that its value always has. None: not known beforehand, and it may be a `MissingValue`;
    whoever uses such a value asks for its class first. `constant` is its value, where that never changes.
    """

    text: str
    kind: type | None
    depth: int = 0
    constant: "Value | None" = None


@dataclass(slots=True)
class FunctionWriter:
    """Gathers what one function is made of. `nodes` write the nodes of Cedar's JSON form, by their name.

    `tests` counts how often each test of one value is made; those in `common` are made once a call, before the
    policies, and named.
    """

    nodes: Mapping[str, "Write"]
    common: frozenset[str] = frozenset()
    tests: Counter[str] = field(default_factory=Counter[str])
    shared: dict[str, str] = field(default_factory=dict[str, str])
    constants: dict[str, object] = field(default_factory=dict[str, object])
    names: dict[object, str] = field(default_factory=dict[object, str])
    paths: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    prelude: list[str] = field(default_factory=list[str])
    apart: list[str] = field(default_factory=list[str])
    temporaries: int = 0

    def source(self, body: list[str]) -> GeneratedModule:
        """The module whose function `judge` has this body."""
        arguments = ", ".join(("entities", *SCOPE, "context", *(line.partition(" ")[0] for line in self.prelude)))
        lines = [
            *self.apart,
            "def judge(entities, principal, action, resource, context):",
            *(f"    {line}" for line in ("satisfied = []", "failed = []", *self.prelude, *body)),
            "    return satisfied, failed",
        ]
        return GeneratedModule("\n".join(lines).replace(_ARGUMENTS, arguments), self.constants)

    def policy(self, index: int, policy: Mapping[str, Json], scope: tuple[str, ...]) -> list[str]:
        """The lines of one policy: a fault in it is its own."""
        found = [test for part in scope for test in self._constraint(part, constraint(mapping(policy[part])))]
        for condition in map(mapping, cast("list[Json]", policy["conditions"])):
            text = self.expect(self.expression(condition["body"]), bool)
            found.append(text if condition["kind"] == "when" else f"(not {text})")
        if not found:
            return [f"satisfied.append({index})"]
        return [
            "try:",
            f"    if {' and '.join(found)}:",
            f"        satisfied.append({index})",
            "except Fault as fault_of_it:",
            # Its text alone: with its traceback it would hold this call, and this call it.
            f"    failed.append(({index}, fault_of_it.args[0]))",
        ]

    def _constraint(self, part: str, needed: ScopeConstraint) -> list[str]:
        tests: list[str] = []
        if needed.kind is not None:
            tests.append(self.sure(f"({part}[0] == {self.constant(needed.kind).text})").text)
        if needed.within is not None:
            uids = self.constant(needed.within).text
            held = f"({part} in {uids})" if needed.exactly else f"(not {self.above(part)}.isdisjoint({uids}))"
            tests.append(self.sure(held).text)
        return tests

    def constant(self, value: object) -> Expression:
        """A name for `value`; equal values of one type share it."""
        known = (value.__class__, value)
        name = self.names.get(known)
        if name is None:
            name = self.names[known] = f"k{len(self.names)}"
            self.constants[name] = value
        return Expression(name, value.__class__, 0, cast("Value", value))

    def above(self, part: str) -> str:
        """The name of all that a part of the scope is in."""
        name = f"{part}_in"
        line = f"{name} = within(entities, {part})"
        if line not in self.prelude:
            self.prelude.append(line)
        return name

    def path(self, node: Json) -> str | None:
        """The name of an attribute path from a scope variable; None for any other expression.

        Looked up once a call, before the policies: absence is a value until something looks at it.
        """
        steps = _steps(node)
        return None if steps is None or len(steps) == 1 else self._looked_up(steps)

    def _looked_up(self, steps: tuple[str, ...]) -> str:
        if steps in self.paths:
            return self.paths[steps]
        base = steps[0] if len(steps) == 2 else self._looked_up(steps[:-1])
        last = self.constant(steps[-1]).text
        found = f"look(entities, {base}, {last})"
        if base == "context":
            found = f"context.get({last}, ABSENT)"
        elif base not in SCOPE:
            found = f"{base}.get({last}, ABSENT) if {base}.__class__ is dict else {found}"
        name = self.paths[steps] = f"c{len(self.paths)}"
        self.prelude.append(f"{name} = {found}")
        return name

    def sure(self, text: str) -> Expression:
        """A test that is never a fault."""
        return Expression(self._shared(text, text) or text, bool)

    def test(self, code: Expression, kind: type, form: Callable[[str], str]) -> Expression:
        """The test `form` of the value of `code`, which is a fault where that is not of `kind`."""
        value = code.text
        if code.kind is not None or not value.isidentifier():
            return self.made(f"({form(self.expect(code, kind))})", bool, code)
        return self.either(f"{form(value)} if {value}.__class__ is {kind.__name__} else", value)

    def either(self, test: str, value: str, now: str = "fault", later: str = "wrong") -> Expression:
        """A `test` that may end in a fault about `value`: the one function raises it `now`, the other keeps it."""
        text = f"({test} {now}({value}))"
        name = self._shared(text, f"{test} {later}({value})")
        return Expression(text if name is None else f"({name} and ({name} is True or fault({name})))", bool, 1)

    def _shared(self, text: str, kept: str) -> str | None:
        """The name of the test `text`, where it is common; `kept` is what is kept of it."""
        self.tests[text] += 1
        if text not in self.common:
            return None
        name = self.shared.get(text)
        if name is None:
            name = self.shared[text] = f"s{len(self.shared)}"
            self.prelude.append(f"{name} = {kept}")
        return name

    def made(self, text: str, kind: type | None, *parts: Expression) -> Expression:
        """A composed expression, in a function of its own where it is nested too deeply."""
        depth = 1 + max((part.depth for part in parts), default=0)
        if depth <= DEPTH_MAX:
            return Expression(text, kind, depth)
        name = f"f{len(self.apart)}"
        self.apart.append(f"def {name}({_ARGUMENTS}): return {text}")
        return Expression(f"{name}({_ARGUMENTS})", kind)

    def expect(self, code: Expression, kind: type) -> str:
        """The text of `code` as a value of `kind`, which is a fault where it is another."""
        if code.kind is kind:
            return code.text
        if code.kind is not None:
            return f"fault({code.text})"
        name, first = self.once(code)
        return f"({name} if {first}.__class__ is {kind.__name__} else fault({name}))"

    def once(self, code: Expression) -> tuple[str, str]:
        """A name for `code`, and its text where it is evaluated, which gives it that name."""
        if code.text.isidentifier():
            return code.text, code.text
        self.temporaries += 1
        name = f"t{self.temporaries}"
        return name, f"({name} := {code.text})"

    def expression(self, node: Json) -> Expression:
        """The expression of one node of Cedar's JSON form. Raises `Unsupported`."""
        if not isinstance(node, Mapping) or len(node) != 1:
            raise Unsupported("a node of several kinds")
        ((name, part),) = node.items()
        write = self.nodes.get(name)
        if write is None:
            raise Unsupported(f"the node {name}")
        return write(self, part)


Write: TypeAlias = Callable[[FunctionWriter, Json], Expression]
"""Writes the expression of a node from what stands under its name. Raises `Unsupported`."""


def mapping(value: Json) -> Mapping[str, Json]:
    """What is an object in Cedar's JSON form."""
    return cast("Mapping[str, Json]", value)


def _steps(node: Json) -> tuple[str, ...] | None:
    match node:
        case {"Var": str(root)}:
            return (root,)
        case {".": {"left": left, "attr": str(name)}}:
            before = _steps(left)
            return None if before is None else (*before, name)
        case _:
            return None
