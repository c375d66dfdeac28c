"""Arguments to try a tool with: one for each way in which the conditions that look at them can come out.

Laws
* Only what the pinned schema takes is tried, and only what some policy looks at is varied.
* The values are an adversary's: nobody's user named them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final, TypeAlias, cast

from remit.assure.chains.literals import Literals, Path
from remit.assure.chains.patterns import filled, literal, samples
from remit.assure.chains.regular import Demand, demands
from remit.assure.chains.schema_fit import lone
from remit.facts.canonical import Json
from remit.facts.results import steps
from remit.policy.arguments import Validator
from remit.policy.destination import ToolForm
from remit.policy.references import resolve
from remit.policy.slice import Slice

Arguments: TypeAlias = Mapping[str, Json]

VARIANTS_MAX: Final = 256
"""How many arguments of one tool are tried."""
VALUES_MAX: Final = 64
"""How many values of one argument."""
ELEMENTS_MAX: Final = 64
LENGTH_MAX: Final = 1_000
EXACT_MAX: Final = 2**53 - 1
_DEPTH_MAX: Final = 4
_FILLERS: Final = ("x", "1", "A")
"""What a star of a pattern may stand for, where the schema wants more than the shortest text."""
_PLAIN: Final = ("x", "1", "xxxxxxxxxx", "a@b.example", "http://a.example/", "2026-01-01", "2026-01-01T00:00:00Z", "A")
_NUMBERS: Final = (1, 0, 100, -1, 0.5)
_NO_ARGUMENTS: Final[Arguments] = {}


@dataclass(frozen=True, slots=True)
class _Field:
    """One property: the values to try, the first of which is the plainest, and whether it may be left out.

    `whole`: there is a value for each way in which conditions on it can come out.
    """

    name: str
    values: tuple[Json, ...]
    optional: bool
    varies: bool
    whole: bool


@dataclass(slots=True)
class _Trying:
    """What conditions compare with; `whole` until something that they could tell apart is left out.

    `root` is the schema that references point into. Without `patterns` those of schemas demand nothing.
    """

    found: Literals
    root: Json
    whole: bool = True
    patterns: bool = True

    def few(self, values: Iterator[Json], most: int = VALUES_MAX) -> list[Json]:
        """The first of `values`, each once."""
        taken = list(islice(_distinct(values), most + 1))
        self.whole &= len(taken) <= most
        return taken[:most]


def variants(
    form: ToolForm, part: Slice, found: Literals, left_open: Collection[str] = ()
) -> tuple[tuple[Arguments, ...], bool]:
    """The arguments to try the tool of `form` with, which `part` judges; and whether that is all of them.

    None where nothing was found that the schema takes. `form` takes any value of those `left_open`.
    """
    schema = form.tool.definition.input_schema
    whole = () in part.reads
    read = {path[0] for path in part.reads if path}
    if part.impact:
        # What is moved is measured there.
        read.update(str(path[0]) for one in form.tool.impact.values() if (path := steps(one.path)))
    required, alone = _required(schema), _alone(form)
    fields = [
        _field(
            name,
            inner,
            _Trying(found, schema, patterns=name not in left_open),
            alone,
            needed=name in required,
            varies=whole or name in read,
        )
        for name, inner in _properties(schema).items()
    ]
    combined = list(_combined(fields))
    taken = [one for one in combined[:VARIANTS_MAX] if _valid(form, one)]
    if not taken:
        taken = [one for one in (_repaired(form, fields),) if one is not None]
    whole_fields = all(one.whole for one in fields if one.varies)
    return tuple(taken), len(combined) <= VARIANTS_MAX and whole_fields


def unfound(form: ToolForm, found: Literals) -> tuple[str, ...]:
    """The arguments of the tool of `form` for which no value is found that their schemas take."""
    schema, alone = form.tool.definition.input_schema, _alone(form)
    made = ((name, _fitting(alone, name, part, _Trying(found, schema))) for name, part in _properties(schema).items())
    return () if alone is None else tuple(name for name, values in made if next(values, _ABSENT) is _ABSENT)


def _alone(form: ToolForm) -> Validator | None:
    """What checks each argument by itself, where a schema demands more of it than values are made by."""
    patterned = form.validator is not None and form.validator.size.patterns > 0
    return lone(form.tool.definition.input_schema) if patterned else None


def _field(name: str, schema: Json, trying: _Trying, alone: Validator | None, *, needed: bool, varies: bool) -> _Field:
    values = trying.few(_fitting(alone if trying.patterns else None, name, schema, trying))
    return _Field(name, tuple(values) or ("x",), not needed, varies, trying.whole)


def _fitting(alone: Validator | None, name: str, schema: Json, trying: _Trying) -> Iterator[Json]:
    values = _values(schema, ("input", name), trying, 0)
    return values if alone is None else (one for one in values if alone.problem({name: one}) is None)


def _combined(fields: Sequence[_Field]) -> Iterator[Arguments]:
    """What varies in all combinations, the rest at its plainest; what may be left out and does not vary is left out."""
    varying = [one for one in fields if one.varies]
    fixed = {one.name: one.values[0] for one in fields if not one.varies and not one.optional}
    choices = [(*one.values, *((_ABSENT,) if one.optional else ())) for one in varying]
    for number, values in enumerate(product(*choices)):
        if number > VARIANTS_MAX:
            return
        given = {
            one.name: cast("Json", value) for one, value in zip(varying, values, strict=True) if value is not _ABSENT
        }
        yield {**fixed, **given}


class _Absent:
    """Stands for an argument that is left out."""


_ABSENT: Final = _Absent()


def _valid(form: ToolForm, given: Arguments) -> bool:
    return form.validator is None or form.validator.problem(given) is None


def _repaired(form: ToolForm, fields: Sequence[_Field]) -> Arguments | None:
    """Arguments that the schema takes, looked for among the plainer values of each needed one."""
    needed = [one for one in fields if not one.optional]
    for number, values in enumerate(product(*[one.values for one in needed])):
        if number > 10 * VARIANTS_MAX:
            break
        given = {one.name: value for one, value in zip(needed, values, strict=True)}
        if _valid(form, given):
            return given
    return _NO_ARGUMENTS if not needed and _valid(form, _NO_ARGUMENTS) else None


def _values(schema: Json, path: Path, trying: _Trying, depth: int) -> Iterator[Json]:
    """Values of `schema`, which stands at `path` below `context`."""
    if not isinstance(schema, Mapping) or depth > _DEPTH_MAX:
        yield "x"
        return
    if isinstance(pointer := schema.get("$ref"), str):
        # Of a pinned schema none leads elsewhere, or back to itself.
        inner, beside = resolve(trying.root, pointer), {name: one for name, one in schema.items() if name != "$ref"}
        yield from _values({**inner, **beside} if isinstance(inner, Mapping) else beside, path, trying, depth)
        return
    if "const" in schema:
        yield schema["const"]
        return
    if isinstance(listed := schema.get("enum"), Sequence) and not isinstance(listed, str):
        yield from listed
        return
    for keyword in ("default", "examples"):
        if keyword in schema:
            said = schema[keyword]
            yield from said if keyword == "examples" and isinstance(said, list) else (said,)
    for keyword in ("anyOf", "oneOf"):
        if parts := _parts(schema, keyword):
            rest = {name: one for name, one in schema.items() if name != keyword}
            for part in parts:
                # What the others of `oneOf` refuse is left out as what does not fit.
                yield from _values({**rest, **part}, path, trying, depth)
            return
    for kind in _kinds(schema):
        yield from _of_kind(kind, schema, path, trying, depth)


def _kinds(schema: Mapping[str, Json]) -> tuple[str, ...]:
    kind = schema.get("type")
    if isinstance(kind, str):
        return (kind,)
    if isinstance(kind, Sequence):
        return tuple(map(str, kind))
    if parts := _parts(schema, "allOf"):
        return tuple(dict.fromkeys(one for part in parts for one in _kinds(part)))
    return ("object",) if "properties" in schema else ("string",)


def _parts(schema: Mapping[str, Json], keyword: str) -> Sequence[Mapping[str, Json]]:
    parts = schema.get(keyword)
    return [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else ()


def _demanded(schema: Mapping[str, Json]) -> tuple[list[Demand], bool]:
    """What patterns demand of a text that `schema` takes, and whether all of them are followed."""
    found, every = list[Demand](), True
    for part in (schema, *_parts(schema, "allOf")):
        if isinstance(pattern := part.get("pattern"), str):
            read = demands(pattern)
            found += read or ()
            every &= read is not None
    return found, every


def _of_kind(kind: str, schema: Mapping[str, Json], path: Path, trying: _Trying, depth: int) -> Iterator[Json]:
    match kind:
        case "string":
            yield from _texts(schema, path, trying)
        case "integer" | "number":
            yield from _numbers(kind, path, schema, trying.found)
        case "boolean":
            yield from (False, True)
        case "null":
            yield None
        case "array":
            inner = trying.few(_values(schema.get("items", {}), path, trying, depth + 1))
            plain = inner[0] if inner else "x"
            yield [plain]
            yield []
            yield from ([one] for one in inner[1:])
            yield inner[:ELEMENTS_MAX]
            for count in sorted(_all(trying.found.numbers)):
                yield from ([plain] * size for size in (count, count + 1) if 1 < size <= ELEMENTS_MAX)
        case "object":
            fields = {
                name: next(_values(part, (*path, name), trying, depth + 1), "x")
                for name, part in _properties(schema).items()
            }
            yield fields
            for name, part in _properties(schema).items():
                for value in _values(part, (*path, name), trying, depth + 1):
                    yield {**fields, name: value}
        case _:
            yield "x"


def _texts(schema: Mapping[str, Json], path: Path, trying: _Trying) -> Iterator[str]:
    found = trying.found
    here, anywhere = found.texts.get(path, set()), found.texts.get((), set())
    patterns = [*sorted(found.patterns.get(path, ()), key=str), *sorted(found.patterns.get((), ()), key=str)]
    listed = [*patterns, *map(literal, sorted(here))]
    least = schema.get("minLength")
    least = least if isinstance(least, int) and not isinstance(least, bool) and 0 <= least < LENGTH_MAX else 0
    demanded, followed = _demanded(schema) if trying.patterns else ([], True)
    if not demanded:
        yield "x" * max(least, 1)
    if listed or demanded:
        texts, whole = samples(listed, least, demanded)
        yield from texts
        trying.whole &= whole
    yield from sorted(anywhere)
    if "pattern" in schema or "format" in schema:
        yield from _PLAIN
    if listed and not followed:
        # What the pinned schema takes besides is not looked into: fuller texts are tried, and not said to be all.
        yield from (filled(one, filler) for one in patterns for filler in _FILLERS)
        trying.whole = False
    for network in sorted(here | anywhere):
        # What is compared with a range of addresses is an address in it.
        yield network.partition("/")[0]


def _numbers(kind: str, path: Path, schema: Mapping[str, Json], found: Literals) -> Iterator[Json]:
    around = {*found.numbers.get(path, ()), *found.numbers.get((), ()), *_all(found.numbers)}
    for keyword in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        bound = schema.get(keyword)
        if isinstance(bound, int) and not isinstance(bound, bool):
            around.add(bound)
    yield 1
    for number in sorted(around):
        # No action holds a number that JSON does not tell exactly.
        yield from (one for one in (number, number + 1, number - 1) if abs(one) <= EXACT_MAX)
    for text in sorted(found.decimals):
        number = float(text)
        # Less by a hundredth is as good as less by anything: conditions on amounts compare.
        nearby = (number, number + 1, number - 1, number - 0.01, number + 0.01)
        yield from (round(one) for one in nearby[:3]) if kind == "integer" else (round(one, 4) for one in nearby)
    yield from (one for one in _NUMBERS if kind == "number" or isinstance(one, int))


def _all(numbers: Mapping[Path, set[int]]) -> set[int]:
    return set[int]().union(*(found for path, found in numbers.items() if path[:1] in {(), ("input",), ("impact",)}))


def _required(schema: Mapping[str, Json]) -> frozenset[str]:
    listed = schema.get("required")
    return frozenset(map(str, listed)) if isinstance(listed, Sequence) and not isinstance(listed, str) else frozenset()


def _properties(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    found = schema.get("properties")
    return found if isinstance(found, Mapping) else {}


def _distinct(values: Iterator[Json]) -> Iterator[Json]:
    """Each value once: `True` and `1` are two."""
    seen: set[str] = set()
    for value in values:
        if (key := repr(value)) not in seen:
            seen.add(key)
            yield value
