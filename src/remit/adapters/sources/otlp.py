"""OTLP/HTTP trace exports as spans: protobuf or JSON, gzipped or not (OTLP 1.x, section "OTLP/HTTP").

Bounded before anything is built: bytes after unpacking, spans of one request, characters of one value. What is beyond
is rejected and counted (`partialSuccess`); what does not parse is refused whole, by a named error (`Malformed.code`).
"""

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import orjson
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from remit.discover.spans import DIGESTED, READ, Span
from remit.ports.telemetry import Malformed

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
UNPACKED_BYTES_MAX: Final = 16 * 1024 * 1024
SPANS_MAX: Final = 50_000
VALUE_CHARS_MAX: Final = 4_096
_NS_PER_MS: Final = 1_000_000
_ID_CHARS: Final = (32, 16)


class Export:
    """One export request, decoded as it is walked. `rejected` counts spans that were left out, once it was walked."""

    def __init__(self, kind: str, encoding: str, body: bytes) -> None:
        """Unpack and parse. Raises `Malformed`."""
        data = unpacked(body, encoding)
        self.rejected = 0
        match kind:
            case "application/x-protobuf":
                self._spans = _of_protobuf(data)
            case "application/json":
                self._spans = _of_json(data)
            case _:
                raise Malformed("otlp/type", f"traces are sent as {PROTOBUF} or {JSON}", status=415)

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


def unpacked(body: bytes, encoding: str) -> bytes:
    """`body` without its content encoding, within bounds. Raises `Malformed`."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise Malformed("otlp/encoding", "a body is sent as it is, or gzipped", status=415)
    try:
        unpacking = zlib.decompressobj(wbits=31)
        data = unpacking.decompress(body, UNPACKED_BYTES_MAX)
    except zlib.error as error:
        raise Malformed("otlp/gzip", "the body is not gzip") from error
    if unpacking.unconsumed_tail:
        raise Malformed("otlp/bytes", f"the body unpacks to more than {UNPACKED_BYTES_MAX} bytes", status=413)
    if not unpacking.eof:
        raise Malformed("otlp/gzip", "the gzipped body ends early")
    return data


def _of_protobuf(data: bytes) -> Iterator[Span | None]:
    try:
        request = ExportTraceServiceRequest.FromString(data)
    except DecodeError as error:
        raise Malformed("otlp/protobuf", "the body is no ExportTraceServiceRequest, or ends early") from error
    return _walk(request)


def _walk(request: ExportTraceServiceRequest) -> Iterator[Span | None]:
    for resource in request.resource_spans:
        service = "unknown_service"
        for pair in resource.resource.attributes:
            if pair.key == "service.name":
                service = pair.value.string_value[:VALUE_CHARS_MAX] or service
        for scoped in resource.scope_spans:
            scope = scoped.scope.name[:VALUE_CHARS_MAX]
            for span in scoped.spans:
                trace, ident = span.trace_id, span.span_id
                if len(trace) != 16 or len(ident) != 8:
                    yield None
                    continue
                attributes: dict[str, str] = {}
                for pair in span.attributes:
                    key = pair.key
                    if key in READ:
                        value = pair.value
                        which = value.WhichOneof("value")
                        if which == "string_value":
                            attributes[key] = _kept(key, value.string_value)
                        elif which in _PLAIN:
                            attributes[key] = str(getattr(value, which))
                yield Span(
                    trace.hex(),
                    ident.hex(),
                    span.parent_span_id.hex(),
                    span.name[:VALUE_CHARS_MAX],
                    span.start_time_unix_nano // _NS_PER_MS,
                    span.end_time_unix_nano // _NS_PER_MS,
                    service,
                    scope,
                    attributes,
                )


_PLAIN: Final = frozenset({"int_value", "double_value", "bool_value"})


def _of_json(data: bytes) -> Iterator[Span | None]:
    try:
        request: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Malformed("otlp/json", "the body is not JSON") from error
    return _walk_json(_member(request, "resourceSpans"))


def _walk_json(resources: Iterable[Any]) -> Iterator[Span | None]:
    for resource in resources:
        about = _attributes(_dict(_dict(resource).get("resource")), frozenset({"service.name"}))
        service = about.get("service.name") or "unknown_service"
        for scoped in _member(resource, "scopeSpans"):
            scope = str(_dict(_dict(scoped).get("scope")).get("name", ""))[:VALUE_CHARS_MAX]
            for span in _member(scoped, "spans"):
                yield _json_span(_dict(span), service, scope)


def _json_span(span: Mapping[str, Any], service: str, scope: str) -> Span | None:
    trace, ident = _text(span.get("traceId")).lower(), _text(span.get("spanId")).lower()
    try:
        if (len(bytes.fromhex(trace)), len(bytes.fromhex(ident))) != (16, 8):
            return None
        start, end = int(span.get("startTimeUnixNano", 0)), int(span.get("endTimeUnixNano", 0))
    except (TypeError, ValueError, OverflowError):
        return None
    return Span(
        trace,
        ident,
        _text(span.get("parentSpanId")).lower(),
        _text(span.get("name"))[:VALUE_CHARS_MAX],
        start // _NS_PER_MS,
        end // _NS_PER_MS,
        service,
        scope,
        _attributes(span, READ),
    )


def _attributes(of: Mapping[str, Any], wanted: frozenset[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in _member(of, "attributes"):
        key = _text(_dict(pair).get("key"))
        if key not in wanted:
            continue
        value = _dict(_dict(pair).get("value"))
        for kind in ("stringValue", "intValue", "doubleValue", "boolValue"):
            if kind in value and isinstance(value[kind], str | int | float):
                found[key] = _kept(key, str(value[kind]))
    return found


def _kept(key: str, value: str) -> str:
    if key in DIGESTED:
        return "sha256:" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return value[:VALUE_CHARS_MAX]


def _member(of: object, name: str) -> Sequence[Any]:
    value = _dict(of).get(name)
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _dict(value: object) -> Mapping[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
