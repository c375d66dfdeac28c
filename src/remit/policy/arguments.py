"""Arguments against the pinned JSON Schema, before any policy sees them.

Validators are compiled once per pin. They fetch nothing, assert no formats, and a pattern
that backtracks too long fails the argument instead of the service. Arguments whose checking
could take longer than `WORK_MAX` are not checked, and so are invalid.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import jsonschema_rs

from remit.facts.canonical import Json
from remit.facts.limits import DEFAULT
from remit.facts.text import escaped
from remit.facts.tool import defaults_of
from remit.policy import references
from remit.policy.input_types import Untypable

BACKTRACK_MAX: Final = 20_000
WORK_MAX: Final = 100_000_000
"""Steps that checking one action's arguments may take, at some 10 ns each."""
_SHOWN_MAX: Final = 160
_MASK: Final = "the value"


@dataclass(frozen=True, slots=True)
class Validator:
    """One tool's compiled argument schema."""

    compiled: jsonschema_rs.Validator
    size: references.Size
    backtracks: bool

    def problem(self, arguments: Mapping[str, Json], secrets: Collection[str] = ()) -> str | None:
        """Which argument is invalid and why, in one sentence without its value; or None.

        Of `secrets` no more than the name is told: what is in them may have names too.
        """
        most = self._work(DEFAULT.nodes_max, DEFAULT.arguments_bytes_max)
        if most > WORK_MAX and self._work(*_extent(arguments)) > WORK_MAX:
            return "the arguments hold more values than can be checked against this schema"
        try:
            self.compiled.validate(dict(arguments))
        except jsonschema_rs.ValidationError as error:
            if error.instance_path and str(error.instance_path[0]) in secrets:
                return f"{escaped(str(error.instance_path[0]), chars_max=_SHOWN_MAX)}: it is not what the schema takes"
            path = ".".join(str(step) for step in error.instance_path)
            where = escaped(path, chars_max=_SHOWN_MAX) or "the arguments"
            return f"{where}: {escaped(error.message, chars_max=_SHOWN_MAX)}"
        except ValueError as error:
            return f"the arguments cannot be checked: {escaped(str(error), chars_max=_SHOWN_MAX)}"
        return None

    def _work(self, values: int, chars: int) -> int:
        each = BACKTRACK_MAX * values if self.backtracks else 0
        again = 1 + self.size.height // 10
        return self.size.checks * again * values + self.size.patterns * (chars + each)


def with_defaults_left_out(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    """The input schema `schema`, without the demand to name arguments that it has a `default` for.

    Schemas written from a server's code (zod's, of its output) name them as required, and the server fills them in.
    """
    listed, defaults = schema.get("required"), defaults_of(schema)
    if not isinstance(listed, list) or not defaults:
        return schema
    return {**schema, "required": [name for name in listed if not (isinstance(name, str) and name in defaults)]}


def compile_validator(schema: Mapping[str, Json]) -> Validator:
    """The validator of a tool's `inputSchema`.

    Raises `Untypable` where it is no JSON Schema, names an unknown dialect, refers to another
    document or cannot be followed.
    """
    try:
        size = references.check(schema)
    except references.Unfollowable as error:
        raise Untypable(f"its input schema cannot be followed: {error}") from None
    # Most patterns need no backtracking; where all of them do without, none can take long.
    linear = _compile(schema, jsonschema_rs.RegexOptions())
    if isinstance(linear, jsonschema_rs.Validator):
        return Validator(linear, size, backtracks=False)
    backtracking = _compile(schema, jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_MAX))
    if isinstance(backtracking, str):
        raise Untypable(f"its input schema is not valid: {backtracking}")
    return Validator(backtracking, size, backtracks=True)


def _compile(
    schema: Mapping[str, Json], patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions
) -> jsonschema_rs.Validator | str:
    """The validator with that engine for its patterns, or why there is none."""
    try:
        return jsonschema_rs.validator_for(
            cast("dict[str, Any]", schema),
            validate_formats=False,
            mask=_MASK,
            pattern_options=patterns,
            offline=True,
        )
    except jsonschema_rs.ValidationError as error:
        where = ".".join(str(step) for step in error.instance_path)
        return escaped(f"{where}: {error.message}" if where else error.message, chars_max=_SHOWN_MAX)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        return escaped(str(error), chars_max=_SHOWN_MAX)


def _extent(arguments: Json) -> tuple[int, int]:
    """How many values and names `arguments` hold, and how many characters in these."""
    values = chars = 0
    stack = [arguments]
    while stack:
        value = stack.pop()
        values += 1
        if isinstance(value, str):
            chars += len(value)
        elif isinstance(value, Mapping):
            values += len(value)
            chars += sum(map(len, value))
            stack.extend(value.values())
        elif isinstance(value, Sequence):
            stack.extend(value)
    return values, chars
