"""A bundle that runs or might run, made from a workspace's source."""

from dataclasses import dataclass

from remit.api.services import Invalid
from remit.app.bundles import Bundles
from remit.control.assemble import Assembled, assemble
from remit.control.resources import Source
from remit.policy.compile import Bundle, compile_bundle


@dataclass(frozen=True, slots=True)
class Running:
    """A bundle, the source it was made from, and what is odd about it all the same."""

    source: Source
    bundle: Bundle
    warnings: tuple[str, ...]


def prepare(source: Source, bundles: Bundles) -> Running:
    """Assemble and compile `source`. Blocks; raises `Invalid` with every problem."""
    assembly = assemble(source)
    if not isinstance(assembly, Assembled):
        raise Invalid([str(problem) for problem in assembly.errors])
    compiled = compile_bundle(assembly.catalog, validated=bundles.validated())
    if not isinstance(compiled.result, Bundle):
        raise Invalid([str(problem) for problem in compiled.result])
    bundles.remember(compiled.validated)
    warnings = (*map(str, assembly.warnings), *map(str, compiled.warnings))
    return Running(source, compiled.result, warnings)
