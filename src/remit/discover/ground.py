"""What one file of source code makes, and what its names lead to: what recognising agents and tools stands on."""

from dataclasses import dataclass
from typing import Final

from remit.discover import frameworks as known
from remit.discover.code import CallExpression, Module, Name, StringLiteral, Value
from remit.discover.frameworks import framework_of
from remit.discover.sighting import Kind, Verb

DEPTH_MAX: Final = 6
"""How far names and values are followed."""
STEPS_MAX: Final = 200_000
"""Steps that following them may take in one file: lists may hold lists that hold lists."""
LINKS_MAX: Final = 200
"""What is told that one thing uses."""

Target = tuple[Verb, Kind, str]


@dataclass(frozen=True, slots=True)
class CodeComponent:
    """One thing that the file makes: its name in the file, the line, its framework, and what it does with others.

    One that is not `defined` here is named only: an agent's tool that another file may make.
    """

    kind: Kind
    name: str
    line: int
    framework: str = ""
    edges: tuple[Target, ...] = ()
    digest: str = ""
    defined: bool = True


class ResolvedFile:
    """A file with its names followed."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._frameworks = {framework for one in module.imports if (framework := framework_of(one))}
        self._steps = STEPS_MAX
        self._roots = {one.partition(".")[0] for one in module.imports} - {""}
        self._defined = {one.name: one for one in reversed(module.definitions)}

    def _agent_framework(self, call: CallExpression) -> str:
        framework = framework_of(call.target)
        classes = known.AGENTS.get(framework, frozenset())
        if call.last in classes:
            return framework
        if call.last.startswith("from_") and call.owner in classes:
            return framework
        if call.last == "compile" and known.GRAPH in self._origin(call.target).split("compile")[0]:
            return framework_of(self._origin(call.target))
        return ""

    def _origin(self, target: str) -> str:
        """`target` with its first name followed to the call that it is bound to."""
        root, _, rest = target.partition(".")
        value = self._value(Name(root))
        return f"{value.target}().{rest}" if isinstance(value, CallExpression) else target

    def _agent_name(self, call: CallExpression, framework: str) -> str:
        name = self._text(call.named.get("name"))
        if not name and framework == "autogen" and call.positional:
            name = self._text(call.positional[0])
        return name or call.bound or call.within or call.last

    def _spent(self) -> bool:
        """Whether too many steps were taken; one more is."""
        self._steps -= 1
        return self._steps < 0

    def _any(self) -> str:
        return next(iter(sorted(self._frameworks)), "")

    def _is_method(self, path: str) -> bool:
        """Whether `path` is of something local, as `agent.tool`, rather than of what is imported from elsewhere."""
        root, dot, _ = path.partition(".")
        return bool(dot) and root not in self._roots

    def _decorated_name(self, decorator: CallExpression) -> str:
        first = self._text(decorator.positional[0]) if decorator.positional else ""
        names = (self._text(decorator.named.get(key)) for key in ("name", "name_override"))
        return next(filter(None, names), "") or first

    def _value(self, value: Value) -> Value:
        """`value` with names followed to what they are bound to; None where they are bound to nothing known."""
        for _ in range(DEPTH_MAX):
            if not isinstance(value, Name):
                return value
            # A member of an enumeration is its value.
            value = self._module.bound.get(value.path.removesuffix(".value"))
        return None

    def _text(self, value: Value) -> str:
        followed = self._value(value)
        return followed.value if isinstance(followed, StringLiteral) else ""


def path_of(decorator: Value) -> str:
    """The name that decorates, called or not."""
    match decorator:
        case Name(path):
            return path
        case CallExpression():
            return decorator.target
        case _:
            return ""
