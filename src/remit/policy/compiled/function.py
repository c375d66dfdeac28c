"""A slice's policies as one Python function that runs, or the reason why cedarpy must judge them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, cast

from remit.facts.canonical import Json
from remit.policy.compiled import extensions, functions, operators
from remit.policy.compiled.generate import COMMON, generate
from remit.policy.compiled.values import Entities, Value
from remit.policy.compiled.writer import SCOPE, Unsupported
from remit.policy.form import Uid

Outcomes: TypeAlias = tuple[list[int], list[tuple[int, str]]]
"""The numbers of the satisfied policies, and of those that could not be evaluated with why."""

Judge: TypeAlias = Callable[[Entities, Uid, Uid, Uid, "dict[str, Value]"], Outcomes]
"""Entities, principal, action, resource, context: every policy evaluated, whatever the others do."""

_CLASSES: Final = (
    bool,
    int,
    str,
    tuple,
    frozenset,
    dict,
    operators.MissingValue,
    *(function.gives for function in functions.TABLE.values()),
)
_CALLED: Final = (
    operators.fault,
    operators.wrong,
    operators.differs,
    operators.within,
    operators.look,
    operators.has,
    operators.tag,
    operators.same,
    operators.unlike,
    operators.held,
    operators.inside,
    operators.before,
    operators.until,
    operators.like,
    extensions.long,
)
_NAMESPACE: Final[Mapping[str, object]] = {
    "__builtins__": {},
    "ABSENT": operators.ABSENT,
    "Fault": extensions.EvaluationFault,
    **{kind.__name__: kind for kind in _CLASSES},
    **{called.__name__: called for called in _CALLED},
    **{function.name: function.run for function in functions.TABLE.values()},
}


def function_of(
    policies: Sequence[Mapping[str, Json]], scope: Iterable[str] = SCOPE, *, common: int = COMMON
) -> Judge | str:
    """The function that judges `policies` in Cedar's JSON form, numbered in their order; or why there is none."""
    try:
        source = generate(policies, scope, common=common)
        namespace = {**_NAMESPACE, **source.constants}
        # What runs is fixed words and generated names: no text of a policy stands in the source (`writer`).
        exec(compile(source.text, "<policies>", "exec"), namespace)  # noqa: S102
    except Unsupported as error:
        return f"{error} has no generated form"
    except (RecursionError, MemoryError, SyntaxError) as error:
        return f"its conditions are nested too deeply to generate code ({type(error).__name__})"
    return cast("Judge", namespace["judge"])
