"""The Admission resource to what the catalog holds, with what is wrong about it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

from remit.control.names import refer
from remit.control.problems import WorkspaceProblem
from remit.control.resources import AdmissionSpec, Resource, ResourceKind
from remit.facts.admission import Admission, AdmissionTerms

DAYS_MAX: Final = 366
COUNT_MAX: Final = 10**9
TIMES_MAX: Final = 1_000.0
SECONDS_MIN: Final = 10.0
SECONDS_MAX: Final = 3_600.0


def admission_of(
    declared: Sequence[tuple[Resource, AdmissionSpec]], users: Collection[str]
) -> tuple[Admission | None, list[WorkspaceProblem]]:
    """The admission that is declared, None where there is none, and what is wrong about it."""
    if not declared:
        return None, []
    resource, spec = declared[0]
    problems = refer(resource, "spec.owner", (spec.terms.owner,), users, ResourceKind.USER)
    problems += [
        WorkspaceProblem("admission/shape", resource.at(f"spec.{field}"), why)
        for field, why in _shape_problems(spec.terms)
    ]
    for other, _ in declared[1:]:
        what = f"Admission {other.name[:64]!r} is the second one, after {resource.name[:64]!r} in {resource.where}"
        problems.append(
            WorkspaceProblem("admission/several", other.where, what, "one set of terms holds for a workspace")
        )
    return Admission(resource.name, spec.terms), problems


def _shape_problems(terms: AdmissionTerms) -> Iterator[tuple[str, str]]:
    bounds = (
        ("days", terms.days, 1, DAYS_MAX),
        ("newly_permitted_max", terms.newly_permitted_max, 0, COUNT_MAX),
        ("newly_denied_max", terms.newly_denied_max, 0, COUNT_MAX),
        ("not_judged_max", terms.not_judged_max, 0, COUNT_MAX),
        ("asks_times_max", terms.asks_times_max, 1.0, TIMES_MAX),
        ("asks_a_day_free", terms.asks_a_day_free, 0.0, float(COUNT_MAX)),
        ("seconds_max", terms.seconds_max, SECONDS_MIN, SECONDS_MAX),
    )
    for field, value, least, most in bounds:
        if not least <= value <= most:
            yield field, f"{field} is {least:,g} to {most:,g}"
