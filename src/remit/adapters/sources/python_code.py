"""Python, read by the standard library's parser, which only reads: nothing of a repository is ever run or imported."""

import ast
import warnings
from collections.abc import Iterator
from typing import Final

from remit.discover.code import (
    ArrayLiteral,
    CallExpression,
    CodeDefinition,
    Module,
    Name,
    ObjectLiteral,
    StringLiteral,
    Value,
)

_DEPTH_MAX: Final = 40


class NoPython(ValueError):
    """Text that is no Python of this version; `line` says where it ends to be."""

    def __init__(self, line: int) -> None:
        super().__init__(f"no Python from line {line} on")
        self.line = line


def read(text: str, name: str, local: frozenset[str] = frozenset()) -> Module:
    """The module that `text` spells. `local` are packages of the repository itself. Raises `NoPython`."""
    try:
        with warnings.catch_warnings():
            # Its own escapes and comparisons are its own affair.
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        reader = _Reader(name, local)
        reader.imports(tree)
        reader.body(tree.body, "")
    except (SyntaxError, ValueError) as error:
        raise NoPython(getattr(error, "lineno", 0) or 0) from None
    except (RecursionError, MemoryError):
        raise NoPython(0) from None
    return reader.module


class _Reader:
    def __init__(self, name: str, local: frozenset[str]) -> None:
        self.module = Module(name)
        self._local = local
        self._alias: dict[str, str] = {}

    def imports(self, tree: ast.Module) -> None:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    root = name.name.partition(".")[0]
                    self._alias[name.asname or root] = self._here(name.name if name.asname else root)
                    self.module.imports.add(self._here(name.name))
            elif isinstance(node, ast.ImportFrom):
                source = self._here("." * node.level + (node.module or ""))
                self.module.imports.add(source)
                for name in node.names:
                    self._alias[name.asname or name.name] = f"{source}.{name.name}"

    def _here(self, module: str) -> str:
        """A package of the repository itself is no framework, whatever it is called."""
        return f".{module}" if module.partition(".")[0] in self._local else module

    def body(self, nodes: "list[ast.stmt]", within: str) -> None:
        for node in nodes:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._function(node, within)
                case ast.ClassDef():
                    self._class(node, within)
                case ast.Assign():
                    self._assign(node.targets, node.value, within)
                case ast.AnnAssign(value=ast.expr() as value):
                    self._assign([node.target], value, within)
                case _:
                    for child in ast.iter_child_nodes(node):
                        if isinstance(child, ast.expr):
                            self._value(child, "", within)
                        elif isinstance(child, ast.withitem):
                            bound = child.optional_vars.id if isinstance(child.optional_vars, ast.Name) else ""
                            self._bind(bound, self._value(child.context_expr, bound, within), node.lineno, within)
                    for inner in _bodies(node):
                        self.body(inner, within)

    def _function(self, node: "ast.FunctionDef | ast.AsyncFunctionDef", within: str) -> None:
        self._definition(node, (), {}, within)
        defaults = zip(reversed([*node.args.posonlyargs, *node.args.args]), reversed(node.args.defaults), strict=False)
        keyword = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
        for argument, default in (*defaults, *keyword):
            if default is not None:
                value = self._value(default, argument.arg, node.name)
                self._bind(f"{node.name}.{argument.arg}", value, default.lineno, "")
        self.body(node.body, node.name)

    def _class(self, node: ast.ClassDef, within: str) -> None:
        attributes: dict[str, Value] = {}
        for statement in node.body:
            target = (
                statement.targets[0]
                if isinstance(statement, ast.Assign)
                else statement.target
                if isinstance(statement, ast.AnnAssign)
                else None
            )
            value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
            if isinstance(target, ast.Name) and isinstance(value, ast.Constant) and isinstance(value.value, str):
                attributes[target.id] = StringLiteral(value.value)
                self._bind(f"{node.name}.{target.id}", StringLiteral(value.value), statement.lineno, "")
        self._definition(node, tuple(filter(None, map(self._path, node.bases))), attributes, within)
        self.body(node.body, node.name)

    def _definition(
        self,
        node: "ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef",
        bases: tuple[str, ...],
        attributes: "dict[str, Value]",
        within: str,
    ) -> None:
        decorators = tuple(self._value(one, "", within) for one in node.decorator_list)
        self.module.definitions.append(CodeDefinition(node.name, node.lineno, decorators, bases, attributes, within))

    def _assign(self, targets: "list[ast.expr]", value: ast.expr, within: str) -> None:
        first = targets[0]
        bound = first.id if isinstance(first, ast.Name) else first.attr if isinstance(first, ast.Attribute) else ""
        assigned = self._value(value, bound, within)
        self._bind(bound, assigned, value.lineno, within)
        if isinstance(first, ast.Attribute):
            self._bind(self._path(first), assigned, value.lineno, within)

    def _bind(self, name: str, value: Value, line: int, within: str) -> None:
        if name and (value is not None or name in self.module.bound):
            earlier = self.module.bound.get(name)
            if (
                within
                and earlier is not None
                and earlier != StringLiteral("")
                and not isinstance(value, CallExpression)
            ):
                return
            self.module.bound[name] = value
            self.module.lines[name] = line

    def _value(self, node: ast.expr, bound: str, within: str, depth: int = 0) -> Value:
        if depth > _DEPTH_MAX:
            return None
        match node:
            case ast.Constant(value=str() as text):
                return StringLiteral(text)
            case ast.Dict():
                return self._table(node, within, depth)
            case ast.Call():
                return self._call(node, bound, within, depth)
            case ast.Name() | ast.Attribute() if path := self._path(node):
                return Name(path)
            case ast.List() | ast.Tuple() | ast.Set():
                return ArrayLiteral(tuple(self._value(element, "", within, depth + 1) for element in node.elts))
            case ast.Await() | ast.Starred():
                return self._value(node.value, bound, within, depth + 1)
            case _:
                inner = [self._value(element, bound, within, depth + 1) for element in _inside(node)]
                return _join(node, inner)

    def _table(self, node: ast.Dict, within: str, depth: int) -> ObjectLiteral:
        items: dict[str, Value] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            name = key.value if isinstance(key, ast.Constant) and isinstance(key.value, str) else ""
            member = self._value(value, name, within, depth + 1)
            if name:
                items[name] = member
        table = ObjectLiteral(items, node.lineno)
        self.module.tables.append(table)
        return table

    def _call(self, node: ast.Call, bound: str, within: str, depth: int) -> CallExpression:
        if isinstance(node.func, ast.Attribute):
            inner = node.func.value
            receiver = self._value(inner, bound, within, depth + 1)
            root = f"{receiver.target}()" if isinstance(receiver, CallExpression) else self._path(inner)
            target = f"{root}.{node.func.attr}" if root else node.func.attr
        else:
            target = self._path(node.func)
            if isinstance(node.func, ast.Subscript):
                target = self._path(node.func.value)
        # What a function wraps is known by the name that takes the result.
        passed = bound if len(node.args) == 1 and not node.keywords and isinstance(node.args[0], ast.Call) else ""
        positional = tuple(self._value(argument, passed, within, depth + 1) for argument in node.args)
        keywords = {
            argument.arg: self._value(argument.value, "", within, depth + 1)
            for argument in node.keywords
            if argument.arg
        }
        call = CallExpression(target, positional, keywords, node.lineno, bound, within)
        self.module.calls.append(call)
        return call

    def _path(self, node: ast.AST) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if isinstance(node, ast.Subscript):
            return self._path(node.value) if not parts else ""
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._alias.get(node.id, node.id), *reversed(parts)])


def _inside(node: ast.expr) -> "Iterator[ast.expr]":
    """The expressions in what is nothing itself."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            yield child
        elif isinstance(child, ast.comprehension):
            yield from (child.iter, *child.ifs)


def _join(node: ast.expr, inner: "list[Value]") -> Value:
    """Of texts joined, all that is literal; of `a or b` the last, which is the default."""
    match node:
        case ast.JoinedStr():
            return StringLiteral("".join(part.value for part in inner if isinstance(part, StringLiteral)))
        case ast.BinOp(op=ast.Add()):
            texts = [part.value for part in inner if isinstance(part, StringLiteral)]
            return StringLiteral("".join(texts)) if texts else None
        case ast.BoolOp():
            return inner[-1]
        case _:
            return None


def _bodies(node: ast.stmt) -> "Iterator[list[ast.stmt]]":
    for name in ("body", "orelse", "finalbody"):
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            yield inner
    for handler in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield handler.body
