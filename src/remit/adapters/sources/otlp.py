"""OTLP/HTTP trace exports as spans: protobuf or JSON, gzipped or not (OTLP 1.x, section "OTLP/HTTP").

Bounded before anything is built: bytes after unpacking, spans of one request, characters of one value. What is beyond
is rejected and counted (`partialSuccess`), and so is a span that does not parse; a body that does not is refused whole,
by a named error (`TelemetryRefused.code`). Protobuf is parsed span by span, so that others may run in between.
"""

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from remit.adapters.sources.protobuf import TooMany, Torn, Walk
from remit.discover.spans import ATTRIBUTES_READ, DIGESTED, Span
from remit.ports.telemetry import TelemetryRefused

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024
SPANS_MAX: Final = 50_000
PARTS_MAX: Final = 200_000
"""Fields of a request outside of its spans, and spans."""
JSON_PARTS_MAX: Final = 100_000
"""Objects, and lists, of a request in JSON: those of some 14,000 spans, and exporters send 512 at once."""
PIECE_BYTES_MAX: Final = 256 * 1024
"""Of one span, resource or scope."""
ATTRIBUTES_MAX: Final = 1_024
"""How many attributes of one span are looked at: exporters send 128 at most unless told otherwise."""
_RESOURCE_SPANS, _RESOURCE, _SCOPE_SPANS, _SCOPE, _SPANS = 1, 1, 2, 1, 2
"""Numbers of fields in `collector/trace/v1/trace_service.proto` and `trace/v1/trace.proto`."""
VALUE_CHARS_MAX: Final = 1_024
_NS_PER_MS: Final = 1_000_000
_NUMBER: Final = re.compile(r"[0-9]{1,20}")


class _ScopeSpans(NamedTuple):
    """The names of a service and one of its scopes, and where the spans of that stand."""

    service: str
    scope: str
    spans: list[tuple[int, int]]


class Export:
    """One export request, decoded as it is walked. `rejected` counts spans that were left out, once it was walked."""

    def __init__(self, kind: str, encoding: str, body: bytes) -> None:
        """Unpack and parse. Raises `TelemetryRefused`."""
        data = decompress(body, encoding)
        self.rejected = 0
        match kind:
            case "application/x-protobuf":
                self._spans = _of_protobuf(data)
            case "application/json":
                self._spans = _of_json(data)
            case _:
                raise TelemetryRefused("otlp/type", f"traces are sent as {PROTOBUF} or {JSON}", status=415)

    def __iter__(self) -> Iterator[Span]:
        taken = 0
        for span in self._spans:
            if span is None or taken >= SPANS_MAX:
                self.rejected += 1
            else:
                taken += 1
                yield span


def answer(kind: str, rejected: int, why: str) -> bytes:
    """The answer to an export of which `rejected` spans were not taken."""
    if kind == JSON:
        return orjson.dumps({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": why}} if why else {})
    partial = ExportTracePartialSuccess(rejected_spans=rejected, error_message=why) if why else None
    return ExportTraceServiceResponse(partial_success=partial).SerializeToString()


def decompress(body: bytes, encoding: str) -> bytes:
    """`body` without its content encoding, within bounds. Raises `TelemetryRefused`."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise TelemetryRefused("otlp/encoding", "a body is sent as it is, or gzipped", status=415)
    try:
        unpacking = zlib.decompressobj(wbits=31)
        data = unpacking.decompress(body, UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise TelemetryRefused("otlp/gzip", "the body is not gzip") from error
    if unpacking.unconsumed_tail:
        raise TelemetryRefused("otlp/bytes", f"the body unpacks to more than {UNPACKED_BYTES_MAX} bytes", status=413)
    if not unpacking.eof:
        raise TelemetryRefused("otlp/gzip", "the gzipped body ends early")
    return data


def _of_protobuf(data: bytes) -> Iterator[Span | None]:
    try:
        return _parse_spans(data, list(_walk(Walk(data, PARTS_MAX), data)))
    except (Torn, DecodeError) as error:
        raise TelemetryRefused("otlp/protobuf", "the body is no ExportTraceServiceRequest, or ends early") from error
    except TooMany as error:
        raise _too_many() from error


def _walk(walk: Walk, data: bytes) -> Iterator[_ScopeSpans]:
    """Where the spans of each scope stand. What is too large to be a resource or a scope is an unknown one.

    Each resource and scope is parsed once, and before any span. Raises `DecodeError` too.
    """
    for number, start, until in walk.fields(0, len(data)):
        if number != _RESOURCE_SPANS:
            continue
        resource: tuple[int, int] = (0, 0)
        scopes: list[tuple[int, int]] = []
        for inner, at, to in walk.fields(start, until):
            if inner == _RESOURCE:
                resource = (at, to)
            elif inner == _SCOPE_SPANS:
                scopes.append((at, to))
        service = _service(_piece(data, resource))
        for at, to in scopes:
            scope: tuple[int, int] = (0, 0)
            spans: list[tuple[int, int]] = []
            for inner, begin, over in walk.fields(at, to):
                if inner == _SCOPE:
                    scope = (begin, over)
                elif inner == _SPANS:
                    spans.append((begin, over))
            scope_name = InstrumentationScope.FromString(_piece(data, scope)).name[:VALUE_CHARS_MAX]
            yield _ScopeSpans(service, scope_name, spans)


def _service(data: bytes) -> str:
    service = "unknown_service"
    for pair in islice(Resource.FromString(data).attributes, ATTRIBUTES_MAX):
        if pair.key == "service.name":
            service = pair.value.string_value[:VALUE_CHARS_MAX] or service
    return service


def _parse_spans(data: bytes, scopes: Sequence[_ScopeSpans]) -> Iterator[Span | None]:
    for service, scope, spans in scopes:
        for start, end in spans:
            yield _span(data[start:end], service, scope) if end - start <= PIECE_BYTES_MAX else None


def _piece(data: bytes, at: tuple[int, int]) -> bytes:
    start, end = at
    return data[start:end] if end - start <= PIECE_BYTES_MAX else b""


def _span(data: bytes, service: str, scope: str) -> Span | None:
    try:
        span = SpanMessage.FromString(data)
    except DecodeError:
        return None
    trace, ident, parent = span.trace_id, span.span_id, span.parent_span_id
    if not _has_ids(trace, ident, parent):
        return None
    attributes: dict[str, str] = {}
    for pair in islice(span.attributes, ATTRIBUTES_MAX):
        key = pair.key
        if key in ATTRIBUTES_READ:
            value = pair.value
            which = value.WhichOneof("value")
            if which == "string_value":
                attributes[key] = _attribute_value(key, value.string_value)
            elif which in _PLAIN:
                attributes[key] = str(getattr(value, which))
    return Span(
        trace.hex(),
        ident.hex(),
        parent.hex(),
        span.name[:VALUE_CHARS_MAX],
        span.start_time_unix_nano // _NS_PER_MS,
        span.end_time_unix_nano // _NS_PER_MS,
        service,
        scope,
        attributes,
    )


def _has_ids(trace: bytes, span: bytes, parent: bytes) -> bool:
    """Whether these are ids of a span; they are kept, and would be as long as anybody likes."""
    return len(trace) == 16 and len(span) == 8 and len(parent) in {0, 8}


def _too_many() -> TelemetryRefused:
    return TelemetryRefused("otlp/parts", "the body has too many parts for its length: send less at once", status=413)


_PLAIN: Final = frozenset({"int_value", "double_value", "bool_value"})


def _of_json(data: bytes) -> Iterator[Span | None]:
    # Three bytes can make an object of hundreds, and nobody else runs while they are made.
    if max(data.count(b"{"), data.count(b"["), data.count(b",") // 4) > JSON_PARTS_MAX:
        raise _too_many()
    try:
        request: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TelemetryRefused("otlp/json", "the body is not JSON") from error
    try:
        return _walk_json(list(_json_scopes(_object(request, "the body"))))
    except _WrongTypeError as error:
        raise TelemetryRefused("otlp/json", f"the body is no ExportTraceServiceRequest: {error}") from None


class _WrongTypeError(ValueError):
    """What has another type than the JSON mapping of protobuf gives it."""


def _json_scopes(request: Mapping[str, Any]) -> Iterator[tuple[str, str, Sequence[Any]]]:
    """Service, scope and spans, all around the spans checked. Raises `_WrongTypeError`."""
    for number, item in enumerate(_list(request, "resourceSpans", "")):
        at = f"resourceSpans[{number}]"
        resource = _object(item, at)
        about = _attributes(_inner(resource, "resource", at), frozenset({"service.name"}), f"{at}.resource")
        service = about.get("service.name") or "unknown_service"
        for index, scoped in enumerate(_list(resource, "scopeSpans", at)):
            within = f"{at}.scopeSpans[{index}]"
            spans = _list(_object(scoped, within), "spans", within)
            scope_name = _string(_inner(scoped, "scope", within), "name", f"{within}.scope")
            yield service, scope_name[:VALUE_CHARS_MAX], spans


def _walk_json(scopes: Sequence[tuple[str, str, Sequence[Any]]]) -> Iterator[Span | None]:
    for service, scope, spans in scopes:
        for span in spans:
            try:
                yield _json_span(_object(span, "a span"), service, scope)
            except (ValueError, OverflowError):
                yield None


def _json_span(span: Mapping[str, Any], service: str, scope: str) -> Span | None:
    """Raises `ValueError` or `OverflowError`."""
    trace, ident, parent = (_string(span, name, "").lower() for name in ("traceId", "spanId", "parentSpanId"))
    if not _has_ids(*map(bytes.fromhex, (trace, ident, parent))):
        return None
    return Span(
        trace,
        ident,
        parent,
        _string(span, "name", "")[:VALUE_CHARS_MAX],
        _nanoseconds(span, "startTimeUnixNano") // _NS_PER_MS,
        _nanoseconds(span, "endTimeUnixNano") // _NS_PER_MS,
        service,
        scope,
        _attributes(span, ATTRIBUTES_READ, ""),
    )


def _nanoseconds(span: Mapping[str, Any], name: str) -> int:
    """A 64-bit number, which may be written as text."""
    value = span.get(name)
    if value is None:
        return 0
    if isinstance(value, bool) or not (isinstance(value, int) or (isinstance(value, str) and _NUMBER.fullmatch(value))):
        raise _WrongTypeError(f"{name} is no number")
    return int(value)


def _attributes(of: Mapping[str, Any], wanted: frozenset[str], at: str) -> dict[str, str]:
    attributes: dict[str, str] = {}
    for item in _list(of, "attributes", at)[:ATTRIBUTES_MAX]:
        pair = _object(item, _path(at, "attributes"))
        key = _string(pair, "key", _path(at, "attributes"))
        if key not in wanted:
            continue
        value = _inner(pair, "value", _path(at, "attributes"))
        for kind, types in _SCALARS.items():
            scalar = value.get(kind)
            if scalar is None:
                continue
            if not isinstance(scalar, types):
                raise _WrongTypeError(f"{_path(at, 'attributes')}: {kind} has another type")
            attributes[key] = _attribute_value(key, str(scalar))
    return attributes


_SCALARS: Final[Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {"stringValue": (str,), "intValue": (str, int), "doubleValue": (str, int, float), "boolValue": (bool,)}
)


def _attribute_value(key: str, value: str) -> str:
    if key in DIGESTED:
        return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return value[:VALUE_CHARS_MAX]


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _object(value: object, at: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _WrongTypeError(f"{at} is no object")
    return cast("dict[str, Any]", value)


def _inner(of: Mapping[str, Any], name: str, at: str) -> Mapping[str, Any]:
    """A member that is an object, or null or left out, which is an empty one."""
    value = of.get(name)
    return {} if value is None else _object(value, _path(at, name))


def _list(of: Mapping[str, Any], name: str, at: str) -> Sequence[Any]:
    value = of.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _WrongTypeError(f"{_path(at, name)} is no list")
    return cast("list[Any]", value)


def _string(of: Mapping[str, Any], name: str, at: str) -> str:
    value = of.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _WrongTypeError(f"{_path(at, name)} is no text")
    return value
