"""Arguments against the pinned JSON Schema, before any policy sees them.

Validators are compiled once per pin. They fetch nothing, assert no formats, and a pattern
that backtracks too long fails the argument instead of the service.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import jsonschema_rs

from remit.facts.canonical import Json
from remit.facts.text import escaped
from remit.policy.typing import Untypable

BACKTRACK_MAX: Final = 100_000
_SHOWN_MAX: Final = 160
_MASK: Final = "the value"


@dataclass(frozen=True, slots=True)
class Validator:
    """One tool's compiled argument schema."""

    compiled: jsonschema_rs.Validator

    def problem(self, arguments: Mapping[str, Json]) -> str | None:
        """Which argument is invalid and why, in one sentence without its value; or None."""
        try:
            self.compiled.validate(dict(arguments))
        except jsonschema_rs.ValidationError as error:
            path = ".".join(str(step) for step in error.instance_path)
            where = escaped(path, chars_max=_SHOWN_MAX) or "the arguments"
            return f"{where}: {escaped(error.message, chars_max=_SHOWN_MAX)}"
        except ValueError as error:
            return f"the arguments cannot be checked: {escaped(str(error), chars_max=_SHOWN_MAX)}"
        return None


def compile_validator(schema: Mapping[str, Json]) -> Validator:
    """The validator of a tool's `inputSchema`.

    Raises `Untypable` where it is no JSON Schema, names an unknown dialect or refers to another
    document.
    """
    try:
        compiled = jsonschema_rs.validator_for(
            cast("dict[str, Any]", schema),
            validate_formats=False,
            mask=_MASK,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_MAX),
            offline=True,
        )
    except jsonschema_rs.ValidationError as error:
        where = ".".join(str(step) for step in error.instance_path)
        why = escaped(f"{where}: {error.message}" if where else error.message, chars_max=_SHOWN_MAX)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        why = escaped(str(error), chars_max=_SHOWN_MAX)
    else:
        return Validator(compiled)
    raise Untypable(f"its input schema is not valid: {why}")
