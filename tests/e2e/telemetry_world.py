"""OTLP exports as tests send them."""

import gzip
import json
import time
from collections.abc import Mapping
from typing import Any

from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def span(name: str, ident: int, parent: int = 0, trace: int = 1, **attributes: str) -> dict[str, Any]:
    """One span of OTLP JSON; `__` in a keyword is a dot."""
    now = time.time_ns()
    pairs = [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in attributes.items()]
    return {
        "traceId": f"{trace:032x}",
        "spanId": f"{ident:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "startTimeUnixNano": str(now - 2_000_000),
        "endTimeUnixNano": str(now),
        "attributes": pairs,
    }


def export(*spans: Mapping[str, Any], service: str = "svc", scope: str = "scope") -> dict[str, Any]:
    """An export request of OTLP JSON."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": service}}]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": scope}, "spans": list(spans)}]}]}


def protobuf(request: Mapping[str, Any]) -> bytes:
    """The same request as protobuf (its JSON has ids in base 64, OTLP's in hex)."""
    text = json.loads(json.dumps(request))
    spans = [one for resource in text["resourceSpans"] for scoped in resource["scopeSpans"] for one in scoped["spans"]]
    ids = [[bytes.fromhex(one.pop(key)) for key in ("traceId", "spanId", "parentSpanId")] for one in spans]
    made = ParseDict(text, ExportTraceServiceRequest())
    parts = [one for resource in made.resource_spans for scoped in resource.scope_spans for one in scoped.spans]
    for one, (trace, span, parent) in zip(parts, ids, strict=True):
        one.trace_id, one.span_id, one.parent_span_id = trace, span, parent
    return made.SerializeToString()


def zipped(data: bytes) -> bytes:
    """`data` as gzip, the same at any time: what a test is called by must be the same in every worker."""
    return gzip.compress(data, mtime=0)
