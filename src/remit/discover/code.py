"""Source code as discovery reads it: calls, definitions and what names are bound to, the same for every language.

A reader of a language makes a `Module` of a syntax tree and resolves what is imported: `Agent` of `from pydantic_ai
import Agent` is `pydantic_ai.Agent`. `discover.recognise` knows frameworks and no language.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class StringLiteral:
    """A literal text; of a template, what is literal of it."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A name as resolved by imports: `pydantic_ai.Agent`, or `agent.tool` of something local."""

    path: str


@dataclass(frozen=True, slots=True)
class ArrayLiteral:
    """A list, tuple or set."""

    items: "tuple[Value, ...]"


@dataclass(frozen=True, slots=True)
class ObjectLiteral:
    """A literal object; keys that are not literal are left out."""

    items: "Mapping[str, Value]"
    line: int = 0


@dataclass(frozen=True, slots=True)
class CallExpression:
    """A call, or a construction. A method of a call's result has the target `module.Class().method`.

    `bound` is the name that takes the result, `within` the function or class around it. An only argument that is an
    object stands in `named` as well, as TypeScript has no named arguments.
    """

    target: str
    positional: "tuple[Value, ...]" = ()
    named: "Mapping[str, Value]" = field(default_factory=dict[str, "Value"])
    line: int = 0
    bound: str = ""
    within: str = ""

    @property
    def last(self) -> str:
        """The name that is called."""
        return self.target.rpartition(".")[2]

    @property
    def owner(self) -> str:
        """The name before it: the class of a class method."""
        return self.target.rpartition(".")[0].removesuffix("()").rpartition(".")[2]


Value: TypeAlias = "StringLiteral | Name | ArrayLiteral | ObjectLiteral | CallExpression | None"
"""What an expression is, as far as discovery looks; None for anything else."""


@dataclass(frozen=True, slots=True)
class CodeDefinition:
    """A function or class. `attributes` are a class's literal ones."""

    name: str
    line: int
    decorators: "tuple[Value, ...]" = ()
    bases: tuple[str, ...] = ()
    attributes: "Mapping[str, Value]" = field(default_factory=dict[str, "Value"])
    within: str = ""


@dataclass(slots=True)
class Module:
    """One file, called `name`: modules that it imports, and what names are bound to, by `name` or `Class.name`."""

    name: str = ""
    imports: set[str] = field(default_factory=set)
    calls: list[CallExpression] = field(default_factory=list)
    definitions: list[CodeDefinition] = field(default_factory=list)
    tables: list[ObjectLiteral] = field(default_factory=list)
    bound: "dict[str, Value]" = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each name is bound."""
