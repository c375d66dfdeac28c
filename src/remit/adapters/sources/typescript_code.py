"""TypeScript and JavaScript, read by tree-sitter, which takes any text and only reads.

Its grammar for TSX reads JavaScript too. What it could not place is an `ERROR` in the tree, and all around it is read.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Final

from tree_sitter import Language, Node, Parser
from tree_sitter_typescript import language_tsx, language_typescript

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

_DEPTH_MAX: Final = 200
_EXPRESSION_DEPTH_MAX: Final = 40
_WRAPPING: Final = frozenset(
    {"parenthesized_expression", "await_expression", "as_expression", "satisfies_expression", "non_null_expression"}
)
_ESCAPES: Final[Mapping[str, str]] = MappingProxyType({"\\n": "\n", "\\t": "\t", "\\r": "", "\\\\": "\\"})


@cache
def _language(*, tsx: bool) -> Language:
    return Language(language_tsx() if tsx else language_typescript())


def read(data: bytes, name: str, *, tsx: bool, local: frozenset[str] = frozenset()) -> tuple[Module, int]:
    """The module that `data` spells, and the line of the first error in it (0: none). Raises `RecursionError`."""
    tree = Parser(_language(tsx=tsx)).parse(data)
    reader = _Reader(name, local)
    reader.walk(tree.root_node, "")
    return reader.module, _first_error(tree.root_node) if tree.root_node.has_error else 0


class _Reader:
    def __init__(self, name: str, local: frozenset[str]) -> None:
        self.module = Module(name)
        self._local = local
        self._alias: dict[str, str] = {}

    def walk(self, root: Node, within: str) -> None:
        """Every statement below `root`; expressions are read where they stand."""
        stack: list[tuple[Node, str, int]] = [(root, within, 0)]
        while stack:
            node, around, depth = stack.pop()
            match node.type:
                case "import_statement":
                    self._import(node)
                    continue
                case "variable_declarator" | "assignment_expression" | "public_field_definition":
                    self._binding(node, around)
                    continue
                case (
                    "function_declaration"
                    | "method_definition"
                    | "class_declaration"
                    | "generator_function_declaration"
                ):
                    around = self._definition(node, around)
                case kind if kind in _READ:
                    self._value(node, "", around)
                    continue
                case _:
                    pass
            if depth < _DEPTH_MAX:
                stack += [(child, around, depth + 1) for child in reversed(node.named_children)]

    def _import(self, node: Node) -> None:
        source = node.child_by_field_name("source")
        if source is None:
            return
        module = _literal(source)
        module = f"./{module}" if module.partition("/")[0] in self._local else module
        self.module.imports.add(module)
        for clause in (part for part in node.named_children if part.type == "import_clause"):
            for part in clause.named_children:
                if part.type == "identifier":
                    self._alias[_text(part)] = f"{module}.{_text(part)}"
                elif part.type == "namespace_import":
                    self._alias[_text(part.named_children[0])] = module
                else:
                    self._import_names(part, module)

    def _import_names(self, imports: Node, module: str) -> None:
        for specifier in imports.named_children:
            name, alias = specifier.child_by_field_name("name"), specifier.child_by_field_name("alias")
            if name is not None:
                self._alias[_text(alias or name)] = f"{module}.{_text(name)}"

    def _definition(self, node: Node, within: str) -> str:
        name = node.child_by_field_name("name")
        if name is None:
            return within
        bases = tuple(
            path
            for heritage in node.named_children
            if heritage.type == "class_heritage"
            for clause in heritage.named_children
            for member in clause.named_children
            if (path := self._path(member))
        )
        attributes: dict[str, Value] = {}
        body = node.child_by_field_name("body")
        for member in body.named_children if body is not None and node.type == "class_declaration" else []:
            key, value = member.child_by_field_name("name"), member.child_by_field_name("value")
            if (
                member.type == "public_field_definition"
                and key is not None
                and value is not None
                and value.type == "string"
            ):
                attributes[_text(key)] = StringLiteral(_literal(value))
        line = node.start_point.row + 1
        self.module.definitions.append(CodeDefinition(_text(name), line, (), bases, attributes, within))
        return _text(name)

    def _binding(self, node: Node, within: str) -> None:
        target = node.child_by_field_name("left" if node.type == "assignment_expression" else "name")
        value = node.child_by_field_name("right" if node.type == "assignment_expression" else "value")
        if value is None or target is None:
            return
        name = _text(target) if target.type in {"identifier", "property_identifier"} else ""
        if target.type == "member_expression" and (last := target.child_by_field_name("property")) is not None:
            name = _text(last)
        if required := _required_module(value):
            self._require(target, required)
        assigned = self._value(value, name, within)
        if name and assigned is not None:
            self.module.bound[name] = assigned
            self.module.lines[name] = node.start_point.row + 1

    def _require(self, target: Node, module: str) -> None:
        self.module.imports.add(module)
        if target.type == "identifier":
            self._alias[_text(target)] = module
        for pattern in target.named_children:
            if pattern.type == "shorthand_property_identifier_pattern":
                self._alias[_text(pattern)] = f"{module}.{_text(pattern)}"

    def _value(self, node: Node, bound: str, within: str, depth: int = 0) -> Value:
        if depth > _EXPRESSION_DEPTH_MAX:
            return None
        kind = node.type
        if kind in {"string", "template_string"}:
            self._inside(node, within, depth)
            return StringLiteral(_literal(node))
        if kind in {"identifier", "member_expression"}:
            return Name(path) if (path := self._path(node)) else self._inside(node, within, depth)
        if kind in _WRAPPING:
            return self._value(node.named_children[0], bound, within, depth + 1) if node.named_children else None
        if kind == "array":
            return ArrayLiteral(tuple(self._value(element, "", within, depth + 1) for element in _real(node)))
        if kind == "object":
            return self._table(node, within, depth)
        if kind in {"call_expression", "new_expression"}:
            return self._call(node, bound, within, depth)
        if kind == "binary_expression":
            return self._either(node, bound, within, depth)
        # What a function makes that has only a variable's name is within that.
        return self._inside(node, bound if bound and kind in _FUNCTIONS else within, depth)

    def _inside(self, node: Node, within: str, depth: int) -> None:
        """Whatever is read below what is nothing itself: a function's body, the two arms of a choice."""
        for child in node.named_children:
            if child.type in _READ and child.type != "string":
                self._value(child, "", within, depth + 1)
            else:
                self.walk(child, within)

    def _either(self, node: Node, bound: str, within: str, depth: int) -> Value:
        """Of `a ?? b` and `a || b` the last, which is the default; of texts joined, all that is literal."""
        left, right = (
            self._value(side, bound, within, depth + 1) if side is not None else None
            for side in (node.child_by_field_name("left"), node.child_by_field_name("right"))
        )
        operator = node.child_by_field_name("operator")
        if (
            operator is not None
            and operator.type == "+"
            and isinstance(left, StringLiteral)
            and isinstance(right, StringLiteral)
        ):
            return StringLiteral(left.value + right.value)
        return right if operator is not None and operator.type in {"??", "||"} else None

    def _table(self, node: Node, within: str, depth: int) -> ObjectLiteral:
        items: dict[str, Value] = {}
        for member in _real(node):
            key, value = member.child_by_field_name("key"), member.child_by_field_name("value")
            if member.type == "pair" and key is not None and value is not None:
                name = (
                    _literal(key) if key.type == "string" else _text(key) if key.type == "property_identifier" else ""
                )
                item = self._value(value, name, within, depth + 1)
                if name:
                    items[name] = item
            elif member.type == "shorthand_property_identifier":
                items[_text(member)] = Name(self._alias.get(_text(member), _text(member)))
            else:
                self.walk(member, within)
        table = ObjectLiteral(items, node.start_point.row + 1)
        self.module.tables.append(table)
        return table

    def _call(self, node: Node, bound: str, within: str, depth: int) -> CallExpression:
        function = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        target = self._target(function, bound, within, depth) if function is not None else ""
        arguments = node.child_by_field_name("arguments")
        words = _real(arguments) if arguments is not None and arguments.type == "arguments" else []
        # What a function wraps is known by the name that takes the result.
        passed = bound if len(words) == 1 and words[0].type in {"call_expression", "new_expression"} else ""
        positional = tuple(self._value(word, passed, within, depth + 1) for word in words)
        keywords: dict[str, Value] = {}
        for value in positional:
            if isinstance(value, ObjectLiteral):
                keywords = {**value.items, **keywords}
        call = CallExpression(target, positional, keywords, node.start_point.row + 1, bound, within)
        self.module.calls.append(call)
        return call

    def _target(self, function: Node, bound: str, within: str, depth: int) -> str:
        if function.type != "member_expression":
            receiver = self._value(function, "", within, depth + 1) if function.type == "call_expression" else None
            return f"{receiver.target}()" if isinstance(receiver, CallExpression) else self._path(function)
        inner, last = function.child_by_field_name("object"), function.child_by_field_name("property")
        if inner is None or last is None:
            return ""
        if inner.type in {"call_expression", "new_expression"}:
            receiver = self._value(inner, bound, within, depth + 1)
            return f"{receiver.target}().{_text(last)}" if isinstance(receiver, CallExpression) else ""
        root = self._path(inner)
        if not root:
            self._value(inner, "", within, depth + 1)
        return f"{root}.{_text(last)}" if root else _text(last)

    def _path(self, node: Node) -> str:
        parts: list[str] = []
        while node.type == "member_expression":
            inner, last = node.child_by_field_name("object"), node.child_by_field_name("property")
            if inner is None or last is None:
                return ""
            parts.append(_text(last))
            node = inner
        if node.type == "this" and parts:
            return ".".join(reversed(parts))
        if node.type not in {"identifier", "type_identifier"}:
            return ""
        return ".".join([self._alias.get(_text(node), _text(node)), *reversed(parts)])


_READ: Final = (
    _WRAPPING
    | {"string", "template_string", "identifier", "member_expression", "array", "object"}
    | {
        "call_expression",
        "new_expression",
        "binary_expression",
    }
)


_FUNCTIONS: Final = frozenset({"arrow_function", "function_expression"})


def _real(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _literal(node: Node) -> str:
    """What is literal of a text: without its quotes, and without what is computed in a template."""
    parts: list[str] = []
    for child in node.children:
        if child.type in {"string_fragment", "template_chars"}:
            parts.append(_text(child))
        elif child.type == "escape_sequence":
            parts.append(_ESCAPES.get(_text(child), _text(child)[1:]))
    return "".join(parts)


def _required_module(value: Node) -> str:
    """The module that `require("…")` names, or empty."""
    function, arguments = value.child_by_field_name("function"), value.child_by_field_name("arguments")
    if value.type != "call_expression" or function is None or arguments is None or _text(function) != "require":
        return ""
    first = next(iter(arguments.named_children), None)
    return _literal(first) if first is not None and first.type == "string" else ""


def _first_error(root: Node) -> int:
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            return node.start_point.row + 1
        stack += [child for child in reversed(node.children) if child.has_error]
    return 0
