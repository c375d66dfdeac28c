"""Tools in source code: those that are decorated, wrapped, derived, described, or given to an agent."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from remit.discover import frameworks as known
from remit.discover.code import ArrayLiteral, CallExpression, CodeDefinition, Module, Name, ObjectLiteral, Value
from remit.discover.frameworks import framework_of
from remit.discover.ground import DEPTH_MAX, LINKS_MAX, CodeComponent, ResolvedFile, path_of
from remit.discover.sighting import Kind

_MCP_CLIENTS: Final = known.CLIENT_SERVERS | known.CLIENT_TABLES
_BINDING: Final = frozenset({"bind_tools", "bindTools", "ToolNode"})


class ToolDeclarations(ResolvedFile):
    """A file's tools."""

    def __init__(self, module: Module) -> None:
        super().__init__(module)
        self._decorated = self._by_receiver()

    def tools(self) -> Iterator[CodeComponent]:
        """Each tool that the file makes or names."""
        for definition in self._module.definitions:
            if (tool := self._decorated_tool(definition)) is not None:
                yield tool
            for base in definition.bases:
                if framework_of(base) and base.rpartition(".")[2] in known.TOOL_BASES:
                    name = self._text(definition.attributes.get("name")) or definition.name
                    yield CodeComponent(Kind.TOOL, name, definition.line, framework_of(base))
        for call in self._module.calls:
            if name := self._tool_name(call):
                yield CodeComponent(Kind.TOOL, name, call.line, framework_of(self._origin(call.target)) or self._any())
            if self._agent_framework(call) or call.last in _BINDING:
                values = [call.named.get(key) for key in known.TOOLS_ARGUMENTS]
                values += call.positional[:1] if call.last in _BINDING else []
                framework = framework_of(self._origin(call.target)) or self._any()
                for name in islice((name for value in values for name in self._tool_names(value)), LINKS_MAX):
                    yield CodeComponent(Kind.TOOL, name, call.line, framework, defined=False)
        yield from self._listed()
        for table in self._module.tables:
            if name := self._described_tool(table):
                yield CodeComponent(Kind.TOOL, name, table.line, self._any())

    def _decorated_tool(self, definition: CodeDefinition) -> CodeComponent | None:
        for decorator in definition.decorators:
            path = path_of(decorator)
            if path.rpartition(".")[2] not in known.TOOL_DECORATORS:
                continue
            framework = framework_of(self._origin(path)) or (self._any() if self._is_method(path) else "")
            if framework:
                name = self._decorated_name(decorator) if isinstance(decorator, CallExpression) else ""
                return CodeComponent(Kind.TOOL, name or definition.name, definition.line, framework)
        return None

    def _listed(self) -> Iterator[CodeComponent]:
        """What stands in a list that is called `tools`, for agents of other files."""
        for name, value in self._module.bound.items() if self._frameworks else ():
            if known.TOOLS_NAME.fullmatch(name) and isinstance(value, ArrayLiteral):
                line = self._module.lines.get(name, 0)
                yield from (
                    CodeComponent(Kind.TOOL, one, line, self._any(), defined=False) for one in self._tool_names(value)
                )

    def _by_receiver(self) -> dict[str, list[str]]:
        """Names of the tools that each local name decorates, as `agent` in `@agent.tool`."""
        names: dict[str, list[str]] = {}
        for definition in self._module.definitions:
            for decorator in definition.decorators:
                root, _, last = path_of(decorator).rpartition(".")
                if root and last in known.TOOL_DECORATORS and (tool := self._decorated_tool(definition)) is not None:
                    names.setdefault(root, []).append(tool.name)
        return names

    def _tool_name(self, call: CallExpression) -> str:
        """The name of the tool that `call` makes, or empty where it makes none."""
        origin = self._origin(call.target)
        framework = framework_of(origin)
        name = next(filter(None, (self._text(call.named.get(key)) for key in ("name", "id"))), "")
        first = call.positional[0] if call.positional else None
        if call.last in known.SERVER_TOOLS and "." in call.target and (framework or self._serves(call)):
            return name or self._text(first) or (first.path.rpartition(".")[2] if isinstance(first, Name) else "")
        makes = call.last in known.TOOL_CALLS or (call.last in known.TOOL_MAKERS and call.owner in known.TOOL_CALLS)
        if not framework or not makes:
            return ""
        callee = call.named.get("fn") or call.named.get("func") or call.named.get("function") or first
        function = callee.path.rpartition(".")[2] if isinstance(callee, Name) else ""
        return name or (self._text(first) if call.last != "tool" else "") or function or call.bound

    def _serves(self, call: CallExpression) -> bool:
        """Whether a method of something unknown is that of an MCP server: the file imports the protocol."""
        return known.CONTRACT in self._frameworks and call.last == "registerTool"

    def _described_tool(self, table: ObjectLiteral) -> str:
        """The name in a tool's description as protocols have it."""
        keys = set(table.items)
        if {"name", "inputSchema"} <= keys and (known.CONTRACT in self._frameworks or "description" in keys):
            return self._text(table.items["name"])
        function = table.items.get("function")
        if isinstance(function, ObjectLiteral) and {"name", "parameters"} <= set(function.items):
            return self._text(function.items["name"])
        if {"name", "description", "input_schema"} <= keys:
            return self._text(table.items["name"])
        return ""

    def _tool_names(self, value: Value, depth: int = 0) -> Iterator[str]:
        """Names of the tools in what an agent is given."""
        if depth > DEPTH_MAX or self._spent():
            return
        match value:
            case ArrayLiteral(items):
                for item in items:
                    yield from self._tool_names(item, depth + 1)
            case ObjectLiteral(items):
                for key, item in items.items():
                    yield from [*self._tool_names(item, depth + 1)] or ([key] if item is None else [])
            case Name(path):
                followed = self._value(value)
                if isinstance(followed, CallExpression | ArrayLiteral | ObjectLiteral):
                    yield from self._tool_names(followed, depth + 1)
                elif depth and followed is None:
                    yield from self._named_tool(path)
            case CallExpression():
                yield from self._called_tool(value)
            case _:
                pass

    def _named_tool(self, path: str) -> Iterator[str]:
        name = path.rpartition(".")[2]
        if name in self._defined or ("." in path and not name.isupper() and not name.lower().endswith("tools")):
            definition = self._defined.get(name)
            decorated = self._decorated_tool(definition) if definition else None
            yield decorated.name if decorated else name

    def _called_tool(self, call: CallExpression) -> Iterator[str]:
        if name := self._tool_name(call):
            yield name
        elif call.last[:1].isupper() and call.last not in _MCP_CLIENTS and not self._agent_framework(call):
            yield call.last
