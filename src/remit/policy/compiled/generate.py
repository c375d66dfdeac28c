"""Cedar's JSON form of policies to the source of one Python function, node by node.

Unvalidated policies too: where the kind of a value is not known, the code asks for it.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

from remit.facts.canonical import Json
from remit.policy.compiled import functions
from remit.policy.compiled.extensions import LONG_MAX, LONG_MIN, Decimal, EvaluationFault
from remit.policy.compiled.operators import MissingValue
from remit.policy.compiled.values import keys
from remit.policy.compiled.writer import SCOPE, Expression, FunctionWriter, GeneratedModule, Unsupported, Write, mapping

COMMON: Final = 2
"""How often a test is made by the policies of a slice, at least, to be made once for them all."""


def generate(
    policies: Sequence[Mapping[str, Json]], scope: Iterable[str] = SCOPE, *, common: int = COMMON
) -> GeneratedModule:
    """The function `judge` for `policies`. Raises `Unsupported`.

    `scope` are the parts of it that are tested; of the others it is known that they fit. Tests that are made
    `common` times are made once.
    """
    tested = tuple(scope)

    def body(writer: FunctionWriter) -> list[str]:
        return [line for index, policy in enumerate(policies) for line in writer.policy(index, policy, tested)]

    counting = FunctionWriter(NODES)
    body(counting)
    writer = FunctionWriter(NODES, frozenset(text for text, count in counting.tests.items() if count >= common))
    return writer.source(body(writer))


def _sides(writer: FunctionWriter, part: Json) -> tuple[Expression, Expression]:
    sides = mapping(part)
    return writer.expression(sides["left"]), writer.expression(sides["right"])


def _argument(writer: FunctionWriter, part: Json) -> Expression:
    return writer.expression(mapping(part)["arg"])


def _value(writer: FunctionWriter, part: Json) -> Expression:
    match part:
        case bool() | int() | str():
            return writer.constant(part)
        case {"__entity": {"type": str(kind), "id": str(name)}}:
            return writer.constant((kind, name))
        case _:
            raise Unsupported("a literal of an unknown type")


def _variable(_writer: FunctionWriter, part: Json) -> Expression:
    if part == "context":
        return Expression("context", dict)
    if part in SCOPE:
        return Expression(cast("str", part), tuple)
    raise Unsupported("a variable that is not known")


def _attribute(writer: FunctionWriter, part: Json) -> Expression:
    name = writer.path({".": part})
    if name is not None:
        return Expression(name, None)
    base = writer.expression(mapping(part)["left"])
    attribute = writer.constant(mapping(part)["attr"])
    return writer.made(f"look(entities, {base.text}, {attribute.text})", None, base)


def _has(writer: FunctionWriter, part: Json) -> Expression:
    found = _attribute(writer, part)
    value = found.text
    if not value.isidentifier():
        return writer.made(f"has({value})", bool, found)
    return writer.either(f"{value}.__class__ is not MissingValue or {value} is not ABSENT and", value)


def _spine(node: Json, name: str) -> list[Json]:
    """The operands of a chain of one associative operator, in their order."""
    operands: list[Json] = []
    left: list[Json] = [node]
    while left:
        one = left.pop()
        if isinstance(one, Mapping) and name in one:
            sides = mapping(one[name])
            left += [sides["right"], sides["left"]]
        else:
            operands.append(one)
    return operands


def _chain(name: str, word: str) -> Write:
    def write(writer: FunctionWriter, part: Json) -> Expression:
        operands = [writer.expression(node) for node in _spine({name: part}, name)]
        text = f" {word} ".join(writer.expect(operand, bool) for operand in operands)
        return writer.made(f"({text})", bool, *operands)

    return write


def _not(writer: FunctionWriter, part: Json) -> Expression:
    code = _argument(writer, part)
    return writer.made(f"(not {writer.expect(code, bool)})", bool, code)


def _choice(writer: FunctionWriter, part: Json) -> Expression:
    parts = mapping(part)
    test, then, other = (writer.expression(parts[name]) for name in ("if", "then", "else"))
    kind = then.kind if then.kind is other.kind else None
    return writer.made(f"({then.text} if {writer.expect(test, bool)} else {other.text})", kind, test, then, other)


def _equal(writer: FunctionWriter, part: Json) -> Expression:
    left, right = _sides(writer, part)
    if left.kind is None:
        left, right = right, left
    if left.kind is right.kind and left.kind not in {None, dict}:
        return writer.made(f"({left.text} == {right.text})", bool, left, right)
    if right.kind is None and left.constant is not None:
        name, first = writer.once(right)
        test = f"{name} == {left.text} if {first}.__class__ is {left.constant.__class__.__name__} else"
        if name == first:
            return writer.either(test, name, "unlike", "differs")
        return writer.made(f"({test} unlike({name}))", bool, right)
    return writer.made(f"same({left.text}, {right.text})", bool, left, right)


def _unequal(writer: FunctionWriter, part: Json) -> Expression:
    code = _equal(writer, part)
    return writer.made(f"(not {code.text})", bool, code)


def _order(sign: str, function: str, *, turned: bool) -> Write:
    def write(writer: FunctionWriter, part: Json) -> Expression:
        left, right = _sides(writer, part)
        if isinstance(right.constant, int) and right.kind is int:
            return writer.test(left, int, lambda value: f"{value} {sign} {right.text}")
        if int in {left.kind, right.kind}:
            one, two = writer.expect(left, int), writer.expect(right, int)
            return writer.made(f"({one} {sign} {two})", bool, left, right)
        one, two = (right, left) if turned else (left, right)
        return writer.made(f"{function}({one.text}, {two.text})", bool, left, right)

    return write


def _arithmetic(sign: str, run: Callable[[int, int], int]) -> Write:
    def write(writer: FunctionWriter, part: Json) -> Expression:
        left, right = _sides(writer, part)
        if left.kind is right.kind is int and isinstance(left.constant, int) and isinstance(right.constant, int):
            fixed = run(left.constant, right.constant)
            if LONG_MIN <= fixed <= LONG_MAX:
                return writer.constant(fixed)
        one, two = writer.expect(left, int), writer.expect(right, int)
        return writer.made(f"long({one} {sign} {two})", int, left, right)

    return write


def _negative(writer: FunctionWriter, part: Json) -> Expression:
    code = _argument(writer, part)
    return writer.made(f"long(-{writer.expect(code, int)})", int, code)


def _inside(writer: FunctionWriter, left: Expression, right: Expression) -> Expression:
    uids = right.constant
    if left.text in SCOPE:
        if isinstance(uids, tuple):
            return writer.made(f"({right.text} in {writer.above(left.text)})", bool)
        if isinstance(uids, frozenset) and all(isinstance(uid, tuple) and len(uid) == 2 for uid in uids):
            return writer.made(f"(not {writer.above(left.text)}.isdisjoint({right.text}))", bool)
    return writer.made(f"inside(entities, {left.text}, {right.text})", bool, left, right)


def _in(writer: FunctionWriter, part: Json) -> Expression:
    return _inside(writer, *_sides(writer, part))


def _is(writer: FunctionWriter, part: Json) -> Expression:
    parts = mapping(part)
    kind = writer.constant(parts["entity_type"]).text
    left = writer.expression(parts["left"])
    if "in" not in parts:
        return writer.made(f"({writer.expect(left, tuple)}[0] == {kind})", bool, left)
    name, first = writer.once(Expression(writer.expect(left, tuple), tuple))
    right = writer.expression(parts["in"])
    if name != first:
        # In one expression with what gives it: a function of its own would not know that name.
        return writer.made(f"({first}[0] == {kind} and inside(entities, {name}, {right.text}))", bool, left, right)
    held = _inside(writer, Expression(name, tuple), right)
    return writer.made(f"({first}[0] == {kind} and {held.text})", bool, left, held)


def _like(writer: FunctionWriter, part: Json) -> Expression:
    parts = mapping(part)
    left = writer.expression(parts["left"])
    pieces = [""]
    for piece in cast("list[Json]", parts["pattern"]):
        match piece:
            case "Wildcard":
                pieces.append("")
            case {"Literal": str(literal)}:
                pieces[-1] += literal
            case _:
                raise Unsupported("a piece of a pattern")
    if len(pieces) == 2 and "" in pieces:
        word = "startswith" if not pieces[1] else "endswith"
        end = writer.constant(pieces[0] or pieces[1]).text
        return writer.test(left, str, lambda value: f"{value}.{word}({end})")
    pattern = writer.constant(tuple(pieces)).text
    return writer.test(left, str, lambda value: f"like({value}, {pattern})")


def _set(writer: FunctionWriter, part: Json) -> Expression:
    items = [writer.expression(node) for node in cast("list[Json]", part)]
    fixed = [item.constant for item in items if item.constant is not None]
    if len(fixed) == len(items):
        return writer.constant(keys(fixed))
    return writer.made(f"frozenset(({', '.join(map(_key, items))},))", frozenset, *items)


def _key(code: Expression) -> str:
    return f"held({code.text})" if code.kind in {None, bool, dict} else code.text


def _record(writer: FunctionWriter, part: Json) -> Expression:
    items = {name: writer.expression(node) for name, node in mapping(part).items()}
    members: list[str] = []
    for name, item in items.items():
        value, first = (item.text, "") if item.kind is not None else writer.once(item)
        sure = f"({value} if {first}.__class__ is not MissingValue else fault({value}))" if first else value
        members.append(f"{writer.constant(name).text}: {sure}")
    return writer.made(f"{{{', '.join(members)}}}", dict, *items.values())


def _contains(writer: FunctionWriter, part: Json) -> Expression:
    left, right = _sides(writer, part)
    if right.constant is not None:
        key = _key(right)
        return writer.test(left, frozenset, lambda value: f"{key} in {value}")
    return writer.made(f"({_key(right)} in {writer.expect(left, frozenset)})", bool, left, right)


def _sets(form: str) -> Write:
    def write(writer: FunctionWriter, part: Json) -> Expression:
        left, right = _sides(writer, part)
        text = form.format(writer.expect(left, frozenset), writer.expect(right, frozenset))
        return writer.made(text, bool, left, right)

    return write


def _empty(writer: FunctionWriter, part: Json) -> Expression:
    code = _argument(writer, part)
    return writer.made(f"(not {writer.expect(code, frozenset)})", bool, code)


def _tag(writer: FunctionWriter, part: Json) -> Expression:
    left, right = _sides(writer, part)
    return writer.made(f"tag(entities, {left.text}, {right.text})", None, left, right)


def _has_tag(writer: FunctionWriter, part: Json) -> Expression:
    code = _tag(writer, part)
    return writer.made(f"has({code.text})", bool, code)


def _call(function: functions.Function) -> Write:
    def write(writer: FunctionWriter, part: Json) -> Expression:
        arguments = [writer.expression(node) for node in cast("list[Json]", part)]
        if len(arguments) != len(function.takes):
            raise Unsupported(f"{function.name} with {len(arguments)} arguments")
        fixed = arguments[0].constant
        if function.made_from_text and isinstance(fixed, str):
            try:
                return writer.constant(function.run(fixed))
            except EvaluationFault as wrong:
                return Expression(f"fault({writer.constant(MissingValue(str(wrong))).text})", function.gives)
        compared = arguments[-1].constant
        if function.compares is not None and isinstance(compared, Decimal):
            units = writer.constant(compared.units).text
            return writer.test(arguments[0], Decimal, lambda value: f"{value}.units {function.compares} {units}")
        texts = [writer.expect(code, kind) for code, kind in zip(arguments, function.takes, strict=True)]
        return writer.made(f"{function.name}({', '.join(texts)})", function.gives, *arguments)

    return write


NODES: Final[Mapping[str, Write]] = {
    "Value": _value,
    "Var": _variable,
    "&&": _chain("&&", "and"),
    "||": _chain("||", "or"),
    "!": _not,
    "if-then-else": _choice,
    "==": _equal,
    "!=": _unequal,
    "<": _order("<", "before", turned=False),
    "<=": _order("<=", "until", turned=False),
    ">": _order(">", "before", turned=True),
    ">=": _order(">=", "until", turned=True),
    "+": _arithmetic("+", operator.add),
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "neg": _negative,
    ".": _attribute,
    "has": _has,
    "in": _in,
    "is": _is,
    "like": _like,
    "Set": _set,
    "Record": _record,
    "contains": _contains,
    "containsAll": _sets("({1} <= {0})"),
    "containsAny": _sets("(not {0}.isdisjoint({1}))"),
    "isEmpty": _empty,
    "getTag": _tag,
    "hasTag": _has_tag,
    **{name: _call(function) for name, function in functions.TABLE.items()},
}
"""What writes each node of Cedar's JSON form."""
