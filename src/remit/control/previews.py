"""What the catalog says of dry runs, against what was accepted of both tools."""

from collections.abc import Iterator, Mapping

from remit.control.arguments import unknown
from remit.control.lock import Lock, Pinned
from remit.control.problems import WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.facts.catalog import Effect
from remit.facts.preview import Preview

_CODE = "tool/preview"


def preview_problems(
    resource: Resource,
    spec: ToolSpec,
    pinned: Pinned,
    lock: Lock,
    entries: Mapping[str, tuple[Resource, ToolSpec]],
) -> list[WorkspaceProblem]:
    """What is wrong with the dry run that `spec` declares: one that could act, tell a secret, or is none."""
    return [] if spec.preview is None else list(_problems(resource, spec, spec.preview, pinned, lock, entries))


def _problems(
    resource: Resource,
    spec: ToolSpec,
    said: Preview,
    pinned: Pinned,
    lock: Lock,
    entries: Mapping[str, tuple[Resource, ToolSpec]],
) -> Iterator[WorkspaceProblem]:
    where = resource.at("spec.preview")
    if bool(said.tool) is bool(said.argument):
        yield WorkspaceProblem(_CODE, where, "a preview is another tool or an argument of this one, one of them")
        return
    if any(one.secret for one in spec.arguments.values()):
        why = "its server could show them in its preview"
        yield WorkspaceProblem(_CODE, where, "a tool that takes secrets has no preview", why)
    if said.argument:
        if said.arguments is not None:
            yield WorkspaceProblem(_CODE, resource.at("spec.preview.arguments"), "arguments go with another tool")
        if spec.idempotent is not None and spec.idempotent.argument:
            why = "it would take the call for one that it was asked before"
            yield WorkspaceProblem(
                _CODE, where, "a tool that knows a call by an argument is previewed by another tool", why
            )
        named = {said.argument: "spec.preview.argument"}
        yield from unknown(resource, pinned, _CODE, named, "the call itself would be made")
        return
    server = resource.name.partition("/")[0]
    other = lock.tools.get((server, said.tool))
    if other is None or said.tool == pinned.definition.name:
        known = [name for of, name in lock.tools if of == server and name != pinned.definition.name]
        what = f"{server} has no other tool {said.tool[:64]!r} that was accepted"
        yield WorkspaceProblem(_CODE, resource.at("spec.preview.tool"), what, hint=did_you_mean(said.tool, known))
        return
    entry = entries.get(f"{server}/{said.tool}")
    if entry is None or entry[1].effect is not Effect.READ:
        what = f"{server}/{said.tool}, which is to preview {resource.name[:128]}, is not said to read only"
        why = "what shows people a call must not be one that they would be asked about"
        yield WorkspaceProblem(
            _CODE, resource.at("spec.preview.tool"), what, why, next="give it an entry with: effect: read"
        )
    given = said.arguments or {}
    follows = "the preview would be of something else"
    yield from unknown(resource, other, _CODE, dict.fromkeys(given, "spec.preview.arguments"), follows)
    yield from unknown(resource, pinned, _CODE, dict.fromkeys(given.values(), "spec.preview.arguments"), follows)
