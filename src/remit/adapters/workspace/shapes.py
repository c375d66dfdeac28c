"""One YAML document to one resource, or to problems with the line and a likely meaning."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from remit.adapters.workspace.admission_models import AdmissionShape, admission_spec
from remit.adapters.workspace.base_shape import Shape
from remit.adapters.workspace.documents import Document
from remit.adapters.workspace.models import (
    PLAIN,
    REFERENCE,
    SPECS,
    AgentShape,
    ArgumentShape,
    BreakerShape,
    BudgetShape,
    ChannelShape,
    Envelope,
    ExtractorShape,
    GroupShape,
    MetadataShape,
    OAuthShape,
    PartShape,
    PolicyShape,
    RouteShape,
    SecretShape,
    ServerShape,
    SourceShape,
    StoreShape,
    ToolShape,
    UserShape,
)
from remit.adapters.workspace.past_models import PAST_PARTS, GuaranteeShape, MonitorShape
from remit.adapters.workspace.past_specs import past_spec
from remit.adapters.workspace.quotation import kind_of, quoted
from remit.adapters.workspace.tool_shape import tool_spec
from remit.control.problems import SourceLocation, WorkspaceProblem, did_you_mean
from remit.control.resources import (
    API_VERSION,
    AgentSpec,
    BreakerSpec,
    BudgetSpec,
    ChannelSpec,
    GroupSpec,
    PolicySpec,
    Resource,
    ResourceKind,
    RouteSpec,
    ServerSpec,
    SourceSpec,
    Spec,
    UserSpec,
)
from remit.facts.agent import Harness, Mode
from remit.facts.breaker import BreakerSubject, On
from remit.facts.budget import Measure, Per
from remit.facts.canonical import Json
from remit.facts.catalog import Topic
from remit.facts.credential import FromCommand, FromEnv, FromFile, OAuth, OAuthGrant, Secret
from remit.facts.finding import Find
from remit.facts.source import Watches
from remit.facts.tool import Sink

_M = TypeVar("_M", bound=Shape)

_LATER: Final = ("Model",)
_NO_STEPS: Final = frozenset({"[key]", PLAIN, REFERENCE})
_SECRET: Final = ("spec.headers.", "spec.env.", "spec.oauth.client_secret", "spec.secret")
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "string_type": "text",
        "bool_type": "true or false",
        "int_type": "a whole number",
        "float_type": "a number",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
    }
)


def resource(document: Document, file: str) -> tuple[Resource | None, list[WorkspaceProblem]]:
    """The resource that `document` of `file` declares; None and why where there is none."""
    value, where = document.value, SourceLocation(file, document.line)
    if not isinstance(value, Mapping):
        what = f"a document is a mapping with apiVersion, kind, metadata, spec, not {kind_of(value)}"
        return None, [WorkspaceProblem("yaml/shape", where, what)]
    if problem := _header_problem(value, document, file):
        return None, [problem]
    kind, problems = ResourceKind(str(value["kind"])), list[WorkspaceProblem]()
    envelope = _check(Envelope, value, "", document, file, problems)
    spec = value.get("spec")
    shape = _check(SPECS[kind], {} if spec is None else spec, "spec", document, file, problems)
    if envelope is None or shape is None:
        return None, problems
    return (
        Resource(
            envelope.metadata.name,
            _spec(shape, document),
            where,
            MappingProxyType(envelope.metadata.labels),
            MappingProxyType(envelope.metadata.annotations),
            MappingProxyType(dict(document.lines)),
        ),
        problems,
    )


def _header_problem(value: Mapping[str, Json], document: Document, file: str) -> WorkspaceProblem | None:
    """What keeps the document from being a resource of a kind that is known."""
    version, kind = value.get("apiVersion"), value.get("kind")
    if version != API_VERSION:
        where = SourceLocation(file, document.lines.get("apiVersion", document.line))
        what = f"apiVersion is {quoted(version)}" if version is not None else "apiVersion is missing"
        return WorkspaceProblem("yaml/version", where, what, hint=f"write apiVersion: {API_VERSION}")
    where = SourceLocation(file, document.lines.get("kind", document.line))
    kinds = [kind_known.value for kind_known in ResourceKind]
    if not isinstance(kind, str):
        return WorkspaceProblem("yaml/kind", where, "kind is missing", hint=f"one of {', '.join(kinds)}")
    if kind in _LATER:
        what = f"resources of kind {kind} are not read by this version of Remit"
        return WorkspaceProblem("yaml/kind", where, what, "a limit that is not read would not hold")
    if kind not in kinds:
        hint = did_you_mean(kind, kinds) or f"one of {', '.join(kinds)}"
        return WorkspaceProblem("yaml/kind", where, f"no kind is called {quoted(kind)}", hint=hint)
    return None


def _check(
    shape: type[_M], value: Json, path: str, document: Document, file: str, problems: list[WorkspaceProblem]
) -> _M | None:
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems.extend(_problem(detail, shape, path, document, file) for detail in details)
    return None


def _problem(detail: ErrorDetails, shape: type[Shape], path: str, document: Document, file: str) -> WorkspaceProblem:
    steps = [path, *(str(step) for step in detail["loc"] if step not in _NO_STEPS)]
    at = ".".join(step for step in steps if step)
    where = SourceLocation(file, _line(document, at))
    kind, value = detail["type"], detail["input"]
    last = str(detail["loc"][-1]) if detail["loc"] else at
    context = detail.get("ctx", {})
    hint = ""
    if kind == "extra_forbidden":
        inner = _around(at, shape)
        what = f"unknown field {at}"
        hint = did_you_mean(last, inner.model_fields)
        hint = hint or f"known are {', '.join(inner.model_fields)}"
    elif kind == "missing":
        what = f"{at} is missing"
    elif value is None:
        what, hint = f"{at} is empty", "give it a value, or remove the line"
    elif kind == "literal_error":
        expected = str(context.get("expected", ""))
        what = f"{at} is {quoted(value)}, and must be {expected}"
        hint = did_you_mean(str(value), re.findall(r"'([^']+)'", expected))
    elif at.startswith(_SECRET) and PLAIN not in detail["loc"]:
        # Whoever writes a secret where its reference belongs must not find it in a log.
        what = f"{at} is not as it must be"
        hint = "write a reference: {env: NAME}, {file: PATH} or {command: [PROGRAM]}; exactly one of them"
    elif kind in _TYPES:
        what = f"{at} is {' '.join([kind_of(value), quoted(value)]).rstrip()}, and must be {_TYPES[kind]}"
        hint = "put it in quotes" if kind == "string_type" and isinstance(value, int | float) else ""
    else:
        message = detail["msg"]
        what = f"{at}: {message[:1].lower()}{message[1:]}"
    return WorkspaceProblem("yaml/field", where, what, hint=hint)


def _around(at: str, shape: type[Shape]) -> type[Shape]:
    """The shape that the field at `at` stands in."""
    if at.startswith("metadata."):
        return MetadataShape
    if at.startswith(_SECRET):
        return SecretShape
    if at.startswith("spec.oauth."):
        return OAuthShape
    inner = (
        ("spec.arguments.", ArgumentShape),
        ("spec.results.", PartShape),
        ("spec.store.", StoreShape),
        ("spec.impact.", ExtractorShape),
        *PAST_PARTS,
    )
    return next((part for start, part in inner if at.startswith(start)), shape)


def _line(document: Document, at: str) -> int:
    while at and at not in document.lines:
        at = at.rpartition(".")[0]
    return document.lines.get(at, document.line) if at else document.line


def _server(shape: ServerShape) -> ServerSpec:
    return ServerSpec(
        None if shape.command is None else tuple(shape.command),
        MappingProxyType({name: _value(value) for name, value in shape.env.items()}),
        shape.cwd,
        shape.url,
        *(shape.shared, shape.verify_s, shape.call_s),
        MappingProxyType({name: _secret(value) for name, value in shape.headers.items()}),
        None if shape.oauth is None else _oauth(shape.oauth),
        None if shape.source is None else tuple(shape.source),
        *(shape.private, frozenset(Find(find) for find in shape.detect)),
        None if shape.sink is None else Sink(shape.sink),
        frozenset(Find(find) for find in shape.detect_sent),
    )


def _spec(shape: Shape, document: Document) -> Spec:
    match shape:
        case AgentShape():
            return AgentSpec(shape.owner, shape.purpose, tuple(shape.groups), Harness(shape.harness), Mode(shape.mode))
        case UserShape():
            return UserSpec(tuple(shape.groups), shape.person)
        case GroupShape():
            return GroupSpec(shape.description, tuple(shape.groups))
        case ServerShape():
            return _server(shape)
        case ToolShape():
            return tool_spec(shape)
        case PolicyShape():
            return PolicySpec(shape.cedar, document.blocks.get("spec.cedar", document.line))
        case RouteShape():
            return RouteSpec(
                tuple(shape.groups),
                tuple(shape.users),
                shape.count,
                shape.hold_s,
                shape.expires_s,
                shape.requester_may_approve,
                shape.shared,
                shape.distinct_groups,
                shape.next,
                shape.next_after_s,
                tuple(shape.channels),
                shape.edits,
                shape.strong,
                tuple(shape.break_glass),
            )
        case SourceShape():
            folders = (tuple(shape.homes), tuple(shape.projects))
            return SourceSpec(Watches(shape.watches), shape.path, *folders, shape.processes, shape.every_s)
        case BudgetShape():
            return _budget(shape)
        case BreakerShape():
            return BreakerSpec(On(shape.on), BreakerSubject(shape.over), **shape.model_dump(exclude={"on", "over"}))
        case ChannelShape():
            return ChannelSpec(shape.url, _secret(shape.secret), tuple(Topic(topic) for topic in shape.about))
        case MonitorShape() | GuaranteeShape() | AdmissionShape():
            return admission_spec(shape) if isinstance(shape, AdmissionShape) else past_spec(shape)
        case _:
            raise TypeError(f"no spec has the shape {type(shape).__name__}")


def _budget(shape: BudgetShape) -> BudgetSpec:
    return BudgetSpec(
        Measure(shape.measure),
        Per(shape.per),
        shape.hard,
        shape.window_s,
        shape.of,
        shape.soft,
        shape.route,
        tuple(shape.tools),
        shape.each,
    )


def _value(shape: str | SecretShape) -> str | Secret:
    return shape if isinstance(shape, str) else _secret(shape)


def _secret(shape: SecretShape) -> Secret:
    if shape.env is not None:
        return Secret(FromEnv(shape.env), shape.prefix)
    if shape.file is not None:
        return Secret(FromFile(shape.file), shape.prefix)
    return Secret(FromCommand(tuple(shape.command or ())), shape.prefix)


def _oauth(shape: OAuthShape) -> OAuth:
    secret = None if shape.client_secret is None else _secret(shape.client_secret)
    return OAuth(OAuthGrant(shape.grant), shape.issuer, shape.client_id, secret, tuple(shape.scopes))
