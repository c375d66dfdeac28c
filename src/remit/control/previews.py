"""What the catalog says of dry runs, against what was accepted of both tools."""

from collections.abc import Iterator, Mapping

from remit.control.arguments import unknown_arguments
from remit.control.lock import Lock, Pinned
from remit.control.problems import WorkspaceProblem, did_you_mean
from remit.control.resources import Resource, ToolSpec
from remit.facts.preview import Preview
from remit.facts.tool import Effect

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
    preview: Preview,
    pinned: Pinned,
    lock: Lock,
    entries: Mapping[str, tuple[Resource, ToolSpec]],
) -> Iterator[WorkspaceProblem]:
    where = resource.at("spec.preview")
    if bool(preview.tool) is bool(preview.argument):
        yield WorkspaceProblem(_CODE, where, "a preview is another tool or an argument of this one, one of them")
        return
    if any(argument.secret for argument in spec.arguments.values()):
        why = "its server could show them in its preview"
        yield WorkspaceProblem(_CODE, where, "a tool that takes secrets has no preview", why)
    if preview.argument:
        if preview.arguments is not None:
            yield WorkspaceProblem(_CODE, resource.at("spec.preview.arguments"), "arguments go with another tool")
        if spec.idempotent is not None and spec.idempotent.argument:
            why = "it would take the call for one that it was asked before"
            yield WorkspaceProblem(
                _CODE, where, "a tool that knows a call by an argument is previewed by another tool", why
            )
        places = {preview.argument: "spec.preview.argument"}
        yield from unknown_arguments(resource, pinned, _CODE, places, "the call itself would be made")
        return
    server = resource.name.partition("/")[0]
    other = lock.tools.get((server, preview.tool))
    if other is None or preview.tool == pinned.definition.name:
        others = [name for of, name in lock.tools if of == server and name != pinned.definition.name]
        what = f"{server} has no other tool {preview.tool[:64]!r} that was accepted"
        yield WorkspaceProblem(_CODE, resource.at("spec.preview.tool"), what, hint=did_you_mean(preview.tool, others))
        return
    entry = entries.get(f"{server}/{preview.tool}")
    if entry is None or entry[1].effect is not Effect.READ:
        what = f"{server}/{preview.tool}, which is to preview {resource.name[:128]}, is not said to read only"
        why = "what shows people a call must not be one that they would be asked about"
        yield WorkspaceProblem(
            _CODE, resource.at("spec.preview.tool"), what, why, next="give it an entry with: effect: read"
        )
    arguments = preview.arguments or {}
    consequence = "the preview would be of something else"
    yield from unknown_arguments(
        resource, other, _CODE, dict.fromkeys(arguments, "spec.preview.arguments"), consequence
    )
    yield from unknown_arguments(
        resource, pinned, _CODE, dict.fromkeys(arguments.values(), "spec.preview.arguments"), consequence
    )
