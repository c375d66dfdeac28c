"""What a file of source code says of agents: frameworks' agents, tools, models, prompts and MCP servers, by its tree.

A name counts where it is imported from a framework, or is a method of something that is; a word in a text or a comment
never does. What is computed is not guessed: a tool list that a function returns names no tool.
"""

import hashlib
from collections.abc import Iterator
from itertools import islice
from typing import Final

from remit.discover import frameworks as known
from remit.discover.code import ArrayLiteral, CallExpression, Module, Name, ObjectLiteral, StringLiteral, Value
from remit.discover.discretion import address, without_secret
from remit.discover.frameworks import framework_of, model_of
from remit.discover.ground import DEPTH_MAX, LINKS_MAX, CodeComponent, Target, path_of
from remit.discover.launch import launch_of
from remit.discover.sighting import Kind, Verb
from remit.discover.tool_declarations import ToolDeclarations

_PROMPT_CHARS_MIN: Final = 30
_ENVIRONMENT: Final = frozenset({"getenv", "get"})
_WRAPPERS: Final = frozenset({"dedent", "strip", "format", "join"})
_STRICT: Final = frozenset({"id", "default", "llm"})


def components_of(module: Module) -> tuple[list[CodeComponent], bool]:
    """Everything that `module` makes, in order of lines; and whether all of it was followed."""
    reader = _Reader(module)
    components = [*reader.agents(), *reader.tools(), *reader.models(), *reader.prompts(), *reader.servers()]
    return sorted(dict.fromkeys(components), key=lambda item: item.line), not reader.gave_up


class _Reader(ToolDeclarations):
    @property
    def gave_up(self) -> bool:
        """Whether values were left unfollowed for want of steps."""
        return self._steps < 0

    # --- agents ----------------------------------------------------------------------------------------------

    def agents(self) -> Iterator[CodeComponent]:
        for call in self._module.calls:
            if framework := self._agent_framework(call):
                name = self._agent_name(call, framework)
                yield CodeComponent(
                    Kind.AGENT, name, call.line, framework, tuple(dict.fromkeys(islice(self._uses(call), LINKS_MAX)))
                )
        for definition in self._module.definitions:
            for base in definition.bases:
                framework = framework_of(base)
                if framework and base.rpartition(".")[2] in known.AGENT_BASES:
                    yield CodeComponent(Kind.AGENT, definition.name, definition.line, framework)

    def _uses(self, call: CallExpression) -> Iterator[Target]:
        for key in known.TOOLS_ARGUMENTS:
            yield from ((Verb.USES, Kind.TOOL, name) for name in self._tool_names(call.named.get(key)))
        yield from ((Verb.USES, Kind.TOOL, name) for name in self._decorated.get(call.bound, ()))
        for key in known.AGENTS_ARGUMENTS:
            yield from ((Verb.DELEGATES, Kind.AGENT, name) for name in self._agent_names(call.named.get(key)))
        yield from ((Verb.USES, Kind.MODEL, model) for model in self._models_of(call))

    def _agent_names(self, value: Value, depth: int = 0) -> Iterator[str]:
        if self._spent():
            return
        match value:
            case ArrayLiteral(items) if depth < DEPTH_MAX:
                for item in items:
                    yield from self._agent_names(item, depth + 1)
            case ObjectLiteral(items) if depth < DEPTH_MAX:
                for item in items.values():
                    yield from self._agent_names(item, depth + 1)
            case Name(path):
                followed = self._value(value)
                if isinstance(followed, CallExpression) and (framework := self._agent_framework(followed)):
                    yield self._agent_name(followed, framework)
                elif isinstance(followed, ArrayLiteral | ObjectLiteral) and depth < DEPTH_MAX:
                    yield from self._agent_names(followed, depth + 1)
                elif followed is None and path.startswith("."):
                    yield path.rpartition(".")[2]
            case CallExpression() if framework := self._agent_framework(value):
                yield self._agent_name(value, framework)
            case _:
                pass

    # --- models ----------------------------------------------------------------------------------------------

    def models(self) -> Iterator[CodeComponent]:
        for call in self._module.calls:
            for model in self._models_of(call):
                yield CodeComponent(Kind.MODEL, model, call.line)
        for table in self._module.tables:
            for key, value in table.items.items():
                if known.MODEL_NAME.search(key):
                    yield from (
                        CodeComponent(Kind.MODEL, model, table.line) for model in self._models_in(value, strict=True)
                    )
        for name, value in self._module.bound.items():
            if known.MODEL_NAME.search(name.rpartition(".")[2]):
                line = self._module.lines.get(name, 0)
                yield from (CodeComponent(Kind.MODEL, model, line) for model in self._models_in(value))

    def _models_of(self, call: CallExpression, depth: int = 0) -> Iterator[str]:
        for key in known.MODEL_ARGUMENTS:
            if key in call.named:
                yield from self._models_in(call.named[key], strict=key in _STRICT, depth=depth)
        if call.positional and framework_of(self._origin(call.target)):
            yield from self._models_in(call.positional[0], strict=True, depth=depth)

    def _models_in(self, value: Value, *, strict: bool = False, depth: int = 0) -> Iterator[str]:
        followed = None if self._spent() else self._value(value)
        match followed:
            case StringLiteral(text) if model := model_of(text):
                if not strict or known.FAMILY.fullmatch(model):
                    yield without_secret(model)
            case CallExpression(positional=(_, StringLiteral(text), *_)) if followed.last in _ENVIRONMENT and (
                model := model_of(text)
            ):
                yield without_secret(model)
            case CallExpression() if depth < DEPTH_MAX and framework_of(self._origin(followed.target)):
                yield from self._models_of(followed, depth + 1)
            case ArrayLiteral(items):
                for item in items:
                    if isinstance(item, StringLiteral | ArrayLiteral) and depth < DEPTH_MAX:
                        yield from self._models_in(item, strict=True, depth=depth + 1)
            case _:
                pass

    # --- prompts ---------------------------------------------------------------------------------------------

    def prompts(self) -> Iterator[CodeComponent]:
        for call in self._module.calls:
            if framework := self._agent_framework(call):
                agent = self._agent_name(call, framework)
                for key in known.PROMPT_ARGUMENTS:
                    yield from self._prompt(call.named.get(key), f"{agent} {key}", call.line, framework)
            elif call.last in known.PROMPT_MAKERS and framework_of(call.target) and call.bound:
                yield CodeComponent(Kind.PROMPT, call.bound, call.line, framework_of(call.target))
            elif call.last in known.SERVER_PROMPTS and framework_of(self._origin(call.target)) == known.CONTRACT:
                first = self._text(call.positional[0]) if call.positional else ""
                if name := self._text(call.named.get("name")) or first:
                    yield CodeComponent(Kind.PROMPT, name, call.line, known.CONTRACT)
        for definition in self._module.definitions:
            for decorator in definition.decorators:
                path = path_of(decorator)
                framework = framework_of(self._origin(path)) or self._any()
                last = path.rpartition(".")[2]
                served = last in known.SERVER_PROMPTS and framework == known.CONTRACT
                if "." in path and framework and (served or last in known.PROMPT_DECORATORS):
                    decorated_name = self._decorated_name(decorator) if isinstance(decorator, CallExpression) else ""
                    yield CodeComponent(Kind.PROMPT, decorated_name or definition.name, definition.line, framework)
        if self._frameworks or known.PROMPT_NAME.search(self._module.name):
            for name, value in self._module.bound.items():
                if known.PROMPT_NAME.search(name.rpartition(".")[2]):
                    yield from self._prompt(
                        self._value(value),
                        name.rpartition(".")[2],
                        self._module.lines.get(name, 0),
                        self._any(),
                        _PROMPT_CHARS_MIN,
                    )

    def _prompt(
        self, value: Value, name: str, line: int, framework: str, chars_min: int = 1
    ) -> Iterator[CodeComponent]:
        if isinstance(value, Name):
            name = value.path.rpartition(".")[2]
            if known.PROMPT_NAME.search(name) and self._value(value) is None and "." in value.path:
                yield CodeComponent(Kind.PROMPT, name, line, framework)
            line = self._module.lines.get(value.path, line)
        followed = self._value(value)
        if isinstance(followed, CallExpression) and followed.last in _WRAPPERS and followed.positional:
            followed = followed.positional[0]
        if isinstance(followed, CallExpression) and followed.last in _ENVIRONMENT and len(followed.positional) == 2:
            followed = followed.positional[1]
        if isinstance(followed, StringLiteral) and len(followed.value) >= chars_min:
            digest = hashlib.sha256(followed.value.encode("utf-8", "surrogatepass")).hexdigest()
            yield CodeComponent(Kind.PROMPT, name, line, framework, digest=f"sha256:{digest}")

    # --- servers ---------------------------------------------------------------------------------------------

    def servers(self) -> Iterator[CodeComponent]:
        for call in self._module.calls:
            framework = framework_of(call.target)
            first = call.positional[0] if call.positional else None
            if framework == known.CONTRACT and call.last in known.SERVERS:
                name = self._text(call.named.get("name")) or self._text(first) or call.bound
                yield CodeComponent(Kind.SERVER, without_secret(name), call.line, framework, tuple(self._served()))
            elif framework and call.last in known.CLIENT_SERVERS:
                yield from self._reached(
                    {**call.named, **_table(call.named.get("params"))}, first, call.line, framework
                )
            elif framework and call.last in known.CLIENT_TABLES:
                tables = (first, *(call.named.get(key) for key in ("connections", "servers", "mcpServers")))
                for value in tables:
                    for spec in _table(self._value(value)).values():
                        yield from self._reached(_table(spec), None, call.line, framework)

    def _served(self) -> Iterator[Target]:
        """The tools of a file that makes one server."""
        servers = [
            call
            for call in self._module.calls
            if framework_of(call.target) == known.CONTRACT and call.last in known.SERVERS
        ]
        if len(servers) == 1:
            yield from dict.fromkeys((Verb.USES, Kind.TOOL, tool.name) for tool in self.tools())

    def _reached(self, spec: "dict[str, Value]", first: Value, line: int, framework: str) -> Iterator[CodeComponent]:
        """The server behind a command or an address."""
        url = next(filter(None, (self._text(spec.get(key)) for key in ("url", "server_url", "serverUrl"))), "")
        words = self._value(spec.get("args"))
        arguments = [self._text(word) for word in words.items] if isinstance(words, ArrayLiteral) else []
        command = self._text(spec.get("command"))
        if not command and not url:
            command = self._text(first)
        if address_shown := address(url or command):
            yield CodeComponent(Kind.SERVER, address_shown, line, framework)
        elif command:
            program, *more = command.split()
            yield CodeComponent(Kind.SERVER, launch_of(program, [*more, *arguments]).server, line, framework)


def _table(value: Value) -> "dict[str, Value]":
    return dict(value.items) if isinstance(value, ObjectLiteral) else {}
