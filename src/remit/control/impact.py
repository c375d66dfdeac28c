"""What the catalog says of a tool's impact, against the schema that was accepted.

A measure that is never found bounds nothing, so that a path which leads nowhere is an error here.
"""

from collections.abc import Iterator

from remit.control.flow import leads_somewhere
from remit.control.lock import Pinned
from remit.control.problems import WorkspaceProblem
from remit.control.resources import Resource, ToolSpec
from remit.facts.impact import ImpactMeasure
from remit.facts.results import steps


def impact_problems(resource: Resource, spec: ToolSpec, pinned: Pinned) -> Iterator[WorkspaceProblem]:
    """What is wrong with `impact`."""
    for measure, extractor in spec.impact.items():
        where = resource.at(f"spec.impact.{measure}")
        path = steps(extractor.path)
        if path is None:
            what = f"{extractor.path[:64]!r} is no path"
            yield WorkspaceProblem(
                "tool/impact", where, what, hint="$.name, $.name[*], $.name[*].part, $['odd name'] are"
            )
        elif not leads_somewhere(pinned.definition.input_schema, path):
            what = f"{extractor.path[:64]} leads nowhere in the arguments that were accepted"
            yield WorkspaceProblem("tool/impact", where, what, "what is never found would be bounded by nothing")
        if measure == "amount" and extractor.counts is not ImpactMeasure.NUMBER:
            what = "an amount is a number"
            yield WorkspaceProblem("tool/impact", where, what, hint="records and recipients are counted")
        if path and path[0] in {name for name, argument in spec.arguments.items() if argument.secret}:
            what = f"{extractor.path[:64]} is a secret, whose measure would stand on the ledger"
            yield WorkspaceProblem("tool/impact", where, what)
