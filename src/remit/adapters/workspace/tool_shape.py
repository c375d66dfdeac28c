"""What is said of a tool, from its YAML shape."""

from types import MappingProxyType

from remit.adapters.workspace.models import (
    ArgumentShape,
    ExtractorShape,
    IdempotentShape,
    PreviewShape,
    StoreShape,
    ToolShape,
)
from remit.control.resources import StoreSpec, ToolSpec
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.origin import Role
from remit.facts.preview import Preview
from remit.facts.results import Part, ResultFormat
from remit.facts.store import StoreAccess
from remit.facts.tool import Argument, Effect, Idempotent, Shows, Sink


def tool_spec(shape: ToolShape) -> ToolSpec:
    """What a Tool document declares."""
    return ToolSpec(
        None if shape.effect is None else Effect(shape.effect),
        None if shape.sink is None else Sink(shape.sink),
        None if shape.source is None else tuple(shape.source),
        tuple(shape.tags),
        shape.description,
        MappingProxyType({name: _argument(one) for name, one in shape.arguments.items()}),
        None if shape.store is None else _store(shape.store),
        tuple(shape.asks),
        tuple(Part(one.path, one.label, one.identity, one.directory) for one in shape.results),
        ResultFormat(shape.format),
        shape.brief,
        MappingProxyType({name: _extractor(name, one) for name, one in shape.impact.items()}),
        None if shape.idempotent is None else _idempotent(shape.idempotent),
        None if shape.preview is None else _preview(shape.preview),
    )


def _idempotent(shape: IdempotentShape) -> Idempotent:
    return Idempotent(shape.argument or "", shape.meta or "")


def _preview(shape: PreviewShape) -> Preview:
    arguments = None if shape.arguments is None else MappingProxyType(shape.arguments)
    return Preview(shape.tool or "", arguments, shape.argument or "", shape.value)


def _store(shape: StoreShape) -> StoreSpec:
    keys = (*(() if shape.key is None else (shape.key,)), *shape.keys)
    return StoreSpec(keys, shape.name, None if shape.access is None else StoreAccess(shape.access))


def _argument(shape: ArgumentShape) -> Argument:
    role = None if shape.role is None else Role(shape.role)
    return Argument(shape.secret, role, None if shape.shows is None else Shows(shape.shows))


def _extractor(measure: str, shape: ExtractorShape) -> Extractor:
    usual = {"amount": ImpactMeasure.NUMBER, "recipients": ImpactMeasure.PEOPLE}.get(measure, ImpactMeasure.VALUES)
    return Extractor(shape.path, usual if shape.counts is None else ImpactMeasure(shape.counts))
