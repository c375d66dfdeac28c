"""Source resources to what the catalog holds, with what is wrong about them."""

from collections.abc import Iterator
from typing import Final

from remit.control.problems import WorkspaceProblem
from remit.control.resources import Resource, SourceSpec
from remit.facts.source import Watched, Watches

EVERY_S_MIN: Final = 10.0
EVERY_S_MAX: Final = 86_400.0


def watched_of(resource: Resource, spec: SourceSpec) -> tuple[Watched, list[WorkspaceProblem]]:
    """What `spec` has looked at, and what is wrong about it."""
    watched = Watched(resource.name, spec.watches, spec.path, spec.homes, spec.projects, spec.processes, spec.every_s)
    return watched, [
        WorkspaceProblem("source/shape", resource.at(f"spec.{field}"), why) for field, why in _shape_problems(spec)
    ]


def _shape_problems(spec: SourceSpec) -> Iterator[tuple[str, str]]:
    if not EVERY_S_MIN <= spec.every_s <= EVERY_S_MAX:
        yield "every_s", f"a source is looked at every {EVERY_S_MIN:.0f} to {EVERY_S_MAX:.0f} seconds"
    if (spec.path is None) != (spec.watches is Watches.HOST):
        yield "path", "a repository and a file have a path, a host has none"
    if spec.watches is not Watches.HOST and (spec.homes or spec.projects):
        yield "homes", "homes and projects are a host's"
    paths = (("path", (spec.path or "/",)), ("homes", spec.homes), ("projects", spec.projects))
    for field, values in paths:
        if any(not path.startswith("/") or "\0" in path for path in values):
            yield field, "a path begins at the root: the service runs in a folder of its own"
