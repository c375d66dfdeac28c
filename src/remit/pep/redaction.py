"""Obligations on what a server wrote, carried out before anything else reads it (`protect.result_obligations`).

INVARIANT(deny-on-error): what cannot be covered does not leave.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

import orjson

from remit.facts.canonical import Json, canonical
from remit.facts.obligation import Obligation
from remit.facts.tool import Tool
from remit.pep.release import Releasable, in_place_of
from remit.policy.arguments import Validator, compile_validator
from remit.policy.input_types import Untypable
from remit.ports.upstream import Question
from remit.protect.result_obligations import ConformsTo, WithheldError, cover_result, cover_text, cover_value
from remit.trace.bodies import Status

_LOG: Final = logging.getLogger(__name__)
_KEPT_MAX: Final = 256


def redact_shown(
    obligations: Sequence[Obligation], releasable: Releasable, tool: Tool | None, *, of_tool: bool
) -> Releasable:
    """`releasable` as `obligations` let it out. `tool` is whose result it may be; `of_tool`: it is a result of one."""
    if not obligations or releasable.status is Status.NOT_SENT:
        return releasable
    try:
        value = cover_result(obligations, releasable.value, _holds(tool))
        failed = releasable.failed and (releasable.failed[0], cover_text(obligations, releasable.failed[1]))
        return replace(releasable, value=value, failed=failed)
    except WithheldError as error:
        why = str(error)
    except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
        _LOG.error("a result could not be covered", extra={"error": type(error).__name__})
        why = f"covering it failed in Remit ({type(error).__name__})"
    return in_place_of(releasable, why, call=of_tool)


def redact_question(obligations: Sequence[Obligation], question: Question | None) -> Question | None:
    """What a server asks in mid-call, as `obligations` lets it out; None where it may not be asked."""
    if question is None or not obligations:
        return question
    try:
        params = cover_value(obligations, question.params)
    except Exception as error:  # noqa: BLE001 - INVARIANT(deny-on-error)
        _LOG.error("a question could not be covered", extra={"error": type(error).__name__})
        return None
    return Question(question.method, params) if isinstance(params, dict) else None


def _holds(tool: Tool | None) -> ConformsTo | None:
    schema = None if tool is None else tool.definition.output_schema
    if schema is None:
        return None

    def holds(value: Json) -> bool:
        validator = _validator(canonical(schema))
        return validator is not None and isinstance(value, dict) and validator.problem(value) is None

    return holds


@lru_cache(maxsize=_KEPT_MAX)
def _validator(schema: bytes) -> Validator | None:
    """That of a canonical schema; none of one that cannot be followed: nothing is known to hold to it."""
    try:
        return compile_validator(orjson.loads(schema))
    except Untypable:
        return None
